"""A curve fitted to each group for itself, against the loop of single fits that it stands for, and SciPy."""

import itertools
import warnings
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.curves.chunks import Table, alike, chunk
from thalweg.curves.curve import Expression
from thalweg.curves.fits import STATISTICS, Fits
from thalweg.curves.gauss_newton import polish, triangles
from thalweg.curves.language import read_equation
from thalweg.errors import (
    ColumnError,
    ConvergenceWarning,
    MissingValueError,
    OptionError,
    ThalwegError,
    UnseenLevelError,
)
from thalweg.result import Fit

DECAY = "y = a * exp(-t / tau) + c"
START = {"a": 5.0, "tau": 2.0, "c": 0.0}


def decays(sizes: list[int], seed: int = 3) -> pd.DataFrame:
    """Runs r0, r1, ... of these sizes, each with its own parameters, rows in random order."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(len(sizes)), sizes)
    t = rng.uniform(0, 10, len(run))
    a, tau, c = (rng.uniform(low, high, len(sizes))[run] for low, high in ((2, 8), (1, 4), (-1, 1)))
    y = a * np.exp(-t / tau) + c + 0.05 * rng.standard_normal(len(run))
    w = np.where(rng.random(len(run)) < 0.1, 0.0, rng.uniform(0.5, 3, len(run)))
    frame = pd.DataFrame({"run": [f"r{k:02}" for k in run], "t": t, "y": y, "w": w})
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return decays([30, 12, 55, 8, 31, 22, 20, 47, 9, 28])


def by_run(text: str, data: Any, **options: Any) -> Fits:
    return cast(Fits, tw.fit(text, data, **{"by": "run", **options}))


def single(text: str, data: pd.DataFrame, group: Any, **options: Any) -> Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tw.fit(text, data[data["run"] == group], **options)


def assert_equal_to_single_fits(fits: Fits, text: str, data: pd.DataFrame, rtol: float = 1e-9, **options: Any) -> None:
    """Estimates, standard errors and statistics of every group."""
    for i, group in enumerate(fits.groups):
        one = single(text, data, group, **options)
        np.testing.assert_allclose(fits.estimates[i], list(one.coefficients.values()), rtol=rtol, atol=1e-14)
        np.testing.assert_allclose(fits.errors[i], list(one.std_errors.values()), rtol=rtol)
        for name in STATISTICS:
            known = getattr(one.statistics, {"r_squared": "r2"}.get(name, name))
            np.testing.assert_allclose(fits.statistics[name][i], known, rtol=rtol)
        assert {name: fits.held.get((group, name)) for name in fits.names} == {
            name: one.held.get(name) for name in fits.names
        }


# ----------------------------------------------------------------------------------------------------- the plain twin


@pytest.mark.parametrize("weights", [None, "w"])
def test_equals_single_fits(frame: pd.DataFrame, weights: str | None) -> None:
    fits = by_run(DECAY, frame, start=START, weights=weights)
    assert fits.groups == tuple(f"r{k:02}" for k in range(10))
    assert fits.converged.all()
    assert_equal_to_single_fits(fits, DECAY, frame, start=START, weights=weights)


def test_equals_scipy(frame: pd.DataFrame) -> None:
    fits = by_run(DECAY, frame, start=START)

    def decay(t: np.ndarray, a: float, tau: float, c: float) -> np.ndarray:
        return a * np.exp(-t / tau) + c

    for i, group in enumerate(fits.groups):
        rows = frame[frame["run"] == group]
        start = fits.estimates[i] * 1.1
        theta, covariance = curve_fit(
            decay, rows["t"], rows["y"], p0=start, method="trf", jac="3-point", xtol=1e-15, ftol=1e-15, gtol=1e-15
        )
        np.testing.assert_allclose(fits.estimates[i], theta, rtol=1e-7)
        np.testing.assert_allclose(fits.errors[i], np.sqrt(np.diag(covariance)), rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"start": START, "bounds": {"tau": (1.5, None), "a": (None, 6)}},
        {"start": {"a": 5, "c": 0.1}, "fixed": {"tau": 2.5}},
        {"start": START, "fixed": ["tau"]},
        {"start": {"a": 5, "tau": 2}, "tied": {"c": "a / 10 - tau / 5"}},
    ],
    ids=["bounds", "fixed", "fixed at start", "tied"],
)
def test_bounds_held_and_tied(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    assert_equal_to_single_fits(by_run(DECAY, frame, **options), DECAY, frame, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"covariance": "HC3"},
        {"weights": "w", "weights_kind": "frequency"},
        {"family": "poisson"},
        {"offset": "w"},
        {"family": "huber"},
    ],
    ids=["robust", "frequencies", "poisson", "offset", "huber"],
)
def test_what_the_arrays_cannot_do_is_done_one_by_one(frame: pd.DataFrame, options: dict[str, Any]) -> None:
    few = frame[frame["run"].isin(["r00", "r02", "r05"])]
    few = (
        few.assign(y=np.round(10 * few["y"] + 30))
        if options.get("family") == "poisson"
        else few.assign(w=np.ceil(few["w"]))
    )
    start = {"a": 50.0, "tau": 2.0, "c": 30.0} if options.get("family") == "poisson" else START
    fits = by_run(DECAY, few, start=start, **options)
    assert_equal_to_single_fits(fits, DECAY, few, start=start, **options)


def test_starts_need_not_be_given(frame: pd.DataFrame) -> None:
    given, found = by_run(DECAY, frame, start=START), by_run(DECAY, frame)
    np.testing.assert_allclose(found.estimates, given.estimates, rtol=1e-9)
    partly = by_run(DECAY, frame, start={"tau": 3.0})
    np.testing.assert_allclose(partly.estimates, given.estimates, rtol=1e-9)


def test_groups_whose_peaks_lie_apart() -> None:
    """From one group's peak another's is not seen: the others' solutions and single fits find it."""
    x = np.linspace(0, 100, 80)
    centres = [12.0, 30.0, 47.0, 66.0, 88.0, 50.0]
    rng = np.random.default_rng(8)
    y = np.concatenate([9 * np.exp(-0.5 * ((x - mu) / 2.5) ** 2) for mu in centres]) + 0.05 * rng.standard_normal(480)
    data = {"x": np.tile(x, 6), "y": y, "run": np.repeat(np.arange(6), 80)}
    fits = by_run("y = a * exp(-0.5 * ((x - mu) / s)**2)", data, positive=["s"])
    np.testing.assert_allclose(fits.estimates[:, fits.names.index("mu")], centres, atol=0.1)


