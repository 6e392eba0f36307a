"""What fits by group answer: predictions with intervals, the F test of what is shared, and what they do not have."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import thalweg as tw
from thalweg.curves.fits import Fits
from thalweg.errors import ConvergenceWarning, ExtrapolationWarning, NotAvailableError, OptionError

RATE = "rate = vmax * conc / (km + conc)"
NEW = pd.DataFrame({"conc": [0.1, 0.5, 0.2], "state": ["untreated", "treated", "treated"]}, index=[5, 6, 7])


def puromycin(**options: Any) -> Any:
    return tw.fit(RATE, "puromycin", **options)


@pytest.fixture(scope="module")
def fits() -> Fits:
    return cast(Fits, puromycin(by="state"))


@pytest.mark.parametrize("asked", [{"interval": 0.95}, {"interval": "mean", "level": 0.9}, {"interval": "prediction"}])
def test_intervals_of_rows_are_those_of_the_fits_of_their_groups(fits: Fits, asked: dict[str, Any]) -> None:
    found = fits.predict(NEW, **asked)
    assert list(found.columns) == ["prediction", "lower", "upper", "standard_error"]
    assert list(found.index) == [5, 6, 7]
    for i, (conc, state) in enumerate(NEW.to_numpy()):
        data = pd.DataFrame(tw.load_dataset("puromycin"))
        one = tw.fit(RATE, data[data["state"] == state]).predict({"conc": [conc]}, **asked)
        np.testing.assert_allclose(found.iloc[i], one.iloc[0], rtol=1e-8)


def test_intervals_of_the_rows_of_the_fit(fits: Fits) -> None:
    found = fits.predict(interval="mean")
    np.testing.assert_array_equal(found["prediction"], fits.predict())
    data = pd.DataFrame(tw.load_dataset("puromycin"))
    np.testing.assert_allclose(found["upper"], fits.predict(data, "mean")["upper"], rtol=1e-12)
    assert (found["lower"] < found["prediction"]).all()


def test_rows_without_an_answer(fits: Fits) -> None:
    rows = {"conc": [0.1, 0.1, np.nan], "state": ["treated", "new", "treated"]}
    found = fits.predict(rows, 0.95, unseen="null", missing="null")
    assert found["lower"].isna().tolist() == [False, True, True]
    with pytest.warns(ExtrapolationWarning, match=r"of 2 rows, outside the range of their group's data: 1 in conc"):
        fits.predict({"conc": [0.1, 9.0], "state": ["treated", "treated"]}, 0.95)
    with pytest.raises(OptionError, match="level without an interval"):
        fits.predict(NEW, level=0.9)


def test_a_group_without_a_covariance_is_named() -> None:
    data = {"x": np.array([1.0, 2, 1, 2, 3, 4]), "y": np.array([1.0, 3, 1, 3, 4.5, 7]), "g": list("aabbbb")}
    fits = tw.fit("y = a + b * x", data, by="g")
    with pytest.raises(NotAvailableError, match=r"\(g a\)"):
        fits.predict({"x": [1.5], "g": ["a"]}, 0.95)


def test_intervals_are_those_of_the_groups(fits: Fits) -> None:
    for level in (None, 0.8):
        found = fits.intervals(level)
        for group in fits:
            for name, ends in fits[group].intervals(level).items():
                assert found[group][name] == pytest.approx(ends, rel=1e-8)


# ----------------------------------------------------------------------------------------------- what is shared (F)


def test_whether_a_parameter_is_shared(fits: Fits) -> None:
    """F from the sums of squares, and R's way: a model with a difference in km, tested against one without."""
    shared, pooled = puromycin(by="state", shared="km"), puromycin()
    data = pd.DataFrame(tw.load_dataset("puromycin"))
    rss = [fits.statistics["rss"].sum(), shared.statistics.rss]
    f = (rss[1] - rss[0]) / (rss[0] / 19)
    both = tw.fit("rate = (v + d * (state == 'treated')) * conc / (k + e * (state == 'treated') + conc)", data)
    for test in (fits.compare(shared), shared.compare(fits)):
        assert (test.df, test.df_denominator) == (1, 19)
        assert test.statistic == pytest.approx(f, rel=1e-9)
        assert test.p_value == pytest.approx(stats.f.sf(f, 1, 19), rel=1e-9)
        assert test.aic == pytest.approx(both.aic - shared.aic, rel=1e-7)
        assert test.text == f"{RATE} (by state, km shared) inside {RATE} (by state)"
    assert pooled.compare(fits).df == 2
    assert pooled.compare(fits).text == f"{RATE} inside {RATE} (by state)"
    assert pooled.compare(shared).text == f"{RATE} inside {RATE} (by state, km shared)"


