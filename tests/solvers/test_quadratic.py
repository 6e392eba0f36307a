"""The quadratic of a squared loss: against arithmetic with 60 digits, and against the loss itself."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import torch
from torch import Tensor

from thalweg.convention import CONVENTIONS
from thalweg.losses import family
from thalweg.predictors import Linear, Predictor
from thalweg.problem import MemoryProblem
from thalweg.solvers.quadratic import (
    BLOCK,
    JACOBI,
    MODERATE,
    MOST,
    SINGULAR,
    Quadratic,
    _from_blocks,
    _from_gram,
    _rows,
    quadratic_of,
)

EPS = float(np.finfo(float).eps)


def problem_of(x: Tensor, y: Tensor, convention: str = "mean", **more: Tensor) -> MemoryProblem:
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    return MemoryProblem(Linear(names), x, y, family("gaussian"), convention, **more)


def drawn(n: int, p: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, p, generator=g, dtype=torch.float64), torch.randn(n, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("extras", ["plain", "weights and offset"])
def test_it_is_the_loss(convention: str, extras: str) -> None:
    """f, its gradient and its curvature at random places are those of the problem."""
    x, y = drawn(30, 4)
    more = {} if extras == "plain" else {"weight": y.abs() + 0.1, "offset": 3 * y.roll(1)}
    problem = problem_of(x, y, convention, **more)
    quadratic = problem.quadratic
    assert quadratic is not None
    for seed in range(5):
        theta = 3 * drawn(4, 1, seed)[1]
        value, gradient = problem.value_and_gradient(theta)
        assert quadratic.value(theta) == pytest.approx(float(value), rel=1e-13)
        torch.testing.assert_close(quadratic.gradient(theta), gradient, rtol=1e-12, atol=1e-12 * problem.scale)
        torch.testing.assert_close(quadratic.hessian @ theta, problem.hessian_product(theta, theta))
    basis = quadratic.eigenvectors
    torch.testing.assert_close(basis @ torch.diag(quadratic.eigenvalues) @ basis.T, quadratic.hessian)
    assert (quadratic.eigenvalues.diff() >= 0).all()


SCALES = [[1, 1, 1], [1, 1e3, 1e-4], [1, 1e9, 1e-9], [1e-5, 1, 1e5]]


@pytest.mark.parametrize("scales", SCALES)
def test_eigenvalues_keep_their_digits_whatever_the_columns_scales(scales: list[float]) -> None:
    """Each eigenvalue to 15 digits, where those of X'X computed in float64 lose all of them."""
    x, y = drawn(20, 3)
    x = x * torch.tensor(scales, dtype=torch.float64)
    quadratic = problem_of(x, y, "half sum").quadratic
    assert quadratic is not None
    with mp.workdps(60):
        singular = mp.svd_r(mp.matrix(x.tolist()), compute_uv=False)
        truth = sorted(float(s * s) for s in singular)
    np.testing.assert_allclose(quadratic.eigenvalues.numpy(), truth, rtol=40 * EPS)


def test_the_optimum_of_an_ill_conditioned_design() -> None:
    """Columns 1, x, x^2 far from 0: condition number of the Hessian 1e17, optimum to eps times its root."""
    x = torch.linspace(1000, 1010, 25, dtype=torch.float64)
    design, y = torch.stack([torch.ones_like(x), x, x * x], 1), drawn(25, 1)[1]
    quadratic = problem_of(design, y).quadratic
    assert quadratic is not None
    with mp.workdps(60):
        a, b = mp.matrix(design.tolist()), mp.matrix(y.tolist())
        w = mp.lu_solve(a.T * a, a.T * b)
        r = b - a * w
        truth, least = [float(v) for v in w], float((r.T * r)[0] / 25)
    root = float((quadratic.eigenvalues[-1] / quadratic.eigenvalues[0]).sqrt())
    assert root > 1e8
    np.testing.assert_allclose(quadratic.optimum.numpy(), truth, rtol=10 * EPS * root)
    assert quadratic.least == pytest.approx(least, rel=1e-11)


def combinations() -> dict[str, Callable[[Tensor], Tensor]]:
    return {
        "a copy": lambda x: torch.cat([x, x[:, :1]], 1),
        "a sum": lambda x: torch.cat([x, x[:, :1] + x[:, 1:2]], 1),
        "a sum of unlike scales": lambda x: torch.cat([x, 1e6 * x[:, :1] + 1e-3 * x[:, 1:2]], 1),
        "a column of zeros": lambda x: torch.cat([x, 0 * x[:, :1]], 1),
    }


