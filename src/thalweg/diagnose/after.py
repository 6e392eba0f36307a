"""After a descent: how far from the least value it ended, and how many more steps it would take.

For a squared loss of a linear predictor everything is exact: the least value comes from least squares, the number of
steps from the recursion (`thalweg.diagnose.recursion`). For another smooth loss Newton's method finds the least value,
and the recursion with the Hessian there gives an estimate of the steps, called so: far from the optimum the curvature
is another one.

    distance in standard errors = sqrt(g' H^-1 g / phi),   g, H of the house's J = f / c,   phi = 1 or 2 J / n
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.optimum import Optimum, optimum_of
from thalweg.diagnose.rates import fastest, polyak, stable_limit
from thalweg.diagnose.recursion import Recursion
from thalweg.diagnose.spectrum import spectrum_of
from thalweg.diagnose.words import count, digits_apart, settable_pair, settable_rate, short
from thalweg.problem import Problem

if TYPE_CHECKING:
    from thalweg.descent import Descent
    from thalweg.diagnose.diagnosis import Diagnosis

WORTH = 0.8  # another rate is told where it needs at most this part of the steps
ROUNDING = 1e-12  # part of the loss: an excess below it is none
ZERO = 1e-13  # part of the loss at the start (or here), below which a least value is rounding


@final
@dataclass(frozen=True, eq=False)
class After:
    """How far a descent is from its optimum.

    Attributes
    ----------
    excess : float
        f(theta) - least; NaN where no least value is known.
    relative : float
        excess / least; inf where the least value is 0.
    gradient_norm : float
        Euclidean.
    kind : str
        "exact", "estimate", or "gradient only" where no least value is known.
    standard_errors : float
        The distance from the optimum in standard errors of the coefficients; NaN where not known.
    more_steps : float
        At the same rate, until the excess is `tol` of what it was at the start; inf: never; NaN: not known (a rate
        that changes, or no least value).
    sentence : str
        All of it in words, with the number to set.
    value, least : float
        f(theta) and the least value.
    alternatives : tuple of (float, float, float)
        (lr, momentum, steps from the start) of rates that are worth setting instead.
    """

    excess: float
    relative: float
    gradient_norm: float
    kind: str
    standard_errors: float
    more_steps: float
    sentence: str
    value: float
    least: float
    alternatives: tuple[tuple[float, float, float], ...] = field(default=())

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, eq=False)
class _Ending:
    """What is known of the end of a descent."""

    problem: Problem
    theta: Float[Tensor, "p"]
    value: float
    gradient: Float[Tensor, "p"]
    optimum: Optimum
    lr: float | None
    momentum: float
    nesterov: bool
    tol: float
    steps: int | None
    start: Float[Tensor, "p"] | None
    velocity: Float[Tensor, "p"] | None
    start_excess: float

    @property
    def excess(self) -> float:
        return self.optimum.excess(self.theta, self.value)

    @property
    def target(self) -> float:
        """What the excess is to fall to."""
        return self.tol * self.start_excess

    @property
    def zero(self) -> bool:
        """Whether the least value is 0, to rounding."""
        return self.optimum.least <= ZERO * (self.optimum.least + self.start_excess)

    @property
    def least_reached(self) -> bool:
        """Whether nothing is left but rounding."""
        return self.excess <= ROUNDING * self.value

    def recursion(
        self, theta: Float[Tensor, "p"], lr: float, momentum: float, nesterov: bool, velocity: Tensor | None = None
    ) -> Recursion:
        q = self.optimum.eigenvectors
        turned = None if velocity is None else q.T @ velocity.double().cpu()
        return Recursion(self.optimum.eigenvalues, self.optimum.distance(theta), lr, momentum, nesterov, turned)

    def more_steps(self) -> float:
        """At the same rate: from the start where that is known, else from here."""
        if self.lr is None:
            return math.nan
        if self.excess <= self.target or self.least_reached:
            return 0
        if not self.near(self.theta, self.excess):
            return math.nan
        if self.optimum.kind == "exact" and self.start is not None and self.steps is not None:
            whole = self.recursion(self.start, self.lr, self.momentum, self.nesterov).steps_to(self.target)
            if whole > self.steps:
                return whole - self.steps
        return self.recursion(self.theta, self.lr, self.momentum, self.nesterov, self.velocity).steps_to(self.target)

    def near(self, theta: Float[Tensor, "p"], excess: float) -> bool:
        """Whether the curvature at the optimum tells the excess at theta, to a factor of 10: else it tells no steps."""
        told = float(self.optimum.distance(theta).square() @ self.optimum.eigenvalues) / 2
        return self.optimum.kind == "exact" or 0.1 * told <= excess <= 10 * told

    def alternatives(self, more: float) -> tuple[tuple[float, float, float], ...]:
        """(lr, momentum, steps) that need fewer: the fastest plain rate, and the best heavy ball."""
        found = []
        least = math.inf if math.isnan(more) else more + (0 if self.steps is None else self.steps)
        origin = self.theta if self.start is None else self.start
        for lr, momentum in self.rates() if self.near(origin, self.start_excess) else ():
            steps = self.recursion(origin, lr, momentum, False).steps_to(self.target)
            if steps <= WORTH * least and steps < math.inf:
                found.append((lr, momentum, steps))
                least = steps
        return tuple(found)

    def rates(self) -> list[tuple[float, float]]:
        """(lr, momentum) worth setting; where the curvature changes, the largest that was met bounds the rate."""
        positive = self.optimum.eigenvalues[self.optimum.eigenvalues > 0]
        if positive.numel() == 0:
            return []
        smallest, largest = float(positive[0]), float(positive[-1])
        if self.optimum.kind == "exact":
            return [(settable_rate(fastest(largest, smallest)), 0.0), settable_pair(*polyak(largest, smallest))]
        places = [self.theta] if self.start is None else [self.theta, self.start]
        met = [spectrum_of(self.problem, place).largest for place in places]
        return [(settable_rate(fastest(max(largest, *met), smallest)), 0.0)]


def after(
    problem: Problem,
    theta: Float[Tensor, "p"],
    *,
    lr: float | None = None,
    momentum: float = 0.0,
    nesterov: bool = False,
    start_value: float | None = None,
    tol: float = 1e-6,
    steps: int | None = None,
    start: Float[Tensor, "p"] | None = None,
    velocity: Float[Tensor, "p"] | None = None,
) -> After:
    """How far theta is from the optimum, and how many more steps a descent would take.

    Parameters
    ----------
    problem : Problem
    theta : Tensor, (p,)
        Where the descent ended.
    lr, momentum, nesterov :
        Of the descent, where they are constant; lr=None: no steps are predicted for the rate that was used.
    start_value : float, optional
        The loss at the start. Where neither it nor `start` is given, tol is a part of the excess at theta.
    tol : float
        The part of the excess at the start that may be left.
    steps : int, optional
        Steps taken so far: the sentence then names the total to set.
    start : Tensor, (p,), optional
        Where the descent began: the count is then exact with momentum too.
    velocity : Tensor, (p,), optional
        That of the last state, where the start is not known.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> from thalweg.predictors import Linear
    >>> from thalweg.problem import MemoryProblem
    >>> x, y = torch.tensor([[1.0, 0.0], [1.0, 2.0]]).double(), torch.tensor([1.0, 3.0]).double()
    >>> problem = MemoryProblem(Linear(("Intercept", "x")), x, y, family("gaussian"))
    >>> end = after(problem, torch.tensor([0.9, 1.1]).double(), lr=0.1, steps=10, start=torch.zeros(2).double())
    >>> round(end.excess, 6), end.more_steps
    (0.01, 47)
    """
    theta = theta.detach()
    value, gradient = problem.value_and_gradient(theta.to(dtype=problem.dtype, device=problem.device))
    size = float(torch.linalg.vector_norm(gradient.double()))
    optimum = optimum_of(problem, theta) if math.isfinite(float(value)) else None
    if optimum is None:
        return _unknown(problem, float(value), size, steps)
    excess = optimum.excess(theta, float(value))
    began = excess
    if start is not None:
        first = float(problem.value(start.to(dtype=problem.dtype, device=problem.device)))
        began = optimum.excess(start, first)
    elif start_value is not None:
        began = max(start_value - optimum.least, 0.0)
    end = _Ending(
        problem, theta, float(value), gradient, optimum, lr, momentum, nesterov, tol, steps, start, velocity, began
    )
    more = end.more_steps()
    found = After(
        excess=excess,
        relative=math.inf if end.zero and excess > 0 else excess / optimum.least if optimum.least > 0 else 0.0,
        gradient_norm=size,
        kind=optimum.kind,
        standard_errors=_standard_errors(end),
        more_steps=more,
        sentence="",
        value=float(value),
        least=optimum.least,
        alternatives=() if more == 0 or end.least_reached else end.alternatives(more),
    )
    return replace(found, sentence=_sentence(end, found))


def _unknown(problem: Problem, value: float, size: float, steps: int | None) -> After:
    """Where Newton's method found no minimum."""
    where = "" if steps is None else f"After {count(steps)} "
    from thalweg.diagnose.separated import separated

    why = (
        "the classes are separated, so that the loss falls for ever as the coefficients grow"
        if separated(problem)
        else "Newton's method finds no minimum near here"
    )
    sentence = f"{where}{'the' if where else 'The'} loss is {short(value)} and the gradient {short(size)}; {why}."
    nan = math.nan
    return After(nan, nan, size, "gradient only", nan, nan, sentence, value, nan)


