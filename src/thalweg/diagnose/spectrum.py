"""The curvature of a problem: eigenvalues of its Hessian, and what kind of knowledge they are.

exact       a squared loss of a linear predictor: the Hessian is the same everywhere
bound       a logistic loss: loss'' = mu (1 - mu) <= 1/4, so X'WX / 4 bounds the Hessian of every theta
estimate    any other: the Hessian at one theta, in full (few parameters) or from products H v by Lanczos' method
            (Golub & Van Loan 2013, Matrix Computations, 4th ed., section 10.1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.convention import is_squared
from thalweg.problem import MemoryProblem, Problem
from thalweg.solvers.quadratic import Quadratic

FULL = 500  # parameters of a Hessian that is made column by column
LANCZOS = 60  # products H v of an estimate
FLAT = 1e-14  # part of the largest eigenvalue, times p, below which one is rounding


@final
@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of a Hessian.

    Attributes
    ----------
    eigenvalues : Tensor, (k,), float64
        Ascending; all p of them, or of many parameters those that Lanczos' method found.
    largest, smallest : float
        L, and mu, the smallest that is positive and not rounding.
    rank : int or None
        How many are positive; None where not all are known.
    top, bottom : Tensor, (p,)
        Unit eigenvectors of L and of mu.
    kind : str
        "exact", "bound" or "estimate".
    negative : bool
        The function curves downwards in some direction: it is not convex there.
    """

    eigenvalues: Float[Tensor, "k"]
    largest: float
    smallest: float
    rank: int | None
    top: Float[Tensor, "p"]
    bottom: Float[Tensor, "p"]
    kind: str
    negative: bool = False

    @property
    def condition(self) -> float:
        """L / mu."""
        return self.largest / self.smallest if self.smallest > 0 else 1.0


def spectrum_of(problem: Problem, theta: Float[Tensor, "p"] | None = None) -> Spectrum:
    """The spectrum at theta (of a squared or a logistic loss: for every theta).

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> from thalweg.predictors import Linear
    >>> x, y = torch.tensor([[1.0, 0.0], [1.0, 2.0]]).double(), torch.tensor([1.0, 3.0]).double()
    >>> found = spectrum_of(MemoryProblem(Linear(("Intercept", "x")), x, y, family("gaussian")))
    >>> round(found.largest, 4), round(found.condition, 4), found.kind
    (5.2361, 6.8541, 'exact')
    """
    quadratic = quadratic_at(problem)
    if quadratic is not None:
        return _ends(quadratic.eigenvalues, quadratic.eigenvectors, "exact")
    zero = torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    theta = zero if theta is None else theta.to(dtype=problem.dtype, device=problem.device)
    bound = logistic_bound(problem)
    matrix = bound if bound is not None else hessian_at(problem, theta)
    if matrix is None:
        return _lanczos(problem, theta)
    if not bool(torch.isfinite(matrix).all()):
        return _infinite(len(theta))
    values, vectors = torch.linalg.eigh(matrix)
    return _ends(values, vectors, "estimate" if bound is None else "bound")


def _ends(values: Float[Tensor, "p"], vectors: Float[Tensor, "p p"], kind: str) -> Spectrum:
    largest = max(float(values[-1]), 0.0)
    rounding = FLAT * max(len(values), 10) * float(values.abs().max())
    flat = int((values <= rounding).sum())
    place = min(flat, len(values) - 1)
    smallest = float(values[place]) if flat < len(values) else 0.0
    negative = float(values[0]) < -1e3 * rounding
    return Spectrum(values, largest, smallest, len(values) - flat, vectors[:, -1], vectors[:, place], kind, negative)


def _infinite(p: int) -> Spectrum:
    """Where a derivative is no number: no rate is known to be stable."""
    nowhere = torch.zeros(p, dtype=torch.float64)
    return Spectrum(torch.tensor([torch.inf], dtype=torch.float64), torch.inf, 0.0, None, nowhere, nowhere, "estimate")


def quadratic_at(problem: Problem) -> Quadratic | None:
    """`problem.quadratic`, and the same of a squared loss over rows that are read block by block."""
    if problem.quadratic is not None or problem.objective is None or not identity_squares(problem):
        return problem.quadratic
    zero = torch.zeros(len(problem.names), dtype=torch.float64, device=problem.device)
    if zero.numel() > FULL:
        return None
    value, slope = problem.value_and_gradient(zero)
    hessian = cast(Tensor, hessian_at(problem, zero)).cpu()
    values, vectors = torch.linalg.eigh(hessian)
    kept = values > FLAT * max(len(values), 10) * float(values[-1])
    inverse = torch.where(kept, 1 / torch.where(kept, values, 1.0), 0.0)
    optimum = -vectors @ (inverse * (vectors.T @ slope.cpu()))
    least = max(float(value) + float(slope.cpu() @ optimum) / 2, 0.0)
    return Quadratic(hessian, optimum, least, torch.where(kept, values, 0.0), vectors)


