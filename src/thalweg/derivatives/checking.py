"""A user's gradient against the right one.

1. The right gradient g is autograd's, at the start and at a point nearby (at a start of zeros, or at the optimum, many
   mistakes do not show).
2. Entry j is wrong where |given_j - g_j| > tol s_j, with s_j the larger |g_j| of the two points, and a little of the
   largest of all, because a sum that cancels is only known to the rounding of its terms.
3. For the message, central differences of f are a second witness: (f(theta + h e_j) - f(theta - h e_j)) / 2h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.derivatives.autograd import BY_AUTOGRAD
from thalweg.derivatives.reasons import reason_for
from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.derivatives.given import Given
    from thalweg.problem import MemoryProblem

RELATIVE = {torch.float64: 1e-6, torch.float32: 2e-3}
OF_LARGEST = {torch.float64: 1e-9, torch.float32: 1e-4}
SHOWN = 6


def check_given(given: Given, problem: MemoryProblem, start: Float[Tensor, "p"]) -> None:
    """Compare at the start and nearby.

    Raises
    ------
    OptionError
        As `thalweg.derivatives.Given.check`.
    """
    places = {"at the start": start, "near the start": nearby(start)}
    got = {place: given.gradient(problem, theta) for place, theta in places.items()}
    right = {place: BY_AUTOGRAD(problem, theta)[1] for place, theta in places.items()}
    scale = torch.stack([g.abs().nan_to_num(0, 0, 0) for g in right.values()]).amax(0)
    for place, theta in places.items():
        if not bool(torch.isfinite(right[place]).all()):
            continue  # f itself is not finite there: nothing can be compared
        wrong = differing(got[place], right[place], scale)
        if bool(wrong.any()):
            raise _refusal(problem, theta, place, got[place], right[place], wrong)


def nearby(start: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
    """A random point: each entry moved by about a tenth of its size, or of 1."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(start.shape, generator=generator, dtype=torch.float64).to(start)
    return start + 0.1 * (1 + start.abs()) * noise


def differing(got: Float[Tensor, "p"], right: Float[Tensor, "p"], scale: Float[Tensor, "p"]) -> Bool[Tensor, "p"]:
    """Step 2."""
    kind = right.dtype
    allowed = RELATIVE[kind] * scale + OF_LARGEST[kind] * scale.max()
    return ~((got - right).abs() <= allowed)  # NaN is wrong


def difference(problem: MemoryProblem, theta: Float[Tensor, "p"], entry: int) -> float:
    """Step 3."""
    step = float(torch.finfo(theta.dtype).eps ** (1 / 3) * (1 + theta[entry].abs()))
    below, above = theta.clone(), theta.clone()
    below[entry] -= step
    above[entry] += step
    return float((problem.value(above) - problem.value(below)) / (above[entry] - below[entry]))


def _refusal(
    problem: MemoryProblem,
    theta: Float[Tensor, "p"],
    place: str,
    got: Float[Tensor, "p"],
    right: Float[Tensor, "p"],
    wrong: Bool[Tensor, "p"],
) -> OptionError:
    entries = wrong.nonzero()[:, 0].tolist()
    rows = [
        f"{problem.names[j]}: given {float(got[j]) + 0.0:.7g}, right {float(right[j]) + 0.0:.7g}"
        f" (by differences of the loss {difference(problem, theta, j):.5g})"
        for j in entries[:SHOWN]
    ]
    rest = f"; and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    fine = len(problem.names) - len(entries)
    others = f"; the other {fine if fine > 1 else 'one'} {'is' if fine == 1 else 'are'} right" if fine else ""
    return OptionError(
        f"the gradient that was given is wrong for {'; '.join(rows)}{rest}{others}",
        where=place,
        advice=reason_for(problem, got, right, wrong),
    )
