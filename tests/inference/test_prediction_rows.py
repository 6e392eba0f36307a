"""Predictions of whole fits: the rows of the fit itself, and what stands beside the formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.formula.api as smf

import thalweg as tw
from thalweg.errors import DataError, MissingValueError, NotAvailableError, OptionError

X = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
COUNTS = np.array([2.0, 3.0, 4.0, 9.0, 8.0, 12.0, 20.0])
TIME = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 3.0, 4.0])


def test_the_rows_of_the_fit_are_those_that_were_used() -> None:
    """As statsmodels' `predict()` after missing="drop"."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"y": COUNTS, "x": X}).astype(float)
    frame.loc[1, "x"], frame.loc[4, "y"] = np.nan, np.nan
    fit = tw.fit("y ~ x", frame, missing="drop")
    truth = smf.ols("y ~ x", frame, missing="drop").fit()
    np.testing.assert_allclose(fit.predict(), truth.predict(), rtol=1e-12)
    np.testing.assert_allclose(fit.predict() + fit.residuals(), frame["y"].dropna().drop(1), rtol=1e-12)
    limits = fit.predict(interval="mean")
    expected = truth.get_prediction().summary_frame(0.05)
    np.testing.assert_allclose(limits["lower"], expected["mean_ci_lower"], rtol=1e-10)
    with pytest.raises(MissingValueError, match="'x' has a missing value"):  # the same table as new data
        fit.predict(frame)
    found = fit.predict(frame, missing="null")
    assert np.isnan(found).tolist() == [False, True] + [False] * 5
    np.testing.assert_array_equal(np.delete(found, [1, 4]), fit.predict())


def test_no_rows_after_loading(tmp_path: Path) -> None:
    tw.fit("y ~ x", {"y": COUNTS, "x": X}).save(tmp_path / "m.safetensors")
    with pytest.raises(NotAvailableError, match="model files hold no data"):
        tw.load(tmp_path / "m.safetensors").predict()


@pytest.mark.parametrize("loaded", [False, True])
def test_an_exposure_given_as_an_array(loaded: bool, tmp_path: Path) -> None:
    data = {"y": COUNTS, "x": X}
    fit = tw.fit("y ~ x", data, family="poisson", exposure=TIME)
    named: Any = tw.fit("y ~ x", data | {"time": TIME}, family="poisson", exposure="time")
    np.testing.assert_allclose(fit.predict(), named.predict(), rtol=1e-12)
    if loaded:
        fit.save(tmp_path / "m.safetensors")
        fit = tw.load(tmp_path / "m.safetensors")
    new = {"x": [1.0, 2.0], "months": [6.0, 24.0]}
    with pytest.raises(OptionError) as caught:
        fit.predict(new)
    assert str(caught.value) == (
        "this model was fitted with exposure given as an array;"
        " pass exposure= (an array or a column's name) to predict."
    )
    expected = named.predict(new | {"time": [0.5, 2.0]})
    np.testing.assert_allclose(fit.predict(new, exposure=[0.5, 2.0]), expected, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(new, exposure="months / 12"), expected, rtol=1e-12)
    np.testing.assert_allclose(named.predict(new, exposure=np.array([0.5, 2.0])), expected, rtol=1e-12)
    limits = fit.predict_columns(new, interval=0.9, exposure="months").columns
    np.testing.assert_allclose(limits["prediction"], 12 * expected, rtol=1e-12)


def test_an_offset_given_as_an_array() -> None:
    fit = tw.fit("y ~ x", {"y": COUNTS, "x": X}, offset=TIME)
    with pytest.raises(OptionError, match="fitted with offset given as an array; pass offset="):
        fit.predict({"x": [1.0]})
    base = fit.predict({"x": [1.0, 2.0]}, offset=[0.0, 0.0])
    np.testing.assert_allclose(
        fit.predict({"x": [1.0, 2.0]}, offset=[10.0, 20.0]), base + np.array([10.0, 20.0]), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"exposure": [1.0, 2.0, 3.0]}, DataError, "3 entries, but the data have 2 rows"),
        ({"exposure": [0.0, 1.0]}, DataError, "which is not positive"),
        ({"exposure": 2.0}, DataError, "'exposure' is a single value"),
        ({"exposure": "months"}, DataError, "no column 'months'"),
        ({"exposure": [1.0, 2.0], "offset": [1.0, 2.0]}, OptionError, "fitted without offset="),
    ],
)
def test_roles_that_cannot_be(options: dict[str, Any], error: Any, says: str) -> None:
    fit = tw.fit("y ~ x", {"y": COUNTS, "x": X}, family="poisson", exposure=TIME)
    with pytest.raises(error, match=says):
        fit.predict({"x": [1.0, 2.0]}, **options)


def test_options_without_data_are_refused() -> None:
    fit = tw.fit("y ~ x", {"y": COUNTS, "x": X}, family="poisson", exposure=TIME)
    with pytest.raises(OptionError, match="exposure= without data"):
        fit.predict(exposure=TIME)


def test_how_a_file_is_read_is_told(tmp_path: Path) -> None:
    """`text` and the others mean for `predict` what they mean for `fit`."""
    (tmp_path / "a.csv").write_text("age|y\n1|1\n2|2\n2|4\n1|3\n")
    fit = tw.fit("y ~ age", tmp_path / "a.csv", text=["age"])
    assert fit.names == ("Intercept", "age[T.2]")
    (tmp_path / "b.csv").write_text("age|other\n2|1\n1|1\n")
    np.testing.assert_allclose(fit.predict(tmp_path / "b.csv", text=["age"]), [3.0, 2.0])
    np.testing.assert_allclose(fit.predict(tmp_path / "b.csv", text=["age"], delimiter="|"), [3.0, 2.0])
    with pytest.raises(DataError, match=r"held text in the fit and holds numbers here.*text=\['age'\]"):
        fit.predict(tmp_path / "b.csv")


def test_a_weighted_prediction_interval_says_for_which_weight() -> None:
    data = {"y": COUNTS, "x": X, "w": TIME}
    new = {"x": [1.5]}
    for kind, noted in [("precision", True), ("frequency", False)]:
        fit = tw.fit("y ~ x", data, weights="w", weights_kind=kind)
        note = fit.predict_columns(new, interval="prediction").note
        assert (note is not None and "weight 1" in note) == noted
        assert fit.predict_columns(new, interval="mean").note is None
    assert tw.fit("y ~ x", data).predict_columns(new, interval=0.9).note is None
