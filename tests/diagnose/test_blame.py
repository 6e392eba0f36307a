"""Which column is blamed, and why."""

from __future__ import annotations

import pytest
import torch

from thalweg.diagnose.blame import blame_of, collinear
from thalweg.diagnose.columns import columns_of
from thalweg.diagnose.spectrum import spectrum_of
from thalweg.diagnose.standardized import correlations


@pytest.fixture
def normal():
    """Three centred columns of spread 1, and a response."""
    g = torch.Generator().manual_seed(4)
    return {name: torch.randn(40, generator=g).double() for name in ("a", "b", "c", "y")}


def blamed(problem):
    return blame_of(problem, spectrum_of(problem), columns_of(problem))


def test_statistics_of_columns(problem_from, normal):
    columns = columns_of(problem_from("y ~ a + b", normal))
    assert columns.intercept == 0
    assert columns.moving == [1, 2]
    assert columns.mean[1:] == pytest.approx(torch.stack([normal["a"].mean(), normal["b"].mean()]))
    assert columns.spread[1] == pytest.approx(normal["a"].std(correction=0))
    far = int((normal["b"] - normal["b"].mean()).abs().argmax())
    assert int(columns.far[2]) == far
    squares = (normal["b"] - normal["b"].mean()).square()
    assert columns.share[2] == pytest.approx(squares[far] / squares.sum())


def test_an_uncentred_column(problem_from, normal):
    found = blamed(problem_from("y ~ a + b", {**normal, "b": normal["b"] + 8}))
    assert (found.name, found.reason) == ("b", "uncentred")
    assert found.advice == "Standardize every column: write scale(a, ddof=0) + scale(b, ddof=0) in the formula."


def test_one_column_is_named_alone_where_the_others_are_standardized(problem_from, normal):
    a = (normal["a"] - normal["a"].mean()) / normal["a"].std(correction=0)
    found = blamed(problem_from("y ~ a + b", {**normal, "a": a, "b": normal["b"] + 8}))
    assert found.advice == "Standardize `b`: write scale(b, ddof=0) in the formula."
    found = blamed(problem_from("y ~ scale(a) + b", {**normal, "b": normal["b"] + 8}))
    assert found.advice == "Standardize `b`: write scale(b, ddof=0) in the formula."


def test_columns_that_are_not_plain_are_not_written_out(problem_from, normal):
    found = blamed(problem_from("y ~ a + I(a**2) + b", {**normal, "b": normal["b"] + 80}))
    assert found.advice.startswith("Standardize every column of numbers: write scale(..., ddof=0) around each")


def test_without_an_intercept_centring_is_no_remedy(problem_from, normal):
    found = blamed(problem_from("y ~ a + b - 1", {**normal, "b": normal["b"] + 8}))
    assert (found.name, found.reason) == ("b", "")


def test_a_column_of_another_scale(problem_from, normal):
    found = blamed(problem_from("y ~ a + b + c", {**normal, "c": 300 * normal["c"]}))
    assert (found.name, found.reason) == ("c", "scale")
    assert "times the spread of the other columns" in found.text


def test_a_column_that_is_only_the_largest(problem_from, normal):
    found = blamed(problem_from("y ~ a + b + c", {**normal, "c": 3 * normal["c"]}))
    assert (found.name, found.reason, found.advice) == ("c", "", "")


def test_an_outlier_is_named_by_its_row(problem_from, normal):
    data = {**normal, "b": normal["b"].clone()}
    data["b"][16] = 1e4
    found = blamed(problem_from("y ~ a + b", data))
    assert (found.name, found.reason, found.row) == ("b", "outlier", 17)
    assert "row 17" in found.text


def test_a_pair_that_is_nearly_the_same(problem_from, normal):
    data = {**normal, "d": normal["a"] + 1e-3 * normal["c"]}
    problem = problem_from("y ~ a + b + d", data)
    columns = columns_of(problem)
    text = collinear(columns, correlations(problem, columns))
    assert text in ("`a` and `d` are nearly collinear", "`d` and `a` are nearly collinear")
    plain = problem_from("y ~ a + b", normal)
    assert collinear(columns_of(plain), correlations(plain, columns_of(plain))) == ""


def test_powers_are_told_the_orthogonal_polynomial(problem_from):
    x = torch.linspace(1, 10, 40, dtype=torch.float64)
    problem = problem_from("y ~ x + I(x**2) + I(x**3)", {"x": x, "y": torch.sin(x)})
    columns = columns_of(problem)
    assert "write poly(x, 3)" in collinear(columns, correlations(problem, columns))
