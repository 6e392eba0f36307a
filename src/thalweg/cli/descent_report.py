"""What `thalweg fit` adds to its table where the solver was a descent."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from thalweg.cli.speech import in_options
from thalweg.errors import ThalwegError

if TYPE_CHECKING:
    from thalweg.descent import Descent

WIDTH = 88  # of the table above it


def descent_document(descent: Descent) -> dict[str, Any]:
    """Solver, rate, steps, how it ended, and how far from the optimum, under keys that stay."""
    after = _after(descent)
    trace = descent.trace
    return {
        "solver": descent.solver.name,
        "learning_rate": trace.rate[-1],
        "momentum": _momentum(descent),
        "loss": descent.solver.loss,
        "steps": descent.solution.steps,
        "steps_at_most": descent.solver.limit(descent.problem),
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
    sentence = "" if after is None else in_options(str(after))
    if sentence and " ".join(sentence.split()) not in " ".join(in_options(said).split()):
        lines.append(fill(sentence, width=WIDTH, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(lines)


def _title(descent: Descent) -> str:
    """ "GradientDescent, lr 0.1": the solver and its rate, as pictures are titled."""
    return descent.solver.title(descent.trace.rate)


def _steps(told: dict[str, Any]) -> str:
    most = told["steps_at_most"]
    return f"{told['steps']:,} steps" if most is None else f"{told['steps']:,} of at most {most:,} steps"


def _after(descent: Descent) -> Any:
    """How far from the optimum; None where that cannot be told."""
    from thalweg.diagnose.after import after_of

    try:
        return after_of(descent)
    except ThalwegError:
        return None


def _momentum(descent: Descent) -> float | None:
    """That was used, where the solver has one."""
    from thalweg.explain import momentum_of

    return momentum_of(descent) if hasattr(descent.solver, "momentum") else None


def _value(descent: Descent) -> float:
    """The loss at the end, in the solver's convention."""
    return descent.solution.value * descent.problem.scale
