"""How many steps a descent takes on a quadratic, from its eigendecomposition and without running it.

Along eigenvector j, with a = lr l_j, the distance z from the optimum obeys (`thalweg.diagnose.rates`)

    z_{t+1} = trace z_t - det z_{t-1},      roots r_i = 1 - d_i  with  d^2 - b d + a = 0,                       (1)
    b = 1 - m + a  (heavy ball; plain: m = 0),     b = 1 - m + a (1 + m)  (Nesterov)                            (2)
    z_t = r_1^t z_0 + (z_1 - r_1 z_0) S_t,      S_t = sum_{k<t} r_1^{t-1-k} r_2^k,                              (3)
    excess_t = sum_j l_j z_{t,j}^2 / 2 = f(theta_t) - least.                                                    (4)

(2) is solved for d and not for r, which would lose the digits of slow directions, where r is nearly 1. The number of
steps to a target is that from which on the excess *stays* at or below it: with momentum the excess rises and falls.
A bound of |z_t| that falls with t (for plain descent it is |z_t| itself) is narrowed down to one step, and from there
the exact excess (4) is read backwards until it is above the target.
"""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

Numbers = npt.NDArray[Any]

FAR = 40  # log2 of the steps that are looked at
GRID = 64  # steps at which the bound is taken at a time
NONE = 1e-150  # in place of a root that is 0
TABLE = 2**18  # entries (steps times directions) of z_t that are made at a time
TABLES = 256  # of them that are read backwards before the bound is taken


