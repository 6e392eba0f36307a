"""Least squares on constructed problems: rational truth, identities, dependence, sizes of all kinds."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from digits import digits
from thalweg.errors import DataError
from thalweg.solvers.base import Status
from thalweg.solvers.basis import Basis


def problem(n: int = 60, p: int = 4, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """An intercept, p - 1 random columns, and a response with noise."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, p, generator=g, dtype=torch.float64)
    x[:, 0] = 1
    return x, x @ torch.arange(1.0, p + 1, dtype=torch.float64) + torch.randn(n, generator=g, dtype=torch.float64)


def rational(x: torch.Tensor) -> list:
    return [[Fraction(v) for v in row] for row in x.tolist()] if x.ndim == 2 else [Fraction(v) for v in x.tolist()]


METHODS = [
    pytest.param({}, "cholesky+refined", 14.9, 14.8, id="few rows"),
    pytest.param({"known": False, "size": 7}, "cholesky", 14.0, 13.5, id="many rows"),
    pytest.param({"known": False, "refine": True}, "cholesky+refined", 14.9, 14.8, id="refined on demand"),
    pytest.param({"refine": False}, "cholesky", 14.0, 13.5, id="not refined on demand"),
]


@pytest.mark.parametrize(("options", "method", "of_theta", "of_rest"), METHODS)
@pytest.mark.parametrize("weighted", [False, True])
def test_rational_truth(least_squares, exact_least_squares, options, method, of_theta, of_rest, weighted):
    x, y = problem()
    w = torch.rand(60, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 100 if weighted else None
    theta, inverse, square = exact_least_squares(rational(x), rational(y), None if w is None else rational(w))
    found = least_squares(x, y, weight=w, **options)
    assert found.status is Status.CONVERGED
    assert found.details["method"] == method
    assert digits(found.theta.tolist(), theta) > of_theta
    assert digits(found.inverse_curvature.diagonal().tolist(), [inverse[i][i] for i in range(4)]) > of_rest
    assert digits([found.details["rss"], 2 * found.value], [square, square]) > of_rest


def test_plain_and_refined_agree_on_many_rows(least_squares):
    x, y = problem(30_000, 8)
    plain, refined = least_squares(x, y), least_squares(x, y, refine=True)
    assert plain.details["method"] == "cholesky"
    assert plain.passes == 2
    assert refined.details["method"] == "cholesky+refined"
    assert digits(plain.theta.tolist(), refined.theta.tolist()) > 13
    assert torch.allclose(plain.inverse_curvature, refined.inverse_curvature, rtol=1e-12, atol=0)
    assert digits([plain.value], [refined.value]) > 13


@pytest.mark.parametrize("size", [10.0, 1e3, 1e5])
@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_of_columns_far_from_their_zero(least_squares, size, weighted):
    x, y = problem(30_000, 8)
    x[:, 2] += size
    x[:, 3] += size
    w = torch.rand(30_000, generator=torch.Generator().manual_seed(5), dtype=torch.float64) if weighted else None
    plain, refined = least_squares(x, y, weight=w), least_squares(x, y, weight=w, refine=True)
    assert plain.details["method"] == ("cholesky" if size < 100 else "cholesky twice")
    assert plain.passes == (2 if size < 100 else 3)
    errors = refined.inverse_curvature.diagonal().sqrt()
    assert (((plain.theta - refined.theta) / errors).abs() < 1e-9).all()
    assert (((plain.inverse_curvature - refined.inverse_curvature) / errors / errors[:, None]).abs() < 1e-10).all()
    assert digits(plain.theta.tolist(), refined.theta.tolist()) > 10.5
    assert digits([plain.value], [refined.value]) > 11.5
    assert plain.details["condition"] == pytest.approx(refined.details["condition"], rel=0.5)


@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_blocks_make_no_difference(least_squares, options):
    x, y = problem(200, 5)
    whole, cut = least_squares(x, y, **options), least_squares(x, y, size=13, **options)
    assert digits(cut.theta.tolist(), whole.theta.tolist()) > 14
    assert torch.allclose(cut.inverse_curvature, whole.inverse_curvature, rtol=1e-13, atol=1e-18)


@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_weights_are_repetitions_and_zero_is_absence(least_squares, options):
    x, y = problem(40, 3)
    times = torch.arange(40) % 3
    x[times == 0] *= 1e200  # of no effect, however large
    repeated = least_squares(x.repeat_interleave(times, 0), y.repeat_interleave(times), **options)
    weighted = least_squares(x, y, weight=times.double(), **options)
    assert digits(weighted.theta.tolist(), repeated.theta.tolist()) > 14
    assert torch.allclose(weighted.inverse_curvature, repeated.inverse_curvature, rtol=1e-13)
    assert digits([weighted.value], [repeated.value]) > 13.5


def test_weights_of_all_sizes(least_squares, exact_least_squares):
    x, y = problem(40, 3)
    w = 10.0 ** torch.linspace(-150, 120, 40, dtype=torch.float64)[torch.randperm(40, generator=torch.Generator())]
    theta, _, _ = exact_least_squares(rational(x), rational(y), rational(w))
    assert digits(least_squares(x, y, weight=w).theta.tolist(), theta) > 14.5


@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_an_offset_is_a_known_coefficient(least_squares, options):
    x, y = problem(50, 3)
    offset = 3 * x[:, 1]
    found = least_squares(x, y, offset=offset, **options)
    whole = least_squares(x, y, **options)
    assert torch.allclose(found.theta, whole.theta - torch.tensor([0.0, 3.0, 0.0]), rtol=1e-13)


@pytest.mark.parametrize("options", [{}, {"known": False}])
@pytest.mark.parametrize("sizes", [(1e-150, 1.0, 1e100), (1e150, 1e-120, 1e-100), (1e200, 1e200, 1e-60)])
def test_scale_of_a_column_scales_its_coefficient(least_squares, options, sizes):
    x, y = problem(30, 2)
    powers = [2.0 ** round(np.log2(s)) for s in sizes]
    scaled = x * torch.tensor(powers[:2], dtype=torch.float64)
    plain = least_squares(x, y, refine=True)
    ratio = torch.tensor([powers[2] / s for s in powers[:2]], dtype=torch.float64)
    if max(powers) > 1e160:  # a variance of 1e-400
        with pytest.raises(DataError, match="variance of a column is beyond the range"):
            least_squares(scaled, y * powers[2], **options)
        return
    found = least_squares(scaled, y * powers[2], **options)
    assert digits((found.theta / ratio).tolist(), plain.theta.tolist()) > 13.5
    assert torch.isfinite(found.inverse_curvature).all()


def test_a_response_whose_squares_overflow_is_refused(least_squares):
    x, y = problem(30, 2)
    with pytest.raises(DataError, match="sum of squared residuals is beyond the range"):
        least_squares(x, y * 1e200)
    with pytest.raises(DataError, match="coefficient of a column is beyond the range"):
        least_squares(x * 1e-150, y * 1e150 * 1e20)


@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_an_offset_of_1e10_in_a_column_costs_no_digit(least_squares, exact_least_squares, options):
    x, y = problem(50, 3)
    x[:, 2] += 1e10
    theta, inverse, square = exact_least_squares(rational(x), rational(y))
    found = least_squares(x, y, **options)
    assert found.details["method"] == "qr+refined"
    assert found.aliased == {}
    assert digits(found.theta.tolist(), theta) > 14.5
    assert digits(found.inverse_curvature.diagonal().tolist(), [inverse[i][i] for i in range(3)]) > 13.8
    assert digits([found.details["rss"]], [square]) > 14


@pytest.mark.parametrize("noise", [1e-4, 1e-7, 1e-9, 1e-11, 1e-13, 4e-14, 2e-14])
def test_nearly_equal_columns_are_told_apart(least_squares, exact_least_squares, noise):
    x, y = problem(50, 3)
    x[:, 2] = x[:, 1] + noise * x[:, 2]
    theta, inverse, _ = exact_least_squares(rational(x), rational(y))
    found = least_squares(x, y)
    assert found.aliased == {}
    assert digits(found.theta.tolist(), theta) > 14
    assert digits(found.inverse_curvature.diagonal().tolist(), [inverse[i][i] for i in range(3)]) > 13.8


def test_two_columns_that_come_back_into_the_basis(least_squares, exact_least_squares):
    x, y = problem(50, 5)
    x[:, 2] = x[:, 1] + 3e-14 * x[:, 2]
    x[:, 4] = 1e14 + 3 * x[:, 4]
    theta, _, _ = exact_least_squares(rational(x), rational(y))
    found = least_squares(x, y)
    assert found.aliased == {}
    assert digits(found.theta.tolist(), theta) > 13.5


def test_a_poor_basis_is_made_better(least_squares, exact_least_squares, monkeypatch):
    monkeypatch.setattr("thalweg.solvers.basis.independent", lambda r: torch.ones(r.shape[1], dtype=torch.bool))
    of = Basis.of
    monkeypatch.setattr(Basis, "of", lambda r: replace(of(r), inverse=torch.eye(r.shape[1], dtype=torch.float64)))
    x, y = problem(50, 3)
    x[:, 2] += 1e10
    theta, _, _ = exact_least_squares(rational(x), rational(y))
    assert digits(least_squares(x, y).theta.tolist(), theta) > 13.5


@pytest.mark.parametrize("options", [{}, {"known": False, "size": 16}])
@pytest.mark.parametrize(
    ("combine", "text", "terms"),
    [
        (lambda x: x[:, 1], "equal to column 2", {1: 1.0}),
        (lambda x: 3 * x[:, 0], "equal to 3 * column 1", {0: 3.0}),
        (lambda x: 0 * x[:, 0], "all zeros", {}),
        (lambda x: 2 * x[:, 1] - 3 * x[:, 2], "equal to 2 * column 2 - 3 * column 3", {1: 2.0, 2: -3.0}),
        (lambda x: 0.1 * x[:, 1] + 0.7 * x[:, 2] + 1e5, None, {0: 1e5, 1: 0.1, 2: 0.7}),
        (lambda x: x[:, 1] * 1e-150, None, {1: 1e-150}),
    ],
)
def test_a_combination_of_earlier_columns_is_left_out(least_squares, options, combine, text, terms):
    x, y = problem(60, 4)
    four = torch.stack([x[:, 0], x[:, 1], x[:, 2], combine(x), x[:, 3]], 1)
    found, without = least_squares(four, y, **options), least_squares(x, y)
    assert list(found.aliased) == [3]
    assert text is None or found.aliased[3] == text
    assert found.details["combinations"][3].keys() == terms.keys()
    assert list(found.details["combinations"][3].values()) == pytest.approx(list(terms.values()), rel=1e-9)
    kept = [0, 1, 2, 4]
    assert found.theta[3] == 0
    assert not found.inverse_curvature[3].any()
    assert not found.inverse_curvature[:, 3].any()
    assert digits(found.theta[kept].tolist(), without.theta.tolist()) > 14.5
    assert torch.allclose(found.inverse_curvature[kept][:, kept], without.inverse_curvature, rtol=1e-13, atol=0)
    assert digits([found.value], [without.value]) > 14


def test_all_columns_zero(least_squares):
    _, y = problem(9, 2)
    found = least_squares(torch.zeros(9, 2, dtype=torch.float64), y)
    assert found.theta.tolist() == [0, 0]
    assert found.aliased == {0: "all zeros", 1: "all zeros"}
    assert digits([found.details["rss"]], [float(y @ y)]) > 14


def test_fewer_rows_than_columns(least_squares):
    x, y = problem(3, 5)
    found = least_squares(x, y)
    assert sorted(found.aliased) == [3, 4]
    assert torch.allclose(x @ found.theta, y, rtol=1e-13)
    assert found.details["rss"] < 1e-25


def test_one_row(least_squares):
    found = least_squares(torch.tensor([[1.0, 2.0]], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64))
    assert found.theta.tolist() == [3, 0]
    assert found.aliased == {1: "equal to 2 * column 1"}


@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_no_rows(least_squares, options):
    with pytest.raises(DataError, match="no rows"):
        least_squares(torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, dtype=torch.float64), **options)


