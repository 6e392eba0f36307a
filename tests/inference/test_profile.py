"""Profile intervals against the definition: each end solved for with scipy on the refitted sum of squares."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import thalweg as tw
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError

Array = np.ndarray

# Bates & Watts (1988), table A1.3: puromycin, treated cells.
PUROMYCIN = {
    "conc": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10],
    "rate": [76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200],
}
MICHAELIS = "rate = vm * conc / (k + conc)"


def by_definition(
    deviance: Callable[[Array], float], theta: Sequence[float], j: int, step: float, threshold: float
) -> tuple[float, float]:
    """Where the deviance, minimized over the others by Nelder and Mead's method, has risen by the threshold."""
    fitted = deviance(np.array(theta, dtype=float))

    def rise(value: float) -> float:
        others = np.delete(np.array(theta, dtype=float), j)

        def of(rest: Array) -> float:
            return deviance(np.insert(rest, j, value))

        if not len(others):
            return of(others) - fitted - threshold
        for _ in range(3):  # begun again from where it ended: a simplex may have shrunk too early
            found = optimize.minimize(of, others, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-12})
            others = found.x
        return found.fun - fitted - threshold

    ends = []
    for sign in (-1, 1):
        out = step
        while rise(theta[j] + sign * out) < 0:
            out *= 1.5
        ends.append(optimize.brentq(rise, theta[j], theta[j] + sign * out, xtol=1e-12, rtol=1e-12))
    return min(ends), max(ends)


def puromycin(**options: Any) -> tw.Fit:
    return tw.fit(MICHAELIS, PUROMYCIN, **{"start": {"vm": 200, "k": 0.05}, **options})


def rss_of_puromycin(theta: Array) -> float:
    conc, rate = (np.array(PUROMYCIN[name], dtype=float) for name in ("conc", "rate"))
    return float(((rate - theta[0] * conc / (theta[1] + conc)) ** 2).sum())


def test_puromycin() -> None:
    """And the figures that R's confint(nls) prints for these data: 197.30213, 229.29006; 0.04692517, 0.08615995."""
    fit = puromycin()
    found = fit.intervals(0.95, method="profile")
    theta = [fit.coefficients["vm"], fit.coefficients["k"]]
    threshold = fit.statistics.rss / 10 * stats.t.ppf(0.975, 10) ** 2
    for j, (name, printed) in enumerate({"vm": (197.3021, 229.2901), "k": (0.0469, 0.0862)}.items()):
        expected = by_definition(rss_of_puromycin, theta, j, fit.std_errors[name], threshold)
        assert found[name] == pytest.approx(expected, rel=1e-7)
        assert found[name] == pytest.approx(printed, rel=2e-3)
    assert found.notes == {}
    assert found.method == "profile"


@pytest.mark.parametrize("level", [0.5, 0.99])
def test_other_levels(level: float) -> None:
    fit = puromycin()
    theta = [fit.coefficients["vm"], fit.coefficients["k"]]
    threshold = fit.statistics.rss / 10 * stats.t.ppf((1 + level) / 2, 10) ** 2
    expected = by_definition(rss_of_puromycin, theta, 1, fit.std_errors["k"], threshold)
    assert fit.intervals(level, method="profile")["k"] == pytest.approx(expected, rel=1e-7)


def test_of_a_logarithm_is_the_logarithm() -> None:
    """Profiles do not care for the scale of a parameter; Wald's intervals do."""
    other = tw.fit("rate = vm * conc / (exp(logk) + conc)", PUROMYCIN, start={"vm": 200, "logk": -3})
    k, log = puromycin().intervals(method="profile")["k"], other.intervals(method="profile")["logk"]
    assert np.log(k) == pytest.approx(log, rel=1e-8)
    wald = puromycin().intervals()["k"]
    assert np.log(wald) != pytest.approx(other.intervals()["logk"], rel=1e-2)


