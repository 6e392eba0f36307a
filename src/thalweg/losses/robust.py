"""Robust losses: squares near 0, and less than squares for rows that lie far from the model.

With the residual r = y - mu, the scale C and u = r / C, a row's loss is

    loss = C^2/2 rho(u^2),    psi = r rho'(u^2),    w = psi / r = rho'(u^2),    psi' = w + 2 u^2 rho''(u^2)

============ =================================== ================= ================= ============ =================
name         rho(z)                              w                 psi'              far rows     C / sigma for 95%
============ =================================== ================= ================= ============ =================
huber        z for z <= 1, else 2 sqrt(z) - 1    min(1, 1/abs(u))  1 where u^2 <= 1  psi = C      1.345
soft_l1      2 (sqrt(1 + z) - 1)                 1 / sqrt(1 + z)   w^3               psi -> C     1.287
cauchy       log(1 + z)                          1 / (1 + z)       w (2 w - 1)       psi -> 0     2.385
============ =================================== ================= ================= ============ =================

with rho as in `scipy.optimize.least_squares`, whose `f_scale` is C. The gradient is -psi, the observed curvature psi'
(negative for cauchy where abs(u) > 1), and w is what `Loss.fisher` gives: the weight of iteratively reweighted least
squares. It is no expectation, but it is never negative and the parabola with it lies above the loss, so that a step of
it cannot rise (the three rho are concave in z).

The last column is the scale, in standard deviations of normal errors, at which the estimate is 95% as efficient as
least squares: (E psi')^2 / E psi^2 = 0.95. `robust_scale` estimates that standard deviation from residuals.

What these fits say of themselves:

- A robust loss is no likelihood and its scale is no variance: there is no log-likelihood, AIC, dispersion or R2.
- Standard errors are the sandwich of an M-estimator: bread the inverse of sum psi'_i x_i x_i', filling
  sum psi_i^2 x_i x_i', times n / (n - k) ("HC1"), referred to t with n - k degrees of freedom. statsmodels' RLM ("H1")
  and R's `rlm` suppose errors independent of the design and take K^2 sum psi^2 / (n - k) / (mean psi')^2 (X'X)^-1 with
  Huber's small-sample factor K = 1 + k/n var(psi') / (mean psi')^2; RLM refers it to the normal distribution. Where
  they are independent the two tend to the same numbers as n grows.
- A scale that was estimated is taken as known, as in those programs.
- A weight multiplies its row's loss: weight 2 is the row twice. To compare each residual with an error bar of its own,
  divide the row, response and columns, by it, as `scipy.optimize.curve_fit` does with `sigma`.

References
----------
P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964), doi:10.1214/aoms/1177703732.
P. J. Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", Proc. Fifth Berkeley Symp.
Math. Statist. Prob. 1 (1967), 221-233.
P. W. Holland, R. E. Welsch, "Robust regression using iteratively reweighted least-squares", Commun. Statist. A 6
(1977), doi:10.1080/03610927708827533.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.losses.base import Family, Link

NORMAL = 1.482602218505602  # 1 / Phi^-1(3/4): the standard deviation of normal errors in median absolute deviations
RANGE = (1e-100, 1e100)  # of a scale: its square, and that of residuals in it, stay inside float64


class Robust(Family):
    """loss(y, mu) = C^2/2 rho((y - mu)^2 / C^2), link identity; see the module for rho and for what follows from it.

    Parameters
    ----------
    link : Link
        The identity.
    scale : float
        C > 0, in the unit of the response: residuals below it count (nearly) in full.

    Attributes
    ----------
    tuning : float
        C in standard deviations of normal errors, for 95% of the efficiency of least squares.

    Raises
    ------
    OptionError
        A scale that is not a number from 1e-100 to 1e100, or another link.
    """

    domain = "a finite number"
    links: ClassVar[tuple[str, ...]] = ("identity",)
    default_link = "identity"
    mean_range = (-torch.inf, torch.inf)
    fixed_dispersion = None
    likelihood_reason = "a robust loss is no likelihood"
    dispersion_reason = "a robust loss has no variance: residuals beyond its scale do not count in full"
    tuning: ClassVar[float]

    def __init__(self, link: Link, scale: float) -> None:
        if not RANGE[0] <= scale <= RANGE[1]:
            raise OptionError(
                f"the scale of a {self.title} loss is {scale!r}",
                advice="Give a number above 0 in the unit of the response, from 1e-100 to 1e100.",
            )
        self.scale = scale
        super().__init__(link)

    @abstractmethod
    def rho(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """rho(u^2), which is u^2 near 0."""

    @abstractmethod
    def weight(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """w = rho'(u^2), in [0, 1]."""

    @abstractmethod
    def slope(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """psi' = d (r w) / d r, at most w."""

    def plain_terms(self, y: Tensor, eta: Tensor, order: int, expected: bool) -> tuple[Tensor, ...]:
        """Value, -psi, and psi' or (`expected`) w."""
        error = eta - y
        u = error / self.scale
        parts = [self.rho(u) * (self.scale**2 / 2)]
        if order >= 1:
            parts.append(error * self.weight(u))
        if order >= 2:
            parts.append(self.weight(u) if expected else self.slope(u))
        return tuple(parts)

    def variance(self, mu: Tensor) -> Tensor:
        return torch.ones_like(mu)

    def variance_slope(self, mu: Tensor) -> Tensor:
        return torch.zeros_like(mu)

    def unit_deviance(self, y: Tensor, mu: Tensor) -> Tensor:
        return self.rho((y - mu) / self.scale) * self.scale**2

    def violations(self, y: Tensor) -> Tensor:
        return ~torch.isfinite(y)

    def starting_mean(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """y: the first step is then least squares."""
        return y.clone()

    def saturated(self, y: Tensor, precision: Tensor, trials: Tensor | None) -> Tensor:
        return torch.full_like(y, torch.nan)

    @property
    def canonical(self) -> bool:
        return False

    def parameters(self) -> dict[str, float]:
        return {"scale": self.scale}


@final
class Huber(Robust):
    """Squares up to the scale, absolute values beyond: convex, and each row's pull is at most C.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("huber", scale=1.0).terms(torch.tensor([0.5, 3.0]), torch.zeros(2), 2)
    (tensor([0.1250, 2.5000]), tensor([-0.5000, -1.0000]), tensor([1., 0.]))
    """

    name = "huber"
    title = "Huber"
    tuning = 1.345

    def rho(self, u: Tensor) -> Tensor:
        """m (2 u - m) with m = u held in [-1, 1]: without abs(u), whose derivative autograd does not know at 0."""
        near = u.clamp(-1, 1)
        return near * (2 * u - near)

    def weight(self, u: Tensor) -> Tensor:
        return u.abs().clamp(min=1).reciprocal()

    def slope(self, u: Tensor) -> Tensor:
        return (u.abs() <= 1).to(u.dtype)


@final
class SoftL1(Robust):
    """A smooth Huber loss (pseudo-Huber): convex, with all derivatives.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("soft_l1", scale=3.0).value(torch.tensor([4.0]), torch.zeros(1))  # 9 (sqrt(1 + 16/9) - 1)
    tensor([6.])
    """

    name = "soft_l1"
    title = "soft-L1"
    tuning = 1.287

    def rho(self, u: Tensor) -> Tensor:
        """2 z / (1 + sqrt(1 + z)), which does not cancel near 0."""
        z = u * u
        return 2 * z / (1 + (1 + z).sqrt())

    def weight(self, u: Tensor) -> Tensor:
        return (1 + u * u).rsqrt()

    def slope(self, u: Tensor) -> Tensor:
        weight = self.weight(u)
        return weight * weight * weight


@final
class Cauchy(Robust):
    """The loss of Cauchy (Lorentz) errors: far rows lose their pull altogether.

    It is not convex: a fit ends in the minimum that descends from where it starts (a formula's from least squares).

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> family("cauchy", scale=1.0).terms(torch.tensor([3.0]), torch.zeros(1), 2)
    (tensor([1.1513]), tensor([-0.3000]), tensor([-0.0800]))
    """

    name = "cauchy"
    title = "Cauchy"
    tuning = 2.385

    def rho(self, u: Tensor) -> Tensor:
        return torch.log1p(u * u)

    def weight(self, u: Tensor) -> Tensor:
        return (1 + u * u).reciprocal()

    def slope(self, u: Tensor) -> Tensor:
        weight = self.weight(u)
        return weight * (2 * weight - 1)


def robust_scale(residuals: Float[Tensor, "n"], weights: Float[Tensor, "n"] | None = None) -> float:
    """The standard deviation of normal errors whose median absolute value is that of the residuals.

    sigma = 1.4826 median abs(r_i), about 0 and not about the residuals' median, as R's `rlm` and statsmodels' RLM. Half
    of the rows may be anything. Times a loss's `tuning` it is a scale with 95% of least squares' efficiency.

    Parameters
    ----------
    residuals : Tensor, (n,)
    weights : Tensor, (n,), optional
        How many rows each counts as, >= 0: weight 2 is the row twice, weight 0 no row.

    Returns
    -------
    float
        In the unit of the residuals; 0 where half of them or more are 0, NaN where one is NaN or there are none.

    References
    ----------
    F. R. Hampel, "The influence curve and its role in robust estimation", J. Amer. Statist. Assoc. 69 (1974),
    doi:10.1080/01621459.1974.10482962.

    Examples
    --------
    >>> import torch
    >>> round(robust_scale(torch.tensor([-1.0, 2.0, 0.5, 1e6, -3.0])), 4)
    2.9652
    """
    size = residuals.abs()
    if weights is not None:
        size, weights = size[weights > 0], weights[weights > 0]
    if len(size) == 0 or bool(size.isnan().any()):
        return math.nan
    size, order = size.sort()
    weights = torch.ones_like(size) if weights is None else weights[order]
    below = weights.double().cumsum(0)
    half = below[-1:] / 2
    # The mean of the two middle rows where half of the weight ends between two rows, as the median of an even number.
    low, high = int(torch.searchsorted(below, half)), int(torch.searchsorted(below, half, right=True))
    return NORMAL * (float(size[low]) + float(size[min(high, len(size) - 1)])) / 2
