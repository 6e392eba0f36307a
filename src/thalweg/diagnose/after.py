"""After a descent: how far from the least value it ended, and how many more steps it would take.

For a squared loss of a linear predictor everything is exact: the least value comes from least squares, the number of
steps from the recursion. For another smooth loss Newton's method finds the least value, and the descent itself,
followed on for some hundredths of a second, the number of steps (`thalweg.diagnose.outlook`); what is only estimated is
called so.

    distance in standard errors = sqrt(g' H^-1 g / phi),   g, H of the house's J = f / c,   phi = 1 or 2 J / n
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.after_text import alternatives, sentence_of
from thalweg.diagnose.optimum import optimum_of
from thalweg.diagnose.outlook import QUICK, Outlook
from thalweg.diagnose.rates import stable_limit
from thalweg.diagnose.remedy import Remedy
from thalweg.diagnose.setting import setting_of
from thalweg.diagnose.words import count, settable_rate, short
from thalweg.problem import Problem

if TYPE_CHECKING:
    from thalweg.descent import Descent
    from thalweg.diagnose.diagnosis import Diagnosis
    from thalweg.solvers.descent import DescentSolver, DescentState

PRODUCTS = 20  # of the power method, where no least value is known


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
        How the least value is known: "exact", "estimate" (by Newton's method), or "gradient only" where it is not.
    standard_errors : float
        The distance from the optimum in standard errors of the coefficients; NaN where not known.
    more_steps : float
        With the same solver, until the excess is `tol` of what it was at the start; inf: never; NaN: not known.
    sentence : str
        All of it in words, with the number to set.
    value, least : float
        f(theta) and the least value.
    alternatives : tuple of (float, float, float)
        (lr, momentum, steps from the start) of gradient descent, where that needs fewer steps.
    remedies : tuple of Remedy
        What the sentence says to set.
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
    remedies: tuple[Remedy, ...] = field(default=())

    def __str__(self) -> str:
        return self.sentence

    def __eq__(self, other: object) -> bool:
        return isinstance(other, After) and repr(self) == repr(other)  # NaN is like NaN

    __hash__ = None  # type: ignore[assignment]


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
    solver: DescentSolver | None = None,
    state: DescentState | None = None,
) -> After:
    """How far theta is from the optimum, and how many more steps a descent would take.

    Parameters
    ----------
    problem : Problem
    theta : Tensor, (p,)
        Where the descent ended.
    lr, momentum, nesterov :
        Of the descent, where they are constant and each step follows the gradient of all rows.
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
    solver : DescentSolver, optional
        What was run: it says what it can be set to. Gradient descent where it is not given.
    state : DescentState, optional
        Its last state, from which it is followed on.

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
        return _unknown(problem, theta, float(value), size, steps, solver)
    excess = optimum.excess(theta, float(value))
    began = excess
    if start is not None:
        first = float(problem.value(start.to(dtype=problem.dtype, device=problem.device)))
        began = optimum.excess(start, first)
    elif start_value is not None:
        began = max(start_value - optimum.least, 0.0)
    end = Outlook(
        problem, theta, float(value), gradient, optimum, lr, momentum, nesterov, tol, steps, start, velocity, began,
        solver, state,
    )  # fmt: skip
    found = After(
        excess=excess,
        relative=math.inf if end.zero and excess > 0 else excess / optimum.least if optimum.least > 0 else 0.0,
        gradient_norm=size,
        kind=optimum.kind,
        standard_errors=end.standard_errors,
        more_steps=end.more[0],
        sentence="",
        value=float(value),
        least=optimum.least,
        alternatives=tuple(each[:3] for each in end.alternatives),
        remedies=end.remedies(),
    )
    return replace(found, sentence=sentence_of(end, found))


def _unknown(
    problem: Problem,
    theta: Float[Tensor, "p"],
    value: float,
    size: float,
    steps: int | None,
    solver: DescentSolver | None,
) -> After:
    """Where Newton's method found no minimum: more steps, and the rates that the curvature here bears."""
    from thalweg.diagnose.separated import separated

    where = "" if steps is None else f"After {count(steps)} "
    head = f"{where}{'the' if where else 'The'} loss is {short(value)} and the gradient {short(size)}"
    remedies: tuple[Remedy, ...] = ()
    if separated(problem):
        why = "the classes are separated, so that the loss falls for ever as the coefficients grow."
    else:
        remedies = _further(problem, steps, solver)
        method = "Newton's method" if problem.curve is None else "Levenberg-Marquardt"
        why = f"{method} finds no minimum near here{_bears(problem, theta, solver)}."
        why += f" To go on, set {alternatives(remedies)}." if remedies else ""
    nan = math.nan
    return After(nan, nan, size, "gradient only", nan, nan, f"{head}; {why}", value, nan, remedies=remedies)


def _further(problem: Problem, steps: int | None, solver: DescentSolver | None) -> tuple[Remedy, ...]:
    """At least twice the steps; or L-BFGS."""
    if solver is None or steps is None:
        return ()
    longer = Remedy(solver.longer(problem, 2 * max(steps, 1)), nearer=True)
    if type(solver).__name__ == "LBFGS":
        return (longer,)
    loss = {} if problem.convention == "mean" else {"loss": problem.convention}
    return longer, Remedy({"steps": QUICK, **loss}, "LBFGS", nearer=True)


def _bears(problem: Problem, theta: Float[Tensor, "p"], solver: DescentSolver | None) -> str:
    """The stable limit here, for a solver that has one."""
    if solver is None or solver.follow(1.0, 0.0) is None or "hessian_product" not in problem.has:
        return ""
    from thalweg.solvers.rates import power_method

    at = theta.to(dtype=problem.dtype, device=problem.device)
    largest = power_method(lambda v: problem.hessian_product(at, v), at, PRODUCTS)
    if not 0 < largest < math.inf:
        return ""
    limit = settable_rate(stable_limit(largest))
    return f"; the curvature here is {short(largest)}, which bears plain rates below {limit:g}"


def diagnose_descent(descent: Descent) -> Diagnosis:
    """The problem of a descent, what its solver was set to, and how far it came."""
    from thalweg.diagnose.diagnosis import diagnose_problem

    solver, details = descent.solver, descent.solution.details
    told = details.get("recursion", {})
    momentum = told.get("momentum", setting_of(solver, descent.trace.last).momentum)
    before = diagnose_problem(
        descent.problem,
        lr=told.get("lr"),
        momentum=momentum if 0 <= momentum <= 1 else 0.0,
        nesterov=told.get("nesterov", bool(getattr(solver, "nesterov", False))),
        start=_start(descent),
    )
    return replace(before, after=after_of(descent))


def after_of(descent: Descent) -> After:
    """How far a descent came: what its solution says, which of one that diverged is told of its best state."""
    kept = descent.solution.details.get("after")
    if isinstance(kept, After):
        return kept
    solution = descent.solution
    told = solution.details.get("recursion", {})
    theta, steps = solution.theta, solution.steps
    return after(descent.problem, theta, steps=steps, start=_start(descent), solver=descent.solver, **told)


def _start(descent: Descent) -> Tensor | None:
    """Where it began, if its history knows."""
    trace = descent.trace
    return trace.theta[0] if trace.step and trace.step[0] == 0 else None