def test_weights_and_their_repetition() -> None:
    counts = [1, 2, 3, 1, 2, 1, 1, 4, 1, 2, 1, 1]
    repeated = {name: np.repeat(values, counts) for name, values in PUROMYCIN.items()}
    weighted = tw.fit(
        MICHAELIS, {**PUROMYCIN, "w": counts}, start=[200, 0.05], weights="w", weights_kind="frequency"
    ).intervals(method="profile")
    whole = tw.fit(MICHAELIS, repeated, start=[200, 0.05]).intervals(method="profile")
    for name, ends in whole.items():
        assert weighted[name] == pytest.approx(ends, rel=1e-8)


def test_precision_weights() -> None:
    w = np.linspace(0.5, 3, 12)
    fit = tw.fit(MICHAELIS, {**PUROMYCIN, "w": w}, start=[200, 0.05], weights="w")
    conc, rate = (np.array(PUROMYCIN[name], dtype=float) for name in ("conc", "rate"))

    def deviance(theta: Array) -> float:
        return float((w * (rate - theta[0] * conc / (theta[1] + conc)) ** 2).sum())

    theta = list(fit.coefficients.values())
    threshold = fit.statistics.rss / 10 * stats.t.ppf(0.975, 10) ** 2
    expected = by_definition(deviance, theta, 0, fit.std_errors["vm"], threshold)
    assert fit.intervals(method="profile")["vm"] == pytest.approx(expected, rel=1e-7)


def test_known_variances_have_normal_quantiles() -> None:
    fit = tw.fit(MICHAELIS, PUROMYCIN, start=[200, 0.05], weights=np.full(12, 1 / 100), weights_kind="absolute")
    theta = list(fit.coefficients.values())
    expected = by_definition(rss_of_puromycin, theta, 1, fit.std_errors["k"], 100 * stats.norm.ppf(0.975) ** 2)
    assert fit.intervals(method="profile")["k"] == pytest.approx(expected, rel=1e-7)


def test_poisson() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(-3, 3, 25)
    y = rng.poisson(20 * np.exp(-0.5 * (x - 0.4) ** 2) + 1)
    fit = tw.fit(
        "y = a * exp(-0.5 * (x - m)**2) + b", {"x": x, "y": y}, family="poisson", start={"a": 15, "m": 0, "b": 1}
    )

    def deviance(theta: Array) -> float:
        mu = theta[0] * np.exp(-0.5 * (x - theta[1]) ** 2) + theta[2]
        if (mu <= 0).any():
            return 1e300
        return float(2 * (mu - y * np.log(mu)).sum())

    theta = [fit.coefficients[name] for name in ("a", "m", "b")]
    found = fit.intervals(method="profile")
    for j, name in enumerate(("a", "m", "b")):
        expected = by_definition(deviance, theta, j, fit.std_errors[name], stats.norm.ppf(0.975) ** 2)
        assert found[name] == pytest.approx(expected, rel=1e-6)


def test_lines_have_walds() -> None:
    fit = tw.fit("progression ~ bmi + bp", "diabetes")
    assert dict(fit.intervals(method="profile")) == dict(fit.intervals())
    curve = tw.fit("progression = a + b * bmi + c * bp", "diabetes", start=[0, 0, 0])
    for (low, high), expected in zip(curve.intervals(method="profile").values(), fit.intervals().values(), strict=True):
        assert (low, high) == pytest.approx(expected, rel=1e-8)


def test_one_parameter() -> None:
    fit = tw.fit("rate = 200 * conc / (k + conc)", PUROMYCIN, start={"k": 0.05})
    threshold = fit.statistics.dispersion * stats.t.ppf(0.975, 11) ** 2
    expected = by_definition(
        lambda theta: rss_of_puromycin(np.array([200.0, *theta])), [fit.coefficients["k"]], 0, 0.01, threshold
    )
    assert fit.intervals(method="profile")["k"] == pytest.approx(expected, rel=1e-8)


# ------------------------------------------------------------------------------------------------ ends that are none


