"""Which learning rates a quadratic bears: the stable limit, the fastest rate, the best momentum.

Along an eigenvector of the Hessian with eigenvalue l > 0, descent on f = l z^2 / 2 is a linear recursion in z whose
roots r_1, r_2 solve r^2 - trace r + det = 0 (Polyak 1964, doi:10.1016/0041-5553(64)90137-5, section 2):

                trace                    det               all |r| < 1 while
    plain       1 - lr l                 0                 lr l < 2
    heavy ball  1 + m - lr l             m                 lr l < 2 (1 + m),             m < 1
    Nesterov    (1 + m) (1 - lr l)       m (1 - lr l)      lr l < 2 (1 + m) / (1 + 2 m), m <= 1

(Jury's conditions |det| < 1, |trace| < 1 + det.) With L and mu the largest and the smallest positive eigenvalue the
plain rate whose slowest direction is fastest is 2 / (L + mu); it contracts distances by (L - mu) / (L + mu) a step
(Nesterov 2004, doi:10.1007/978-1-4419-8853-9, theorem 2.1.15). The heavy ball's best pair is `polyak`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.words import by_step, digits_apart
from thalweg.errors import DivergenceError

if TYPE_CHECKING:
    from thalweg.problem import Problem

RUN_ANYWAY = "allow_divergence=True runs it all the same."


def stable_limit(largest: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """The learning rate above which descent diverges on a quadratic with this largest curvature.

        2 / L,   heavy ball 2 (1 + m) / L,   Nesterov 2 (1 + m) / ((1 + 2 m) L)

    Parameters
    ----------
    largest : float
        L >= 0, the largest eigenvalue of the Hessian.
    momentum : float
        m in [0, 1]. The heavy ball with momentum 1 does not diverge below its limit, and never converges either.
    nesterov : bool

    References
    ----------
    Polyak (1964), doi:10.1016/0041-5553(64)90137-5.

    Examples
    --------
    >>> stable_limit(4.0), stable_limit(4.0, 0.5), stable_limit(4.0, 0.5, nesterov=True)
    (0.5, 0.75, 0.375)
    """
    if largest <= 0:
        return math.inf
    return 2 * (1 + momentum) / ((1 + 2 * momentum if nesterov else 1) * largest)


def fastest(largest: float, smallest: float) -> float:
    """The plain rate with the best contraction of distances: 2 / (L + mu).

    References
    ----------
    Nesterov (2004), doi:10.1007/978-1-4419-8853-9, theorem 2.1.15.

    Examples
    --------
    >>> fastest(3.0, 1.0)
    0.5
    """
    return 2 / (largest + smallest) if largest > 0 else math.inf


def contraction(largest: float, smallest: float) -> float:
    """What a step of `fastest` multiplies the distance to the optimum by, at worst: (L - mu) / (L + mu).

    Examples
    --------
    >>> contraction(3.0, 1.0)
    0.5
    """
    return (largest - smallest) / (largest + smallest) if largest > 0 else 0.0


def polyak(largest: float, smallest: float) -> tuple[float, float]:
    """The heavy ball's best (lr, momentum): 4 / (sqrt L + sqrt mu)^2 and ((sqrt L - sqrt mu) / (sqrt L + sqrt mu))^2.

    Distances shrink by sqrt(momentum) a step in the long run, in every direction.

    References
    ----------
    Polyak (1964), doi:10.1016/0041-5553(64)90137-5.

    Examples
    --------
    >>> polyak(9.0, 1.0)
    (0.25, 0.25)
    """
    a, b = math.sqrt(largest), math.sqrt(smallest)
    return (4 / (a + b) ** 2, ((a - b) / (a + b)) ** 2) if largest > 0 else (math.inf, 0.0)


def spectral_radii(
    eigenvalues: Float[Tensor, "k"], lr: float, momentum: float = 0.0, nesterov: bool = False
) -> Float[Tensor, "k"]:
    """max(|r_1|, |r_2|) of the recursion along each eigenvector: what a step multiplies it by in the long run."""
    a = lr * eigenvalues
    trace = (1 + momentum) * (1 - a) if nesterov else 1 + momentum - a
    det = momentum * (1 - a) if nesterov else torch.full_like(a, momentum)
    inner = trace.square() / 4 - det
    real = trace.abs() / 2 + inner.clamp_min(0).sqrt()
    return torch.where(inner < 0, det.abs().sqrt(), real)


def growth(eigenvalues: Float[Tensor, "k"], lr: float, momentum: float = 0.0, nesterov: bool = False) -> float:
    """What a step multiplies the excess loss by in the long run, in the worst direction: the radius squared.

    Examples
    --------
    >>> import torch
    >>> growth(torch.tensor([1.0, 4.0]), 1.0)
    9.0
    """
    positive = eigenvalues[eigenvalues > 0]
    if positive.numel() == 0:
        return 1.0
    radius = float(spectral_radii(positive, lr, momentum, nesterov).max())
    return radius * radius  # inf, where ** would raise


def rule(momentum: float = 0.0, nesterov: bool = False) -> str:
    """How the limit comes about, in words.

    Examples
    --------
    >>> rule(), rule(0.5), rule(0.5, nesterov=True)
    ('2 / largest curvature', '2 (1 + 0.5) / largest curvature', '2 (1 + 0.5) / (1 + 2 * 0.5) / largest curvature')
    """
    if momentum == 0:
        return "2 / largest curvature"
    return f"2 (1 + {momentum:g}) / " + (f"(1 + 2 * {momentum:g}) / " if nesterov else "") + "largest curvature"


def check_rate(problem: Problem, lr: float, momentum: float = 0.0, nesterov: bool = False) -> None:
    """Refuse a rate or a momentum with which a squared loss of a linear predictor is known to diverge.

    Nothing is said of other problems, whose curvature changes on the way. The heavy ball with momentum 1 is let
    through below its limit 4 / L: it neither diverges nor converges, and what it ends in says so.

    Raises
    ------
    DivergenceError
    """
    quadratic = problem.quadratic
    if quadratic is None:
        return
    limit = stable_limit(float(quadratic.eigenvalues[-1]), momentum, nesterov)
    factor = growth(quadratic.eigenvalues, lr, momentum, nesterov)
    if momentum > 1 and factor > 1:
        raise DivergenceError(
            f"momentum {momentum:g} is above 1: the velocity grows by itself, and the loss {by_step(factor)}",
            advice=f"Set momentum=0.9, or 0. {RUN_ANYWAY}",
        )
    if lr <= limit:
        return
    from thalweg.diagnose.blame import setter
    from thalweg.diagnose.remedies import remedies

    cause = setter(problem)
    first, second = digits_apart(lr, limit)
    raise DivergenceError(
        f"lr {first} is above the stable limit {second} ({rule(momentum, nesterov)}{f', {cause}' if cause else ''}):"
        f" the loss grows {by_step(factor)}",
        advice=f"{remedies(problem, momentum=momentum > 0)} {RUN_ANYWAY}",
    )