def _standard_errors(end: _Ending) -> float:
    """sqrt(g' H^-1 g / phi) of J, H that at the optimum."""
    scale, optimum = end.problem.scale, end.optimum
    if optimum.kind == "exact":
        decrement = 2 * end.excess
    else:
        turned = optimum.eigenvectors.T @ end.gradient.double().cpu()
        part = optimum.eigenvalues > 0
        decrement = float((turned[part].square() / optimum.eigenvalues[part]).sum())
    fixed = getattr(end.problem.loss, "fixed_dispersion", None)
    phi = 1.0 if fixed is not None else 2 * end.value / scale / max(end.problem.rows, 1)
    return math.sqrt(decrement / scale / phi) if phi > 0 else 0.0


def _sentence(end: _Ending, found: After) -> str:
    parts = [_where(end, found)]
    if found.more_steps == 0 or end.least_reached:
        parts.append(_arrived(end))
    else:
        parts.append(_going_on(end, found))
    flat = int((end.optimum.eigenvalues == 0).sum())
    if flat:
        what = "one direction" if flat == 1 else f"{flat} directions"
        parts.append(f"The loss is flat along {what} of the parameters: there they stay where they began.")
    if _stalled(end, found):
        parts.append('In float32 a step no longer changes the parameters; dtype="float64" goes on.')
    return " ".join(parts)