def test_an_end_that_is_never_reached() -> None:
    """Rates far below saturation determine vm / k: as k grows the curve becomes a line, which fits well enough."""
    rng = np.random.default_rng(1)
    conc = np.linspace(0.01, 0.4, 12)
    rate = conc / (1 + conc) + 0.05 * rng.standard_normal(12)
    fit = tw.fit(MICHAELIS, {"conc": conc, "rate": rate}, start=[1.0, 1.0])
    line = rate - conc * (conc @ rate) / (conc @ conc)
    assert (line @ line - fit.statistics.rss) / fit.statistics.dispersion < stats.t.ppf(0.975, 10) ** 2
    found = fit.intervals(method="profile")
    assert found["k"][1] == math.inf
    assert found["vm"][1] == math.inf
    assert math.isfinite(found["k"][0])
    assert "upper end is never reached" in found.notes["k"]


def test_ends_at_bounds() -> None:
    fit = puromycin(bounds={"k": (0.06, 0.07)}, start=[200, 0.065])
    found = fit.intervals(method="profile")
    assert found["k"] == (0.06, 0.07)
    assert "lower end is its bound" in found.notes["k"]
    assert "upper end is its bound" in found.notes["k"]


def test_an_estimate_on_its_bound() -> None:
    fit = puromycin(bounds={"k": (0.08, None)}, start=[200, 0.1])
    assert "bound" in fit.held["k"]
    found = fit.intervals(method="profile")
    assert found["k"][0] == 0.08
    theta = list(fit.coefficients.values())
    threshold = fit.statistics.dispersion * stats.t.ppf(0.975, fit.df) ** 2

    def best(k: float) -> float:
        conc, rate = (np.array(PUROMYCIN[name], dtype=float) for name in ("conc", "rate"))
        x = conc / (k + conc)
        return float(((rate - x * (x @ rate) / (x @ x)) ** 2).sum())

    expected = optimize.brentq(lambda k: best(k) - best(0.08) - threshold, theta[1] + 1e-9, 1.0, xtol=1e-13)
    assert found["k"][1] == pytest.approx(expected, rel=1e-8)


EDGED = {"x": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "y": np.array([0.1, 0.9, 1.0, 1.5, 1.4, 1.9])}


def test_near_the_edge_of_the_curve() -> None:
    """log(x - a) has no value for a above the least x, where a first step may lead."""
    fit = tw.fit("y = b * log(x - a)", EDGED, start={"a": 0.5, "b": 1.0})
    theta = [fit.coefficients[name] for name in ("a", "b")]
    threshold = fit.statistics.dispersion * stats.t.ppf(0.9995, 4) ** 2

    def best(a: float) -> float:
        f = np.log(EDGED["x"] - a)
        return float(((EDGED["y"] - f * (f @ EDGED["y"]) / (f @ f)) ** 2).sum())

    rise = [best(theta[0]) + threshold - best(a) for a in (theta[0], 1 - 1e-14)]
    if rise[1] > 0:
        pytest.fail("the data of this test have no crossing")
    expected = optimize.brentq(lambda a: best(theta[0]) + threshold - best(a), theta[0], 1 - 1e-14, xtol=1e-15)
    assert fit.intervals(0.999, method="profile")["a"][1] == pytest.approx(expected, rel=1e-8)


def test_the_edge_of_the_curve() -> None:
    """sqrt(x - a) has a value up to a = 1, and the sum of squares there is not yet too large."""
    fit = tw.fit("y = b * sqrt(x - a)", EDGED, start={"a": 0.0, "b": 1.0})
    f = np.sqrt(EDGED["x"] - 1)
    rss = ((EDGED["y"] - f * (f @ EDGED["y"]) / (f @ f)) ** 2).sum()
    assert (rss - fit.statistics.rss) / fit.statistics.dispersion < stats.t.ppf(0.995, 4) ** 2
    found = fit.intervals(0.99, method="profile")
    assert found["a"][1] == pytest.approx(1.0, abs=1e-6)
    assert "ceases to be finite" in found.notes["a"]


