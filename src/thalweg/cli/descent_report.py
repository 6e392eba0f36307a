"""What `thalweg fit` adds to its table where the solver was a descent."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    from thalweg.descent import Descent

WIDTH = 88  # of the table above it


def descent_document(descent: Descent) -> dict[str, Any]:
    """Solver, rate, steps, how it ended, and how far from the optimum, under keys that stay."""
    after = _after(descent)
    trace = descent.trace
    return {
        "solver": _title(descent).partition(",")[0],
        "learning_rate": trace.rate[-1],
        "momentum": _momentum(descent),
        "loss": descent.solver.loss,
        "steps": descent.solution.steps,
        "steps_at_most": getattr(descent.solver, "steps", None),
        "ended": descent.solution.status.value,
        "value": _value(descent),
        "gradient_norm": descent.solution.details.get("gradient_size"),
        "least": getattr(after, "least", None),
        "more_steps": getattr(after, "more_steps", None),
    }


def descent_text(descent: Descent, said: str) -> str:
    """The same as a few lines of text; what was `said` in the table is not said again."""
    told = descent_document(descent)
    lines = [
        f"Descent: {_title(descent)}, loss {told['loss']!r}",
        f"  {told['ended']}, after {_steps(told)}: loss {told['value']:.6g}, gradient {told['gradient_norm']:.3g}",
    ]
    after = _after(descent)
    sentence = "" if after is None else str(after)
    if sentence and " ".join(sentence.split()) not in " ".join(said.split()):
        lines.append(fill(sentence, width=WIDTH, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(lines)


def _title(descent: Descent) -> str:
    """ "GradientDescent, lr 0.1": the solver and its rate, as pictures are titled."""
    from thalweg.show.plots.run import solver_title

    return solver_title(descent.solver, descent.trace.rate)


def _steps(told: dict[str, Any]) -> str:
    most = told["steps_at_most"]
    return f"{told['steps']:,} steps" if most is None else f"{told['steps']:,} of at most {most:,} steps"


def _after(descent: Descent) -> Any:
    """How far from the optimum; None where that cannot be told."""
    try:
        return descent.diagnose().after
    except ThalwegError:
        return None


def _momentum(descent: Descent) -> float | None:
    """Of the last step, where the solver has one."""
    found = getattr(descent.trace.last, "momentum", getattr(descent.solver, "momentum", None))
    return float(found) if isinstance(found, int | float) else None


def _value(descent: Descent) -> float:
    """The loss at the end, in the solver's convention."""
    return descent.solution.value * descent.problem.scale