@final
class Recursion:
    """Descent with a constant rate on a quadratic.

    Parameters
    ----------
    eigenvalues : Tensor, (k,), float64
        Of the Hessian; those that are not positive take no part.
    distance : Tensor, (k,)
        z_0 = Q'(theta - optimum).
    lr, momentum, nesterov :
        As in `thalweg.GradientDescent`.
    velocity : Tensor, (k,), optional
        Q'v; 0 at the start of a descent.

    Examples
    --------
    >>> import torch
    >>> Recursion(torch.tensor([1.0, 4.0]).double(), torch.tensor([1.0, 1.0]).double(), 0.4).steps_to(1e-6)
    15
    """

    def __init__(
        self,
        eigenvalues: Float[Tensor, "k"],
        distance: Float[Tensor, "k"],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        velocity: Float[Tensor, "k"] | None = None,
    ) -> None:
        rates, start = eigenvalues.numpy(), distance.numpy()
        part = rates > 0
        self.l, self.z0 = rates[part], start[part]
        v0 = 0.0 if velocity is None else velocity.numpy()[part]
        v1 = momentum * v0 + self.l * self.z0
        self.z1 = self.z0 - lr * (self.l * self.z0 + momentum * v1 if nesterov else v1)
        a = lr * self.l
        b = 1 - momentum + a * (1 + momentum if nesterov else 1)
        self._det = momentum * (1 - a) if nesterov else np.full_like(a, momentum)
        self._trace = 2 - b
        self._roots(a, b)

    def _roots(self, a: Numbers, b: Numbers) -> None:
        """log |r_1|, its sign, and r_2 of real pairs; log r and the angle of complex ones."""
        inner = b * b - 4 * a
        self.complex = inner < 0
        root = np.sqrt(abs(inner))
        large = (b + np.where(b < 0, -root, root)) / 2
        small = a / np.where(large == 0, 1.0, large)
        swap = abs(1 - large) > abs(1 - small)
        d1, d2 = np.where(swap, large, small), np.where(swap, small, large)
        self.r1, self.r2 = np.where(d1 == 1, NONE, 1 - d1), 1 - d2
        real = np.where(d1 < 0.5, np.log1p(-np.minimum(d1, 0.5)), np.log(abs(self.r1)))
        self.log = np.where(self.complex, np.log(np.maximum(self._det, NONE)) / 2, real)
        self.angle = np.arctan2(root, self._trace)
        self.gap = np.where(self.complex, root, abs(d1 - d2))  # |r_1 - r_2|
        self._tail = np.where(
            self.complex,
            np.hypot(self.z1 - self.z0 * self._trace / 2, self.z0 * root / 2),
            abs(self.z1 - self.r1 * self.z0),
        )

    def distance(self, t: Numbers) -> Numbers:
        """z_t of steps t, one row for each: equation (3)."""
        s = t.astype(float)[:, None]
        size = np.exp(s * self.log)
        if not self.complex.any():
            return self._real(s, size)
        turn, r = s * self.angle, np.exp(self.log)
        inner = np.where(self.complex, (self.z1 - self.z0 * r * np.cos(self.angle)) / r, 0.0)
        ratio = np.sin(turn) / np.where(self.complex, np.sin(self.angle), 1.0)
        return np.where(self.complex, size * (self.z0 * np.cos(turn) + inner * ratio), self._real(s, size))

    def _real(self, s: Numbers, size: Numbers) -> Numbers:
        """(3) with real roots; S_t = r_1^{t-1} (1 - q^t) / (1 - q) with q = r_2 / r_1."""
        odd = (s % 2) == 1
        power = np.where(odd & (self.r1 < 0), -size, size)  # r_1^t
        q = self.r2 / self.r1
        lost = np.where(q > 0.5, self.gap / abs(self.r1), 1 - q)  # 1 - q, from the gap where it would cancel
        log = np.where(q > 0.5, np.log1p(-np.minimum(lost, 0.5)), np.log(np.maximum(abs(q), NONE)))
        last = np.exp(s * log)
        last = np.where(odd & (q < 0), -last, last)  # q^t
        geometric = np.where(lost == 0, s, (1 - last) / np.where(lost == 0, 1.0, lost))
        return power * self.z0 + (self.z1 - self.r1 * self.z0) * (power / self.r1) * geometric

    def excess(self, t: Numbers) -> Numbers:
        """Equation (4) at steps t."""
        with np.errstate(all="ignore"):
            return self.distance(t) ** 2 @ self.l / 2

    def excess_at(self, step: int) -> float:
        """f - least after so many steps.

        Examples
        --------
        >>> import torch
        >>> round(Recursion(torch.tensor([2.0]).double(), torch.tensor([1.0]).double(), 0.25).excess_at(3), 12)
        0.015625
        """
        return float(self.excess(np.array([step]))[0])

    def _bound(self, t: Numbers) -> Numbers:
        """What the excess is at most from steps t on: falls with t, where all roots lie in the unit disc."""
        s = t.astype(float)[:, None]
        power = np.exp(s * self.log)
        head = np.where(self.z0 == 0, 0.0, power * abs(self.z0))
        peak = np.maximum(-1 / self.log, s)  # t rho^(t-1) falls from t = -1 / log rho on
        sums = np.minimum(peak * np.exp((peak - 1) * self.log), 2 * power / np.maximum(self.gap, NONE))
        moved = np.where(self._tail == 0, 0.0, self._tail * sums)
        return (head + moved) ** 2 @ self.l / 2

    def steps_to(self, target: float) -> float:
        """The step from which on the excess stays at or below a target; inf where there is none before 2^40.

        Parameters
        ----------
        target : float
            > 0, in the units of f.
        """
        if self.l.size == 0:
            return 0
        with np.errstate(all="ignore"):
            candidates = np.r_[0, 2 ** np.arange(FAR + 1)]
            while True:
                below = self._bound(candidates) <= target
                if not below[-1]:
                    return math.inf
                first = int(below.argmax())
                high = int(candidates[first])
                low = int(candidates[first - 1]) if first else high - 1
                if high - low <= 1:
                    return self._backwards(high, target)
                candidates = np.unique(np.linspace(low, high, GRID, dtype=np.int64))

    def _backwards(self, high: int, target: float) -> int:
        """The last step whose exact excess is above the target, and one."""
        most, rows = max(TABLE // self.l.size, 1), 4
        for _ in range(TABLES):
            low = max(high - rows, 0)
            above = np.nonzero(self.excess(np.arange(low, high)) > target)[0]
            if above.size:
                return low + int(above[-1]) + 1
            if low == 0:
                return 0
            high, rows = low, min(rows * 4, most)
        return high