def test_more_peaks_than_are_fitted_one_by_one() -> None:
    """Wrong minima (a broad low hump) are left for those of groups whose peaks lie near."""
    rng = np.random.default_rng(1)
    x, mu = np.linspace(0, 100, 80), rng.uniform(10, 90, 300)
    y = 9 * np.exp(-0.5 * ((x - mu[:, None]) / 1.5) ** 2) + 0.05 * rng.standard_normal((300, 80))
    data = {"x": np.tile(x, 300), "y": y.ravel(), "run": np.repeat(np.arange(300), 80)}
    fits = by_run("y = a * exp(-0.5 * ((x - mu) / s)**2)", data, positive=["s"])
    np.testing.assert_allclose(fits.estimates[:, fits.names.index("mu")], mu, atol=0.1)


# ----------------------------------------------------------------------------------------------- groups that cannot be


def test_groups_that_cannot_be_fitted_are_told_by_name(frame: pd.DataFrame) -> None:
    short = pd.DataFrame({"run": ["short"] * 2, "t": [1.0, 2.0], "y": [1.0, 2.0]})
    one = pd.DataFrame({"run": ["one"], "t": [1.0], "y": [1.0]})
    whole = pd.concat([frame, short, one], ignore_index=True)
    with pytest.warns(ConvergenceWarning, match=r"2 of 12 groups have no estimates: one \(1 row, fewer than the 3"):
        fits = by_run(DECAY, whole, start=START)
    assert fits.failed == ("one", "short")
    assert fits.notes == {"one": "1 row, fewer than the 3 parameters", "short": "2 rows, fewer than the 3 parameters"}
    assert np.isnan([list(fits.coefficients["short"].values()), list(fits.std_errors["one"].values())]).all()
    alone = by_run(DECAY, frame, start=START)
    kept = [group not in fits.failed for group in fits.groups]
    np.testing.assert_allclose(fits.estimates[kept], alone.estimates, rtol=1e-12)
    text = fits.summary()
    assert "fitted  10, 2 not" in text
    assert "* one: 1 row, fewer than the 3 parameters" in text
    assert np.isnan(fits.predict({"t": [1.0], "run": ["short"]})).all()


