"""Descent with a constant rate on a quadratic, at any step and without the steps before it.

Of f(theta) = least + (theta - w*)' H (theta - w*) / 2 with H = Q diag(L) Q', and z = Q'(theta_0 - w*):

    theta_t = theta_0 + Q [(z_t - 1) z]                                                                             (1)
    f_t = least + sum_j L_j (z_{t,j} z_j)^2 / 2,      g_t = Q [L z_t z],      |g_t| = |L z_t z|                      (2)
    v_t = Q [u_t z] / lr                                                                                            (3)

with z_t, z_t - 1 and u_t of each direction from `thalweg.solvers.modes`. (1) starts from theta_0, so that step 0 is the
start to the bit and directions that have hardly moved keep their digits. Directions along which f is flat (L = 0), or
along which the start is the optimum already, never move and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.solvers.modes import MomentumModes, Motion, PlainModes
from thalweg.solvers.quadratic import Quadratic

Steps = int | range | Sequence[int] | Int[np.ndarray, "k"] | Int[Tensor, "k"]
FIRST_LOOK = 128  # steps that a search asks for at once; four times as many each time
MOST_LOOK = 2**16
BETWEEN = 64  # places that a search of something monotone asks for at once


@final
class Trajectory:
    """The states of a descent with a constant rate on a quadratic.

    Parameters
    ----------
    quadratic : Quadratic
        `problem.quadratic`.
    theta : Tensor, (p,)
        The start.
    lr : float
        > 0.
    momentum : float
        In [0, 1].
    nesterov : bool
    scale : float
        c of f = c J (`problem.scale`): the loss is infinite where J is, as it is to a loop that sums before it scales.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> from thalweg.predictors import Linear
    >>> from thalweg.problem import MemoryProblem
    >>> x, y = torch.tensor([[1.0, 0.0], [1.0, 2.0]]), torch.tensor([1.0, 5.0])
    >>> quadratic = MemoryProblem(Linear(("Intercept", "x")), x, y, family("gaussian")).quadratic
    >>> trajectory = Trajectory(quadratic, torch.zeros(2), lr=0.1)
    >>> trajectory.thetas([0, 1, 1000])
    tensor([[0.0000, 0.0000],
            [0.6000, 1.0000],
            [1.0000, 2.0000]], dtype=torch.float64)
    >>> trajectory.first_below("loss", 1e-6, limit=1000)
    61
    """

    def __init__(
        self,
        quadratic: Quadratic,
        theta: Float[Tensor, "p"],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        scale: float = 1.0,
    ) -> None:
        self.start = np.asarray(theta.numpy(force=True), dtype=np.float64)
        vectors, eigenvalues = quadratic.eigenvectors.numpy(), quadratic.eigenvalues.numpy()
        distance = (self.start - quadratic.optimum.numpy()).dot(vectors)
        moving = eigenvalues * distance
        if np.count_nonzero(moving) < len(moving):
            at = (distance != 0.0) & (eigenvalues > 0.0)
            vectors, eigenvalues, distance = vectors[:, at], eigenvalues[at], distance[at]
        self.lr, self.momentum, self.scale, self.least = lr, momentum, scale, quadratic.least
        self._back, self._distance, self._eigenvalues = vectors.T, distance, eigenvalues
        a = lr * eigenvalues
        self._modes = MomentumModes(a, momentum, nesterov) if momentum else PlainModes(a)

    @cached_property
    def _slope(self) -> Float[np.ndarray, "q"]:
        """L z: the gradient along each direction."""
        return self._eigenvalues * self._distance

    @cached_property
    def _root(self) -> Float[np.ndarray, "q"]:
        """Of J's part along each direction."""
        return np.sqrt(self._eigenvalues / (2.0 * self.scale)) * self._distance

    @property
    def monotone(self) -> bool:
        """Whether neither the loss nor the gradient's norm ever rises."""
        return self._modes.shrinks

    def thetas(self, steps: Steps) -> Float[Tensor, "k p"]:
        """The parameters at each step: (1)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return torch.from_numpy(self._theta(self._modes.change(numbers(steps))))

    def values(self, steps: Steps) -> Float[Tensor, "k"]:
        """The losses at each step: (2)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return torch.from_numpy(self._value(self._modes.factor(numbers(steps))))

    def gradient_norms(self, steps: Steps) -> Float[Tensor, "k"]:
        """The Euclidean norms of the gradient at each step: (2)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return torch.from_numpy(_norm(self._slope * self._modes.factor(numbers(steps))))

    def rows(self, steps: Steps) -> dict[str, Tensor]:
        """All of each step: theta, gradient, velocity (k, p), value, gradient_size (k,)."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            motion: Motion = self._modes.motion(numbers(steps))
            slopes = self._slope * motion.factor
            found = {
                "theta": self._theta(motion.change),
                "gradient": slopes @ self._back,
                "velocity": (self._distance / self.lr * motion.velocity) @ self._back,
                "value": self._value(motion.factor),
                "gradient_size": _norm(slopes),
            }
        return {name: torch.from_numpy(value) for name, value in found.items()}

    def losses_and_norms(self, steps: Steps) -> tuple[Float[Tensor, "k"], Float[Tensor, "k"]]:
        """`values` and `gradient_norms` together."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            factor = self._modes.factor(numbers(steps))
            return torch.from_numpy(self._value(factor)), torch.from_numpy(_norm(self._slope * factor))

    def first(
        self, condition: Callable[[Int[Tensor, "k"]], Bool[Tensor, "k"]], limit: int, begin: int = 0
    ) -> int | None:
        """The first step from `begin` to `limit` at which a condition of the step numbers holds; None: there is none.

        Few steps are asked for at first, and more each time: what holds early is found early.
        """
        count = FIRST_LOOK
        while begin <= limit:
            steps = torch.arange(begin, min(begin + count, limit + 1))
            found = condition(steps).nonzero()
            if len(found):
                return begin + int(found[0, 0])
            begin, count = begin + count, min(4 * count, MOST_LOOK)
        return None

    def first_below(self, kind: str, value: float, limit: int) -> int | None:
        """The first step, up to `limit`, whose "loss" or "gradient" (norm) is below a value; None: there is none."""
        if kind not in ("loss", "gradient"):
            raise OptionError(f"kind is {kind!r}", advice="Use 'loss' or 'gradient'.")
        read = self.values if kind == "loss" else self.gradient_norms

        def below(steps: Int[Tensor, "k"]) -> Bool[Tensor, "k"]:
            return read(steps) < value

        return self._first_of_monotone(below, limit) if self.monotone else self.first(below, limit)

    def _first_of_monotone(self, condition: Callable[[Tensor], Tensor], limit: int) -> int | None:
        """`first` of what stays true once it is: a few places between two that enclose it, again and again."""
        low, high = -1, limit  # not at low; at high, if anywhere
        if not bool(condition(torch.tensor([limit]))):
            return None
        while high - low > 1:
            places = torch.linspace(low, high, min(BETWEEN, high - low) + 1, dtype=torch.float64).long()[1:]
            at = int(condition(places).nonzero()[0, 0])
            low, high = (int(places[at - 1]) if at else low), int(places[at])
        return high

    def _theta(self, change: Float[np.ndarray, "k q"]) -> Float[np.ndarray, "k p"]:
        return self.start + (change * self._distance).dot(self._back)

    def _value(self, factor: Float[np.ndarray, "k q"]) -> Float[np.ndarray, "k"]:
        parts = self._root * factor
        return self.least + self.scale * np.einsum("kq,kq->k", parts, parts)


def numbers(steps: Steps) -> Int[np.ndarray, "k"]:
    """Step numbers as an array."""
    if isinstance(steps, int):
        return np.array([steps])
    if isinstance(steps, range):
        return np.arange(steps.start, steps.stop, steps.step)
    if isinstance(steps, Tensor):
        return steps.numpy()
    return np.asarray(steps, dtype=np.int64)


def _norm(vectors: Float[np.ndarray, "k q"]) -> Float[np.ndarray, "k"]:
    """Euclidean norms of rows; with others for unit where the squares leave the range of numbers."""
    norms = np.sqrt(np.einsum("kq,kq->k", vectors, vectors))
    if norms.size and not (norms.min() > 1e-140 and norms.max() < np.inf):
        largest = np.abs(vectors).max(axis=1, initial=0.0)
        unit = np.where((largest > 0.0) & (largest < np.inf), largest, 1.0)
        norms = unit * np.sqrt(np.square(vectors / unit[:, None]).sum(axis=1))
    return norms
