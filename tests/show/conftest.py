"""Fits of every sort that the pictures and tables must show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thalweg as tw
from thalweg.data.sources import open_source
from thalweg.show.rowwise import values_of


def claims(rows: int = 300) -> dict[str, Any]:
    """Counts with an exposure, a number, a category and a nuisance name."""
    rng = np.random.default_rng(7)
    age, region = rng.uniform(18, 80, rows), rng.choice(["north", "south", "west"], rows)
    exposure = rng.uniform(0.5, 2.0, rows)
    mean = exposure * np.exp(0.4 - 0.01 * age + 0.5 * (region == "south"))
    return {"claims": rng.poisson(mean), "age": age, "region": region, "exposure": exposure}


@pytest.fixture(scope="session")
def columns_of() -> Callable[[str], dict[str, Any]]:
    """A built-in data set, or "claims", as plain columns."""

    def columns(name: str) -> dict[str, Any]:
        if name == "claims":
            return claims()
        source = open_source(name)
        batch = next(source.batches(source.names))
        return {name: values_of(column, np.arange(batch.rows)).tolist() for name, column in batch.columns.items()}

    return columns


@pytest.fixture(scope="session")
def line() -> tw.Fit:
    """Gaussian, one number."""
    return tw.fit("progression ~ bmi", "diabetes")


@pytest.fixture(scope="session")
def linear() -> tw.Fit:
    """Gaussian: numbers, a polynomial, a category."""
    return tw.fit("progression ~ bmi + bp + C(sex) + poly(s5, 2)", "diabetes")


@pytest.fixture(scope="session")
def logistic() -> tw.Fit:
    """Binomial with labels, one number."""
    return tw.fit("diagnosis ~ mean_texture", "breast_cancer", family="binomial")


@pytest.fixture(scope="session")
def boundary() -> tw.Fit:
    """Binomial with labels, two numbers."""
    return tw.fit("diagnosis ~ mean_texture + mean_smoothness", "breast_cancer", family="binomial")


@pytest.fixture(scope="session")
def counts() -> tw.Fit:
    """Poisson with an exposure, a number and a category."""
    return tw.fit("claims ~ age + region", claims(), family="poisson", exposure="exposure")


@pytest.fixture(scope="session")
def species() -> tw.Fit:
    """Gaussian, a number with a slope per level of a category."""
    return tw.fit("petal_length ~ sepal_length * species", "iris")


@pytest.fixture(scope="session")
def groups() -> tw.Fit:
    """Gaussian, one category."""
    return tw.fit("petal_length ~ species", "iris")


@pytest.fixture(params=["line", "linear", "logistic", "boundary", "counts", "species", "groups"])
def any_fit(request: pytest.FixtureRequest) -> tw.Fit:
    """Each of them."""
    return request.getfixturevalue(request.param)
