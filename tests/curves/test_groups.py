"""One curve for several groups with shared parameters, against the same fit written out with where(), and SciPy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares

import thalweg as tw
from thalweg.curves.curve import Expression
from thalweg.curves.groups import MOST_PARAMETERS, Grouped
from thalweg.curves.language import read_equation
from thalweg.errors import ColumnError, FormulaError, MissingValueError, OptionError, UnseenLevelError

DECAY = "y = a * exp(-t / tau) + c"
LEVELS = ("north", "south", "west")
WRITTEN = "where(run == 'north', {0}1, where(run == 'south', {0}2, {0}3))"
TWIN = f"y = {WRITTEN.format('a')} * exp(-t / tau) + {WRITTEN.format('c')}"
NAMES = ["tau", *(f"a[{level}]" for level in LEVELS), *(f"c[{level}]" for level in LEVELS)]
TWIN_NAMES = ["tau", "a1", "a2", "a3", "c1", "c2", "c3"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Three runs of different lengths, rows in random order."""
    rng = np.random.default_rng(4)
    run = np.repeat(LEVELS, [25, 12, 18])
    rng.shuffle(run)
    t = rng.uniform(0, 8, len(run))
    a = pd.Series(run).map(dict(zip(LEVELS, (3.0, 7.0, 1.5), strict=True))).to_numpy()
    y = a * np.exp(-t / 2.5) + a / 4 + 0.05 * rng.standard_normal(len(run))
    weight = rng.uniform(0.5, 2, len(run))
    return pd.DataFrame({"run": run, "t": t, "y": y, "w": weight, "number": pd.Series(run).map(LEVELS.index) * 10})


def values(numbers: dict[str, float], names: list[str]) -> np.ndarray:
    return np.array([numbers[name] for name in names])


def test_equals_the_curve_written_out(frame: pd.DataFrame) -> None:
    joint = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0}, weights="w")
    twin = tw.fit(TWIN, frame, start={"tau": 2.0}, weights="w")
    assert joint.names == tuple(NAMES)
    np.testing.assert_allclose(values(joint.coefficients, NAMES), values(twin.coefficients, TWIN_NAMES), rtol=1e-12)
    np.testing.assert_allclose(values(joint.std_errors, NAMES), values(twin.std_errors, TWIN_NAMES), rtol=1e-11)
    assert joint.aic == pytest.approx(twin.aic, rel=1e-12)
    assert joint.r_squared == pytest.approx(twin.r_squared, rel=1e-12)


@pytest.mark.parametrize("covariance", ["HC1", "HC3"])
def test_robust_errors_equal_too(frame: pd.DataFrame, covariance: str) -> None:
    joint = tw.fit(DECAY, frame, by="run", shared="tau", start={"tau": 2.0}, covariance=covariance)
    twin = tw.fit(TWIN, frame, start={"tau": 2.0}, covariance=covariance)
    np.testing.assert_allclose(values(joint.std_errors, NAMES), values(twin.std_errors, TWIN_NAMES), rtol=1e-10)


def test_equals_scipy_on_the_stacked_problem(frame: pd.DataFrame) -> None:
    code = frame["run"].map(LEVELS.index).to_numpy()
    t, y = frame["t"].to_numpy(), frame["y"].to_numpy()

    def residual(p: np.ndarray) -> np.ndarray:
        return p[1 + code] * np.exp(-t / p[0]) + p[4 + code] - y

    found = least_squares(residual, [2.0, 2, 2, 2, 0, 0, 0], jac="3-point", xtol=1e-15, ftol=1e-15, gtol=1e-15)
    joint = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0})
    np.testing.assert_allclose(values(joint.coefficients, NAMES), found.x, rtol=1e-8)
    variance = 2 * found.cost / (len(y) - 7) * np.linalg.inv(found.jac.T @ found.jac)
    np.testing.assert_allclose(values(joint.std_errors, NAMES), np.sqrt(variance.diagonal()), rtol=1e-6)


def test_starts_need_not_be_given(frame: pd.DataFrame) -> None:
    with_start = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0})
    without = tw.fit(DECAY, frame, by="run", shared=["tau"])
    np.testing.assert_allclose(values(without.coefficients, NAMES), values(with_start.coefficients, NAMES), rtol=1e-10)


def test_peaks_at_their_own_places() -> None:
    """No one start does for all groups: each has its own from its own rows."""
    x = np.linspace(0, 100, 60)
    centres = np.array([12.0, 47.0, 88.0])
    rng = np.random.default_rng(8)
    y = np.concatenate([9 * np.exp(-0.5 * ((x - mu) / 2.5) ** 2) for mu in centres]) + 0.05 * rng.standard_normal(180)
    data = {"x": np.tile(x, 3), "y": y, "spot": np.repeat([1, 2, 3], 60)}
    fit = tw.fit("y = a * exp(-0.5 * ((x - mu) / s)**2)", data, by="spot", shared=["s"], positive=["s"])
    np.testing.assert_allclose([fit.coefficients[f"mu[{k}]"] for k in (1, 2, 3)], centres, atol=0.1)
    assert fit.coefficients["s"] == pytest.approx(2.5, abs=0.05)


