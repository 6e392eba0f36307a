"""Learning rates as users give them, and the one that lr="auto" chooses.

With L and mu the largest and smallest positive curvature of f, and m a given momentum:

    squared loss of a linear predictor    lr = (1 + m) / L                             half the stable limit        (1)
      momentum="auto"                     `thalweg.diagnose.rates.polyak`              fastest heavy ball           (2)
      nesterov, momentum="auto"           lr = 4 / (3 L + mu), m = 1 - 4 / (2 + sqrt(3 L / mu + 1))                 (3)
      nesterov, a given m                 lr = 4 / (3 L + mu)
    anything else                         lr = 1 / L to begin with, halved where the loss does not fall by a
                                          quarter of what the gradient promises                                     (4)
    mini-batches of b of n rows           lr = (1 - m) / (2 L_b),
                                          L_b = (n (b - 1) L + (n - b) L_max) / (b (n - 1))                         (5)

With (1) and m = 0 the steepest direction is gone after one step and the loss never rises. The fastest stable rate, 2
/ (L + mu), which `thalweg.diagnose` tells, is nearly twice that and halves the steps that the flattest direction
needs; but the steepest then swings from side to side and shrinks no faster than the flattest, so that a descent that
is stopped early is a bad one. Rates are cut to three digits: what is told is what is run. In (4) L is that of the
logistic loss at eta = 0, where a row's curvature mu (1 - mu) is largest and which therefore bounds it everywhere, and
the one at the start for any other loss. In (5) L_max is the largest curvature of one row.

References: Polyak (1964), doi:10.1016/0041-5553(64)90137-5 for (2); Lessard, Recht & Packard (2016),
doi:10.1137/15M1009597, table 1 for (3); Gower et al. (2019), arXiv:1901.09401, theorem 3.1 and proposition 3.8 for (5).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.convention import is_mean, per_unit
from thalweg.diagnose.rates import polyak
from thalweg.diagnose.spectrum import design, spectrum_of
from thalweg.diagnose.words import settable_pair, settable_rate
from thalweg.errors import OptionError
from thalweg.problem import Problem
from thalweg.solvers.armijo import Armijo
from thalweg.solvers.schedules import number, positive

LearningRate = float | Literal["auto"] | Callable[[int], float] | Armijo
"""What `lr` may be."""

MAJORIZE = Armijo(1.0, 0.5, 0.25, 1.0)  # equation (4)
ITERATIONS = 100  # of the power method, at most ...
SETTLED = 1e-4  # ... until its estimate changes by no more than this, relative
BATCHES = 8  # that are looked at where no bound of a row's curvature is known


@final
@dataclass(frozen=True)
class Chosen:
    """A learning rate and a momentum, and in `how` where they come from; `search` where the rate is searched."""

    rate: float
    momentum: float
    how: str = ""
    search: Armijo | None = None


def check_lr(lr: Any, known: str = 'a number above 0, "auto", a schedule or Armijo()') -> None:
    """Refuse a learning rate that is none.

    Raises
    ------
    OptionError
    """
    if isinstance(lr, Armijo) or (isinstance(lr, str) and lr == "auto") or (callable(lr) and not isinstance(lr, type)):
        return
    if isinstance(lr, type):
        raise OptionError(f"lr is the class {lr.__name__}", advice=f"Give one of its instances: lr={lr.__name__}(...).")
    if isinstance(lr, str) and not _is_text_of_number(lr):
        raise OptionError(f"lr is {lr!r}", advice=f"Give {known}.")
    positive("lr", lr)


def _is_text_of_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_momentum(momentum: Any, nesterov: Any, lr: Any) -> None:
    """Refuse a momentum outside [0, 1], or options that contradict each other.

    Raises
    ------
    OptionError
    """
    if not isinstance(nesterov, bool):
        raise OptionError(f"nesterov is {nesterov!r}", advice="Give True or False.")
    if isinstance(momentum, str) and momentum == "auto":
        if not (isinstance(lr, str) and lr == "auto"):
            raise OptionError(
                'momentum="auto" goes with lr="auto": the best pair is chosen together',
                advice='Set lr="auto" too, or give the momentum as a number, as 0.9.',
            )
        return
    if not number(momentum) or not 0 <= momentum <= 1:
        raise OptionError(
            f"momentum is {momentum!r}",
            advice="Give a number from 0 (none) to 1 (gradients that are never cleared); 0.9 is common.",
        )
    if nesterov and momentum == 0:
        raise OptionError("nesterov=True without momentum is plain descent", advice="Give momentum=0.9 with it.")
    if isinstance(lr, Armijo) and momentum:
        raise OptionError(
            "Armijo searches along the gradient, and with momentum a step goes elsewhere",
            advice='Leave momentum out, or set lr="auto".',
        )


def scheduled(lr: Callable[[int], float], step: int) -> float:
    """A schedule's rate.

    Raises
    ------
    OptionError
        It is no finite number, or below 0.
    """
    rate = lr(step)
    if not number(rate) or rate < 0:
        raise OptionError(
            f"the schedule gives the learning rate {rate!r} at step {step}", advice="Give finite rates >= 0."
        )
    return float(rate)


def choose_rate(
    problem: Problem, theta: Float[Tensor, "p"], lr: LearningRate, momentum: float | Literal["auto"], nesterov: bool
) -> Chosen:
    """The first rate and the momentum of a full-batch descent from theta."""
    if lr == "auto":
        return _auto(problem, theta, momentum, nesterov)
    assert not isinstance(momentum, str)
    if isinstance(lr, Armijo):
        return Chosen(lr.initial, momentum, search=lr)
    assert not isinstance(lr, str)
    return Chosen(scheduled(lr, 0) if callable(lr) else float(lr), momentum)


def _auto(problem: Problem, theta: Tensor, momentum: float | Literal["auto"], nesterov: bool) -> Chosen:
    """Equations (1) to (4)."""
    spectrum = spectrum_of(problem, theta)
    largest, smallest = spectrum.largest, spectrum.smallest
    if spectrum.kind != "exact":
        rate = 1 / largest if 0 < largest < math.inf else 1.0
        how = (
            f"1 / {largest:.4g}, {_kind(spectrum.kind)} of the largest curvature; smaller where the loss does not fall"
        )
        return Chosen(rate, 0.9 if isinstance(momentum, str) else momentum, how, MAJORIZE)
    if largest <= 0:
        return Chosen(1.0, 0.0, "the loss is flat: no rate changes anything")
    rate, best, words = _pair(largest, smallest, momentum, nesterov)
    return Chosen(rate, best, f"{words} for curvatures from {smallest:.4g} to {largest:.4g}")


def _pair(
    largest: float, smallest: float, momentum: float | Literal["auto"], nesterov: bool
) -> tuple[float, float, str]:
    """Equations (1) to (3): rate, momentum, and what they are."""
    if nesterov:
        best = 1 - 4 / (2 + math.sqrt(3 * largest / smallest + 1))
        return 4 / (3 * largest + smallest), best if isinstance(momentum, str) else momentum, "Nesterov's rate"
    if isinstance(momentum, str):
        return (*settable_pair(*polyak(largest, smallest)), "the fastest heavy ball")
    return settable_rate((1 + momentum) / largest), momentum, "half the stable limit"


def _kind(kind: str) -> str:
    return {"exact": "which is", "bound": "a bound", "estimate": "an estimate"}[kind]


def is_logistic(problem: Problem) -> bool:
    """Whether the loss is binomial with the logit link of a linear predictor: then its curvature is bounded."""
    link = getattr(getattr(problem.loss, "link", None), "name", "")
    linear = getattr(getattr(problem, "predictor", None), "linear", True)
    return problem.loss.name == "binomial" and link == "logit" and linear


def power_method(product: Callable[[Tensor], Tensor], like: Float[Tensor, "p"], most: int = ITERATIONS) -> float:
    """The largest |eigenvalue| of a symmetric matrix from its products with vectors, from below."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(like.numel(), dtype=torch.float64, generator=generator).to(like)
    largest = 0.0
    for _ in range(most):
        v = product(v / torch.linalg.vector_norm(v))
        size = float(torch.linalg.vector_norm(v))
        if not math.isfinite(size) or size == 0:
            return size
        if abs(size - largest) <= SETTLED * size:
            return size
        largest = size
    return largest


