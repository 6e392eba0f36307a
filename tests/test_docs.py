"""Every formula of docs/formulas.md is read, and has the columns that stand beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import thalweg as tw
from thalweg.data.foreign import ADVICE
from thalweg.data.functions import FUNCTIONS
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.data.transforms import SIGNATURES
from thalweg.errors import CollinearityWarning, FormulaError

PAGE = (Path(__file__).parents[1] / "docs" / "formulas.md").read_text()
CODE = re.compile(r"``\s(.+?)\s``|`([^`]+)`")
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
ACCEPTED, REFUSED = PROSE.split("## What is refused")


def codes(text: str) -> list[str]:
    return [long or short for long, short in CODE.findall(text)]


def formulas(text: str) -> list[str]:
    return sorted({code for code in codes(text) if " ~ " in code and code != "response ~ terms"})


def rows(text: str) -> list[tuple[str, list[str]]]:
    """Rows of the tables whose second column lists columns."""
    cells = [line.split(" | ") for line in text.splitlines() if line.startswith("| `y ~")]
    return [(codes(first)[0], codes(second)) for first, second, *rest in cells if rest]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    names: dict[str, Any] = {}
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    exec(compile(block, "formulas.md", "exec"), names)
    return names["data"]


@pytest.mark.parametrize("formula", formulas(ACCEPTED))
def test_formula_is_read(formula: str, data: dict[str, Any]) -> None:
    assert Spec.learn(formula, open_source(data)).names


@pytest.mark.parametrize(("formula", "columns"), rows(ACCEPTED))
def test_formula_has_the_columns_beside_it(formula: str, columns: list[str], data: dict[str, Any]) -> None:
    assert list(Spec.learn(formula, open_source(data)).names) == columns


@pytest.mark.parametrize("formula", [codes(line)[0] for line in REFUSED.splitlines() if line.startswith("| `")])
def test_formula_is_refused(formula: str, data: dict[str, Any]) -> None:
    with pytest.raises(FormulaError):
        Spec.learn(formula, open_source(data))


def test_page_names_every_function() -> None:
    assert {*FUNCTIONS, *SIGNATURES} <= {name for code in codes(PROSE) for name in re.findall(r"\w+", code)}


def test_same_design(data: dict[str, Any]) -> None:
    names = [Spec.learn(formula, open_source(data)).names for formula in ("y ~ g/x", "y ~ x %in% g")]
    assert names[0] == names[1]
    names = [Spec.learn(formula, open_source(data)).names for formula in ("y ~ x**2", "y ~ x")]
    assert names[0] == names[1]


def test_spline_beside_an_intercept(data: dict[str, Any]) -> None:
    with pytest.warns(CollinearityWarning, match="1 of 5 columns"):
        aliased = tw.fit("y ~ cr(x, df=4)", data)
    centred, alone = (
        tw.fit(f"y ~ {terms}", data) for terms in ('cr(x, df=3, constraints="center")', "0 + cr(x, df=4)")
    )
    assert len(aliased.aliased) == 1
    assert not centred.aliased
    assert alone.statistics.rss == pytest.approx(aliased.statistics.rss, rel=1e-10)
    assert alone.statistics.rss == pytest.approx(centred.statistics.rss, rel=1e-10)


def test_contrasts_compare_what_the_page_says(data: dict[str, Any]) -> None:
    means = {level: data["y"][data["g"] == level].mean() for level in "abc"}
    whole = sum(means.values()) / 3
    expected = {
        "Diff": [means["b"] - means["a"], means["c"] - means["b"]],
        "Sum": [means["a"] - whole, means["b"] - whole],
        'Treatment("b")': [means["a"] - means["b"], means["c"] - means["b"]],
        "contr.SAS": [means["a"] - means["c"], means["b"] - means["c"]],
        "Helmert": [(means["b"] - means["a"]) / 2, (means["c"] - (means["a"] + means["b"]) / 2) / 3],
    }
    for contrast, values in expected.items():
        found = list(tw.fit(f"y ~ C(g, {contrast})", data).coefficients.values())[1:]
        assert found == pytest.approx(values, rel=1e-10)


@pytest.mark.parametrize("name", ADVICE)
def test_functions_of_other_programs_are_answered_with_what_to_write(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(FormulaError, match=rf"there is no function {name} .*(Write|write|Compute)"):
        Spec.learn(f"y ~ x + {name}(g)", open_source(data))


def test_advice_can_be_followed(data: dict[str, Any]) -> None:
    for foreign, here in {
        "factor(k)": "C(k)",
        'Q("body mass")': "`body mass`",
        "relevel(g, ref='b')": "C(g, Treatment(",
        "C(g, ref='b')": "C(g, Treatment('b'))",
        "C(g, 'b')": "C(x, Treatment('b'))",
        "ln(I(x + (1)))": "log(I(x + (1)))",
        "(1 | g)": "cluster='group'",
    }.items():
        with pytest.raises(FormulaError) as caught:
            Spec.learn(f"y ~ {foreign}", open_source(data))
        assert here in str(caught.value)


def test_a_column_may_have_the_name_of_such_a_function() -> None:
    data = {"y": [1.0, 2.0, 4.0], "s": [0.0, 1.0, 2.5], "factor": [1.0, 0.0, 2.0]}
    assert Spec.learn("y ~ s + factor", open_source(data)).names == ("Intercept", "s", "factor")