def test_order_of_rows_and_kind_of_labels_do_not_matter(frame: pd.DataFrame) -> None:
    options: dict[str, Any] = {"shared": ["tau"], "start": {"tau": 2.0}}
    joint = tw.fit(DECAY, frame, by="run", **options)
    by_number = tw.fit(DECAY, frame.sort_values("t"), by="number", **options)
    by_array = tw.fit(DECAY, frame[["t", "y"]], by=frame["number"].to_numpy(), **options)
    assert by_number.names == ("tau", "a[0]", "a[10]", "a[20]", "c[0]", "c[10]", "c[20]") == by_array.names
    for other in (by_number, by_array):
        np.testing.assert_allclose(list(other.coefficients.values()), list(joint.coefficients.values()), rtol=1e-12)


def test_held_tied_and_bounded_by_group(frame: pd.DataFrame) -> None:
    joint = tw.fit(
        DECAY,
        frame,
        by="run",
        shared=["tau"],
        start={"tau": 2.0},
        fixed={"a[north]": 3.0},
        bounds={"a": (0, 6.5), "a[west]": (0, 10)},
        tied={"c[west]": "a[west] / 4 + 0 * tau"},
    )
    twin = tw.fit(
        TWIN,
        frame,
        start={"tau": 2.0},
        fixed={"a1": 3.0},
        bounds={"a2": (0, 6.5), "a3": (0, 10)},
        tied={"c3": "a3 / 4"},
    )
    assert joint.coefficients["a[south]"] == 6.5
    np.testing.assert_allclose(values(joint.coefficients, NAMES), values(twin.coefficients, TWIN_NAMES), rtol=1e-10)
    np.testing.assert_allclose(values(joint.std_errors, NAMES), values(twin.std_errors, TWIN_NAMES), rtol=1e-9)
    assert set(joint.held) == {"a[north]", "a[south]"}


def test_a_tie_of_all_groups_holds_in_each(frame: pd.DataFrame) -> None:
    joint = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0}, tied={"c": "a / 4"})
    for level in LEVELS:
        assert joint.coefficients[f"c[{level}]"] == pytest.approx(joint.coefficients[f"a[{level}]"] / 4, rel=1e-14)
    written = tw.fit("y = a * (exp(-t / tau) + 1 / 4)", frame, by="run", shared=["tau"], start={"tau": 2.0})
    assert joint.std_errors["a[south]"] == pytest.approx(written.std_errors["a[south]"], rel=1e-10)


def test_starts_in_order_and_by_group(frame: pd.DataFrame) -> None:
    one = tw.fit(DECAY, frame, by="run", shared=["tau"], start=[3.0, 2.0, 0.5])
    named = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"a": 1, "a[south]": 6, "tau": 2, "c": 0})
    np.testing.assert_allclose(list(one.coefficients.values()), list(named.coefficients.values()), rtol=1e-11)


def test_a_poisson_curve(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    counts = frame.assign(y=rng.poisson(20 * frame["y"].clip(0.1)).astype(float))
    start = {"tau": 2.0, "a": 40.0, "c": 10.0}
    joint = tw.fit(DECAY, counts, by="run", shared=["tau"], start=start, family="poisson")
    own = {f"{name}{k}": start[name] for name in "ac" for k in (1, 2, 3)} | {"tau": 2.0}
    twin = tw.fit(TWIN, counts, start=own, family="poisson")
    np.testing.assert_allclose(values(joint.coefficients, NAMES), values(twin.coefficients, TWIN_NAMES), rtol=1e-8)
    np.testing.assert_allclose(values(joint.std_errors, NAMES), values(twin.std_errors, TWIN_NAMES), rtol=1e-7)


# ------------------------------------------------------------------------------------------------------- predictions


def test_predictions_of_each_group(frame: pd.DataFrame) -> None:
    joint = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0})
    b = joint.coefficients
    rows = {"t": [2.0, 1.0], "run": ["west", "north"]}
    decay = np.exp(-2 / b["tau"])
    by_hand = [b["a[west]"] * decay + b["c[west]"], b["a[north]"] * np.exp(-1 / b["tau"]) + b["c[north]"]]
    np.testing.assert_allclose(joint.predict(rows), by_hand, rtol=1e-14)
    twin = tw.fit(TWIN, frame, start={"tau": 2.0})
    mine, theirs = (fit.predict(rows, interval="mean")["upper"] for fit in (joint, twin))
    np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_a_group_that_the_fit_never_saw(frame: pd.DataFrame) -> None:
    joint = tw.fit(DECAY, frame, by="run", shared=["tau"], start={"tau": 2.0})
    rows = {"t": [1.0, 1.0], "run": ["west", "east"]}
    with pytest.raises(UnseenLevelError, match=r"'east'.*row 2"):
        joint.predict(rows)
    assert np.isnan(joint.predict(rows, unseen="null")).tolist() == [False, True]


