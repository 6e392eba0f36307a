"""What the summary says is what the fit holds."""

from __future__ import annotations

import io
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

import thalweg as tw
from thalweg.inference.coefficients import coefficient_table
from thalweg.show.content import content
from thalweg.show.html import summary_html
from thalweg.show.numbers import aligned, elide, elide_column, fixed, p_text, significant, with_error
from thalweg.show.tables import summary_rich, summary_text
from thalweg.show.whole import statistics


def _table(text: str) -> list[list[str]]:
    """Cells of the coefficient table: what stands between the first two rules, without its headings."""
    rules = [i for i, line in enumerate(text.splitlines()) if set(line) == {"-"}]
    lines = text.splitlines()[rules[0] + 2 : rules[1]]
    return [re.split(r"\s{2,}", line.strip()) for line in lines]


def test_every_number_of_the_table_is_the_fits_own(any_fit: tw.Fit) -> None:
    rows = coefficient_table(any_fit, any_fit.level)
    for row, (name, *cells) in zip(rows, _table(summary_text(any_fit, width=100)), strict=True):
        assert name == elide(row.name, len(name))
        shown = [float(cell.lstrip("<")) for cell in cells]
        for got, want in zip(shown[:3], (row.estimate, row.std_error, row.statistic), strict=True):
            assert got == pytest.approx(want, rel=2e-3, abs=6e-4)
        assert shown[3] == pytest.approx(row.p_value, rel=0.05) or row.p_value < 1e-16
        for got, want in zip(shown[4:], (row.low, row.high), strict=True):
            assert abs(got - want) < 1e-3 * row.std_error


def test_the_estimate_is_shown_to_the_decimal_of_its_error(any_fit: tw.Fit) -> None:
    for row in coefficient_table(any_fit, any_fit.level):
        estimate, error = with_error(row.estimate, row.std_error)
        assert abs(float(estimate) - row.estimate) < 1e-3 * row.std_error
        assert float(error) == pytest.approx(row.std_error, rel=5e-4)


@pytest.mark.parametrize("width", [72, 80, 88, 100, 140])
def test_no_line_is_wider_than_asked(any_fit: tw.Fit, width: int) -> None:
    assert max(map(len, summary_text(any_fit, width=width).splitlines())) <= max(width, 88)


def test_decimal_points_stand_below_one_another(linear: tw.Fit) -> None:
    text = summary_text(linear)
    rules = [i for i, line in enumerate(text.splitlines()) if set(line) == {"-"}]
    lines = text.splitlines()[rules[0] + 2 : rules[1]]
    name_end = max(len(row[0]) for row in _table(text))
    assert len({line.index(".", name_end) for line in lines}) == 1


def test_statistics_are_shown(linear: tw.Fit, counts: tw.Fit) -> None:
    text, s = summary_text(linear), linear.statistics
    assert re.search(rf"\bR² +{s.r2:.5g}", text)
    assert re.search(rf"\bAIC +{s.aic:.2f}", text)
    assert re.search(rf"\bsigma +{s.sigma:.5g}", text)
    text, s = summary_text(counts), counts.statistics
    assert re.search(rf"\bdeviance +{s.deviance:.5g}", text)
    assert re.search(rf"\blog-likelihood +{s.log_likelihood:.2f}", text)
    assert not re.search(r"\bR² ", text.replace("deviance R²", ""))


def test_the_header_says_what_was_fitted(logistic: tw.Fit, counts: tw.Fit) -> None:
    text = summary_text(logistic)
    assert text.startswith("Logistic regression")
    assert "diagnosis ~ mean_texture" in text
    assert "569 used" in text
    assert "probability of diagnosis = malignant" in text
    assert "poisson, log link" in summary_text(counts)


def test_left_out_rows_are_counted() -> None:
    fit = tw.fit("y ~ x", {"x": [1.0, 2, 3, 4, np.nan], "y": [1.0, 2.5, 2.9, 4.2, 5]}, missing="drop")
    assert "4 used, 1 left out for missing values" in summary_text(fit)


def test_an_aliased_coefficient_has_its_reason_in_place_of_numbers() -> None:
    x = np.arange(8.0)
    with pytest.warns(tw.errors.CollinearityWarning):
        fit = tw.fit("y ~ x + z", {"x": x, "z": 2 * x, "y": x + np.sin(x)})
    text = summary_text(fit)
    assert _table(text)[-1][:2] == ["z", "n/a"]
    assert re.search(r"\* .*z.*2 ?\*? ?x", text)