def test_a_parameter_that_a_group_does_not_determine(frame: pd.DataFrame) -> None:
    """Where all t are the same, a and tau are one number; and where y is 0, tau is anything."""
    still = pd.DataFrame({"run": "still", "t": 2.0, "y": [1.0, 1.1, 0.9, 1.05, 0.98]})
    zero = pd.DataFrame({"run": "zero", "t": np.arange(6.0), "y": 0.0})
    fits = by_run("y = a * exp(-t / tau)", pd.concat([frame, still, zero]), start={"a": 1, "tau": 1})
    assert fits.converged.all()
    assert fits.held["still", "a"] == fits.held["still", "tau"] == "not determined by the data"
    assert "a combination of a and tau" in fits.notes["still"]
    assert fits.statistics["rss"][-2] == pytest.approx(still["y"].var(ddof=0) * 5, rel=1e-10)
    assert fits.statistics["df_residual"][-2] == 4
    assert "the same in all its rows" in fits.notes["zero"]
    assert np.isnan(fits.errors[-2:]).all()
    assert np.isfinite(fits.errors[:-2]).all()


def test_as_many_rows_as_parameters(frame: pd.DataFrame) -> None:
    three = pd.DataFrame({"run": "x3", "t": [0.0, 1.0, 2.0], "y": [1.0, 0.7, 0.6]})
    fits = by_run(DECAY, pd.concat([frame, three]), start=START)
    assert fits.statistics["rss"][-1] < 1e-25
    assert fits.coefficients["x3"]["tau"] == pytest.approx(1 / np.log(3), rel=1e-10)  # differences 0.3 and 0.1
    assert np.isnan(fits.errors[-1]).all()
    assert "degrees of freedom" in fits.held["x3", "a"]


def test_a_curve_without_values_in_a_group(frame: pd.DataFrame) -> None:
    """The curve is not finite at any start where t is below 0: that group is told, the others are fitted."""
    bad = pd.DataFrame({"run": "zz", "t": -np.arange(1.0, 9), "y": np.arange(8.0)})
    with pytest.warns(ConvergenceWarning, match=r"1 of 11 groups have no estimates: zz \("):
        fits = by_run("y = a * log(t) + c", pd.concat([frame, bad]))
    assert fits.failed == ("zz",)
    assert np.isfinite(fits.estimates[:-1]).all()


# ------------------------------------------------------------------------------------------------------------ answers


def test_one_group_again(frame: pd.DataFrame) -> None:
    fits = by_run(DECAY, frame, start=START, weights="w")
    fit = fits["r04"]
    assert isinstance(fit, Fit)
    np.testing.assert_allclose(list(fit.coefficients.values()), fits.estimates[4], rtol=1e-10)
    one = single(DECAY, frame, "r04", start=START, weights="w")
    assert fit.summary().splitlines()[-6:] == one.summary().splitlines()[-6:]
    np.testing.assert_allclose(fit.residuals(), one.residuals(), atol=1e-12)
    assert len(fit.augment()) == 31
    with pytest.raises(UnseenLevelError, match=r"no group 'r99' of run.*'r00'"):
        fits["r99"]
    assert "r04" in fits
    assert list(fits) == list(fits.groups)
    assert len(fits) == 10


