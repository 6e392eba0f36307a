"""Whether a minimum to which a single start led may be taken for the best.

No rule can tell a best minimum from another one. These are the signs by which people see that a fit went wrong; any of
them is a reason to try many starts, which costs a tenth of a second:

    1. it did not converge; a parameter is on a bound; the data do not determine one, or hardly
    2. it explains little of the response
    3. its residuals are not scattered along an input: their lag-1 autocorrelation is above what chance gives [1]
    4. there are too few rows for 3 to show anything, and what it leaves is not small; or a row is met because a
       parameter is there for it alone, as a pole between two rows is: its leverage is nearly 1

References
----------
.. [1] J. von Neumann, "Distribution of the ratio of the mean square successive difference to the variance", Annals of
   Mathematical Statistics 12 (1941), doi:10.1214/aoms/1177731677.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.problem import CurveProblem
from thalweg.curves.sample import Sample
from thalweg.solvers.base import Solution, Status

EXACT = 1e-18  # of the sum of squares of y: what is left is rounding
LITTLE = 0.3  # of the variation that is left, above which it explains little
SMALL = 1e-3  # of the variation that is left, below which few rows are enough
FEW = 20  # rows beyond the parameters
LEVERAGE = 0.9
CHANCE = 2.0  # standard deviations of the autocorrelation
CONDITION = 1e6  # of the Jacobian with columns of one length


def doubtful(problem: CurveProblem, sample: Sample | None, solution: Solution) -> bool:
    """Whether any of points 1 to 4 holds.

    Parameters
    ----------
    problem : CurveProblem
    sample : Sample, optional
        Rows to look at; without them only point 1 is asked.
    solution : Solution
    """
    undetermined, held = solution.details["undetermined"], solution.details["held"]
    if solution.status is not Status.CONVERGED or len(held) or (undetermined is not None and len(undetermined)):
        return True
    theta = solution.theta.numpy()
    if sample is None or not problem.squares:
        return False
    f, jacobian = sample.evaluator.jacobian(list(theta))
    left = (f - sample.y) * sample.root
    squares = float(left @ left)
    if squares <= EXACT * 2 * sample.total:
        return False
    unexplained = squares / (_variation(sample) or 1.0)
    if unexplained > LITTLE or _strained(jacobian * sample.root):
        return True
    if left.size - theta.size < FEW and unexplained > SMALL:
        return True
    return any(structured(left[np.argsort(x, kind="stable")], theta.size) for x in sample.columns.values())


def _variation(sample: Sample) -> float:
    """Sum of squares about a constant."""
    weight = sample.root**2
    mean = float(weight @ sample.y / weight.sum())
    return float(weight @ (sample.y - mean) ** 2)


def _strained(jacobian: Float[ndarray, "p n"]) -> bool:
    """Badly conditioned, or with a row of leverage nearly 1."""
    norms = np.sqrt(np.einsum("pn,pn->p", jacobian, jacobian))
    if jacobian.shape[1] < jacobian.shape[0] or not np.isfinite(norms).all():
        return True
    q, r = np.linalg.qr((jacobian / np.where(norms > 0, norms, 1.0)[:, None]).T)
    sizes = np.linalg.svd(r, compute_uv=False)
    leverage = float(np.einsum("np,np->n", q, q).max())
    return leverage > LEVERAGE or bool(sizes[-1] * CONDITION < sizes[0])


def structured(left: Float[ndarray, "n"], parameters: int) -> bool:
    """Point 3, for residuals in the order of an input: those of a fit are a little below 0 by themselves."""
    squares = float(left @ left)
    if left.size < 4 or squares == 0.0:
        return False
    return float(left[1:] @ left[:-1]) / squares > CHANCE / np.sqrt(left.size) - 0.5 * parameters / left.size
