"""What all descents share: options, state, and how a descent ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.convention import CONVENTIONS
from thalweg.derivatives import BY_AUTOGRAD, BY_HAND, Derivative
from thalweg.errors import OptionError
from thalweg.objective import Objective
from thalweg.problem import Problem, problem_of
from thalweg.solvers.base import Solution, Solver, State, Status

DERIVATIVES: dict[str, Derivative] = {each.name: each for each in (BY_HAND, BY_AUTOGRAD)}
DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class DescentState(State):
    """A state of a descent: value is the loss in the solver's convention, gradient_size the Euclidean norm.

    Attributes
    ----------
    gradient : Tensor, (p,)
        At theta.
    rate : float
        The learning rate of the step that led here; of the first state, that of the step to come.
    """

    gradient: Float[Tensor, "p"] | None = None
    rate: float = math.nan


class DescentSolver(Solver[Problem]):
    """A solver that follows gradients, with the options that all of them have.

    Parameters
    ----------
    steps : int
        Most steps.
    loss : str
        "mean", "sum", "half mean" or "half sum": see `thalweg.convention`.
    derivative : str
        "hand" or "autograd".
    dtype : str
        "float64" or "float32".
    device : str, optional
        That of the data by default.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"value", "gradient"})

    def __init__(
        self,
        steps: int = 1000,
        *,
        loss: str = "mean",
        derivative: str = "hand",
        dtype: str = "float64",
        device: str | None = None,
    ) -> None:
        if not isinstance(steps, int) or steps < 0:
            raise OptionError(f"steps is {steps!r}", advice="Give a whole number of steps, 0 or more.")
        for name, value, known in (
            ("loss", loss, CONVENTIONS),
            ("derivative", derivative, DERIVATIVES),
            ("dtype", dtype, DTYPES),
        ):
            if value not in known:
                raise OptionError(f"{name} is {value!r}", advice=f"Use one of {', '.join(map(repr, known))}.")
        self.steps, self.loss, self.derivative, self.dtype, self.device = steps, loss, derivative, dtype, device

    def target(self, objective: Objective, names: tuple[str, ...]) -> Problem:
        """The problem that this solver makes of a formula's rows."""
        return problem_of(
            objective,
            names,
            self.loss,
            dtype=DTYPES[self.dtype],
            device=None if self.device is None else torch.device(self.device),
            derivative=DERIVATIVES[self.derivative],
        )

    def terminate(self, objective: Problem, state: State) -> Status | None:
        if not math.isfinite(state.value):
            return Status.DIVERGED
        if state.gradient_size == 0:
            return Status.CONVERGED
        return Status.LIMIT if state.step >= self.steps else None

    def solution(self, objective: Problem, state: State, status: Status) -> Solution:
        return Solution(
            theta=state.theta.double(),
            status=status,
            advice="",
            inverse_curvature=None,
            value=state.value / objective.scale,
            steps=state.step,
            passes=state.step,
            details={"gradient_size": state.gradient_size},
        )


def start_of(problem: Problem, theta: Float[Tensor, "p"] | None) -> Float[Tensor, "p"]:
    """The user's start, or zeros, in the problem's type and on its device."""
    if theta is None:
        return torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    return theta.to(dtype=problem.dtype, device=problem.device)