def test_tables(frame: pd.DataFrame) -> None:
    fits = by_run(DECAY, frame, start=START)
    tidy, glance = fits.tidy(level=0.9), fits.glance()
    assert list(tidy.columns) == ["run", "term", "estimate", "std_error", "conf_low", "conf_high", "note"]
    assert len(tidy) == 30
    one = single(DECAY, frame, "r03", start=START).tidy(level=0.9)
    mine = tidy[tidy["run"] == "r03"]
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(mine[name], one[name], rtol=1e-9)
    assert glance["nobs"].tolist() == [30, 12, 55, 8, 31, 22, 20, 47, 9, 28]
    assert {"run", "sigma", "rss", "r_squared", "aic", "bic", "converged", "note"} <= set(glance.columns)
    assert repr(fits) == f"<Fits {DECAY!r} by run: 10 groups, all fitted: call summary()>"


def test_a_summary_of_many_groups() -> None:
    frame = decays([9] * 30)
    text = by_run(DECAY, frame, start=START).summary()
    assert "groups  30 of run, 9 rows each" in text
    assert "... and 20 more" in text
    assert "median" in text
    assert max(map(len, text.splitlines())) <= 88


def test_predictions(frame: pd.DataFrame) -> None:
    fits = by_run(DECAY, frame, start=START)
    rows = pd.DataFrame({"t": [1.0, 2.0, 3.0], "run": ["r05", "r00", "r05"]})
    expected = [single(DECAY, frame, group, start=START).predict({"t": [t]})[0] for t, group in rows.to_numpy()]
    np.testing.assert_allclose(fits.predict(rows), expected, rtol=1e-10)
    np.testing.assert_allclose(fits.predict(), fits.predict(frame), rtol=1e-15)
    rss = ((frame["y"] - fits.predict()) ** 2).groupby(frame["run"]).sum()
    np.testing.assert_allclose(rss, fits.statistics["rss"], rtol=1e-10)
    unseen = {"t": [1.0, 2.0], "run": ["r00", "new"]}
    with pytest.raises(UnseenLevelError, match=r"run is new.*row 2"):
        fits.predict(unseen)
    assert np.isnan(fits.predict(unseen, unseen="null")).tolist() == [False, True]
    gappy = {"t": [1.0, np.nan], "run": ["r00", "r00"]}
    with pytest.raises(MissingValueError, match="'t'"):
        fits.predict(gappy)
    assert np.isnan(fits.predict(gappy, missing="null")).tolist() == [False, True]


# -------------------------------------------------------------------------------------------------- rows and options


@pytest.mark.parametrize("kind", ["numbers", "array", "categories", "sorted", "file"])
def test_labels_and_order_do_not_matter(frame: pd.DataFrame, kind: str, tmp_path: Any) -> None:
    texts = by_run(DECAY, frame, start=START)
    number = frame["run"].str[1:].astype(float)
    data: Any = {
        "numbers": frame.assign(run=number),
        "array": frame[["t", "y"]],
        "categories": frame.assign(run=frame["run"].astype("category")),
        "sorted": frame.sort_values("run", kind="stable"),
        "file": tmp_path / "runs.csv",
    }[kind]
    if kind == "file":
        frame.to_csv(data, index=False)
    fits = by_run(DECAY, data, start=START, by=number.to_numpy() if kind == "array" else "run")
    assert fits.groups == (tuple(range(10)) if kind in ("numbers", "array") else texts.groups)
    np.testing.assert_allclose(fits.estimates, texts.estimates, rtol=1e-12)
    label = fits.groups[3]
    np.testing.assert_allclose(list(fits[label].coefficients.values()), texts.estimates[3], rtol=1e-10)


def test_one_group_only(frame: pd.DataFrame) -> None:
    rows = frame[frame["run"] == "r02"]
    fits = by_run(DECAY, rows, start=START)
    assert fits.groups == ("r02",)
    assert_equal_to_single_fits(fits, DECAY, rows, start=START)


