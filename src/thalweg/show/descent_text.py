"""A descent in a few lines of text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from thalweg.descent import Descent

SHOWN = 8  # parameters that are listed one by one


def summary_text(descent: Descent) -> str:
    """What was fitted, how far it came, how it ended, and the parameters.

    Examples
    --------
    >>> import thalweg as tw
    >>> solver = tw.GradientDescent(lr=0.4, steps=1000)
    >>> fit = tw.fit("y ~ x", {"x": [-1.0, 0.0, 1.0], "y": [1.0, 3.0, 5.0]}, solver=solver)
    >>> print(fit.descent.summary())
    Descent of GradientDescent over 3 rows
      loss        ...
      ended       converged at step ...
      parameters  Intercept = 3
                  x = 2
    """
    solution, problem = descent.solution, descent.problem
    entries = [
        ("loss", f"{descent.loss:.6g} ({_loss_name(descent)}, {problem.convention})"),
        ("gradient", _gradient(descent)),
        ("ended", f"{solution.status.value} at step {solution.steps:,}"),
        ("parameters", _parameters(descent)),
        ("advice", [solution.advice] if solution.advice else []),
    ]
    lines = [
        f"Descent of {type(descent.solver).__name__} over {problem.rows:,} {'row' if problem.rows == 1 else 'rows'}"
    ]
    for label, text in entries:
        for i, line in enumerate([text] if isinstance(text, str) else text):
            lines.append(f"  {label if i == 0 else '':<11} {line}")
    return "\n".join(line for line in lines if line.strip())


def short_text(descent: Descent) -> str:
    """For a repr: how many parameters, the loss, and the end."""
    count = len(descent.names)
    solution = descent.solution
    return (
        f"{count:,} parameter{'s' * (count != 1)}, loss {descent.loss:.6g},"
        f" {solution.status.value} at step {solution.steps:,}"
    )


def _loss_name(descent: Descent) -> str:
    link = getattr(getattr(descent.problem.loss, "link", None), "name", "")
    return descent.problem.loss.name + (f" with {link} link" if link and link != "identity" else "")


def _gradient(descent: Descent) -> str:
    size = descent.solution.details.get("gradient_size", math.nan)
    return f"of length {size:.3g}"


def _parameters(descent: Descent) -> list[str]:
    """One line for each parameter of one number; a larger one by its first entries."""
    parameters = descent.parameters
    lines = [_parameter(name, value) for name, value in list(parameters.items())[:SHOWN]]
    more = len(parameters) - len(lines)
    return [*lines, *([f"... and {more:,} more"] if more else [])]


def _parameter(name: str, value: Tensor) -> str:
    if value.numel() == 1:
        return f"{name} = {float(value):.6g}"
    first = ", ".join(f"{entry:.6g}" for entry in value.reshape(-1)[:SHOWN].tolist())
    more = ", ..." if value.numel() > SHOWN else ""
    shape = "" if value.dim() == 1 and not more else f" {tuple(value.shape)}"
    return f"{name}{shape} = [{first}{more}]"
