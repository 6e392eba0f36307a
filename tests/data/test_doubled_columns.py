"""Columns in two words against rational arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch

from thalweg.data.sources import open_source
from thalweg.data.spec import Spec

X = [-8.781464495, -6.860120914, 0.1, 3.0, 1e-5, 12345.678901]
Z = [0.3, -1.7, 2.9, 1e6, 0.7, -0.1]

Exact = Callable[[Fraction, Fraction], Fraction]
CASES: list[tuple[str, Exact]] = [
    ("x", lambda x, z: x),
    ("I(x**2)", lambda x, z: x**2),
    ("I(x**7)", lambda x, z: x**7),
    ("I(x*z)", lambda x, z: x * z),
    ("x:z", lambda x, z: x * z),
    ("I(x**3):z", lambda x, z: x**3 * z),
    ("2.5:x:z", lambda x, z: Fraction(5, 2) * x * z),
    ("I(x + z/3)", lambda x, z: x + z / 3),
    ("I((x - z)**2)", lambda x, z: (x - z) ** 2),
    ("I(-x/z)", lambda x, z: -x / z),
    ("I(1/x)", lambda x, z: 1 / x),
    ("scale(x, center=0.1, scale=False)", lambda x, z: x - Fraction(0.1)),
]


@pytest.mark.parametrize(("term", "exact"), CASES, ids=[term for term, _ in CASES])
def test_columns_are_exact_to_31_digits(term: str, exact: Exact) -> None:
    source = open_source({"y": [1.0] * 6, "x": X, "z": Z})
    spec = Spec.learn(f"y ~ 0 + {term}", source)
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    low = torch.zeros_like(rows.high) if rows.low is None else rows.low
    assert (rows.low is None) == (term == "x")
    for x, z, high, rest in zip(X, Z, rows.high[:, 0].tolist(), low[:, 0].tolist(), strict=True):
        truth = exact(Fraction(x), Fraction(z))
        assert abs(Fraction(high) + Fraction(rest) - truth) <= abs(truth) * Fraction(10) ** -31
        assert abs(rest) <= abs(high) * 2.0**-52
    torch.testing.assert_close(spec.block(batch).matrix.dense(), rows.high, rtol=1e-14, atol=0)


@pytest.mark.parametrize("degree", [5, 10])
def test_raw_powers_keep_31_digits(degree: int) -> None:
    source = open_source({"y": [1.0] * 30, "x": [-8.78 + 0.211 * i for i in range(30)]})
    spec = Spec.learn(f"y ~ poly(x, {degree}, raw=True)", source)
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    assert rows.low is not None
    for i, x in enumerate(batch.columns["x"].tolist()):
        for k in range(degree + 1):
            got, truth = Fraction(rows.high[i, k].item()) + Fraction(rows.low[i, k].item()), Fraction(x) ** k
            assert abs(got - truth) <= abs(truth) * Fraction(10) ** -31


def test_interactions_with_categories_and_several_columns() -> None:
    source = open_source({"y": [1.0] * 6, "x": X, "z": Z, "g": list("abcabc")})
    spec = Spec.learn("y ~ 0 + g:poly(x, 3, raw=True):z", source)
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    assert rows.low is not None
    for i, (x, z, g) in enumerate(zip(X, Z, "abcabc", strict=True)):
        for j, name in enumerate(spec.names):
            power, level = int(name[-4]) + 1, name[2]
            truth = Fraction(x) ** power * Fraction(z) if g == level else Fraction(0)
            got = Fraction(rows.high[i, j].item()) + Fraction(rows.low[i, j].item())
            assert abs(got - truth) <= abs(truth) * Fraction(10) ** -31


def test_the_response_less_its_offset() -> None:
    y, t = [0.1, 0.2, 1e10], [1e-17, 0.3, 1.0 / 3]
    source = open_source({"y": y, "t": t, "w": [1.0, 2.0, 0.5]})
    spec = Spec.learn("I(y*3) ~ offset(t)", source, offset="t", weights="w")
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    assert rows.y_low is not None
    assert rows.weight is not None
    for i in range(3):
        offset = Fraction(float(torch.tensor(t[i], dtype=torch.float64) * 2))
        got = Fraction(rows.y[i].item()) + Fraction(rows.y_low[i].item())
        assert abs(got - (3 * Fraction(y[i]) - offset)) <= Fraction(10) ** -30 * abs(got)


def test_columns_of_the_data_have_no_second_word(in_batches: Callable) -> None:
    source = in_batches({"y": [1.0, 2.0], "x": [0.1, 0.7], "g": ["a", "b"]}, 2)
    spec = Spec.learn("y ~ x + g", source)
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    assert rows.low is None
    assert rows.y_low is None


def test_powers_beyond_the_range_are_those_of_one_word() -> None:
    source = open_source({"y": [1.0, 2.0, 3.0], "x": [1e-100, 1.3407807929942596e154, 1e-160]})
    spec = Spec.learn("y ~ 0 + I(x**2)", source)
    (batch,) = source.batches(spec.columns)
    rows = spec.doubled(batch)
    torch.testing.assert_close(rows.high, spec.block(batch).matrix.dense(), rtol=1e-15, atol=0)
    assert rows.low is None or bool(torch.isfinite(rows.low).all())