def test_a_lower_minimum_is_told() -> None:
    """A sine from a frequency far off ends beside a higher minimum; the profile walks down to a better one."""
    x = np.linspace(0, 10, 60)
    y = np.sin(1.3 * x) + 0.05 * np.cos(17 * x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = tw.fit("y = a * sin(w * x)", {"x": x, "y": y}, start={"a": 0.5, "w": 2.3}, starts=1)
    if abs(fit.coefficients["w"] - 1.3) < 0.1:
        pytest.skip("the search found the better minimum at once")
    with pytest.warns(ConvergenceWarning, match=r"lower minimum.*start=\{'a': .*'w': ") as told:
        found = fit.intervals(method="profile")
    assert any(math.isnan(low) for low, _ in found.values())
    start = ast.literal_eval(str(told[0].message).partition("start=")[2].rstrip("."))
    better = ((y - start["a"] * np.sin(start["w"] * x)) ** 2).sum()
    assert better < fit.statistics.rss * 0.999


# ------------------------------------------------------------------------------------------------- who has a profile


def test_held_and_tied() -> None:
    data = {"x": np.linspace(0, 4, 20)}
    data["y"] = 2 * np.exp(-0.5 * data["x"]) + 1 + 0.05 * np.cos(9 * data["x"])
    fit = tw.fit("y = a * exp(-b * x) + c", data, start={"b": 1}, fixed={"c": 1.0}, tied={"a": "4 * b"})
    found = fit.intervals(method="profile")
    assert all(map(math.isnan, found["c"]))
    assert found["a"] == fit.intervals()["a"]
    assert "Wald" in found.notes["a"]
    assert found["b"] != fit.intervals()["b"]
    with pytest.raises(NotAvailableError, match="computed from others"):
        fit.profile("a")
    with pytest.raises(NotAvailableError, match="held"):
        fit.profile("c")
    with pytest.raises(OptionError, match="no parameter"):
        fit.profile("d")


def test_refusals() -> None:
    with pytest.raises(NotAvailableError, match="robust loss"):
        puromycin(family={"name": "huber", "scale": 10.0}).intervals(method="profile")
    with pytest.raises(NotAvailableError, match="'HC1'"):
        puromycin(covariance="HC1").intervals(method="profile")
    with pytest.raises(NotAvailableError, match="binomial"):
        tw.fit("died ~ x", {"x": [1, 2, 3, 4, 5], "died": [0, 1, 0, 1, 1]}, family="binomial").intervals(
            method="profile"
        )
    with pytest.raises(OptionError, match="method"):
        puromycin().intervals(method="likelihood")
    with pytest.raises(OptionError, match="seed= is no option"):
        puromycin().intervals(method="profile", seed=1)


def test_perfect_and_saturated_fits() -> None:
    line = tw.fit("y = a * x", {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}, start=[1])
    assert dict(line.intervals(method="profile")) == {"a": (2.0, 2.0)}
    saturated = tw.fit("y = a * exp(b * x)", {"x": [1.0, 2.0], "y": [2.0, 4.0]}, start=[1, 0.5])
    with pytest.raises(NotAvailableError, match="no residual degrees of freedom"):
        saturated.intervals(method="profile")


# --------------------------------------------------------------------------------------------------- to be drawn


def test_a_profile_to_draw() -> None:
    fit = puromycin()
    found = fit.profile("k")
    assert (found.low, found.high) == pytest.approx(fit.intervals(method="profile")["k"], rel=1e-9)
    assert (np.diff(found.value) > 0).all()
    assert (np.diff(found.signed_root) > 0).all()
    quantile = stats.t.ppf(0.975, 10)
    assert found.signed_root[0] < -quantile
    assert found.signed_root[-1] > quantile
    assert np.diff(found.signed_root).max() < quantile / 4
    for value, root, vm in zip(found.value, found.signed_root, found.parameters["vm"], strict=True):
        rss = rss_of_puromycin(np.array([vm, value]))
        assert root**2 == pytest.approx((rss - fit.statistics.rss) / fit.statistics.dispersion, rel=1e-6, abs=1e-9)
    assert found.parameters["k"] == pytest.approx(found.value)


def test_of_a_line_is_straight() -> None:
    fit = tw.fit("progression = a + b * bmi", "diabetes", start=[0, 0])
    found = fit.profile("b")
    expected = (found.value - found.estimate) / fit.std_errors["b"]
    assert found.signed_root == pytest.approx(expected, rel=1e-6, abs=1e-9)
