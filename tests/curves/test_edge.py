"""Means at the edge of their range are no minimum, and small residuals keep their digits."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import ConvergenceWarning


def counts() -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)
    x = np.sort(random.uniform(0, 5, 25))
    return {"x": x, "y": random.poisson(6 * np.exp(-0.9 * x) + 0.02).astype(float)}


def test_a_mean_at_the_edge_is_said_and_is_not_called_converged() -> None:
    start = {"a": 6.0, "k": 0.9, "c": 0.02}
    with pytest.warns(ConvergenceWarning, match="edge of what a poisson mean can be"):
        fit = tw.fit("y = a * exp(-k * x) + c", counts(), family="poisson", start=start, starts=1)
    assert fit.solution is not None
    assert fit.solution.status.value != "converged"


def test_bounds_find_the_curve_on_the_edge() -> None:
    bounds = {"c": (1e-3, None)}
    fit = tw.fit("y = a * exp(-k * x) + c", counts(), family="poisson", bounds=bounds)
    assert fit.coefficients["c"] == 1e-3
    assert "bound" in fit.held["c"]


@pytest.mark.parametrize(("offset", "digits"), [(1e6, 12), (1e9, 9)])
def test_the_residual_sum_of_squares_keeps_its_digits_beside_a_large_response(offset: float, digits: int) -> None:
    random = np.random.default_rng(0)
    x = np.linspace(0, 5, 50)
    y = 4 * np.exp(-0.7 * x) + 2 + 0.1 * random.normal(size=50) + offset
    fit = tw.fit("y = a * exp(-k * x) + c", {"x": x, "y": y}, start={"a": 4, "k": 0.7, "c": offset}, starts=1)
    t, xx = [np.longdouble(value) for value in fit.theta.tolist()], x.astype(np.longdouble)
    r = t[0] * np.exp(-t[1] * xx) + (t[2] - y)
    exact = float(r @ r)  # at the minimum a change of theta is of second order
    assert fit.statistics.rss == pytest.approx(exact, rel=10.0**-digits)
    assert fit.statistics.sigma == pytest.approx((exact / 47) ** 0.5, rel=10.0**-digits)