@pytest.mark.parametrize("kind", combinations())
def test_a_design_of_lower_rank(kind: str) -> None:
    """One eigenvalue is exactly 0, and of all optima it is the nearest to 0."""
    x, y = drawn(30, 3)
    x = combinations()[kind](x)
    quadratic = problem_of(x, y).quadratic
    assert quadratic is not None
    assert (quadratic.eigenvalues == 0).tolist() == [True, False, False, False]
    truth = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=1e-13)[0]
    np.testing.assert_allclose(quadratic.optimum.numpy(), truth, rtol=1e-8, atol=1e-11)
    residual = y - x @ quadratic.optimum
    assert quadratic.least == pytest.approx(float(residual @ residual) / 30, rel=1e-12)


def test_fewer_rows_than_parameters() -> None:
    """Many optima, all perfect."""
    x, y = drawn(3, 6)
    quadratic = problem_of(x, y).quadratic
    assert quadratic is not None
    assert (quadratic.eigenvalues == 0).sum() == 3
    assert quadratic.least < 1e-28
    np.testing.assert_allclose(quadratic.optimum.numpy(), np.linalg.pinv(x.numpy()) @ y.numpy(), rtol=1e-12)


def test_blocks_of_rows_are_the_whole() -> None:
    """20,000 rows are reduced in five blocks."""
    x, y = drawn(20_000, 3)
    quadratic = problem_of(x, y).quadratic
    assert quadratic is not None
    torch.testing.assert_close(quadratic.hessian, 2 * x.T @ x / 20_000, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(quadratic.optimum, torch.linalg.lstsq(x, y[:, None]).solution[:, 0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("p", [JACOBI, JACOBI + 1, SINGULAR + 1])
def test_each_way_to_the_eigenvalues(p: int) -> None:
    """Jacobi rotations, bidiagonalization, and eigenvalues of R'R are of one matrix."""
    x, y = drawn(2 * p, p)
    quadratic = problem_of(x, y, "half sum").quadratic
    assert quadratic is not None
    basis, values = quadratic.eigenvectors, quadratic.eigenvalues
    close = 1e-12 * float(values[-1])
    torch.testing.assert_close(basis.T @ basis, torch.eye(p, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(basis * values @ basis.T, quadratic.hessian, rtol=0, atol=close)
    torch.testing.assert_close(quadratic.gradient(torch.zeros(p)), -(x.T @ y), rtol=0, atol=1e3 * close)


def twins(problem: MemoryProblem) -> tuple[Quadratic | None, Quadratic]:
    """By A'A, and by the triangle of [A b]."""
    x, target, weight = _rows(problem)
    careful = _from_blocks(x, target, weight, problem.scale)
    assert careful is not None
    return _from_gram(x.double().numpy(), target, weight, problem.scale), careful


def conditioned(n: int, p: int, condition: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A design whose Hessian has this condition number, and a response."""
    x, y = drawn(n, p, seed)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    return u * torch.logspace(0, np.log10(condition) / 2, p, dtype=torch.float64) @ v, y


@pytest.mark.parametrize("extras", ["plain", "weights and offset"])
@pytest.mark.parametrize("condition", [1.0, 1e2, 0.9 * MODERATE])
@pytest.mark.parametrize(("n", "p"), [(1, 1), (5, 2), (8, 8), (200, 5), (2000, 4), (BLOCK, JACOBI)])
def test_the_gram_matrix_is_the_triangle(n: int, p: int, condition: float, extras: str) -> None:
    """Everything of a quadratic to the digits that a rounding of the data leaves it."""
    x, y = conditioned(n, p, condition)
    more = {} if extras == "plain" else {"weight": y.abs().roll(2) + 1, "offset": 3 * y.roll(1)}
    fast, careful = twins(problem_of(x, y, "half sum", **more))
    if fast is None:
        assert extras != "plain"  # the weights have made it worse
        return
    norm, close = float(careful.eigenvalues[-1]), 30 * EPS * (p + np.sqrt(n))
    torch.testing.assert_close(fast.hessian, careful.hessian, rtol=0, atol=close * norm)
    if p == 1 or condition > 1:  # the eigenvalues are far from each other
        moved = close * condition**0.5  # as a rounding of A moves the least singular value
        torch.testing.assert_close(fast.eigenvalues, careful.eigenvalues, rtol=moved, atol=0)
    basis, unit = fast.eigenvectors, torch.eye(p, dtype=torch.float64)
    torch.testing.assert_close(basis.T @ basis, unit, rtol=0, atol=close)
    torch.testing.assert_close(basis * fast.eigenvalues @ basis.T, fast.hessian, rtol=0, atol=close * norm)
    # A rounding of A moves w* by cond(A) eps |w*| and cond(H) eps |b - A w*| / |A| (Wedin).
    moved = condition**0.5 * float(careful.optimum.norm()) + condition * (careful.least / norm) ** 0.5
    assert float((fast.optimum - careful.optimum).norm()) <= close * moved
    assert fast.least == pytest.approx(careful.least, rel=close, abs=(close * float(y.norm())) ** 2)


def test_small_eigenvalues_next_to_equal_rise() -> None:
    """Their order is that of their squared lengths, not that of the Gram matrix."""
    for seed in range(50):
        x, y = conditioned(12, 3, 1.0, seed)
        fast, _ = twins(problem_of(torch.cat([x, 30 * x[:, :1].roll(1)], 1), y))
        assert fast is not None
        assert (fast.eigenvalues.diff() >= 0).all()
        along = fast.hessian @ fast.eigenvectors - fast.eigenvectors * fast.eigenvalues
        assert float(along.abs().max()) <= 20 * EPS * float(fast.eigenvalues[-1])


def test_a_perfect_fit_has_no_loss() -> None:
    """One correction takes away what the condition number took from the first solution: 1e-21 of |y|^2 were left."""
    x, _ = conditioned(30, 4, 0.9 * MODERATE)
    truth = torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64)
    fast, _ = twins(problem_of(x, x @ truth, "half sum"))
    assert fast is not None
    assert fast.least <= 1e-28 * float((x @ truth).square().sum())
    torch.testing.assert_close(fast.optimum, truth, rtol=100 * EPS * MODERATE**0.5, atol=0)


@pytest.mark.parametrize("kind", ["ill-conditioned", "lower rank", "too few rows", "large", "small", "large y"])
def test_where_the_gram_matrix_gives_up(kind: str) -> None:
    """And the triangle goes on, or says that there is none."""
    x, y = conditioned(20, 3, 1.1 * MODERATE if kind == "ill-conditioned" else 10.0)
    if kind == "lower rank":
        x = torch.cat([x, x[:, :1]], 1)
    if kind == "too few rows":
        x, y = x[:2], y[:2]
    x, y = x * {"large": 1e200, "small": 1e-120}.get(kind, 1.0), y * (1e200 if kind == "large y" else 1.0)
    problem = problem_of(x, y)
    found, target, weight = _rows(problem)
    assert _from_gram(found.numpy(), target, weight, problem.scale) is None
    assert (quadratic_of(problem) is None) == kind.startswith("large")


class Shifted(Predictor):
    """eta = theta_0 x + theta_1 + 5: linear in theta up to a constant, and without its design at hand."""

    shapes = {"w": (), "b": ()}  # noqa: RUF012
    linear = True

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        return theta[0] * x + theta[1] + 5.0

    def transpose_times(self, theta: Tensor, x: Tensor, slope: Tensor) -> Tensor:
        return torch.stack([slope @ x, slope.sum()])

    def module(self, inverse: object = None) -> torch.nn.Module:
        raise AssertionError("nobody asks")


def test_a_predictor_that_is_linear_up_to_a_constant() -> None:
    """The constant belongs to the residual."""
    x = torch.tensor([0.0, 1.0, 2.0, 5.0], dtype=torch.float64)
    problem = MemoryProblem(Shifted(), x, 2 * x + 1, family("gaussian"))
    quadratic = problem.quadratic
    assert quadratic is not None
    torch.testing.assert_close(quadratic.optimum, torch.tensor([2.0, -4.0], dtype=torch.float64))


def test_where_there_is_none() -> None:
    """Other losses, other links, too many parameters, numbers whose squares overflow."""
    x, y = drawn(5, 2)
    assert MemoryProblem(Linear(("a", "b")), x, y.abs(), family("poisson")).quadratic is None
    assert MemoryProblem(Linear(("a", "b")), x, y.abs(), family("gaussian", "log")).quadratic is None
    assert quadratic_of(problem_of(torch.ones(2, MOST + 1), torch.ones(2))) is None
    assert problem_of(x * 1e200, y).quadratic is None


def test_float32_data_are_taken_as_the_numbers_they_are() -> None:
    """The quadratic is that of the rounded numbers, in float64."""
    x, y = (each.float() for each in drawn(10, 2))
    assert torch.equal(problem_of(x, y).quadratic.hessian, problem_of(x.double(), y.double()).quadratic.hessian)
