"""Hypotheses as text, and Wald tests against statsmodels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch

from thalweg.errors import FormulaError, NotAvailableError
from thalweg.inference.hypotheses import parse, term_tests, wald

NAMES = (
    "Intercept",
    "bmi",
    "bp",
    "bmi:bp",
    "C(sex)[T.2]",
    "poly(s5, 2)[1]",
    "poly(s5, 2)[2]",
    "my",
    "my column",
    "x",
    "x1",
)


def rows(text: str) -> list[dict[str, float]]:
    """Each restriction as {name: factor, "=": right-hand side}."""
    matrix, right = parse(text, NAMES)
    return [
        {**{name: v for name, v in zip(NAMES, row, strict=True) if v}, "=": r}
        for row, r in zip(matrix.tolist(), right.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bmi = bp", [{"bmi": 1, "bp": -1, "=": 0}]),
        ("2*bmi - bp = 3", [{"bmi": 2, "bp": -1, "=": 3}]),
        ("bmi = bp = 0", [{"bmi": 1, "=": 0}, {"bp": 1, "=": 0}]),
        ("C(sex)[T.2] = 0, bp = 1", [{"C(sex)[T.2]": 1, "=": 0}, {"bp": 1, "=": 1}]),
        ("poly(s5, 2)[2]=poly(s5, 2)[1]", [{"poly(s5, 2)[1]": -1, "poly(s5, 2)[2]": 1, "=": 0}]),
        ("bmi:bp == -1.5e-3", [{"bmi:bp": 1, "=": -0.0015}]),
        ("my column = x1 / 4", [{"my column": 1, "x1": -0.25, "=": 0}]),
        ("`my column` = 0", [{"my column": 1, "=": 0}]),
        ("x + x1 = 1", [{"x": 1, "x1": 1, "=": 1}]),
        ("-(bmi - 2) * 3 = .5", [{"bmi": -3, "=": -5.5}]),
        ("3*(bmi + 2*bp)/2 = bmi", [{"bmi": 0.5, "bp": 3, "=": 0}]),
        ("1 = bmi", [{"bmi": -1, "=": -1}]),
        ("bmi - -bp = 0", [{"bmi": 1, "bp": 1, "=": 0}]),
    ],
)
def test_text(text: str, expected: list[dict[str, float]]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("bmi = agee", "'agee' is not a coefficient"),
        ("bmii = 0", "'bmii' is not a coefficient of this fit.*nearest is 'bmi'"),
        ("x10 = 0", "'x10' is not a coefficient"),
        ("bmi:s5 = 0", "'bmi:s5' is not a coefficient"),
        ("C(sex)[T.3] = 0", r"'C\(sex\)\[T.3\]' is not a coefficient"),
        ("log(bmi) = 0", r"'log\(bmi\)' is not a coefficient"),
        ("bmi(2) = 0", "not a coefficient"),
        ("bmi * bp = 0", "product of coefficients is not linear"),
        ("1 / bmi = 0", "division by a coefficient is not linear"),
        ("bmi / 0 = 1", "division by zero"),
        ("bmi ^ 2 = 0", r"'\^' has no meaning"),
        ("bmi < 0", "'<' has no meaning"),
        ("bmi", "has no '='"),
        ("bmi = 0, bp", "has no '='"),
        ("2 = 2", "nothing about any coefficient"),
        ("bmi = bmi", "nothing about any coefficient"),
        ("bmi = ", "the end stands where"),
        ("", "the end stands where"),
        ("bmi = 0,", "the end stands where"),
        ("(bmi = 0", "not closed"),
        ("bmi) = 0", "has no '='"),
        ("bmi = 0 bp", "is not expected here"),
        ("2bmi = 0", "'2bmi' is not a coefficient"),
        ("bmi = 1e5000", "not a finite number"),
        ("(" * 60 + "bmi" + ")" * 60 + " = 0", "parentheses or signs within each other"),
        ("bmi = 0" + " " * 20000, "characters"),
        ("__import__('os') = 0", "not a coefficient"),
    ],
)
def test_bad_text(text: str, what: str) -> None:
    with pytest.raises(FormulaError, match=what):
        parse(text, NAMES)


@dataclass
class Estimates:
    names: tuple[str, ...]
    theta: torch.Tensor
    covariance: torch.Tensor | None
    df: float | None
    spec: Any = None
    aliased: Any = ()
    held: Any = ()
    separation: Any = None
    covariance_reason: str | None = None


def estimates(truth: Any, names: tuple[str, ...], df: float | None, **more: Any) -> Estimates:
    return Estimates(names, torch.tensor(truth.params), torch.tensor(truth.cov_params()), df, **more)


HYPOTHESES = [
    "bmi = 0",
    "bmi = bp",
    "2*bmi - bp = 3",
    "bmi = bp = 0",
    "bmi = bp, s5 = 40",
    "bmi = 0, bp = 0, 2*bmi = 0",
]


@pytest.mark.parametrize("text", HYPOTHESES)
def test_f_test(text: str, diabetes: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit()
    expected = truth.f_test(tuple(part.numpy() for part in independent(text, diabetes.names)))
    found = wald(estimates(truth, diabetes.names, truth.df_resid), text)
    assert found.statistic == pytest.approx(float(expected.fvalue), rel=1e-8)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-7)
    assert (found.df, found.df_denominator) == (expected.df_num, expected.df_denom)
    assert str(found).startswith(f"{text}: F(")


def independent(text: str, names: tuple[str, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Without the third restriction of the last hypothesis, which repeats the first."""
    matrix, right = parse(text, names)
    return (matrix[:2], right[:2]) if len(right) > 2 else (matrix, right)


