"""Where a loss is least, for a picture to mark: what `thalweg.diagnose.optimum` says, which the sentences say too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from jaxtyping import Float

if TYPE_CHECKING:
    from thalweg.show.plots.run import Run

MOST_PARAMETERS = 60  # of a loss that is no quadratic


@final
@dataclass(frozen=True)
class Optimum:
    """The least value of a loss and where it is, as arrays.

    Attributes
    ----------
    theta : array, (p,)
    value : float
    """

    theta: Float[np.ndarray, "p"]
    value: float


def optimum_of(run: Run) -> Optimum | None:
    """The optimum of what a run minimized, or None where it is not known."""
    problem = run.problem
    if problem is None or run.curve is not None:
        return Optimum(run.path[-1], float(run.value[-1])) if run.ending == "converged" else None
    if problem.quadratic is None and (len(run.names) > MOST_PARAMETERS or "hessian_product" not in problem.has):
        return None
    from thalweg.diagnose import optimum

    finite = run.finite()
    at = int(finite.value.argmin()) if run.ran_away else -1
    found = optimum.optimum_of(problem, torch.from_numpy(finite.path[at]))
    return None if found is None else Optimum(found.theta.numpy(), found.least)