def test_missing_values(frame: pd.DataFrame) -> None:
    gappy = frame.copy()
    gappy.loc[3, "y"], gappy.loc[7, "run"] = np.nan, None
    with pytest.raises(MissingValueError):
        by_run(DECAY, gappy, start=START)
    dropped = by_run(DECAY, gappy, start=START, missing="drop")
    without = by_run(DECAY, frame.drop(index=[3, 7]), start=START)
    np.testing.assert_allclose(dropped.estimates, without.estimates, rtol=1e-13)
    group = str(frame["run"][3])
    np.testing.assert_allclose(
        list(dropped[group].coefficients.values()), dropped.estimates[dropped.groups.index(group)], rtol=1e-10
    )


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"cluster": "run"}, OptionError, "cluster= and by="),
        ({"checkpoint": "x", "solver": tw.GradientDescent(lr=0.1)}, OptionError, "checkpoint="),
        ({"by": "Run"}, ColumnError, "Did you mean 'run'"),
        ({"start": {"b": 1}}, OptionError, "'b' in start="),
    ],
)
def test_what_cannot_be(frame: pd.DataFrame, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        by_run(DECAY, frame, **options)


def test_a_group_that_was_not_fitted_says_why_when_it_is_asked_for(frame: pd.DataFrame) -> None:
    bad = pd.DataFrame({"run": "zz", "t": -np.arange(1.0, 9), "y": np.arange(8.0)})
    with pytest.warns(ConvergenceWarning):
        fits = by_run("y = a * log(t) + c", pd.concat([frame, bad]))
    told = f"{fits.notes['zz']}"
    assert "finite" in told or "no value" in told
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            said = fits["zz"].summary()
        except ThalwegError as error:
            said = str(error)
    assert "finite" in said or "no value" in said


# ------------------------------------------------------------------------------------------------------------- pieces


def test_chunks_hold_every_row_once() -> None:
    sizes = np.array([3, 50, 4, 1, 3, 2, 40, 4])
    edges = np.concatenate([[0], np.cumsum(sizes)])
    rng = np.random.default_rng(0)
    table = Table({"x": rng.random(edges[-1])}, rng.random(edges[-1]), None, edges)
    seen = []
    for groups in alike(table, np.arange(8)):
        padded = chunk(table, groups)
        for k, group in enumerate(groups):
            real = np.ones(padded.y.shape[1], bool) if padded.weight is None else padded.weight[k] > 0
            rows = slice(edges[group], edges[group + 1])
            np.testing.assert_array_equal(padded.y[k, real], table.y[rows])
            np.testing.assert_array_equal(padded.columns["x"][k, real], table.columns["x"][rows])
            seen.append(int(group))
    assert sorted(seen) == list(range(8))


def test_the_polish_ends_where_the_gradient_is_zero() -> None:
    """In long double, at the point that it gives: each derivative's sum is rounding."""
    rng = np.random.default_rng(6)
    t = rng.uniform(0, 6, (5, 25))
    y = 4 * np.exp(-t / 2) + 1 + 0.3 * rng.standard_normal((5, 25))
    curve = Expression.of(read_equation(DECAY, ["y", "t"]))
    start = np.array([[4.0, 2.0, 1.0]] * 5)
    free = np.full(3, np.inf)
    theta, size = polish(lambda k: (curve.over({"t": t[k]}, 25), y[k], None), start, -free, free)
    assert (size < 1e-13).all()
    wide = [entry[:, None] for entry in theta.T.astype(np.longdouble)]
    f, jacobian = curve.over({"t": t}, 25).jacobian(wide)
    gradient = (jacobian * (f - y)).sum(axis=2).T
    rows = triangles(curve.over({"t": t}, 25), y, None, theta)
    scale = rows.norms * np.sqrt(2 * rows.value)[:, None]
    assert (np.abs(gradient) < 1e-13 * scale).all()
    for k, j in itertools.product(range(5), range(3)):
        np.testing.assert_allclose(rows.norms[k, j], np.linalg.norm(jacobian[j, k]).astype(float), rtol=1e-12)