def test_chi_squared_test(cancer: Any, tools: Any) -> None:
    _, model = tools.any(cancer)
    truth = model.fit(tol=1e-14)
    text = "texture = 0.2, smoothness = 2*symmetry"
    expected = truth.wald_test(tuple(part.numpy() for part in parse(text, cancer.names)), use_f=False, scalar=True)
    found = wald(estimates(truth, cancer.names, None), text)
    assert found.statistic == pytest.approx(float(expected.statistic), rel=1e-8)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-7)
    assert found.df_denominator is None
    assert "chi2(2)" in str(found)


def test_units_do_not_matter(diabetes: Any) -> None:
    one = estimates(sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit(), diabetes.names, 438.0)
    unit = torch.tensor([1, 1e-60, 1e60, 1], dtype=torch.float64)
    other = Estimates(one.names, one.theta * unit, one.covariance * unit[:, None] * unit, 438.0)
    found = wald(other, "bmi = bp = 0")
    assert found.statistic == pytest.approx(wald(one, "bmi = bp = 0").statistic, rel=1e-12)


def test_terms(diabetes: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit()
    terms = [("Intercept", slice(0, 1)), ("bmi", slice(1, 2)), ("pressure", slice(2, 4))]
    spec = SimpleNamespace(terms=[SimpleNamespace(name=name, slice=part) for name, part in terms])
    one, two, three = term_tests(estimates(truth, diabetes.names, truth.df_resid, spec=spec))
    assert [t.text for t in (one, two, three)] == ["Intercept", "bmi", "pressure"]
    assert two.statistic == pytest.approx(truth.tvalues[1] ** 2, rel=1e-9)
    assert three.p_value == pytest.approx(float(truth.f_test(np.eye(4)[2:]).pvalue), rel=1e-7)
    aliased = estimates(truth, diabetes.names, truth.df_resid, spec=spec, aliased={"s5": "= bp", "bmi": "= 2"})
    _, two, three = term_tests(aliased)
    assert math.isnan(two.statistic)
    assert two.note == "all its coefficients are aliased"
    assert three.df == 1


def test_what_cannot_be_tested(diabetes: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit()
    with pytest.raises(FormulaError, match="contradict"):
        wald(estimates(truth, diabetes.names, 438.0), "bmi = 1, 2*bmi = 3")
    with pytest.raises(NotAvailableError, match="'bp' has no estimate: = 2"):
        wald(estimates(truth, diabetes.names, 438.0, aliased={"bp": "= 2 * bmi"}), "bmi = bp")
    nothing = Estimates(diabetes.names, torch.tensor(truth.params), None, None, covariance_reason="no degrees")
    with pytest.raises(NotAvailableError, match="no degrees"):
        wald(nothing, "bmi = bp")
    separated = estimates(truth, diabetes.names, None, separation=SimpleNamespace(sentence="The data are separated."))
    with pytest.raises(NotAvailableError, match="are separated"):
        wald(separated, "bmi = bp")
    few = estimates(truth, diabetes.names, 438.0)  # as from two clusters: a covariance of rank 1
    few.covariance = torch.outer(few.theta, few.theta)
    with pytest.raises(NotAvailableError, match="lower rank"):
        wald(few, "bmi = bp = 0")