def by_passes(problem: Problem) -> bool:
    """Whether the rows are read block by block, from `problem.objective`."""
    return "batches" not in problem.has


def identity_squares(problem: Problem) -> bool:
    """Whether the loss is a squared error of eta itself."""
    return is_squared(problem.loss) and _link(problem) == "identity"


def _link(problem: Problem) -> str:
    return str(getattr(getattr(problem.loss, "link", None), "name", ""))


def design(problem: Problem) -> Float[Tensor, "n p"] | None:
    """X in float64, of a problem in memory whose eta is X theta with a column for each parameter; not of a curve."""
    x: Any = getattr(problem, "x", None) if problem.curve is None else None
    predictor = getattr(problem, "predictor", None)
    if x is None or not getattr(predictor, "linear", False) or x.ndim != 2 or x.shape[1] != len(problem.names):
        return None
    names = getattr(predictor, "shapes", {})
    return cast(Tensor, x).double() if all(shape == () for shape in names.values()) else None


def hessian_at(problem: Problem, theta: Float[Tensor, "p"]) -> Float[Tensor, "p p"] | None:
    """The Hessian at theta, in float64 on the CPU; None of too many parameters.

    Column by column from products, where the predictor is no design, it is made of no more than Lanczos' method takes.
    """
    if theta.numel() > FULL:
        return None
    objective: Any = getattr(problem, "objective", None)
    x = design(problem)
    if by_passes(problem):
        sums = objective(theta.double(), 2)
        matrix = torch.full((len(theta),) * 2, torch.nan) if sums.curvature is None else problem.scale * sums.curvature
    elif x is not None:
        matrix = _weighted_gram(cast(MemoryProblem, problem), x, theta)
    elif theta.numel() > LANCZOS:
        return None
    else:
        identity = torch.eye(len(theta), dtype=theta.dtype, device=theta.device)
        matrix = torch.stack([problem.hessian_product(theta, column) for column in identity])
    matrix = matrix.detach().double().cpu()
    return (matrix + matrix.T) / 2


def _weighted_gram(problem: MemoryProblem, x: Float[Tensor, "n p"], theta: Float[Tensor, "p"]) -> Float[Tensor, "p p"]:
    """c X' diag(w loss'') X."""
    eta = x @ theta.double()
    eta = eta if problem.offset is None else eta + problem.offset.double()
    curvature = problem.loss.curvature(problem.y.double(), eta)
    weight = curvature if problem.weight is None else curvature * problem.weight.double()
    return problem.scale * (x.T @ (weight[:, None] * x))


def logistic_bound(problem: Problem) -> Float[Tensor, "p p"] | None:
    """c X'WX / 4 of a logistic loss with a linear predictor: its Hessian at theta = 0 without offset, in all cases."""
    if problem.loss.name != "binomial" or _link(problem) != "logit" or len(problem.names) > FULL:
        return None
    zero = torch.zeros(len(problem.names), dtype=torch.float64, device=problem.device)
    x = design(problem)
    if x is not None:
        weight: Tensor | None = cast(MemoryProblem, problem).weight
        weighted = x if weight is None else weight.double()[:, None] * x
        return (problem.scale / 4 * (x.T @ weighted)).cpu()
    objective: Any = getattr(problem, "objective", None)
    if not by_passes(problem):
        return None
    total = sum(
        (block.matrix.gram(block.loss_weight) for block in objective.blocks()), torch.zeros(len(zero), len(zero))
    )
    return (problem.scale / 4 * total).double().cpu()


def _lanczos(problem: Problem, theta: Float[Tensor, "p"]) -> Spectrum:
    """Extreme eigenvalues from products, orthogonalized in full against all vectors before."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(theta.numel(), generator=generator, dtype=torch.float64)
    basis, alphas, betas = [v / torch.linalg.vector_norm(v)], [], []
    for _ in range(min(LANCZOS, theta.numel())):
        product = problem.hessian_product(theta, basis[-1].to(theta)).detach().double().cpu()
        if not bool(torch.isfinite(product).all()):
            return _infinite(theta.numel())
        alphas.append(float(product @ basis[-1]))
        known = torch.stack(basis)
        for _twice in range(2):  # once leaves what cancelled
            product = product - known.T @ (known @ product)
        betas.append(float(torch.linalg.vector_norm(product)))
        if betas[-1] <= 1e-10 * max(map(abs, alphas)):
            break
        basis.append(product / betas[-1])
    used = len(alphas)
    off = torch.tensor(betas[: used - 1], dtype=torch.float64)
    triangle = torch.diag(torch.tensor(alphas, dtype=torch.float64)) + torch.diag(off, 1) + torch.diag(off, -1)
    values, vectors = torch.linalg.eigh(triangle)
    found = _ends(values, torch.stack(basis[:used]).T @ vectors, "estimate")
    return Spectrum(values, found.largest, found.smallest, None, found.top, found.bottom, "estimate", found.negative)
