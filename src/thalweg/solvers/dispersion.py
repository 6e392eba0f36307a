"""The negative binomial's dispersion, estimated by maximum likelihood with the coefficients.

With V(mu) = mu + alpha mu^2:

1. the means of a Poisson fit, and from them the moment estimate of alpha;
2. coefficients given alpha, by Newton's method from the last ones;
3. alpha given the means, by Newton's method on log alpha;
4. repeat 2 and 3 until log alpha moves by less than 1e-13.

The two are orthogonal in expectation (Lawless 1987, doi:10.2307/3314912), so that the alternation converges fast, and
the coefficients' covariance is the one given alpha, as R's MASS::glm.nb reports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from thalweg.data.rows import Rows
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.objective import Objective, linear_predictor
from thalweg.solvers.base import Solution, Status
from thalweg.solvers.iterate import Observer, solve
from thalweg.solvers.newton import Newton

ROUNDS = 60
SMALLEST = 1e-8  # of alpha: below it the model is Poisson to rounding
LARGEST = 1e10  # of alpha: above it only zeros are likely, and they do not determine alpha
ONLY_ZEROS = "All counts are zero and say nothing of alpha, which was left at 1."
NO_MAXIMUM = "The likelihood rises with alpha without end: alpha was held at 1e+10, and means nothing."
NO_OVERDISPERSION = (
    "The counts vary no more than Poisson counts do: alpha has its likelihood's maximum at 0 and was held at 1e-08."
    " Use family='poisson'."
)


def solve_with_alpha(
    rows: Rows,
    link: str | None,
    theta: Float[Tensor, "p"] | None,
    observers: Sequence[Observer] = (),
    *,
    max_iter: int = 100,
    tol: float = 1e-10,
) -> tuple[Family, Solution]:
    """Fit the coefficients and alpha of a negative binomial together.

    Returns
    -------
    (Family, Solution)
        The family with its alpha, and the coefficients' solution; `details["alpha_rounds"]` counts the alternations.
    """
    newton = Newton(max_iter=max_iter, tol=tol)
    model = family_named("poisson", link)
    poisson = Objective(rows, model)
    solution = solve(newton, poisson, theta, observers)
    only_zeros = solution.status is Status.SEPARATED and solution.inverse_curvature is None
    alpha = 1.0 if only_zeros else _moment(rows, model, solution.theta)
    passes, given = poisson.passes, theta
    turn, moved = 0, 0.0 if only_zeros else math.inf
    while True:
        turn += 1
        model = family_named("negative_binomial", link, alpha=alpha)
        objective = Objective(rows, model)
        separated = solution.status is Status.SEPARATED  # far out nothing is left of the gradient: start anew
        solution = solve(newton, objective, given if separated else solution.theta, observers)
        passes += objective.passes
        if moved < 1e-13 or turn == ROUNDS:
            break
        new = alpha if alpha in (SMALLEST, LARGEST) else _likeliest(rows, model, solution.theta, alpha)
        moved, alpha = abs(math.log(new / alpha)), new
    details = {**solution.details, "alpha_rounds": turn}
    advice = {SMALLEST: NO_OVERDISPERSION, LARGEST: NO_MAXIMUM}.get(alpha, solution.advice)
    advice = ONLY_ZEROS if only_zeros else advice
    return model, replace(solution, passes=passes, advice=advice, details=details)


def _means(rows: Rows, family: Family, theta: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    for read in rows.blocks():
        block = read.double()
        assert block.y is not None
        yield block.y, family.mean(linear_predictor(block, theta)), block.loss_weight


def _moment(rows: Rows, family: Family, theta: Tensor) -> float:
    """The alpha at which sum w ((y - mu)^2 - mu) = alpha sum w mu^2."""
    above, below = 0.0, 0.0
    for y, mu, weight in _means(rows, family, theta):
        w = 1.0 if weight is None else weight
        above += float((w * ((y - mu).square() - mu)).sum())
        below += float((w * mu.square()).sum())
    return min(max(above / below, 1e-3), 1e3) if below > 0 else 1.0


def _likeliest(rows: Rows, family: Family, theta: Tensor, alpha: float) -> float:
    """The maximum of the likelihood in alpha at fixed means: Newton's method in log alpha, by factors of at most 10."""
    for _ in range(50):
        model = family_named("negative_binomial", family.link, alpha=alpha)
        slope, curvature = 0.0, 0.0
        for y, mu, weight in _means(rows, model, theta):
            first, second = model.alpha_score(y, mu, weight)  # type: ignore[attr-defined]
            slope, curvature = slope + float(first), curvature + float(second)
        # With a = log alpha: dL/da = alpha L', d2L/da2 = alpha^2 L'' + alpha L'.
        gradient, bend = alpha * slope, alpha * alpha * curvature + alpha * slope
        step = -gradient / bend if bend < 0 else math.copysign(1.0, gradient)
        step = max(-math.log(10), min(math.log(10), step))
        alpha = min(max(alpha * math.exp(step), SMALLEST), LARGEST)
        if abs(step) < 1e-14 or alpha in (SMALLEST, LARGEST):
            break
    return alpha