def test_a_group_of_one_row(frame: pd.DataFrame) -> None:
    alone = pd.concat([frame, pd.DataFrame({"run": ["east"], "t": [1.0], "y": [2.0], "w": [1.0], "number": [99]})])
    fit = tw.fit("y = a * exp(-t / tau)", alone, by="run", shared=["tau"], start={"tau": 2.0})
    assert fit.coefficients["a[east]"] == pytest.approx(2.0 * np.exp(1.0 / fit.coefficients["tau"]), rel=1e-10)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"by": "run", "shared": ["tua"]}, OptionError, "'tua' in shared=.*Did you mean 'tau'"),
        ({"shared": ["tau"]}, OptionError, "shared= without by="),
        ({"by": "rnu", "shared": ["tau"]}, ColumnError, "'rnu'.*Did you mean 'run'"),
        ({"by": "run", "shared": ["a", "tau", "c"]}, OptionError, "every parameter is shared"),
        ({"by": "run", "shared": ["tau"], "start": {"a[east]": 1}}, OptionError, r"'a\[east\]' in start="),
        ({"by": "run", "shared": ["tau"], "tied": {"c[west]": "2 * a"}}, OptionError, r"reads a.*Write 'a\[north\]'"),
        ({"by": "run", "shared": ["tau"], "tied": {"c[west]": "2 * a[east]"}}, FormulaError, r"a\[east\]"),
        ({"by": "one", "shared": ["tau"]}, ColumnError, "'one' holds one group only, 'x'"),
    ],
)
def test_what_cannot_be(frame: pd.DataFrame, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        tw.fit(DECAY, frame.assign(one="x"), **options)


def test_too_many_groups_are_refused_with_advice() -> None:
    groups = MOST_PARAMETERS
    data = {"y": np.zeros(groups), "t": np.zeros(groups), "run": np.arange(groups)}
    with pytest.raises(OptionError, match=r"2,001 parameters.*Leave out shared="):
        tw.fit(DECAY, data, by="run", shared=["tau"])


def test_missing_groups(frame: pd.DataFrame) -> None:
    gappy = frame.assign(run=frame["run"].where(frame.index != 3))
    with pytest.raises(MissingValueError, match="'run'"):
        tw.fit(DECAY, gappy, by="run", shared=["tau"])
    dropped = tw.fit(DECAY, gappy, by="run", shared=["tau"], missing="drop")
    without = tw.fit(DECAY, frame.drop(index=3), by="run", shared=["tau"])
    np.testing.assert_allclose(list(dropped.coefficients.values()), list(without.coefficients.values()), rtol=1e-11)


# ---------------------------------------------------------------------------------------------------------- evaluator


def test_many_candidates_equal_one_by_one_and_the_derivatives_are_right() -> None:
    inner = Expression.of(read_equation(DECAY, ["y", "t"]))
    curve = Grouped(inner, "run", ["tau"], LEVELS)
    rng = np.random.default_rng(2)
    columns = {"t": rng.uniform(0, 5, 9), "C(run)": rng.integers(0, 3, 9)}
    rows = curve.over(columns, 9)
    theta = rng.uniform(1, 3, (4, 7))
    value, jacobian = rows.jacobian(list(theta.T[:, :, None]))
    for k, one in enumerate(theta):
        alone, slopes = rows.jacobian(list(one))
        np.testing.assert_array_equal(value[k], alone)
        np.testing.assert_array_equal(jacobian[:, k], slopes)
        wide = [np.longdouble(entry) for entry in one]
        for j in range(7):
            up, down = ([*wide[:j], wide[j] + h, *wide[j + 1 :]] for h in (1e-6, -1e-6))
            slope = (rows.values(up) - rows.values(down)) / np.longdouble(2e-6)
            np.testing.assert_allclose(slopes[j], slope.astype(float), rtol=1e-9, atol=1e-10)


def test_a_row_of_no_known_group_has_no_value() -> None:
    curve = Grouped(Expression.of(read_equation("y = a * b * where(t > 1, 1, 1)", ["y", "t"])), "run", ["b"], LEVELS)
    rows = curve.over({"t": np.zeros(2), "C(run)": np.array([2, -1])}, 2)
    np.testing.assert_array_equal(rows.values([2.0, 3.0, 4.0, 5.0]), [10.0, np.nan])
    np.testing.assert_array_equal(rows.jacobian([2.0, 3.0, 4.0, 5.0])[0], [10.0, np.nan])
