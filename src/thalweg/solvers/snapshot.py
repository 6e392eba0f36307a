"""A state as a flat mapping of names to tensors, numbers and texts, and back: what a checkpoint holds of it.

A solver whose states hold more than that (an optimizer, a generator) has `snapshot(state)` and
`restored(problem, memory)` methods of its own; for the others the fields of the state are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from torch import Tensor

from thalweg.errors import IncompatibleError
from thalweg.solvers.base import Solver, State


def snapshot_of(solver: Solver[Any], state: State) -> dict[str, Any]:
    """The state as a flat mapping.

    Raises
    ------
    IncompatibleError
        The state holds something that is neither a tensor nor a number nor text.
    """
    own = getattr(solver, "snapshot", None)
    if own is not None:
        return dict(own(state))
    memory = {field.name: getattr(state, field.name) for field in fields(state)}
    for name, value in memory.items():
        if value is not None and not isinstance(value, Tensor | float | int | str):
            raise IncompatibleError(
                f"a checkpoint cannot hold a {type(value).__name__}, as {name!r} of {type(solver).__name__} is",
                advice="Checkpoints are for descents; such a solver takes a few steps only.",
            )
    return memory


def restored_state(solver: Solver[Any], problem: Any, memory: Mapping[str, Any]) -> State:
    """The state again, on the problem's device."""
    own = getattr(solver, "restored", None)
    if own is not None:
        return own(problem, memory)
    start = solver.init(problem, memory["theta"].to(problem.device))
    return replace(start, **_placed(memory, problem.device))


def outline_of(state: State) -> dict[str, Any]:
    """A state that is kept but not continued, as the best one so far: its numbers, and vectors like theta.

    An optimizer of PyTorch belongs to the latest state only, and a draw of rows is no part of what was reached.
    """
    values = {field.name: getattr(state, field.name) for field in fields(state)}
    like = (state.theta.shape, state.theta.dtype)
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, float | int | str) or (isinstance(value, Tensor) and (value.shape, value.dtype) == like)
    }


def outlined_state(latest: State, memory: Mapping[str, Any]) -> State:
    """The state of an outline; what that does not hold is as in the latest state."""
    return replace(latest, **_placed(memory, latest.theta.device))


def _placed(memory: Mapping[str, Any], device: Any) -> dict[str, Any]:
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in memory.items()}