def test_a_separated_fit_shows_its_sentence_and_no_numbers() -> None:
    with pytest.warns(tw.errors.SeparationWarning):
        fit = tw.fit("y ~ x", {"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]}, family="binomial")
    text = summary_text(fit)
    assert fit.separation is not None
    assert " ".join(fit.separation.sentence.split()) in " ".join(text.split()).replace("- ", "-")
    assert [row[1:] for row in _table(text)] == [["n/a"] * 6] * 2


def test_one_reason_is_told_once_for_all_that_it_explains() -> None:
    text = " ".join(summary_text(tw.fit("y ~ x", {"x": [1.0, 2], "y": [1.0, 3]})).split())
    assert text.count("no residual degrees of freedom") == 1
    assert "standard errors, adjusted R², sigma, F: no residual degrees of freedom" in text


def test_weights_are_named_and_counted() -> None:
    data = {"x": [1.0, 2, 3, 4], "y": [1.0, 2.5, 2.9, 4.2], "w": [1, 2, 3, 1]}
    text = summary_text(tw.fit("y ~ x", data, weights="w", weights_kind="frequency"))
    assert "4 used, counted as 7 by their weights" in text
    assert "Weights are frequencies" in text


def test_rich_shows_the_same_cells(linear: tw.Fit) -> None:
    from rich.console import Console

    console = Console(width=110, record=True, file=io.StringIO())
    console.print(summary_rich(linear))
    text = console.export_text()
    for row in content(linear).coefficients:
        for cell in row:
            assert cell in text


class _Checker(HTMLParser):
    """Fails on tags that do not nest; collects the text."""

    void = frozenset({"br", "hr", "meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("td", "th"):
            self.cells.append(data.strip())


def test_html_is_well_formed_and_holds_the_same_cells(any_fit: tw.Fit) -> None:
    checker = _Checker()
    checker.feed(summary_html(any_fit))
    checker.close()
    assert checker.open == []
    for row in content(any_fit).coefficients:
        assert set(row) <= set(checker.cells)


def test_html_escapes_names_from_the_data() -> None:
    name = "<script>alert(1)</script>&\"'"
    data = {"y": [1.0, 2, 4, 3, 6, 5], "g": ["!", name, "!", name, name, "!"]}  # the first level has no column
    text = summary_html(tw.fit("y ~ g", data))
    assert "<script" not in text
    checker = _Checker()
    checker.feed(text)
    assert "script" not in checker.tags
    assert any(name in cell for cell in checker.cells)


def test_rich_reads_no_markup_in_names() -> None:
    from rich.console import Console

    data = {"y": [1.0, 2, 4, 3, 6, 5], "g": ["!", "[red]b[/red]", "!", "[red]b[/red]", "!", "!"]}
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(summary_rich(tw.fit("y ~ g", data)))
    assert "[red]b[/red]" in console.export_text()


@pytest.mark.parametrize(
    ("value", "digits"), [(0.0, 5), (1e300, 5), (-1e-300, 4), (9.99999, 3), (999999.5, 6), (1e7, 5), (math.inf, 3)]
)
def test_significant_digits_read_back(value: float, digits: int) -> None:
    assert float(significant(value, digits)) == pytest.approx(value, rel=10.0 ** (1 - digits))


@pytest.mark.parametrize("p", [0.0, 1e-17, 1e-16, 1e-5, 0.00012345, 0.04999, 0.05, 0.9999, 1.0, math.nan])
def test_p_values_read_back(p: float) -> None:
    text = p_text(p)
    if math.isnan(p):
        assert text == "n/a"
    elif p < 1e-16:
        assert text == "<1e-16"
    else:
        assert float(text) == pytest.approx(p, rel=0.03)


def test_fixed_turns_to_an_exponent_outside_its_range() -> None:
    assert fixed(123456789.0, 2, 5) == "1.2346e+08"
    assert fixed(0.0, 2, 5) == "0.00"


def test_aligned_cells_have_one_width() -> None:
    cells = aligned(["1", "-22.5", "<1e-16", "n/a", "3.0e-05", "inf"])
    assert len({len(cell) for cell in cells}) == 1


def _columns(n: int = 120) -> dict[str, Any]:
    rng = np.random.default_rng(11)
    x, z = rng.normal(size=n), rng.normal(size=n)
    y = 1 + x + rng.normal(size=n) * (1 + x**2)
    counts = {"dead": rng.integers(0, 5, n).astype(float), "alive": np.full(n, 3.0), "m": np.full(n, 4.0)}
    return {"y": y, "x": x, "z": z, "g": rng.integers(0, 9, n), "w": rng.integers(1, 4, n), **counts}


@pytest.mark.parametrize("kind", ["HC1", "HC3", "cluster"])
def test_f_beside_robust_errors_is_wald_s(kind: str) -> None:
    data = _columns()
    ours = tw.fit("y ~ x + z", data, **({"cluster": "g"} if kind == "cluster" else {"covariance": kind}))
    options = {"cov_kwds": {"groups": data["g"]}} if kind == "cluster" else {}
    design = np.stack([np.ones_like(data["x"]), data["x"], data["z"]], axis=1)
    theirs = sm.OLS(data["y"], design).fit(cov_type=kind, use_t=True, **options)
    shown = ours.glance()
    assert shown["statistic"][0] == pytest.approx(theirs.fvalue, rel=1e-9)
    assert shown["p_value"][0] == pytest.approx(theirs.f_pvalue, rel=1e-8)
    assert re.search(rf"F \(robust\) +{significant(theirs.fvalue)}", summary_text(ours))


def test_f_beside_the_model_s_errors_has_no_such_label(linear: tw.Fit) -> None:
    assert "robust" not in summary_text(linear)
    assert statistics(linear) is linear.statistics


def test_a_robust_f_that_does_not_exist_has_its_reason() -> None:
    data = {"y": [1.0, 2, 4, 3, 6, 5], "x": [1.0, 3, 2, 5, 4, 6], "z": [1.0, 0, 1, 1, 0, 3], "g": [1, 1, 1, 2, 2, 2]}
    text = " ".join(summary_text(tw.fit("y ~ x + z", data, cluster="g")).split())
    assert "F (robust) n/a" in text
    assert "F (robust): the covariance of its 2 restrictions has a lower rank" in text
    assert "t with 1 degree of freedom" in text


def _head(fit: tw.Fit) -> dict[str, str]:
    return dict(content(fit).header)


def test_every_role_is_in_the_header_also_of_a_loaded_model(tmp_path: Path) -> None:
    data = _columns()
    named = tw.fit("y ~ x", data, weights="w", weights_kind="frequency", offset="2 * z", cluster="g")
    exposed = tw.fit("dead ~ x", data, family="poisson", exposure=data["m"], cluster=data["g"], weights=data["w"])
    tried = tw.fit("I(dead / m) ~ x", data, family="binomial", trials="m")
    for i, fit in enumerate((named, exposed, tried)):
        fit.save(tmp_path / f"{i}.safetensors")
    loaded = [tw.load(tmp_path / f"{i}.safetensors") for i in range(3)]
    for fit, kept in zip((named, exposed, tried), loaded, strict=True):
        assert {**_head(fit), "data": ""} == {**_head(kept), "data": ""}
    head = _head(named)
    assert (head["weights"], head["offset"], head["cluster"]) == ("w (frequency)", "2 * z", "g")
    head = _head(exposed)
    assert head["exposure"] == head["cluster"] == "given as an array"
    assert head["weights"] == "given as an array (precision)"
    assert head["errors"].startswith("robust, clustered; ")
    assert _head(tried)["trials"] == "m"
    assert not {"weights", "offset", "exposure", "trials", "cluster"} & set(_head(tw.fit("y ~ x", data)))
    assert "2 * z" in summary_html(named)
    assert ">given as an array<" in summary_html(exposed)


@pytest.mark.parametrize(
    ("response", "options", "wanted"),
    [
        ("y01", {}, "the probability of y01 = 1"),
        ("y01", {"weights": "w"}, "the probability of y01 = 1"),
        ("I(y > 1)", {}, "the probability of y > 1"),
        ("z > y", {}, "the probability of z > y"),
        ("cbind(dead, alive)", {}, "the probability of dead (against alive)"),
        ("share", {"trials": "m"}, "the probability of a success, of which share is the proportion"),
        ("y01", {"weights": "w", "weights_kind": "sampling"}, "the mean of y01, a probability"),
    ],
)
def test_a_binomial_model_says_what_is_modelled(response: str, options: dict[str, str], wanted: str) -> None:
    data = _columns()
    data |= {"y01": (data["y"] > 1).astype(float), "share": data["dead"] / data["m"]}
    assert _head(tw.fit(f"{response} ~ x", data, family="binomial", **options))["modelled"] == wanted
    assert "modelled" not in _head(tw.fit("y ~ x", data))


LIMITS = ("deviance", "pearson_chi2", "log_lik", "aic", "bic")


def test_complete_separation_leaves_no_statistic_that_depends_on_the_solver() -> None:
    with pytest.warns(tw.errors.SeparationWarning):
        fit = tw.fit("y ~ x", {"x": [1.0, 2, 3, 4, 5, 6], "y": [0, 0, 0, 1, 1, 1]}, family="binomial")
    text = " ".join(summary_text(fit).split())
    for label in ("deviance", "Pearson chi²", "log-likelihood", "AIC", "BIC", "deviance R²", "McFadden R²"):
        assert f"{label} n/a" in text
    assert "AIC, BIC, McFadden R²: the data are separated" in text
    shown = fit.glance()
    assert all(math.isnan(shown[name][0]) for name in LIMITS)
    assert shown["null_deviance"][0] == pytest.approx(12 * math.log(2))


def test_quasi_complete_separation_shows_the_limits() -> None:
    """In the limit the rows that are told apart fit exactly: the others have the deviance of a fit of their own."""
    data = {"g": ["a"] * 4 + ["b"] * 4, "y": [0.0, 0, 0, 0, 0, 1, 1, 1]}
    with pytest.warns(tw.errors.SeparationWarning):
        shown = tw.fit("y ~ g", data, family="binomial").glance()
    rest = tw.fit("y ~ 1", {"y": data["y"][4:]}, family="binomial").glance()
    for name in ("deviance", "log_lik", "pearson_chi2"):
        assert shown[name][0] == pytest.approx(rest[name][0], rel=1e-9)


def test_proportions_without_trials_are_pointed_out(tmp_path: Path) -> None:
    data = _columns() | {"p": np.linspace(0.1, 0.9, 120), "y01": np.arange(120.0) % 2}
    note = "The response holds proportions without trials: standard errors treat each as one trial."
    bare = tw.fit("p ~ x", data, family="binomial")
    bare.save(tmp_path / "m.safetensors")
    assert note in content(bare).notes
    assert note in content(tw.load(tmp_path / "m.safetensors")).notes
    one = {"p": np.r_[0.5, data["y01"][1:]], "x": data["x"]}
    assert note in content(tw.fit("p ~ x", one, family="binomial")).notes
    for formula, options in (("y01 ~ x", {}), ("p ~ x", {"trials": "m"}), ("cbind(dead, alive) ~ x", {})):
        assert note not in content(tw.fit(formula, data, family="binomial", **options)).notes
    assert note not in content(tw.fit("p ~ x", data)).notes


@pytest.mark.parametrize(
    ("name", "width", "wanted"),
    [
        ("C(region, Treatment('North'))[T.East]", 30, "C(region, …)[T.East]"),
        ("C(region, Treatment('a, (b'))[T.x, y]:log(z)", 40, "C(region, …)[T.x, y]:log(z)"),
        ("C(a, Sum)[S.1]:poly(bmi, 3, raw=True)[2]", 38, "C(a, …)[S.1]:poly(bmi, …)[2]"),
        ("log(a + (b))", 5, "lo…))"),
        ("it's(", 4, "it…("),
        ("short", 5, "short"),
    ],
)
def test_long_names_keep_the_variable_and_the_level(name: str, width: int, wanted: str) -> None:
    assert elide_column(name, width) == wanted


def test_one_row_is_one_row() -> None:
    text = " ".join(summary_text(tw.fit("y ~ 1", {"y": [2.0]})).split())
    assert "no residual degrees of freedom: 1 row, 1 coefficient." in text
    assert "1 degree of freedom" in summary_text(tw.fit("y ~ x", {"x": [1.0, 2, 4], "y": [1.0, 2, 2]}))