@pytest.mark.parametrize("options", [{}, {"known": False}])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite(least_squares, options, value):
    x, y = problem(9, 2)
    x[4, 1] = value
    with pytest.raises(DataError, match="not finite"):
        least_squares(x, y, **options)


def test_an_exact_fit_has_no_residual(least_squares):
    x, _ = problem(20, 4)
    x = (1000 * x).round()
    found = least_squares(x, x @ torch.tensor([1.0, -2.0, 3.0, 0.5], dtype=torch.float64))
    assert found.theta.tolist() == [1, -2, 3, 0.5]
    assert found.details["rss"] < 1e-30


def test_a_response_of_zeros(least_squares):
    x, y = problem(20, 4)
    found = least_squares(x, 0 * y)
    assert found.theta.tolist() == [0, 0, 0, 0]
    assert found.details["rss"] == 0


@pytest.mark.parametrize(("options", "least"), [({}, 13.8), ({"known": False}, 10.5)])
def test_single_precision_data_are_the_numbers_they_are(least_squares, exact_least_squares, options, least):
    x, y = problem(50, 3)
    x[:, 2] += 1e5
    x, y = x.float(), y.float()
    theta, inverse, _ = exact_least_squares(rational(x), rational(y))
    found = least_squares(x, y, **options)
    assert found.theta.dtype == torch.float64
    assert digits(found.theta.tolist(), theta) > least
    assert digits(found.inverse_curvature.diagonal().tolist(), [inverse[i][i] for i in range(3)]) > least


def test_many_collinear_columns_with_few_rows(least_squares):
    g = torch.Generator().manual_seed(1)
    base = torch.randn(30, 5, generator=g, dtype=torch.float64)
    mixed = base @ torch.randn(5, 8, generator=g, dtype=torch.float64)
    y = torch.randn(30, generator=g, dtype=torch.float64)
    found, truth = least_squares(torch.cat([base, mixed], 1), y), least_squares(base, y)
    assert sorted(found.aliased) == list(range(5, 13))
    assert digits(found.theta[:5].tolist(), truth.theta.tolist()) > 14


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("options", [{}, {"known": False}])
def test_a_gpu_gives_the_same(least_squares, options):
    x, y = problem(500, 6)
    here, there = least_squares(x, y, **options), least_squares(x.cuda(), y.cuda(), **options)
    assert there.theta.is_cuda
    assert digits(there.theta.tolist(), here.theta.tolist()) > 14