# --- mini-batches ------------------------------------------------------------------------------------------------


def choose_batch_rate(problem: Problem, theta: Float[Tensor, "p"], size: int, momentum: float) -> Chosen:
    """Equation (5); from the curvature of some batches where no bound of a row's is known."""
    n = problem.rows
    rows = row_curvatures(problem)
    if rows is None:
        bound, kind = _of_batches(problem, theta, min(size, n)), "an estimate"
    else:
        b, largest = min(size, n), spectrum_of(problem, theta).largest
        mean = is_mean(problem.convention)
        largest = largest if mean else largest / n
        single = float(rows.max())
        bound = (n * (b - 1) * largest + (n - b) * single) / (b * (n - 1)) if n > 1 else single
        bound, kind = bound if mean else b * bound, "a bound"
    if not 0 < bound < math.inf:
        return Chosen(1.0, momentum, "no curvature was found")
    how = f"1 / (2 * {bound:.4g}), {kind} of the largest curvature of a batch"
    return Chosen((1 - momentum) / (2 * bound), momentum, f"{how}, times 1 - momentum" if momentum else how)


def row_curvatures(problem: Problem) -> Float[Tensor, "n"] | None:
    """A bound of the curvature of each row alone, |x_i|^2 max loss''; None where none is known."""
    x = design(problem)
    bend = 0.25 if is_logistic(problem) else 1.0 if problem.quadratic is not None else None
    if bend is None or x is None or getattr(problem, "weight", None) is not None:
        return None
    return per_unit(problem.convention, problem.loss) * bend * x.square().sum(1)


def _of_batches(problem: Problem, theta: Tensor, size: int) -> float:
    """The largest curvature at theta of some batches."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(problem.rows, generator=generator).to(problem.device)
    return max(power_method(_batch_product(problem, theta, batch), theta) for batch in order.split(size)[:BATCHES])


def _batch_product(problem: Problem, theta: Tensor, batch: Int[Tensor, "m"]) -> Callable[[Tensor], Tensor]:
    """v to H v, for the loss over some rows."""

    def product(v: Tensor) -> Tensor:
        return torch.autograd.functional.hvp(lambda at: problem.value(at, batch), theta, v)[1]

    return product
