"""New responses for a bootstrap: what chance would have made of the data.

With f the fitted mean, r = y - f, w the weights and h the leverages of n rows, replicate k has

    residual     y* = f + e* / sqrt(w),   e* drawn with replacement from e - mean(e),   e = r sqrt(w / (1 - h))      [1]
    pairs        the rows drawn with replacement, each with its response: row i counts c_i times,
                 c multinomial(n; 1/n, ..., 1/n); of frequency weights n = sum w and the shares are w / n
    parametric   y* drawn from the family at f and its dispersion; of a gaussian, f + N(0, phi / w)

"residual" takes the rows as they are and their errors as alike but for the weights; "pairs" takes neither for granted,
and needs more rows. Residuals are smaller than errors: the division by 1 - h gives them the errors' variance.

References
----------
.. [1] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application" (1997), sections 6.2.3 and 6.3,
   doi:10.1017/CBO9780511802843.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float

from thalweg.errors import NotAvailableError, OptionError
from thalweg.inference.covariance import FULL_LEVERAGE
from thalweg.inference.statistics import is_least_squares

if TYPE_CHECKING:
    from thalweg.result import Fit

KINDS = ("residual", "pairs", "parametric")
ENTRIES = 2**22  # of responses that are made at a time

Array = np.ndarray
Draw = Callable[[np.random.Generator, int], "tuple[Array, Array | None]"]
"""(generator, k) -> responses (k, n) or (n,), and weights (k, n) or (n,) or None."""


@final
@dataclass(frozen=True)
class Observed:
    """The rows of positive weight.

    Attributes
    ----------
    y, mean, leverage : ndarray, (n,)
    weight, trials : ndarray, (n,), optional
        The user's weights, and binomial trials.
    """

    y: Float[Array, "n"]
    mean: Float[Array, "n"]
    leverage: Float[Array, "n"]
    weight: Float[Array, "n"] | None
    trials: Float[Array, "n"] | None

    @property
    def loss_weight(self) -> Array | None:
        """weight * trials."""
        if self.weight is None or self.trials is None:
            return self.trials if self.weight is None else self.weight
        return self.weight * self.trials


def draws(fit: Fit, rows: Observed, kind: str, replicates: int, seed: int) -> Iterator[tuple[Array, Array | None]]:
    """Responses and weights of the loss, some replicates at a time.

    Raises
    ------
    OptionError, NotAvailableError
        A kind that does not exist, or that this fit cannot have.
    """
    check_kind(fit, kind)
    makers: dict[str, Callable[[Fit, Observed], Draw]] = {"residual": _residual, "pairs": _pairs}
    draw = makers.get(kind, _parametric)(fit, rows)
    generator, left = np.random.default_rng(seed), replicates
    together = max(1, ENTRIES // len(rows.y))
    while left:
        count = min(left, together)
        yield draw(generator, count)
        left -= count


def check_kind(fit: Fit, kind: str) -> None:
    """Refuse what is no kind, or not one of this fit's.

    Raises
    ------
    OptionError, NotAvailableError
    """
    if kind not in KINDS:
        raise OptionError(f"the bootstrap's kind is {kind!r}", advice=f"It is one of {', '.join(map(repr, KINDS))}.")
    if fit.statistics.df_residual <= 0:
        raise NotAvailableError("there is no bootstrap: no residual degrees of freedom, so that chance cannot be seen")
    weights_kind = fit.options.get("weights_kind", "precision")
    if fit.covariance_kind == "cluster":
        raise NotAvailableError("rows of a cluster depend on each other, and a bootstrap of rows would part them")
    if kind == "residual" and not is_least_squares(fit.family):
        raise NotAvailableError(
            f"residuals of the {fit.family.name} family are not alike, so they cannot be exchanged",
            advice="Use kind='pairs' or 'parametric'.",
        )
    if kind != "pairs" and weights_kind in ("frequency", "sampling"):
        raise NotAvailableError(f"{weights_kind} weights have a bootstrap of rows only", advice="Use kind='pairs'.")
    if kind == "parametric" and fit.family.name not in _FAMILIES:
        raise NotAvailableError(
            f"there is no parametric bootstrap of the {fit.family.name} family", advice="Use kind='pairs'."
        )


def _residual(fit: Fit, rows: Observed) -> Draw:
    root = np.ones_like(rows.y) if rows.weight is None else np.sqrt(rows.weight)
    left = np.maximum(1 - rows.leverage, FULL_LEVERAGE)
    pool = (rows.y - rows.mean) * root / np.sqrt(left)
    pool[1 - rows.leverage <= FULL_LEVERAGE] = 0.0  # fitted exactly, whatever its response
    pool = pool - pool.mean()

    def draw(generator: np.random.Generator, count: int) -> tuple[Array, Array | None]:
        chosen = generator.integers(0, len(pool), (count, len(pool)))
        return rows.mean + pool[chosen] / root, rows.weight

    return draw


def _pairs(fit: Fit, rows: Observed) -> Draw:
    n, shares = len(rows.y), np.full(len(rows.y), 1 / len(rows.y))
    kept = rows.loss_weight
    if rows.weight is not None and fit.options.get("weights_kind") == "frequency":
        n, shares, kept = int(rows.weight.sum()), rows.weight / rows.weight.sum(), rows.trials

    def draw(generator: np.random.Generator, count: int) -> tuple[Array, Array | None]:
        counts = generator.multinomial(n, shares, count).astype(np.float64)
        return rows.y, counts if kept is None else counts * kept

    return draw


def _parametric(fit: Fit, rows: Observed) -> Draw:
    sample = _FAMILIES[fit.family.name]
    precision = np.ones_like(rows.y) if rows.weight is None else rows.weight
    spread = fit.statistics.dispersion / precision

    def draw(generator: np.random.Generator, count: int) -> tuple[Array, Array | None]:
        return sample(fit, rows, spread, generator, (count, len(rows.y))), rows.loss_weight

    return draw


def _gaussian(fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]) -> Array:
    return rows.mean + np.sqrt(spread) * generator.standard_normal(size)


def _poisson(fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]) -> Array:
    return generator.poisson(rows.mean, size).astype(np.float64)


def _binomial(fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]) -> Array:
    trials = np.ones_like(rows.y) if rows.trials is None else rows.trials
    return generator.binomial(trials.astype(np.int64), rows.mean, size) / trials


def _gamma(fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]) -> Array:
    return generator.gamma(1 / spread, rows.mean * spread, size)


def _inverse_gaussian(
    fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]
) -> Array:
    return generator.wald(rows.mean, 1 / spread, size)


def _negative_binomial(
    fit: Fit, rows: Observed, spread: Array, generator: np.random.Generator, size: tuple[int, int]
) -> Array:
    alpha = fit.family.parameters()["alpha"]
    return generator.poisson(rows.mean * generator.gamma(1 / alpha, alpha, size)).astype(np.float64)


_FAMILIES = {
    "gaussian": _gaussian,
    "poisson": _poisson,
    "binomial": _binomial,
    "gamma": _gamma,
    "inverse_gaussian": _inverse_gaussian,
    "negative_binomial": _negative_binomial,
}
