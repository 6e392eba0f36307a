"""What a checkpoint holds of a solve, and how a solve takes it up again.

- `state`: by the solver's own `snapshot` (`thalweg.solvers.snapshot`), all that the next step needs;
- `best`: its outline (loss, theta, gradient); not there where it is the state;
- `history/0`, `1`, ...: the histories among the observers, in their order;
- `rule`: what the stopping rule remembers, where it is the same rule that goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import IncompatibleError
from thalweg.problem import Problem
from thalweg.solvers.base import Solver, State, Status
from thalweg.solvers.snapshot import outline_of, outlined_state, restored_state, snapshot_of
from thalweg.store.fingerprint import fingerprint

if TYPE_CHECKING:
    from torch import Tensor

    from thalweg.observers.history import History
    from thalweg.observers.rules import Rule
    from thalweg.store.checkpoint import Checkpoint

STATE = "=state"  # ends the name of a state that a rule remembers


@final
class Journal:
    """One solve's way to its checkpoint and back.

    Attributes
    ----------
    written : int or None
        The step that the file holds.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        solver: Solver[Any],
        problem: Any,
        rule: Rule | None,
        histories: Sequence[History],
    ) -> None:
        self.checkpoint, self.solver, self.problem = checkpoint, solver, problem
        self.rule, self.histories = rule, histories
        self.written: int | None = None
        self._fingerprint: dict[str, str] = {}
        self._begun = False

    def begin(self, resume: bool | None, theta: Tensor | None) -> tuple[State, State] | None:
        """(state, best) to go on from, with rule and histories as they were then; None: begin anew.

        Raises
        ------
        IncompatibleError
            The solver is no descent.
        OptionError, OutputError, ModelFileError
            From `Checkpoint.begin`.
        """
        if not isinstance(self.problem, Problem):
            raise IncompatibleError(
                f"a checkpoint is kept of a descent, and this is {type(self.solver).__name__}",
                advice="Leave checkpoint= out: such a solver takes a few steps only.",
            )
        self._fingerprint = fingerprint(self.solver, self.problem, theta)
        found = self.checkpoint.begin(resume, self._fingerprint)
        if found is None:
            return None
        description, tree = found
        state = restored_state(self.solver, self.problem, tree["state"])
        best = outlined_state(state, tree["best"]) if "best" in tree else state
        for i, history in enumerate(self.histories):
            history.restore(tree.get("history", {}).get(str(i), {"every": history.every}), state)
        self._restore_rule(description["rule"], tree.get("rule", {}), state)
        self.save(state, best)  # the same again: a place that cannot be written to is found now
        return state, best

    def _restore_rule(self, text: str | None, memory: Mapping[str, Any], state: State) -> None:
        """The rule goes on where it was; another rule than then is asked about this state."""
        if self.rule is None:
            return
        if repr(self.rule) == text:
            self.rule.restore(_with_states(memory, state))
        else:
            self.rule(state)

    def due(self, step: int) -> bool:
        """Whether to write at this step: always at the first."""
        return not self._begun or self.checkpoint.due(step)

    def save(self, state: State, best: State, status: Status | None = None) -> None:
        """Write the checkpoint of this state; a status says that the solve has ended."""
        tree: dict[str, Any] = {
            "state": snapshot_of(self.solver, state),
            "history": {str(i): history.snapshot() for i, history in enumerate(self.histories)},
        }
        if best is not state:
            tree["best"] = outline_of(best)
        if self.rule is not None:
            tree["rule"] = _without_states(self.rule.snapshot())
        description = {
            "fingerprint": self._fingerprint,
            "step": state.step,
            "loss": state.value,
            "status": None if status in (None, Status.INTERRUPTED) else status.value,
            "rule": None if self.rule is None else repr(self.rule),
        }
        if self.checkpoint.write(description, tree, first=not self._begun):
            self.written = state.step
        self._begun = True


def _without_states(memory: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in memory.items():
        if isinstance(value, State):
            plain[name + STATE] = outline_of(value)
        else:
            plain[name] = _without_states(value) if isinstance(value, Mapping) else value
    return plain


def _with_states(memory: Mapping[str, Any], latest: State) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in memory.items():
        if name.endswith(STATE):
            found[name.removesuffix(STATE)] = outlined_state(latest, value)
        else:
            found[name] = _with_states(value, latest) if isinstance(value, Mapping) else value
    return found
