"""What the data say of each parameter at a curve's minimum, and which of them they say nothing of.

With R the triangle of `thalweg.curves.problem` (R'R = F'WF) and D the norms of its columns,

    1. parameters on a bound that the gradient pushes them over are held; so are those that the curve does not feel:
       moving one by its own size (or by 1, if that is more) moves the curve by less than NUMB times the residuals, or
       by less than its own rounding; and where there is such a one, those that are 0 to rounding: a rate without an
       amplitude leaves neither of them known
    2. R D^-1 = U S V' over the rest: columns of one length, so that units do not matter
    3. a direction v of V with S < UNFELT S_1 is not felt: theta may move along D^-1 v and the curve stays as it is
    4. (F'WF)^-1 = D^-1 V S^-2 V' D^-1 over the directions that are felt: as if what is not felt were held
    5. the directions are reduced to echelon form, so that each names as few parameters as it can; those that share
       parameters are told together

The triangle is exact to a few units of rounding, so the standard errors that come of it lose the digits of the
condition number S_1 / S_p: above `NEARLY` fewer than six are left, and that is said.

References
----------
.. [1] G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed. (2013), section 5.5 (rank deficiency),
   doi:10.56021/9781421407944.
.. [2] E. A. Catchpole, B. J. T. Morgan, "Detecting parameter redundancy", Biometrika 84 (1997),
   doi:10.1093/biomet/84.1.187.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from thalweg.curves.problem import CurveProblem, Linearization
from thalweg.solvers.trust_region import ROUNDING, below_rounding

UNFELT = 1e-13  # singular values below this, of the largest, are rounding
NUMB = 1e-10  # of the residuals: a standard error would be 1e10 / sqrt(n) times the parameter
EXACT = 10.0  # roundings: residuals no larger than this are those of an exact fit
NEARLY = 1e10  # condition number of the scaled Jacobian
SHARE = 1e-6  # of the largest entry of a direction: below, a parameter takes no part in it
UNDETERMINED = "not determined by the data"
"""The reason in `Fit.held`."""


@final
@dataclass(frozen=True)
class Determination:
    """What the data say of the free parameters.

    Attributes
    ----------
    inverse : ndarray, (p, p)
        Point 4; zeros for what is held or not felt.
    directions : ndarray, (k, p)
        Point 3 in echelon form, in parameters times D.
    condition : float
        Of what is felt.
    left : float
        |U'q|, the length of the Gauss-Newton step that is left: divided by sigma it is the distance from the minimum
        in standard errors, for the combination of parameters for which that is most.
    hardly : tuple of int
        Parameters of the direction that is felt least, where `condition` is above `NEARLY`.
    """

    inverse: np.ndarray
    directions: np.ndarray
    condition: float
    left: float = 0.0
    hardly: tuple[int, ...] = ()

    @property
    def undetermined(self) -> tuple[int, ...]:
        """Parameters that take part in a direction that is not felt."""
        return tuple(int(j) for j in np.flatnonzero((self.directions != 0).any(axis=0)))


def determination(
    problem: CurveProblem, theta: np.ndarray, bounded: Sequence[int] = (), linear: Linearization | None = None
) -> Determination | None:
    """Points 1 to 5 at theta; None where the curve is not finite there.

    Parameters
    ----------
    problem : CurveProblem
    theta : ndarray, (p,)
    bounded : sequence of int
        Parameters on their bounds.
    linear : Linearization, optional
        At theta, where the solver has it.
    """
    linear = problem.linearize(list(theta)) if linear is None else linear
    if not np.isfinite(linear.value) or not np.isfinite(linear.norms).all():
        return None
    p, norms = len(theta), linear.norms
    numb = _numb(norms, theta, linear.value) & ~np.isin(np.arange(p), bounded)
    kept = np.flatnonzero(~numb & ~np.isin(np.arange(p), bounded))
    scale = norms[kept]
    inverse, directions = np.zeros((p, p)), np.eye(p)[numb]
    if not len(kept):
        return Determination(inverse, directions, 1.0)
    u, s, vt = np.linalg.svd(linear.triangle[:, kept] / scale, full_matrices=False)  # 2
    felt = s > UNFELT * s[0]
    half = (vt[felt].T / s[felt]) / scale[:, None]
    inverse[np.ix_(kept, kept)] = half @ half.T  # 4
    unfelt = np.zeros((int((~felt).sum()), p))
    unfelt[:, kept] = vt[~felt]
    if not felt.any():  # beneath all numbers
        return Determination(inverse, np.eye(p), 1.0)
    condition = float(s[0] / s[felt][-1])
    hardly = _taking_part(vt[felt][-1], kept) if condition > NEARLY else ()
    left = float(np.linalg.norm(u.T[felt] @ linear.right))
    return Determination(inverse, np.concatenate([echelon(unfelt), directions]), condition, left, hardly)


def _numb(norms: np.ndarray, theta: np.ndarray, value: float) -> np.ndarray:
    """Point 1: parameters that the curve does not feel; residuals are no smaller than the curve's own rounding."""
    sizes, left = np.abs(theta), np.sqrt(max(2 * value, 0.0))
    rounding = ROUNDING * float((norms * sizes).max(initial=0.0))
    numb = (norms == 0) | (norms * np.maximum(sizes, 1.0) <= NUMB * left) | below_rounding(norms, theta)
    if not numb.any() or left > EXACT * rounding:
        return numb
    return numb | (norms * sizes <= rounding)


