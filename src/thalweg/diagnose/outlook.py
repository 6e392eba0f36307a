"""What lies ahead of a descent that has ended: how many more steps it would take, and what would take fewer.

1. For a squared loss the recursion counts them (`thalweg.diagnose.recursion`): exactly.
2. Where the rate changes, or the loss is another, the descent itself is followed on (`thalweg.diagnose.walk`): a
   count that is reached is exact too. Else the recursion with the Hessian at the optimum gives an estimate from where
   the walk ended, if that quadratic tells the excess there to a factor of 10; else the pace of the walk, if it is even.
3. What to set is the solver's to say: a rate and a momentum only where it follows the recursion that they are counted
   with; else more of its steps, what calms it, or a solver that does follow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.optimum import Optimum
from thalweg.diagnose.rates import fastest, polyak
from thalweg.diagnose.recursion import Recursion
from thalweg.diagnose.remedy import Remedy
from thalweg.diagnose.spectrum import spectrum_of
from thalweg.diagnose.walk import Walk, ends_at, walk
from thalweg.diagnose.words import MOST, settable_pair, settable_rate
from thalweg.problem import Problem

if TYPE_CHECKING:
    from thalweg.solvers.descent import DescentSolver, DescentState

WORTH = 0.8  # another rate is told where it needs at most this part of the steps
ROUNDING = 1e-12  # part of the loss: an excess below it is none
ZERO = 1e-13  # part of the loss at the start (or here), below which a least value is rounding
NEAR = 1e-2  # standard errors from the optimum: there a descent has arrived
ASTRAY = 1.0  # standard errors beyond which it has not, however far it came
QUICK = 1000  # steps of L-BFGS, which takes far fewer


@final
@dataclass(frozen=True, eq=False)
class Outlook:
    """The end of a descent, and what is known of the way from there.

    Attributes
    ----------
    problem : Problem
    theta : Tensor, (p,)
        Where it ended; `value` and `gradient` there.
    optimum : Optimum
    lr : float or None
        Where it is constant and every step follows the recursion, with `momentum`, `nesterov` and `velocity`.
    tol : float
        The part of the excess at the start that may be left.
    steps : int or None
        That were taken.
    start : Tensor, (p,), or None
    start_excess : float
        At the start; where that is not known, here.
    solver, state :
        What was run and its last state, from which it can be followed on.
    """

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
    solver: DescentSolver | None = None
    state: DescentState | None = None

    @cached_property
    def excess(self) -> float:
        return self.optimum.excess(self.theta, self.value)

    @property
    def target(self) -> float:
        """What the excess is to fall to: tol of that at the start, or what the coefficients' own noise asks for."""
        return self.excess * (NEAR / self.standard_errors) ** 2 if self.astray else self.tol * self.start_excess

    @cached_property
    def astray(self) -> bool:
        """Whether the excess is tol of that at the start, and the coefficients are standard errors off all the same.

        A response whose mean is large against its noise makes a start from zeros so bad that this is easily so.
        """
        return self.excess <= self.tol * self.start_excess and self.standard_errors > ASTRAY

    @cached_property
    def standard_errors(self) -> float:
        """sqrt(g' H^-1 g / phi) of J, with H and phi at the optimum; NaN where phi is 0."""
        scale, optimum = self.problem.scale, self.optimum
        if self.least_reached:
            return 0.0
        if optimum.kind == "exact":
            decrement = 2 * self.excess
        elif self.problem.curve is not None:
            from thalweg.curves.descend import left

            decrement = scale * left(self.problem.curve, self.theta)
        else:
            turned = optimum.eigenvectors.T @ self.gradient.double().cpu()
            part = optimum.eigenvalues > 0
            decrement = float((turned[part].square() / optimum.eigenvalues[part]).sum())
        if getattr(self.problem.loss, "fixed_dispersion", None) is not None:
            return math.sqrt(decrement / scale)
        if self.zero:
            return math.nan
        return math.sqrt(decrement * self.problem.rows / (2 * optimum.least))

    @property
    def zero(self) -> bool:
        """Whether the least value is 0, to rounding."""
        return self.optimum.least <= ZERO * (self.optimum.least + self.start_excess)

    @property
    def least_reached(self) -> bool:
        """Whether nothing is left but rounding."""
        return self.excess <= ROUNDING * self.value

    @property
    def arrived(self) -> bool:
        """Whether nothing needs to be set."""
        return self.excess <= self.target or self.least_reached

    @property
    def exact(self) -> bool:
        """Whether the loss is a quadratic."""
        return self.optimum.kind == "exact"

    def recursion(
        self, theta: Float[Tensor, "p"], lr: float, momentum: float, nesterov: bool, velocity: Tensor | None = None
    ) -> Recursion:
        q = self.optimum.eigenvectors
        turned = None if velocity is None else q.T @ velocity.double().cpu()
        return Recursion(self.optimum.eigenvalues, self.optimum.distance(theta), lr, momentum, nesterov, turned)

    def near(self, theta: Float[Tensor, "p"], excess: float) -> bool:
        """Whether the curvature at the optimum tells the excess at theta, to a factor of 10: else it tells no steps."""
        told = float(self.optimum.distance(theta).square() @ self.optimum.eigenvalues) / 2
        return self.exact or 0.1 * told <= excess <= 10 * told

    @property
    def noisy(self) -> bool:
        """Whether its steps follow batches, and a constant rate does not settle."""
        return self.solver is not None and not self.solver.whole_batches(self.problem.rows)

    # --- how many more steps ------------------------------------------------------------------------------------

    @cached_property
    def walk(self) -> Walk | None:
        """The descent itself, followed on; None where that cannot be, or need not."""
        if self.arrived or (self.exact and self.lr is not None):
            return None
        solver, state = self._walker()
        if solver is None:
            return None
        return walk(solver, self.problem, state, self.optimum, self.target, every=solver.every(self.problem))

    def _walker(self) -> tuple[Any, Any]:
        """The solver and its last state; where only the rate is known, a solver that follows it."""
        if self.solver is not None:
            return (None, None) if self.state is None else (self.solver, self.state)
        if self.lr is None:
            return None, None
        return self._plain(self.lr, self.momentum, self.nesterov, self.theta, self.velocity)

    def _plain(
        self, lr: float, momentum: float, nesterov: bool, theta: Float[Tensor, "p"], velocity: Tensor | None = None
    ) -> tuple[Any, Any]:
        """Gradient descent from theta."""
        from thalweg.solvers.gradient_descent import GradientDescent

        solver = GradientDescent(lr, momentum=momentum, nesterov=nesterov and momentum > 0, allow_divergence=True)
        state = solver.init(self.problem, theta)
        return solver, state if velocity is None else state.next(velocity=velocity.to(theta))

    @cached_property
    def more(self) -> tuple[float, str]:
        """(steps, how they are known): "exact", "estimate" or ""; inf: never; NaN: not known."""
        if self.arrived:
            return 0, "exact"
        if self.exact and self.lr is not None:
            return self._counted(self.lr), "exact"
        found = self.walk
        if found is not None and found.trend == "arrives":
            return found.reached, "exact"
        told = self._from_curvature(found)
        if math.isnan(told) and found is not None and found.trend == "falls" and not self.noisy:
            told = found.estimate
        return told, "" if math.isnan(told) else "estimate"

    def _counted(self, lr: float) -> float:
        """Of a quadratic: from the start where that is known, else from here."""
        if self.start is not None and self.steps is not None:
            whole = self.recursion(self.start, lr, self.momentum, self.nesterov).steps_to(self.target)
            if whole > self.steps:
                return whole - self.steps
        return self.recursion(self.theta, lr, self.momentum, self.nesterov, self.velocity).steps_to(self.target)

    def _from_curvature(self, found: Walk | None) -> float:
        """By the recursion with the curvature at the optimum, from where the walk ended."""
        if self.lr is None or (found is not None and found.trend == "grows"):
            return math.nan
        taken, theta, velocity, excess = 0, self.theta, self.velocity, self.excess
        if found is not None:
            taken, theta = found.taken, found.last.theta
            velocity, excess = getattr(found.last, "velocity", None), self.optimum.excess(theta, found.last.value)
        if not self.near(theta, excess):
            return math.nan
        return taken + self.recursion(theta, self.lr, self.momentum, self.nesterov, velocity).steps_to(self.target)

    # --- other rates --------------------------------------------------------------------------------------------

    @cached_property
    def alternatives(self) -> tuple[tuple[float, float, float, str], ...]:
        """(lr, momentum, steps, how they are known) that need fewer: the fastest plain rate, the best heavy ball."""
        if self.arrived:
            return ()
        more = self.more[0]
        least = math.inf if math.isnan(more) else more + (0 if self.steps is None else self.steps)
        found = []
        for lr, momentum in self._rates():
            steps, how = self._steps(lr, momentum)
            if steps <= WORTH * least and steps < math.inf:
                found.append((lr, momentum, steps, how))
                least = steps
        return tuple(found)

    def _rates(self) -> list[tuple[float, float]]:
        """(lr, momentum) worth setting; where the curvature changes, the largest that was met bounds the rate."""
        positive = self.optimum.eigenvalues[self.optimum.eigenvalues > 0]
        if positive.numel() == 0:
            return []
        smallest, largest = float(positive[0]), float(positive[-1])
        if self.exact:
            return [(settable_rate(fastest(largest, smallest)), 0.0), settable_pair(*polyak(largest, smallest))]
        places = [self.theta] if self.start is None else [self.theta, self.start]
        met = [spectrum_of(self.problem, place).largest for place in places]
        return [(settable_rate(fastest(max(largest, *met), smallest)), 0.0)]

    def _steps(self, lr: float, momentum: float) -> tuple[float, str]:
        """Of a descent at another rate from the start: by the recursion, else by running it."""
        origin = self.theta if self.start is None else self.start
        if self.exact:
            return self.recursion(origin, lr, momentum, False).steps_to(self.target), "exact"
        if not 0 < lr < math.inf:
            return math.nan, ""
        solver, state = self._plain(lr, momentum, False, origin)
        found = walk(solver, self.problem, state, self.optimum, self.target)
        if found is not None and found.trend == "arrives":
            return found.reached, "exact"
        if found is None and self.near(origin, self.start_excess):
            return self.recursion(origin, lr, momentum, False).steps_to(self.target), "estimate"
        if found is None or found.trend == "grows":
            return math.nan, ""
        theta = found.last.theta
        if not self.near(theta, self.optimum.excess(theta, found.last.value)):
            return math.nan, ""
        rest = self.recursion(theta, lr, momentum, False, found.last.velocity).steps_to(self.target)
        return found.taken + rest, "estimate"

    # --- what to set --------------------------------------------------------------------------------------------

    @property
    def trend(self) -> str:
        """Of the walk; "" where there was none."""
        return "" if self.walk is None else self.walk.trend

    def remedies(self) -> tuple[Remedy, ...]:
        """What brings it there, the plainest first."""
        if self.arrived:
            return ()
        found = [*self._longer(), *self._pairs()] or [*self._others()]
        if not found and self.steps is not None and self.more[0] != math.inf:
            return (Remedy(self._set(2 * max(self.steps, 1)), nearer=True),)
        return tuple(found)

    def _longer(self) -> Iterator[Remedy]:
        """More steps, or what calms a descent that they do not bring nearer."""
        more, how = self.more
        if self.steps is None or more == math.inf:
            return
        if self.steps + more <= MOST:
            total = self.steps + more
            yield Remedy(self._set(total if how == "exact" else rounded_up(total)), sure=how == "exact")
        elif math.isnan(more) and self.trend in ("", "falls"):
            yield from self._tried(self._set(2 * max(self.steps, 1)))
        if self.solver is not None and not self.steps + more <= MOST:
            calmer = self.solver.calmer(self.problem, self.steps, falls=self.trend == "falls")
            if calmer:
                yield from self._tried(calmer)

    def _tried(self, options: dict[str, Any]) -> Iterator[Remedy]:
        """What is hoped to end nearer, unless that is tried and it does not: on batches luck has a part in it."""
        if self.noisy and self.solver is not None and self.start is not None:
            solver = self.solver.changed(**options)
            state = solver.init(self.problem, self.start)
            if ends_at(solver, self.problem, state, solver.limit(self.problem), self.optimum) >= self.excess:
                return
        yield Remedy(options, nearer=True)

    def _set(self, steps: float) -> dict[str, Any]:
        return {"steps": int(steps)} if self.solver is None else self.solver.longer(self.problem, int(steps))

    def _pairs(self) -> Iterator[Remedy]:
        """Rates and momenta: as options of this solver, or of gradient descent in its place."""
        told = self.alternatives
        for lr, momentum, steps, how in told:
            options = self._follows(lr, momentum)
            if options is not None:
                about = "about " if not self.exact else ""
                note = "" if momentum else f"{about}the fastest stable rate"
                yield Remedy({**options, "steps": _settable(steps, how)}, sure=how == "exact", note=note)
        if self._follows(1.0, 0.0) is None:
            yield from self._others()

    def _follows(self, lr: float, momentum: float) -> dict[str, Any] | None:
        """The options that make this solver follow the recursion; None where none do."""
        if self.solver is not None:
            return self.solver.follow(lr, momentum)
        off: dict[str, Any] = {"nesterov": False} if self.nesterov else {}
        return {"lr": lr, **({"momentum": momentum} if momentum or self.momentum else {}), **off}

    def _others(self) -> Iterator[Remedy]:
        """Another solver."""
        loss = {} if self.problem.convention == "mean" else {"loss": self.problem.convention}
        for lr, momentum, steps, how in self.alternatives[-1:]:
            options = {"lr": lr, **({"momentum": momentum} if momentum else {}), "steps": _settable(steps, how), **loss}
            yield Remedy(options, "GradientDescent", sure=how == "exact")
        if not self.alternatives and type(self.solver).__name__ != "LBFGS" and math.isnan(self.more[0]):
            yield Remedy({"steps": QUICK, **loss}, "LBFGS", nearer=True)


def _settable(steps: float, how: str) -> int:
    """An estimate is rounded up."""
    return int(steps) if how == "exact" else rounded_up(steps)


def rounded_up(steps: float) -> int:
    """To two digits, and no fewer.

    Examples
    --------
    >>> rounded_up(49606), rounded_up(12.0), rounded_up(101)
    (50000, 12, 110)
    """
    size = 10 ** max(math.floor(math.log10(max(steps, 1))) - 1, 0)
    return math.ceil(steps / size) * size