def _where(end: _Ending, found: After) -> str:
    """The loss beside its least value."""
    head = "The loss" if end.steps is None else f"After {count(end.steps)} the loss"
    about = "about " if found.kind == "estimate" else ""
    if end.zero:
        return f"{head} is {short(found.value)}, and its least value is {about}0;"
    if end.least_reached:
        return f"{head} {short(found.value)} is its least value;"
    value, least = digits_apart(found.value, found.least)
    above = f"{short(100 * found.relative)}%" if found.relative < 10 else f"{short(found.relative)} times"
    return f"{head} {value} is {about}{above} above its least value {least};"


def _arrived(end: _Ending) -> str:
    if end.least_reached:
        return "there is nothing left to do."
    return f"that is within {end.tol:g} of the excess at the start: nothing needs to be set."


def _going_on(end: _Ending, found: After) -> str:
    """How many more steps, and what to set."""
    told = _alternatives(found)
    goal = f"the excess to {end.tol:g} of what it " + ("was at the start" if _from_start(end) else "is now")
    about = "about " if found.kind == "estimate" else ""
    if math.isnan(found.more_steps):
        unknown = "it is too far from the optimum to tell how many more steps it takes."
        return f"to bring {goal}, set {told}." if told else unknown
    if found.more_steps == math.inf:
        return f"{_never(end)}{f'. Set {told}' if told else ''}."
    line = f"{about}{count(found.more_steps, 'more step')} at this rate bring {goal}"
    if end.steps is None:
        return f"{line}{f'; or set {told}' if told else ''}."
    return f"{line}: set steps={_whole(end.steps + found.more_steps)}{f', or {told}' if told else ''}."


