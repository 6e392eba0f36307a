"""Early stopping on rows that the fit never sees."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import IncompatibleError, OptionError
from thalweg.observers.rules import Rule, whole

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

    from thalweg.problem import MemoryProblem
    from thalweg.solvers.base import State


@final
class Patience(Rule):
    """Stop when the loss of rows set aside has not improved for so many steps; the fit keeps the best of its states.

    Before the first step a seeded generator draws the held-out rows. The descent minimizes the loss of the others
    only, and the held-out loss, f_H(theta) in the same convention, judges every `every`-th state. Where the fit ends
    otherwise (at its limit of steps, by Ctrl-C), the state of least f_H is kept too; a fit ended by another rule of a
    compound keeps the state that this rule asked for.

    `solution.details["held_out"]` has the number of rows, the least f_H and its step.

    Parameters
    ----------
    steps : int
        >= 1. Stop at the first judged state that comes so many steps after the best one.
    held_out : float
        The share of the rows, in (0, 1); at least one row is held out and one is left.
    every : int
        >= 1: steps from one judgement to the next.
    seed : int
        Of the generator. No global seed is touched.
    min_delta : float
        >= 0: a smaller improvement is none.

    Raises
    ------
    OptionError
        Values outside those ranges.
    IncompatibleError
        At the start of the fit: rows that are read from files at each step, or a predictor whose parameters belong to
        places of the data, so that there are no rows to set aside.

    References
    ----------
    Prechelt (2012), Early Stopping - But When?, doi:10.1007/978-3-642-35289-8_5.

    Examples
    --------
    >>> import torch, thalweg as tw
    >>> x = torch.linspace(-1, 1, 40)
    >>> y = torch.sin(3 * x) + 0.4 * torch.randn(40, generator=torch.Generator().manual_seed(0))
    >>> patience = tw.Patience(50, held_out=0.3, seed=1)
    >>> descent = tw.GradientDescent(lr=0.9, steps=3000)
    >>> fit = tw.fit("y ~ poly(x, 9)", {"x": x, "y": y}, solver=descent, stop=patience)
    >>> fit.solution.steps, fit.solution.details["stopped_at"]
    (64, 114)
    """

    def __init__(
        self, steps: int, held_out: float = 0.2, *, every: int = 1, seed: int = 0, min_delta: float = 0.0
    ) -> None:
        self.steps, self.every = whole("Patience", steps, least=1), whole("Patience: every", every, least=1)
        self.seed = whole("Patience: seed", seed, least=0, most=2**63 - 1)
        if not isinstance(held_out, int | float) or not 0 < held_out < 1:
            raise OptionError(f"Patience: held_out is {held_out!r}", advice="Give a share between 0 and 1.")
        if not isinstance(min_delta, int | float) or not 0 <= min_delta < math.inf:
            raise OptionError(f"Patience: min_delta is {min_delta!r}", advice="Give a number, 0 or more.")
        self.held_out, self.min_delta = held_out, min_delta
        self._judge: MemoryProblem | None = None
        self._best: State | None = None
        self.least = math.inf

    def begin(self, problem: Any) -> None:
        self.hit, self._judge, self._best, self.least = False, None, None, math.inf

    def training(self, problem: Any) -> Any:
        """The problem of the rows that are not held out."""
        if "batches" not in getattr(problem, "has", ()) or problem.y.dim() == 0 or problem.y.shape[0] < 2:
            raise IncompatibleError(
                "Patience cannot set rows of this problem aside: it needs two rows or more, in memory, and a descent",
                advice="Judge by the training loss: thalweg.RelativeChange(1e-6, patience=10).",
            )
        held, kept = (rows_of(problem, rows) for rows in self.split(problem.y.shape[0]))
        for part, what in ((held, "held out"), (kept, "left")):
            if part.weight is not None and not bool(part.weight.any()):
                raise IncompatibleError(
                    f"Patience: all rows that are {what} have the weight 0, and there is no loss of them",
                    advice="Leave rows of weight 0 out of the data, or give another held_out= or seed=.",
                )
        self._judge = held
        return kept

    def split(self, rows: int) -> tuple[Int[Tensor, "h"], Int[Tensor, "k"]]:
        """(held-out, kept) row numbers, each ascending."""
        import torch  # not at the top: `thalweg fit --help` needs no torch

        count = min(max(round(self.held_out * rows), 1), rows - 1)
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(self.seed))
        return order[:count].sort().values, order[count:].sort().values

    def test(self, state: State) -> bool:
        if state.step % self.every:
            return False
        assert self._judge is not None
        loss = float(self._judge.value(state.theta))
        if self._best is None or loss < self.least - self.min_delta or math.isnan(self.least):
            self.least, self._best = loss, state
        return state.step - self._best.step >= self.steps

    def chosen(self) -> State | None:
        return self._best

    def details(self) -> dict[str, Any]:
        assert self._judge is not None
        step = None if self._best is None else self._best.step
        return {"held_out": {"rows": self._judge.rows, "loss": self.least, "step": step}}

    def snapshot(self) -> dict[str, Any]:
        return {"hit": self.hit, "least": self.least, "best": self._best}

    def restore(self, memory: Mapping[str, Any]) -> None:
        self.hit, self.least, self._best = bool(memory["hit"]), memory["least"], memory.get("best")

    def __repr__(self) -> str:
        given = {"held_out": (self.held_out, 0.2), "every": (self.every, 1), "seed": (self.seed, 0)}
        given["min_delta"] = (self.min_delta, 0.0)
        text = "".join(f", {name}={value!r}" for name, (value, usual) in given.items() if value != usual)
        return f"Patience({self.steps}{text})"


def rows_of(problem: MemoryProblem, rows: Int[Tensor, "m"]) -> MemoryProblem:
    """The same loss over some of the rows."""
    from thalweg.problem import MemoryProblem

    at = rows.to(problem.device)
    return MemoryProblem(
        problem.predictor,
        problem.x[at],
        problem.y[at],
        problem.loss,
        problem.convention,
        weight=None if problem.weight is None else problem.weight[at],
        offset=None if problem.offset is None else problem.offset[at],
        derivative=problem.derivative,
    )
