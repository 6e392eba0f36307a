"""NIST's linear-regression sets through arrays: every digit that float64 data allow."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import pytest
import torch

from digits import CEILINGS, digits


@pytest.fixture(scope="module")
def problems(reference_json):
    return {d["name"]: d for d in reference_json("strd.json") if d["kind"] == "linear"}


def design(problem: dict) -> list[list[Fraction]]:
    """Rows of the design with exact powers."""
    x = [[Fraction(v) for v in map(float, column)] for column in problem["x"]]
    ones = [Fraction(1)] if problem["intercept"] else []
    if len(x) > 1:
        return [ones + list(row) for row in zip(*x, strict=True)]
    return [ones + [v**k for k in range(1, (problem["degree"] or 1) + 1)] for v in x[0]]


@pytest.mark.parametrize("name", list(CEILINGS))
def test_certified_digits(name, problems, reference_json, least_squares, two_words):
    problem, truth = problems[name], reference_json("strd_linear_exact.json")[name]
    high, low = two_words(design(problem))
    solution = least_squares(high, problem_y(problem), low=low)
    sd = sqrt(solution.details["rss"] / (len(high) - high.shape[1]))
    errors = solution.inverse_curvature.diagonal().sqrt() * sd
    assert digits(solution.theta.tolist(), problem["certified_str"]) > CEILINGS[name] - 0.05
    assert digits(errors.tolist(), truth["se"]) > 13.8
    assert digits([sd], [truth["rsd"]]) > 13.8
    assert solution.aliased == {}


@pytest.mark.parametrize("name", list(CEILINGS))
def test_all_digits_of_the_rational_solution(name, problems, least_squares, two_words, exact_least_squares):
    rows, y = design(problems[name]), [Fraction(v) for v in problem_y(problems[name]).tolist()]
    theta, inverse, square = exact_least_squares(rows, y)
    high, low = two_words(rows)
    solution = least_squares(high, problem_y(problems[name]), low=low)
    assert digits(solution.theta.tolist(), theta) > 14.9
    found = solution.inverse_curvature
    assert digits(found.diagonal().tolist(), [inverse[i][i] for i in range(len(theta))]) > 14.5
    assert digits(found.flatten().tolist(), [v for row in inverse for v in row]) > 12
    assert digits([solution.details["rss"]], [square]) > 14.5


def test_rows_of_unknown_number_are_refined_where_digits_are_at_stake(
    problems, reference_json, least_squares, two_words
):
    problem, truth = problems["Filip"], reference_json("strd_linear_exact.json")["Filip"]
    high, low = two_words(design(problem))
    solution = least_squares(high, problem_y(problem), low=low, size=17, known=False)
    assert solution.details["method"] == "qr+refined"
    assert digits(solution.theta.tolist(), problem["certified_str"]) > 13.95
    sd = sqrt(solution.details["rss"] / (82 - 11))
    assert digits((solution.inverse_curvature.diagonal().sqrt() * sd).tolist(), truth["se"]) > 13.8


def problem_y(problem: dict) -> torch.Tensor:
    return torch.tensor(problem["y"], dtype=torch.float64)
