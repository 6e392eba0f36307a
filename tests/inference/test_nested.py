"""Tests of nested fits against statsmodels' anova and the likelihood ratio written out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

import thalweg as tw
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt

RNG = np.random.default_rng(5)
DATA = {"x": np.linspace(0, 3, 40), "z": RNG.normal(size=40), "w": RNG.uniform(0.5, 2, 40)}
DATA["y"] = 2 * np.exp(-DATA["x"]) + 0.3 * DATA["z"] + 0.2 * RNG.normal(size=40)
DATA["count"] = RNG.poisson(np.exp(1 + 0.3 * DATA["z"]))


def design(*names: str) -> np.ndarray:
    return np.column_stack([np.ones(40), *(DATA[name] for name in names)])


def test_anova_of_lines() -> None:
    small, large = tw.fit("y ~ x", DATA), tw.fit("y ~ x + z + I(x**2)", DATA)
    full = sm.OLS(DATA["y"], np.column_stack([design("x", "z"), DATA["x"] ** 2])).fit()
    f, p, df = full.compare_f_test(sm.OLS(DATA["y"], design("x")).fit())
    for test in (small.compare(large), large.compare(small)):
        assert (test.statistic, test.p_value, test.df) == pytest.approx((f, p, df), rel=1e-9)
        assert test.df_denominator == 36
        assert test.aic == pytest.approx(large.aic - small.aic)


def test_weighted_lines() -> None:
    test = tw.fit("y ~ x", DATA, weights="w").compare(tw.fit("y ~ x + z", DATA, weights="w"))
    full = sm.WLS(DATA["y"], design("x", "z"), weights=DATA["w"]).fit()
    f, p, _ = full.compare_f_test(sm.WLS(DATA["y"], design("x"), weights=DATA["w"]).fit())
    assert (test.statistic, test.p_value) == pytest.approx((f, p), rel=1e-9)


def test_one_parameter_more_is_its_t_squared() -> None:
    large = tw.fit("y ~ x + z", DATA)
    test = tw.fit("y ~ x", DATA).compare(large)
    assert test.p_value == pytest.approx(large.p_values["z"], rel=1e-9)


def test_likelihood_ratio_of_counts() -> None:
    small, large = (tw.fit(f"count ~ {right}", DATA, family="poisson") for right in ("z", "z + x + w"))
    test = small.compare(large)
    ratio = 2 * (large.log_likelihood - small.log_likelihood)
    assert (test.statistic, test.df, test.df_denominator) == (pytest.approx(ratio, rel=1e-8), 2, None)
    assert test.p_value == pytest.approx(stats.chi2.sf(ratio, 2), rel=1e-8)


def test_dispersion_of_the_larger_fit() -> None:
    data = {"y": np.abs(DATA["y"]) + 0.1, "x": DATA["x"], "z": DATA["z"]}
    small, large = (tw.fit(f"y ~ {right}", data, family="gamma", link="log") for right in ("x", "x + z"))
    test, known = small.compare(large), large.statistics
    assert test.statistic == pytest.approx((small.statistics.deviance - known.deviance) / known.dispersion, rel=1e-9)
    assert test.df_denominator == 37


def test_curves_and_lines_mixed() -> None:
    """A constant inside an exponential, and an exponential inside two, by sums of squares."""
    one = tw.fit("y = a * exp(-b * x) + c", DATA, start=[2, 1, 0])
    more = tw.fit("y = a * exp(-b * x) + c + d * z", DATA, start=[2, 1, 0, 0])
    constant = tw.fit("y ~ 1", DATA)
    for small, large, q in ((one, more, 1), (constant, one, 2), (constant, more, 3)):
        test = small.compare(large)
        rss = [((DATA["y"] - fit.predict()) ** 2).sum() for fit in (small, large)]
        df = 40 - len(large.names)
        f = (rss[0] - rss[1]) / q / (rss[1] / df)
        assert test.statistic == pytest.approx(f, rel=1e-9)
        assert test.p_value == pytest.approx(stats.f.sf(f, q, df), rel=1e-9)


def test_held_parameters_are_not_counted() -> None:
    free = tw.fit("y = a * exp(-b * x) + c", DATA, start=[2, 1, 0])
    held = tw.fit("y = a * exp(-b * x) + c", DATA, start=[2, 1, 0], fixed={"c": 0.0})
    assert held.compare(free).df == 1


def test_known_variances() -> None:
    weights = {"weights": np.full(40, 25.0), "weights_kind": "absolute"}
    small, large = tw.fit("y ~ x", DATA, **weights), tw.fit("y ~ x + z", DATA, **weights)
    test = small.compare(large)
    fall = small.statistics.rss - large.statistics.rss
    assert (test.statistic, test.df_denominator) == (pytest.approx(fall), None)
    assert test.p_value == pytest.approx(stats.chi2.sf(fall, 1), rel=1e-9)


def test_text() -> None:
    large = tw.fit("y ~ x + z", DATA)
    test = tw.fit("y ~ x", DATA).compare(large)
    assert str(test).startswith("y ~ x inside y ~ x + z: F(1, 37) = ")
    assert f"AIC {test.aic:+.4g}" in str(test)


@pytest.mark.parametrize(
    ("formula", "options", "error", "text"),
    [
        ("z ~ x", {}, OptionError, "responses differ"),
        ("y ~ z", {}, OptionError, "2 parameters"),
        ("y ~ x + z", {"weights": "w"}, OptionError, "weights differ"),
        ("y ~ x + z", {"covariance": "HC3"}, NotAvailableError, "'HC3'"),
        ("y ~ x + z", {"weights": "w", "weights_kind": "sampling"}, OptionError, "differ in kind"),
    ],
)
def test_refusals(formula: str, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        tw.fit("y ~ x", DATA).compare(tw.fit(formula, DATA, **options))


def test_other_rows() -> None:
    some = {name: values[:39] for name, values in DATA.items()}
    other = {name: values[::-1] if name == "z" else values + (name == "y") * DATA["z"] for name, values in DATA.items()}
    with pytest.raises(OptionError, match="different rows: 40 and 39"):
        tw.fit("y ~ x", DATA).compare(tw.fit("y ~ x + z", some))
    with pytest.raises(OptionError, match="different rows"):
        tw.fit("y ~ x", DATA).compare(tw.fit("y ~ x + z", other))


def test_families_and_robust_losses() -> None:
    with pytest.raises(OptionError, match="families differ"):
        tw.fit("count ~ x", DATA).compare(tw.fit("count ~ x + z", DATA, family="poisson"))
    robust = [tw.fit(f"y ~ {right}", DATA, family={"name": "huber", "scale": 0.5}) for right in ("x", "x + z")]
    with pytest.raises(NotAvailableError, match="no test of nested fits"):
        robust[0].compare(robust[1])


def test_a_larger_fit_that_is_worse() -> None:
    """Not nested: two lines in z and w know less of y than one curve in x."""
    curve = tw.fit("y = a * exp(-x)", DATA, start=[1])
    with pytest.raises(NotAvailableError, match="not at its minimum"):
        curve.compare(tw.fit("y ~ w", DATA))


def test_no_difference() -> None:
    data = {"x": [1.0, 2.0, 3.0, 4.0], "one": [1.0, -1.0, 1.0, -1.0], "y": [1.0, 2.0, 3.5, 4.0]}
    data["orthogonal"] = [1.0, -1.0, -1.0, 1.0]
    test = tw.fit("y ~ 1", data).compare(tw.fit("y ~ x", data))
    assert math.isfinite(test.p_value)


def test_two_fits_of_one_formula_are_told_apart() -> None:
    text = "y = a * exp(-b * x) + c"
    free = tw.fit(text, DATA, start=[2, 1, 0])
    held = tw.fit(text, DATA, start={"a": 2, "b": 1}, fixed={"c": 0.0})
    tied = tw.fit(text, DATA, start={"a": 2, "b": 1}, tied={"c": "a / 4"})
    assert held.compare(free).text == f"{text} (c held at 0) inside {text}"
    assert tied.compare(free).text == f"{text} (c = a / 4) inside {text}"


def test_a_fit_that_has_not_converged_is_told() -> None:
    with pytest.warns(ConvergenceWarning):
        early = tw.fit("y = a * exp(-b * x) + c", DATA, start=[2, 1, 0.5], solver=LevenbergMarquardt(max_steps=1))
    small = tw.fit("y = a * exp(-b * x)", DATA, start=[0.1, 1], fixed={"b": 5.0})
    with pytest.warns(ConvergenceWarning, match=r"not at a minimum: .* \+ c \(stopped"):
        small.compare(early)


def test_two_at_a_time() -> None:
    one, two, three = (tw.fit(f"y ~ {right}", DATA) for right in ("1", "x", "x + z"))
    with pytest.raises(OptionError, match=r"compare\(\) of 3 fits. It tests two"):
        one.compare(two, three)
    with pytest.raises(OptionError, match="'y ~ x' is no fit"):
        one.compare("y ~ x")  # type: ignore[arg-type]
