"""What to set in place of a rate that diverges: the fastest stable one, and what standardizing would allow."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.diagnose.columns import Columns, columns_of
from thalweg.diagnose.optimum import optimum_of
from thalweg.diagnose.prospects import Prospects
from thalweg.diagnose.spectrum import spectrum_of
from thalweg.diagnose.words import count
from thalweg.problem import Problem

TOL = 1e-6


def remedies(
    problem: Problem, start: Float[Tensor, "p"] | None = None, tol: float = TOL, *, momentum: bool = False
) -> str:
    """ "lr=0.049 is the fastest stable rate (38 steps to 1e-6); with x standardized, lr=1.0 needs 1."

    Steps are those from the start (zeros by default) until the excess over the least loss is `tol` of what it was.
    Where the descent has a momentum, that is to be taken back.
    """
    zero = torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    start = zero if start is None else start
    spectrum, optimum = spectrum_of(problem, start), optimum_of(problem, start)
    if optimum is None or not optimum.eigenvalues.any():
        return ""
    prospects = Prospects(problem, start, spectrum, optimum, tol)
    lr, steps = prospects.fastest, prospects.steps(prospects.fastest)
    about = "about " if optimum.kind == "estimate" else ""
    text = f"lr={lr:g}{' with momentum=0' if momentum else ''} is {about}the fastest stable rate"
    text += "" if math.isnan(steps) else f" ({about}{count(steps)} to {tol:g})"
    columns = columns_of(problem)
    new = prospects.changed(columns, "standardized")
    if columns is not None and new is not None and new.steps < steps:
        needs = count(new.steps).removesuffix(" steps")
        text += f"; with {subject(columns)} standardized, lr={new.lr:g} needs {about}{needs}"
    return f"{text}."


def subject(columns: Columns) -> str:
    """The one column's name, or "the columns".

    Examples
    --------
    >>> import torch
    >>> t = torch.tensor([0.0, 1.0])
    >>> subject(Columns(("Intercept", "x"), t, t, t, torch.tensor([0.0, 2.0]), t, t, 2))
    'x'
    """
    moving = columns.moving
    return columns.names[moving[0]] if len(moving) == 1 else "the columns"
