"""Tied and undetermined parameters: what is asked of all parameters is that of the free ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import thalweg as tw

T = np.linspace(0, 6, 60)


def data(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    mean = 12 * np.exp(-0.7 * T) + 6
    return {"t": T, "y": mean + random.normal(size=60), "n": random.poisson(mean), "g": np.repeat(np.arange(12), 5)}


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3", "cluster"])
@pytest.mark.parametrize("family", ["poisson", "huber", "cauchy", "gaussian"])
def test_a_tie_written_into_the_curve_has_the_same_errors(family: str, kind: str) -> None:
    y = "n" if family == "poisson" else "y"
    options = {"family": family, "covariance": kind, "start": {"a": 10, "k": 0.6}, "starts": 1}
    options |= {"cluster": "g"} if kind == "cluster" else {}
    options |= {"scale": 1.0} if family in ("huber", "cauchy") else {}
    tied = tw.fit(f"{y} = a * exp(-k * t) + c", data(), tied={"c": "0.5 * a"}, **options)
    written = tw.fit(f"{y} = a * exp(-k * t) + 0.5 * a", data(), **options)
    for name in ("a", "k"):
        assert tied.std_errors[name] == pytest.approx(written.std_errors[name], rel=1e-9)
    assert tied.std_errors["c"] == pytest.approx(0.5 * written.std_errors["a"], rel=1e-9)


@pytest.mark.parametrize("family", ["poisson", "huber"])
def test_a_product_of_two_parameters_leaves_the_others_their_errors(family: str) -> None:
    options = {"family": family, "covariance": "HC0", "starts": 1} | ({"scale": 1.0} if family == "huber" else {})
    y = "n" if family == "poisson" else "y"
    plain = tw.fit(f"{y} = a * exp(-k * t) + c", data(), start={"a": 10, "k": 0.6, "c": 5}, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.errors.CollinearityWarning)
        start = {"a": 5, "b": 2, "k": 0.6, "c": 5}
        product = tw.fit(f"{y} = a * b * exp(-k * t) + c", data(), start=start, **options)
    assert product.std_errors["k"] == pytest.approx(plain.std_errors["k"], rel=1e-7)
    assert product.std_errors["c"] == pytest.approx(plain.std_errors["c"], rel=1e-7)


def test_cooks_distance_counts_the_free_parameters() -> None:
    held = tw.fit("y = a * exp(-k * t) + c", data(), fixed={"c": 6.0}, start={"a": 10, "k": 0.6}, starts=1)
    written = tw.fit("y = a * exp(-k * t) + 6", data(), start={"a": 10, "k": 0.6}, starts=1)
    assert np.allclose(held.residuals("cooks"), written.residuals("cooks"), rtol=1e-9)