def test_weights_and_known_variances() -> None:
    data = pd.DataFrame(tw.load_dataset("puromycin")).assign(w=np.linspace(0.5, 2, 23) / 100)
    for kind, denominator in (("precision", 19), ("absolute", None)):
        said: dict[str, Any] = {"weights": "w", "weights_kind": kind, "by": "state"}
        fits, shared = tw.fit(RATE, data, **said), tw.fit(RATE, data, shared="km", **said)
        test = fits.compare(shared)
        fall = shared.statistics.rss - fits.statistics["rss"].sum()
        scale = 1.0 if denominator is None else fits.statistics["rss"].sum() / 19
        assert (test.statistic, test.df_denominator) == (pytest.approx(fall / scale, rel=1e-8), denominator)


def test_counts_by_the_ratio_of_likelihoods() -> None:
    rng = np.random.default_rng(1)
    x, g = np.tile(np.linspace(0, 3, 12), 2), np.repeat(["p", "q"], 12)
    data = {"x": x, "g": g, "y": rng.poisson(20 * np.exp(-0.5 * x) + 1.0)}
    said: dict[str, Any] = {"family": "poisson", "link": "identity", "by": "g", "start": {"a": 20, "b": 0.5}}
    fits = tw.fit("y = a * exp(-b * x)", data, **said)
    shared = tw.fit("y = a * exp(-b * x)", data, shared="b", **said)
    test = fits.compare(shared)
    ratio = 2 * (fits.statistics["log_likelihood"].sum() - shared.log_likelihood)
    assert (test.statistic, test.df, test.df_denominator) == (pytest.approx(ratio, rel=1e-8), 1, None)
    assert test.aic == pytest.approx(fits.statistics["aic"].sum() - shared.aic, rel=1e-8)


def test_fits_that_cannot_be_compared(fits: Fits) -> None:
    data = pd.DataFrame(tw.load_dataset("puromycin"))
    with pytest.raises(OptionError, match="different rows: 22 and 23"):
        tw.fit(RATE, data[1:]).compare(fits)
    moved = data.assign(rate=data["rate"].to_numpy()[::-1] * 1.1)
    with pytest.raises(OptionError, match="vary about their means"):
        tw.fit(RATE, moved, by="state", shared="km").compare(fits)
    with pytest.raises(OptionError, match="weights differ"):
        tw.fit(RATE, data, by="state", shared="km", weights=np.full(23, 2.0)).compare(fits)
    with pytest.raises(OptionError, match="4 parameters"):
        fits.compare(fits)
    with pytest.raises(OptionError, match=r"compare\(\) of 3 fits. It tests two: a.compare\(b\)"):
        fits.compare(fits, fits)
    with pytest.warns(ConvergenceWarning):
        few = tw.fit(RATE, pd.concat([data, data[:1].assign(state="one")]), by="state")
    with pytest.raises(NotAvailableError, match="1 of 3 groups have no estimates: one"):
        few.compare(fits)


# ------------------------------------------------------------------------------------------------ what they lack


def test_what_each_group_has_is_said(fits: Fits) -> None:
    for name, hint in (
        ("vcov", r"fits\['treated'\].vcov\(...\)"),
        ("r_squared", r"fits\['treated'\].r_squared\."),
        ("popt", r"Here it is fits.coefficients"),
        ("anova", r"fits\['treated'\].term_tests\(\)"),
        ("nonsense", "attribute 'nonsense'.$"),
    ):
        with pytest.raises(AttributeError, match=hint):
            getattr(fits, name)
    assert not hasattr(fits, "__array__")
    assert copy.copy(fits).groups == pickle.loads(pickle.dumps(fits)).groups == fits.groups


def test_a_file_holds_one_fit(fits: Fits, tmp_path: Path) -> None:
    with pytest.raises(NotAvailableError, match=r"fits\['treated'\].save\("):
        fits.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_intervals_of_a_family_of_fixed_dispersion_are_those_of_the_single_fit() -> None:
    random = np.random.default_rng(3)
    x = np.tile(np.linspace(0, 4, 12), 3)
    table = {"x": x, "g": np.repeat(["p", "q", "r"], 12), "y": random.poisson(15 * np.exp(-0.5 * x) + 2).astype(float)}
    start = {"a": 15, "k": 0.5, "c": 2}
    fits = tw.fit("y = a * exp(-k * x) + c", table, by="g", family="poisson", start=start)
    one = fits["q"].intervals()
    for name, (low, high) in fits.intervals()["q"].items():
        assert (low, high) == pytest.approx(one[name], rel=1e-6)


def test_the_fit_of_a_group_is_that_of_the_table() -> None:
    random = np.random.default_rng(8)
    x = np.tile(np.linspace(0, 4, 8), 12)
    table = {"x": x, "g": np.repeat(np.arange(12), 8), "y": 3 * np.exp(-0.8 * x) + 0.8 * random.normal(size=96)}
    fits = tw.fit("y = a * exp(-k * x)", table, by="g", start={"a": 3, "k": 0.8})
    for group in fits:
        if group not in fits.failed:
            assert fits[group].coefficients == pytest.approx(fits.coefficients[group], rel=1e-6)
