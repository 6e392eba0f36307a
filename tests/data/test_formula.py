"""Formulas against formulaic's own columns, and what is refused before anything is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import formulaic
import numpy as np
import pandas as pd
import pytest

from thalweg.data.formula import parse_formula
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import FormulaError

AGREE = """
x; x + z; 0 + x; x - 1; x + 0; -1 + x; x*z; x:z; x/z; a; a + b; a*b; a:b; 0 + a:b; 0 + a; a - 1; a + a:b; b:a + x:a
a*b*x; a:x; x:a; a/b; a/x; (a + b)**2; (a+b+x)^2; b %in% a; x %in% a; (x+a)/b; a + (x+z)*b - z; x:z:a; a:b:x; 1
log(x); I(x**2); I(x ** 2+z); x+I(x); exp(x)+log10(x)+log2(x); I(x>2); I(log(x)/2); 2:x; x.1; `x`:z
poly(x,2); poly(x,3,raw=True); poly(z, 4); poly(x, degree=2); x:poly(z,2); poly(z,2):a; a:poly(z,2); a*poly(z,2)
bs(x,df=5); bs(x,df=6,degree=2); bs(x,knots=[1.5,2.5]); bs(x,df=5,include_intercept=True); bs(x,df=4):a
bs(x,df=5,include_intercept=True)-1; bs(x, df=1, degree=1); bs(x,df=4,lower_bound=0,upper_bound=4); bs(z,degree=0,df=3)
cr(x,df=4); cs(x,df=4,constraints='center'); cc(x,df=4); cc(x,df=4,constraints='center'); cr(z,knots=[-.5,.5])
cr(x,df=5,lower_bound=0,upper_bound=4)
scale(x); center(x); standardize(x); scale(x,center=False); scale(x, scale=False); scale(x,ddof=0); scale(x):scale(z)
I(center(x)**2); C(k); C(k,Treatment(2)); C(a, contr.treatment('v')); C(a, Treatment(reference='w')); C(a,contr.SAS)
C(a,Sum); C(a,contr.sum()); C(a,contr.helmert); C(a,contr.poly); C(a,Diff); -1+C(a,Sum); C(a,Sum):x; x:C(a,Sum)
C(a,Sum)*b; C(a,levels=['w','v','u']); 0+C(k):x; C(k, spans_intercept=False); C(a)+C(a):C(b); a*b*C(k)
`mean rad`; log(`mean rad`); `mean rad`:a; poly(`mean rad`, 2); a+x+a:x+b:a:x; 0 + a + b; 0+b+a:b
"""
FORMULAS = [text.strip() for line in AGREE.strip().splitlines() for text in line.split(";")]


@pytest.mark.parametrize("terms", FORMULAS)
def test_columns_are_those_of_formulaic(terms: str, table: pd.DataFrame) -> None:
    truth = formulaic.model_matrix(terms, table)
    source = open_source(table)
    spec = Spec.learn(f"y ~ {terms}", source)
    (batch,) = source.batches(spec.columns)
    block = spec.block(batch)
    assert list(spec.names) == list(truth.columns)
    np.testing.assert_allclose(block.matrix.dense().numpy(), np.asarray(truth, dtype=float), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(spec.doubled(batch).high.numpy(), block.matrix.dense().numpy(), rtol=1e-14, atol=1e-14)
    assert spec.terms[-1].slice.stop == len(spec.names)


def test_the_dot_is_all_other_columns(table: pd.DataFrame) -> None:
    source = open_source(table)
    assert Spec.learn("y ~ . - z", source).names[1:6] == ("x", "a[T.v]", "a[T.w]", "b[T.q]", "k")
    spec = Spec.learn("log(x) ~ .:b + offset(z)", source, weights="k")
    assert {term.name for term in spec.terms} == {"Intercept", "y:b", "a:b", "b", "mean rad:b", "x.1:b"}


HOSTILE = [
    "y ~ __import__('os').system('true')",
    "y ~ I(__import__('os'))",
    "y ~ x.__class__",
    "y ~ log(x.__class__)",
    "y ~ I(x.real)",
    "y ~ s.upper()",
    "y ~ (lambda: 1)()",
    "y ~ I((lambda: 1)())",
    "y ~ I([i for i in x])",
    "y ~ I({i for i in x})",
    "y ~ I(sum(i for i in x))",
    "y ~ I(f'{x}')",
    "y ~ f'{x}'",
    "y ~ {x}",
    "y ~ I({'a': x})",
    "y ~ Q('x')",
    "y ~ eval('1')",
    "y ~ I(exec('1'))",
    "y ~ getattr(x, 'a')",
    "y ~ open('/etc/passwd')",
    "y ~ I(x if x else 1)",
    "y ~ I(x[0])",
    "y ~ x[0]",
    "y ~ I(x := 3)",
    "y ~ log(*x)",
    "y ~ log(**x)",
    "y ~ log(x, out=x)",
    "y ~ log(x)(x)",
    "y ~ I(x and s)",
    "y ~ I(not x)",
    "y ~ I(x < 2 < 3)",
    "y ~ I(x // 2)",
    "y ~ I(x @ x)",
    "y ~ I('a')",
    "y ~ I(True)",
    "y ~ I(None)",
    "y ~ I(...)",
    "y ~ I(1j * x)",
    "y ~ I(b'a')",
    "y ~ I(await x)",
    "y ~ I(yield)",
    "y ~ yield",
    "y ~ I(0x10 * x)",
    "y ~ I(1_000 * x)",
    "y ~ x; import os",
    "y ~ x\\n",
    "y ~ x\x00",
    "y ~ \u200bx",
    "y ~ x # comment",
    "y ~ 'x'",
    "y ~ poly(x, 10**9)",
    "y ~ poly(x, degree=__import__)",
    "y ~ bs(x, df=100000)",
    "y ~ bs(x, knots=[i for i in x])",
    "y ~ C(x, eval('1'))",
    "y ~ C(x, contr.__class__)",
    "eval('1') ~ x",
    "y.__class__ ~ x",
]
LONG = {
    "brackets": "y ~ " + "(" * 4000 + "x" + ")" * 4000,
    "brackets of a call": "y ~ I(" + "(" * 4000 + "x" + ")" * 4000 + ")",
    "brackets never closed": "y ~ " + "(" * 9000,
    "calls": "y ~ " + "I(" * 2000 + "x" + ")" * 2000,
    "text": "y ~ " + "+".join(["x"] * 6000),
    "sum in a call": "y ~ I(" + "+".join(["x"] * 4900) + ")",
    "sum of some length": "y ~ I(" + "+".join(["x"] * 150) + ")",
    "sum of more length": "y ~ I(" + "+".join(["x"] * 700) + ")",
    "signs": "y ~ I(" + "-" * 9900 + "x)",
    "powers": "y ~ I(" + "**".join(["x"] * 3000) + ")",
    "not": "y ~ I(" + "not " * 2400 + "x)",
    "number": "y ~ I(" + "9" * 9000 + "*x)",
    "power of a sum": "y ~ (x+s+m+b+u+v)**20",
    "product": "y ~ " + "*".join(f"c{i}" for i in range(40)),
    "interaction": "y ~ " + ":".join(f"c{i}" for i in range(40)),
    "powers of powers": "y ~ ((x+s+m)**3)**9",
    "exponent": "y ~ x**9999999999999",
    "long exponent": "y ~ x**" + "9" * 40,
    "exponent of itself": "y ~ x**x",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_outside_the_list_is_read(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text, ("x", "y", "s"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("what", LONG)
def test_long_and_deep_text_is_refused_at_once(what: str) -> None:
    parse_formula("y ~ x")  # the import of formulaic is not what is timed
    begin = time.perf_counter()
    with pytest.raises(FormulaError) as caught:
        parse_formula(LONG[what])
    assert time.perf_counter() - begin < 2
    assert len(str(caught.value)) < 400


def test_a_long_formula_within_the_limits_is_read() -> None:
    names = [f"c{i}" for i in range(1500)]
    formula = parse_formula("y ~ " + "+".join(names))
    assert [term.name for term in formula.terms[1:]] == names


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y", "has no ~"),
        ("~ x", "names no response"),
        ("y ~", "has no terms"),
        ("y ~ x ~ z", "more than one ~"),
        ("y = a*exp(x)", "curve"),
        ("1 ~ x", "names no column"),
        ("poly(y, 2) ~ x", "learns from the data"),
        ("y ~ x + 2", "Numeric literals"),
        ("y ~ 0", "no column to estimate"),
        ("y ~ x z", "Missing operator between 'x' and 'z'"),
        ("y ~ x +* z", "incorrectly used"),
        ("y ~ x | z", "a bar"),
        ("y ~ (x", "never closed"),
        ("y ~ x)", "closes nothing"),
        ("y ~ `x", "backquote without its partner"),
        ("y ~ 'abc", "without its closing quote"),
        ("y ~ np.log(x)", r"Write log\(x\)"),
        ("y ~ I(x^2)", r"the operator \^ .*Write x\*\*2 for a power"),
        ("y ~ lg(x)", "Did you mean log"),
        ("y ~ log()", "takes one argument"),
        ("y ~ log(3)", "names no column"),
        ("y ~ poly(center(x), 2)", r"center\(x\) inside poly"),
        ("y ~ center(scale(x))", r"scale\(x\) inside center"),
        ("y ~ I(poly(x, 2))", "cannot stand inside"),
        ("y ~ log(C(x))", "cannot stand inside"),
        ("y ~ poly(x, 0)", "at least 1"),
        ("y ~ poly(x, 2, foo=1)", "takes the options degree, raw"),
        ("y ~ poly(x, 2, degree=3)", "takes the options"),
        ("y ~ bs(x, df=2)", "df must be"),
        ("y ~ bs(x, df=5, knots=[1])", "not both"),
        ("y ~ cr(x)", "give df or knots"),
        ("y ~ C(x, foo)", "Contrasts are"),
        ("y ~ C(x, Sum('a'))", "Only treatment takes an option"),
        ("y ~ C(x, levels=['a', 'a'])", "each level once"),
        ("y ~ x:offset(z)", "cannot be part of an interaction"),
        ("y ~ cbind(x, z)", "cbind cannot stand inside"),
        ("y ~ I(x < 'a')", "comparison with a text"),
    ],
)
def test_refusals_say_why(text: str, says: str) -> None:
    source = open_source({"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0, 4.0], "z": [0.0, 1.0, 0.0]})
    with pytest.raises(FormulaError, match=says):
        Spec.learn(text, source)


def test_a_refusal_names_its_place() -> None:
    with pytest.raises(FormulaError, match=r"a lambda .*character 15 of 'y ~ `ä b` \+ I\(lambda: 1\)'"):
        parse_formula("y ~ `ä b` + I(lambda: 1)")


@pytest.mark.parametrize("name", ["a b", "größe", "ﬁ", "class", "x.y", "1st", "lambda", "日本", "__x", "x-y", "a'b"])
def test_any_column_can_be_named(name: str, in_batches: Callable[[Any, int], Any]) -> None:
    data = {"y": [1.0, 2.0, 4.0], name: [1.0, 3.0, 2.0]}
    source = open_source(data)
    spec = Spec.learn(f"y ~ `{name}` + log(`{name}`) + I(`{name}`**2):`{name}`", source)
    assert spec.names[1] == name
    assert spec.columns == ("y", name)
    assert Spec.from_json(spec.to_json()).names == spec.names
    if name in ("größe", "class", "日本"):
        assert Spec.learn(f"y ~ {name} + log({name})", source).names[1:] == (name, f"log({name})")


def test_formulaic_never_sees_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from formulaic.parser import DefaultFormulaParser

    seen = []
    original = DefaultFormulaParser.get_tokens_from_formula

    def spy(self: Any, formula: str, **options: Any) -> Any:
        seen.append(formula)
        return original(self, formula, **options)

    monkeypatch.setattr(DefaultFormulaParser, "get_tokens_from_formula", spy)
    parse_formula("log(y) ~ log(`a b`) * C(x, Treatment('r')) + `c d`")
    assert seen == ["_0 * _1 + _2"]
