"""A squared loss of a linear predictor as the quadratic it is.

    f(theta) = c/2 sum_i w_i (y_i - offset_i - x_i' theta)^2 = least + (theta - w*)' H (theta - w*) / 2,   H = c X'WX

1. A = W^(1/2) X and b = W^(1/2) (y - offset) are reduced block by block to the triangle of [A b] = Q [R q; 0 rho],
   which needs no more memory than a block and costs two to three Gram products (a few steps of the descent).
2. R = U S V', so that H = V (c S^2) V', w* = V S^-1 U'q with the directions that the data do not determine left at 0,
   and least = c (rho^2 + what q has in those directions) / 2.

The eigenvalues come from singular values because the condition number of X'WX is the square of that of A: from
the Gram matrix an eigenvalue 1e-16 of the largest is noise, from R it has 8 digits. With at most 64 parameters they are
found by one-sided Jacobi rotations, which give all digits even where columns differ by factors of 1e10 (Demmel &
Veselic; an uncentred column of squares beside a constant is such a design).

Where few rows and columns are far from dependent (condition number of H up to 1e6) the triangle is not needed:

3. A'A = V M V' and Z = A V, whose columns are orthogonal to eps sqrt(m_i m_j) max(m) / (m_i m_j): one step of the
   Jacobi rotations for all pairs at once. Their squared lengths are the eigenvalues, with an error of some
   eps sqrt(cond(H)), which a rounding of A makes too: those of A'A itself have one of eps cond(H). They are divided by
   the squared lengths of V's columns, which differ from 1 by a few roundings.
4. w* = V a from a = Z'b / m, and once more from what is left: a += Z'(b - Z a) / m. The first a has lost up to six
   digits, the second none; the sum of squares falls by (a's change) m (a's change).

It costs a fourth of 1 and 2, which are its plain twin, and go on where it gives up.

References: Demmel, Grigori, Hoemmen & Langou (2012), doi:10.1137/080731992 (step 1); Drmac & Veselic (2008),
doi:10.1137/05063920X (step 2); Drmac (1997), doi:10.1137/S1064827594265095 (step 3); Bjorck (1996),
doi:10.1137/1.9781611971484, section 2.9.3 (step 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem

MOST = 2000  # parameters of a problem whose Hessian is written out
MOST_ENTRIES = 2**27  # of a design: n p
JACOBI = 64  # parameters up to which Jacobi rotations are as fast as bidiagonalization
SINGULAR = 500  # parameters up to which singular values are taken; above, eigenvalues of R'R, several times faster
FAR = 2.0**40
LARGEST = 1e150  # a number whose square, times the number of rows, is finite
BLOCK = 4096  # rows that are reduced at a time
MODERATE = 1e6  # condition number of H up to which A'A has the digits that its eigenvectors need
EPSILON = float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True)
class Quadratic:
    """f(theta) = least + (theta - optimum)' H (theta - optimum) / 2, in float64 on the CPU.

    Attributes
    ----------
    hessian : Tensor, (p, p)
    optimum : Tensor, (p,)
        The minimum; of several the one nearest to 0.
    least : float
        f there, >= 0.
    eigenvalues : Tensor, (p,)
        Of H, ascending, >= 0; exactly 0 along what the data do not determine.
    eigenvectors : Tensor, (p, p)
        Their columns, orthonormal.

    Examples
    --------
    >>> import torch
    >>> from thalweg.losses import family
    >>> from thalweg.predictors import Linear
    >>> from thalweg.problem import MemoryProblem
    >>> x, y = torch.tensor([[1.0, 0.0], [1.0, 2.0]]), torch.tensor([1.0, 5.0])
    >>> quadratic = MemoryProblem(Linear(("Intercept", "x")), x, y, family("gaussian")).quadratic
    >>> [[round(value, 4) for value in values.tolist()] for values in (quadratic.optimum, quadratic.eigenvalues)]
    [[1.0, 2.0], [0.7639, 5.2361]]
    """

    hessian: Float[Tensor, "p p"]
    optimum: Float[Tensor, "p"]
    least: float
    eigenvalues: Float[Tensor, "p"]
    eigenvectors: Float[Tensor, "p p"]

    def value(self, theta: Float[Tensor, "p"]) -> float:
        """f(theta)."""
        away = theta.double().cpu() - self.optimum
        return self.least + 0.5 * float(away @ self.hessian @ away)

    def gradient(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "p"]:
        """H (theta - optimum)."""
        return self.hessian @ (theta.double().cpu() - self.optimum)


def quadratic_of(problem: MemoryProblem) -> Quadratic | None:
    """The quadratic of a squared loss whose predictor is linear.

    None where there is none to write out: more than 2,000 parameters, a design of more than a gigabyte, or numbers
    whose squares are not finite.
    """
    p = len(problem.names)
    if not 0 < p <= MOST or p * problem.rows > MOST_ENTRIES:
        return None
    x, target, weight = _rows(problem)
    small = problem.rows <= BLOCK and p <= JACOBI
    found = _from_gram(_array(x), target, weight, problem.scale) if small else None
    return _from_blocks(x, target, weight, problem.scale) if found is None else found


def _rows(
    problem: MemoryProblem,
) -> tuple[Float[Tensor, "n p"], Float[np.ndarray, "n"], Float[np.ndarray, "n"] | None]:
    """X in its own type, y - offset, and w."""
    x, y, weight, offset, _ = problem.part(None)
    design, constant = _design(problem, x)
    target = _array(y.reshape(-1))
    if constant is not None:
        target = target - _array(constant)
    if offset is not None:
        target = target - _array(offset.reshape(-1))
    return design, target, None if weight is None else _array(weight.reshape(-1))


def _array(tensor: Tensor) -> Float[np.ndarray, "..."]:
    return np.asarray(tensor.numpy(force=True), dtype=np.float64)


def _from_gram(
    x: Float[np.ndarray, "n p"], target: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"] | None, scale: float
) -> Quadratic | None:
    """Steps 3 and 4; None where the condition number is above `MODERATE`, or numbers are beyond its range."""
    from scipy.linalg.lapack import dsyev  # NumPy's eigh takes four times as long on two columns

    rows = x.T
    if weight is not None:
        root = np.sqrt(weight)
        rows, target = rows * root, target * root
    with np.errstate(over="ignore", invalid="ignore"):
        gram = rows.dot(rows.T)
        if not (1.0 / LARGEST < sum(gram.diagonal().tolist()) < LARGEST and target.dot(target) < LARGEST**2):
            return None
        squares, v, info = dsyev(gram)  # 3
        if info or not squares[0] * MODERATE > squares[-1]:
            return None
        z = v.T.dot(rows)
        m = (z[:, None] @ z[:, :, None])[:, 0, 0]  # a third of the time of einsum
        along = z.dot(target) / m  # 4
        left = target - along.dot(z)
        slope = z.dot(left)
        change = slope / m
        least = max(float(left.dot(left) - slope.dot(change)), 0.0)
    optimum, values = v.dot(along + change), m / (v * v).sum(axis=0)
    if (rising := values.tolist()) != sorted(rising):  # two that are next to equal
        order = values.argsort()
        values, v = values[order], v[:, order]
    return Quadratic(
        hessian=torch.from_numpy(scale * gram),
        optimum=torch.from_numpy(optimum),
        least=0.5 * scale * least,
        eigenvalues=torch.from_numpy(scale * values),
        eigenvectors=torch.from_numpy(v),
    )


def _from_blocks(
    x: Float[Tensor, "n p"], target: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"] | None, scale: float
) -> Quadratic | None:
    """Steps 1 and 2; None where squares are not finite."""
    triangle, p = _triangle(x, target, weight), x.shape[1]
    if not np.abs(triangle).max() < LARGEST:
        return None
    return _from_triangle(triangle[:p, :p], triangle[:p, p], float(triangle[p:, p].sum()), scale)


def _triangle(
    x: Float[Tensor, "n p"], target: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"] | None
) -> Float[np.ndarray, "q q"]:
    """Step 1: [R q; 0 rho], with zeros below where there are fewer rows than that."""
    root = None if weight is None else np.sqrt(weight)[:, None]
    rows, columns = x.shape
    size = columns + 1
    reduced = np.zeros((0, size))
    for start in range(0, rows, block := max(BLOCK, 2 * size)):
        part = slice(start, min(start + block, rows))
        above = len(reduced)
        joined = np.empty((above + part.stop - start, size), order="F")
        joined[:above] = reduced
        joined[above:, :-1] = _array(x[part])
        joined[above:, -1] = target[part]
        if root is not None:
            joined[above:] *= root[part]
        reduced = _reduce(joined)
    return np.concatenate([reduced, np.zeros((size - len(reduced), size))]) if len(reduced) < size else reduced


def _reduce(rows: Float[np.ndarray, "n q"]) -> Float[np.ndarray, "m q"]:
    """The triangle of a QR decomposition; the rows, in the order of Fortran, are overwritten."""
    from scipy.linalg.lapack import dgeqrf  # NumPy's qr takes three times as long on some thousand rows

    size = rows.shape[1]
    return np.triu(dgeqrf(rows, lwork=64 * size, overwrite_a=1)[0][:size])


def _design(problem: MemoryProblem, x: Tensor) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n"] | None]:
    """(X, constant) of eta = X theta + constant. A predictor that has its X at hand says so by a method `design`."""
    known = getattr(problem.predictor, "design", None)
    if known is not None:
        return known(x), None
    x = x.double().cpu()

    def eta(theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        return problem.predictor(theta, x).reshape(-1)

    basis = torch.eye(len(problem.names), dtype=torch.float64)
    constant = eta(torch.zeros_like(basis[0]))
    far = 1.0 if not constant.any() else FAR  # so far out that the constant takes no digits from the differences
    return torch.stack([(eta(far * unit) - constant) / far for unit in basis], dim=1), constant


def _from_triangle(r: Float[np.ndarray, "p p"], q: Float[np.ndarray, "p"], rho: float, scale: float) -> Quadratic:
    """Step 2."""
    u, s, v = _singular(r)
    along, left, divisor = q @ u, rho * rho, s
    flat = _flat(r, s, v)
    if flat.any():
        left += float(along[flat] @ along[flat])
        s, along, divisor = np.where(flat, 0.0, s), np.where(flat, 0.0, along), np.where(flat, 1.0, s)
    order = s.argsort()
    return Quadratic(
        hessian=torch.from_numpy(scale * (r.T @ r)),
        optimum=torch.from_numpy(v @ (along / divisor)),
        least=0.5 * scale * left,
        eigenvalues=torch.from_numpy(scale * (s * s)[order]),
        eigenvectors=torch.from_numpy(v[:, order]),
    )


def _singular(
    r: Float[np.ndarray, "p p"],
) -> tuple[Float[np.ndarray, "p p"], Float[np.ndarray, "p"], Float[np.ndarray, "p p"]]:
    """U, S, V of R = U diag(S) V'."""
    p = len(r)
    if p <= JACOBI:
        from scipy.linalg.lapack import dgejsv

        s, u, v, work, _, info = dgejsv(r, joba=0, jobu=0, jobv=0)
        if info == 0:
            return u, s * (work[0] / work[1]), v
    if p <= SINGULAR:
        u, s, vt = np.linalg.svd(r)
        return u, s, vt.T
    squares, v = np.linalg.eigh(r.T @ r)
    s = np.sqrt(np.maximum(squares, 0.0))
    floor = np.sqrt(EPSILON * p) * s.max()  # below it a square root of an eigenvalue is noise
    s = np.where(s > floor, s, 0.0)
    return np.divide(r @ v, s, out=np.zeros_like(r), where=s > 0), s, v


def _flat(r: Float[np.ndarray, "p p"], s: Float[np.ndarray, "p"], v: Float[np.ndarray, "p p"]) -> np.ndarray:
    """Which directions the data do not determine: those in which R v is no more than rounding of its own terms.

    The terms are measured column by column, and not against the largest singular value, so that a column of small
    numbers is not mistaken for one that is a combination of the others.
    """
    sizes = np.sqrt(np.einsum("ij,ij->j", r, r))
    return s <= 8 * EPSILON * len(r) * (sizes @ np.abs(v))
