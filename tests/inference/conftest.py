"""What the tests of inference share: real tables as rows, and what stands in for a spec and a fit.

The coefficients come from statsmodels or NumPy, so that these tests see the formulas of inference alone; the whole way
from formula to number is tested in `test_whole_way.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import datasets
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.matrix import Dense
from thalweg.inference.statistics import Statistics, compute
from thalweg.losses import family as family_named
from thalweg.losses.base import Family


@dataclass
class Table:
    """A design and a response in memory, read in blocks of `size` rows."""

    x: Tensor
    y: Tensor
    weight: Tensor | None = None
    offset: Tensor | None = None
    trials: Tensor | None = None
    size: int = 100
    names: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        return self.x.shape[1]

    @property
    def count(self) -> int:
        return self.x.shape[0]

    def blocks(self) -> Iterator[Block]:
        whole = Block(Dense(self.x), self.y, self.weight, self.offset, self.trials)
        for first in range(0, self.x.shape[0], self.size):
            yield whole[first : first + self.size]

    def take(self, index: Any, **changed: Any) -> Table:
        """Some of the rows, in any order and number."""
        fields = {k: v[index] if isinstance(v, Tensor) else v for k, v in vars(self).items()}
        return Table(**{**fields, **changed})


@dataclass
class Fitted:
    """A fit with what inference reads of it."""

    rows: Table
    family: Family
    theta: Tensor
    weights_kind: str = "precision"
    intercept: bool = True
    level: float = 0.95
    df: float | None = None
    covariance: Tensor | None = None
    covariance_reason: str | None = None
    unscaled: Tensor | None = None
    aliased: dict[str, str] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    separation: Any = None
    statistics: Statistics = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.unscaled is None:
            self.unscaled = self.bread()
        self.statistics = compute(
            self.rows, self.family, self.theta, self.spec, weights_kind=self.weights_kind, rank=self.rank
        )

    @property
    def rank(self) -> int:
        return len(self.theta) - len(self.aliased)

    @property
    def spec(self) -> Any:
        return SimpleNamespace(has_intercept=self.intercept, dropped=0)

    @property
    def names(self) -> tuple[str, ...]:
        return self.rows.names or tuple(f"x{j}" for j in range(self.rows.columns))

    @property
    def options(self) -> dict[str, str]:
        return {"weights_kind": self.weights_kind}

    def bread(self) -> Tensor:
        """(sum w E[loss''] x x')^-1 by QR of the weighted rows."""
        rows = self.rows
        eta = rows.x @ self.theta + (0 if rows.offset is None else rows.offset)
        weight = self.family.fisher(rows.y, eta)
        for factor in (rows.weight, rows.trials):
            weight = weight if factor is None else weight * factor
        inverse = torch.linalg.inv(torch.linalg.qr(rows.x * weight.sqrt()[:, None]).R)
        return inverse @ inverse.T


def tensor(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=float))


def least_squares(rows: Table, **options: Any) -> Fitted:
    """The exact fit, by NumPy."""
    root = torch.ones_like(rows.y) if rows.weight is None else rows.weight.sqrt()
    target = rows.y if rows.offset is None else rows.y - rows.offset
    theta = np.linalg.lstsq((rows.x * root[:, None]).numpy(), (target * root).numpy(), rcond=None)[0]
    return Fitted(rows, family_named("gaussian"), tensor(theta), **options)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """These tables are so small that waiting for a second thread costs more than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def diabetes() -> Table:
    """progression on an intercept, bmi, bp, s5 in original units: 442 rows."""
    x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    design = np.column_stack([np.ones(len(y)), x[:, [2, 3, 8]]])
    return Table(tensor(design), tensor(y), names=("Intercept", "bmi", "bp", "s5"))


@pytest.fixture(scope="session")
def cancer() -> Table:
    """malignant or not on an intercept and three mean features: 569 rows."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    design = np.column_stack([np.ones(len(y)), x[:, [1, 4, 8]]])
    return Table(tensor(design), tensor(y == 0), names=("Intercept", "texture", "smoothness", "symmetry"))


@pytest.fixture(scope="session")
def wine() -> Table:
    """Whole number of color intensity on an intercept, alcohol, hue and ash: 178 rows of counts."""
    x, _ = datasets.load_wine(return_X_y=True)
    design = np.column_stack([np.ones(len(x)), x[:, [0, 10, 2]]])
    return Table(tensor(design), tensor(np.floor(x[:, 9])), names=("Intercept", "alcohol", "hue", "ash"))


@pytest.fixture(scope="session")
def weights() -> Tensor:
    """Whole-number weights, some of them 0, for any number of rows up to 600."""
    return tensor(np.random.default_rng(7).integers(0, 4, 600))


@pytest.fixture(scope="session")
def tools() -> Any:
    """The functions of this file, for tests (which import nothing from each other)."""
    return SimpleNamespace(
        Table=Table, Fitted=Fitted, least_squares=least_squares, glm=glm, any=any_fit, at=at, aliased=aliased
    )


def glm(rows: Table, name: str = "", link: Any = None, weights_kind: str = "precision", **options: Any) -> Any:
    """A fit by statsmodels at tol 1e-14, and the model to fit again; binomial for 0/1, Poisson for others."""
    import statsmodels.api as sm

    name = name or ("binomial" if set(rows.y.tolist()) <= {0.0, 1.0} or rows.trials is not None else "poisson")
    makers = {"binomial": "Binomial", "poisson": "Poisson", "gamma": "Gamma", "gaussian": "Gaussian"}
    statsmodels_link = (
        None if link is None else getattr(sm.families.links, {"inverse": "InversePower"}.get(link, link.capitalize()))()
    )
    maker = getattr(sm.families, makers[name])(link=statsmodels_link)
    y = rows.y.numpy()
    if rows.trials is not None:
        successes = (rows.y * rows.trials).numpy()
        y = np.column_stack([successes, rows.trials.numpy() - successes])
    if rows.offset is not None:
        options["offset"] = rows.offset.numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the inverse link's domain, which these data respect
        model = sm.GLM(y, rows.x.numpy(), family=maker, **options)
    theta = tensor(model.fit(tol=1e-14, maxiter=200).params)
    return Fitted(rows, family_named(name, link=link), theta, weights_kind=weights_kind), model


def any_fit(rows: Table, weights_kind: str = "precision") -> tuple[Fitted, Any]:
    """Least squares, or the family that the response calls for, with the rows' weights."""
    if rows.names[1] == "bmi":
        return least_squares(rows, weights_kind=weights_kind), None
    options = {} if rows.weight is None else {"var_weights": rows.weight.numpy()}
    return glm(rows, weights_kind=weights_kind, **options)


def at(rows: Table, fitted: Fitted, weights_kind: str = "precision") -> Fitted:
    """The same coefficients on other rows."""
    return Fitted(rows, fitted.family, fitted.theta, weights_kind=weights_kind)


def aliased(fitted: Fitted) -> Fitted:
    """The same fit with a last column that is twice the second."""
    rows = fitted.rows.take(slice(None), x=torch.cat([fitted.rows.x, 2 * fitted.rows.x[:, 1:2]], 1))
    rows.names = (*fitted.names, "double")
    unscaled = torch.zeros(rows.columns, rows.columns, dtype=torch.float64)
    unscaled[:-1, :-1] = fitted.unscaled
    theta = torch.cat([fitted.theta, torch.zeros(1, dtype=torch.float64)])
    return Fitted(rows, fitted.family, theta, unscaled=unscaled, aliased={"double": f"= 2 * {fitted.names[1]}"})