def _from_start(end: _Ending) -> bool:
    return end.start is not None or end.start_excess != end.excess


def _never(end: _Ending) -> str:
    largest = float(end.optimum.eigenvalues[-1])
    if end.momentum == 1 and not end.nesterov:
        return (
            "with momentum 1 (a gradient that is never cleared) it swings for ever and never converges:"
            " clear the gradient (momentum=0), or use momentum=0.9"
        )
    assert end.lr is not None
    limit = stable_limit(largest, end.momentum, end.nesterov)
    if end.lr >= limit:
        return f"lr {end.lr:g} is not below the stable limit {short(limit)} here, and it cannot converge"
    return "at this rate it takes more than 1e12 steps"


def _alternatives(found: After) -> str:
    texts = []
    for lr, momentum, steps in found.alternatives:
        fast = f"lr={lr:g} ({'about ' if found.kind == 'estimate' else ''}the fastest stable rate) with"
        what = f"lr={lr:g} and momentum={momentum:g} with" if momentum else fast
        texts.append(f"{what} steps={_whole(steps)}")
    return ", or ".join(texts)


def _whole(steps: float) -> str:
    return f"{int(steps)}" if steps < 1e12 else "more than 1e12"


def _stalled(end: _Ending, found: After) -> bool:
    """Whether lr g is below half the spacing of float32 at every parameter: the descent cannot move."""
    if end.problem.dtype != torch.float32 or end.lr is None or found.more_steps == 0:
        return False
    theta = end.theta.to(torch.float32)
    gradient = end.gradient.detach().to(device=theta.device, dtype=torch.float32)
    return bool((theta - end.lr * gradient == theta).all()) and bool(gradient.any())


def diagnose_descent(descent: Descent) -> Diagnosis:
    """The problem of a descent, what its solver was set to, and how far it came."""
    from thalweg.diagnose.diagnosis import diagnose_problem

    solver, trace = descent.solver, descent.trace
    rate = getattr(solver, "lr", None)
    lr = float(rate) if isinstance(rate, (int, float)) and not isinstance(rate, bool) else None
    momentum, nesterov = float(getattr(solver, "momentum", 0.0)), bool(getattr(solver, "nesterov", False))
    first = trace.theta[0] if trace.step and trace.step[0] == 0 else None
    ended = after(
        descent.problem,
        descent.solution.theta,
        lr=lr if _plain(descent) else None,
        momentum=momentum,
        nesterov=nesterov,
        steps=descent.solution.steps,
        start=first,
    )
    before = diagnose_problem(descent.problem, lr=lr, momentum=momentum, nesterov=nesterov, start=first)
    return replace(before, after=ended)


def _plain(descent: Descent) -> bool:
    """Whether every step used all rows and one rate, as the recursion does."""
    return not hasattr(descent.solver, "batch_size") and hasattr(descent.solver, "momentum")