def _taking_part(direction: np.ndarray, kept: np.ndarray) -> tuple[int, ...]:
    """Parameters with a tenth of the largest entry or more."""
    return tuple(int(j) for j in kept[np.abs(direction) >= 0.1 * np.abs(direction).max()])


def echelon(rows: np.ndarray) -> np.ndarray:
    """Reduced row echelon form with the largest pivots: point 5.

    Examples
    --------
    >>> echelon(np.array([[0.6, 0.0, 0.8], [0.8, 0.0, -0.6]])).round(12) + 0.0
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    rows = rows.copy()
    for i in range(len(rows)):
        left = np.abs(rows[i:])
        down, j = divmod(int(left.argmax()), left.shape[1])
        rows[[i, i + down]] = rows[[i + down, i]]
        rows[i] /= rows[i, j]
        others = np.arange(len(rows)) != i
        rows[others] -= rows[others, j, None] * rows[i]
    if not len(rows):
        return rows
    return np.where(np.abs(rows) < SHARE, 0.0, rows)[np.argsort(np.abs(rows).argmax(axis=1))]


# ------------------------------------------------------------------------------------------------------- in words


def sentences(found: Determination, values: Mapping[str, float]) -> list[str]:
    """What is not determined, or hardly, each with what to do about it.

    Parameters
    ----------
    found : Determination
    values : mapping of str to float
        The free parameters in order.
    """
    names = list(values)
    told = [_sentence(rows, values) for rows in _groups(found.directions)]
    if found.hardly:
        some = _listed([names[j] for j in found.hardly])
        told.append(
            f"The data hardly tell {some} apart (condition number {found.condition:.0e}): fewer than six digits of the"
            " standard errors are left. Hold one of them, or write the curve in other parameters."
            if len(found.hardly) > 1
            else f"The data hardly determine {some} (condition number {found.condition:.0e})."
        )
    return told


def _groups(directions: np.ndarray) -> list[np.ndarray]:
    """Directions that share parameters, together."""
    left, groups = list(range(len(directions))), []
    while left:
        group = [left.pop(0)]
        for i in group:
            near = [k for k in left if ((directions[i] != 0) & (directions[k] != 0)).any()]
            group += near
            left = [k for k in left if k not in near]
        groups.append(directions[group])
    return groups


def _sentence(rows: np.ndarray, values: Mapping[str, float]) -> str:
    names = list(values)
    part = np.flatnonzero((rows != 0).any(axis=0))
    some, count = [names[j] for j in part], len(part) - len(rows)
    if count == 0:
        advice = f"Give another start, or hold it: fixed={{{some[0]!r}: {values[some[0]]:.4g}}}."
        return f"{some[0]} is {UNDETERMINED}: the curve does not change with it here. {advice}"
    pivots = [names[int(np.abs(row).argmax())] for row in rows]
    hold = ", ".join(f"{name!r}: {values[name]:.4g}" for name in pivots)
    how = f" ({_movement(rows[0], names)})" if len(rows) == 1 else ""
    what = "a combination" if count == 1 else f"{count} combinations"
    which = "one" if len(rows) == 1 else str(len(rows))
    return (
        f"Only {what} of {_listed(some)} {'is' if count == 1 else 'are'} determined by the data{how}:"
        f" hold {which} of them, fixed={{{hold}}}."
    )


def _movement(direction: np.ndarray, names: Sequence[str]) -> str:
    """Along a direction the curve stays as it is: "a rises as b falls"."""
    first = int(np.flatnonzero(direction)[0])
    signed = direction * np.sign(direction[first])
    up = [name for name, move in zip(names, signed, strict=True) if move > 0]
    down = [name for name, move in zip(names, signed, strict=True) if move < 0]
    if not down:
        return f"the curve stays as it is where {_listed(up)} rise together"
    return f"the curve stays as it is where {_verb(up, 'rise')} as {_verb(down, 'fall')}"


def _verb(names: Sequence[str], verb: str) -> str:
    return f"{_listed(names)} {verb}{'s' * (len(names) == 1)}"


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else ", ".join(listed[:-1]) + " and " + listed[-1]
