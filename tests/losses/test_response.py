"""Responses outside their family's domain."""

from __future__ import annotations

import pytest
import torch

from thalweg.errors import DomainError
from thalweg.losses import Family, check_response, family

BAD = [
    ("gaussian", {}, [1.0, float("inf")], "a Gaussian response must be a finite number, but row 12 holds inf."),
    (
        "binomial",
        {},
        [0.0, 1.0, 2.0],
        "a binomial response must be 0, 1 or a proportion between them, but row 13 holds 2.",
    ),
    ("binomial", {}, [-1.0, 1.0], "but row 11 holds -1."),
    ("poisson", {}, [0.0, 2.5, -1.0], "a Poisson response must be >= 0, but row 13 holds -1."),
    ("gamma", {}, [1.0, 0.0, -2.5], "a gamma response must be > 0, but row 12 holds 0 (and 1 more of the 3 rows"),
    ("inverse_gaussian", {}, [float("nan")], "an inverse Gaussian response must be > 0, but row 11 holds nan."),
    ("negative_binomial", {"alpha": 1.0}, [-0.5], "a negative binomial response must be >= 0"),
    ("tweedie", {"power": 1.5}, [0.0, -0.5], "a Tweedie response must be >= 0, but row 12 holds -0.5"),
    ("tweedie", {"power": 2.5}, [0.0], "a Tweedie response must be > 0, but row 11 holds 0"),
    ("tweedie", {"power": -1.0}, [-2.0, float("-inf")], "a Tweedie response must be a finite number"),
]


@pytest.mark.parametrize(("name", "parameters", "y", "text"), BAD, ids=range(len(BAD)))
def test_the_first_bad_row_is_named(name: str, parameters: dict[str, float], y: list[float], text: str) -> None:
    with pytest.raises(DomainError) as error:
        check_response(family(name, **parameters), torch.tensor(y), 10, lambda row: f"row {row + 1}")
    assert text in str(error.value)
    assert str(error.value).endswith(".")


def test_a_file_is_named_in_its_own_terms() -> None:
    with pytest.raises(DomainError, match=r"but diabetes.csv, line 22 holds -3\."):
        check_response(family("poisson"), torch.tensor([-3.0]), 20, lambda row: f"diabetes.csv, line {row + 2}")


def test_good_responses_pass(pair: Family, points: tuple[torch.Tensor, torch.Tensor]) -> None:
    check_response(pair, points[0], 0, lambda row: "")
    bad = torch.tensor([float("nan"), float("inf"), float("-inf")])
    assert pair.violations(bad).all()
