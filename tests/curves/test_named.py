"""Named curves: formulas against textbooks, starting values against the optimum that the truth leads to."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy import ndarray
from scipy.optimize import least_squares

from curves.named_cases import CASES, LANGUAGE, Case
from thalweg.curves import named as package
from thalweg.curves.named import ALIASES, CURVES, NamedCurve, named
from thalweg.errors import FormulaError

SETS = 20
NAMES = list(CASES)


def form(name: str, raised: bool) -> NamedCurve:
    return named(name, len(CURVES[name].parameters) + raised)


RAISED = [name for name in NAMES if name not in ("constant", "line", "polynomial")]
FORMS = [(name, False) for name in NAMES] + [(name, True) for name in RAISED]


def compiled(curve: NamedCurve) -> Callable[..., ndarray]:
    code = compile(curve.expression, curve.name, "eval")
    return lambda x, *values: eval(code, LANGUAGE, dict(zip(curve.arguments, (x, *values), strict=True)))


def generator(*words: Any) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(words).encode()))


def data(case: Case, rng: np.random.Generator, raised: bool = False) -> tuple[ndarray, ndarray, dict[str, float]]:
    """Uneven x, in no order, and y with 1 to 3% noise."""
    x = rng.uniform(case.low, case.high, rng.integers(30, 201))
    truth = case.draw(rng)
    y = case.formula(x, **truth)
    height = np.ptp(y) or abs(y[0])
    if raised:
        truth["c"] = height * rng.uniform(-3, 3)
        y = y + truth["c"]
    return x, y + height * rng.uniform(0.01, 0.03) * rng.standard_normal(x.size), truth


def fitted(curve: NamedCurve, x: ndarray, y: ndarray, start: dict[str, float]) -> float:
    """The sum of squares where scipy ends."""
    compute, size = compiled(curve), np.abs(y).max()
    low = [0.0 if name in curve.positive else -np.inf for name in curve.parameters]
    begin = np.array([start[name] for name in curve.parameters])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = least_squares(
            lambda theta: np.nan_to_num((compute(x, *theta) - y) / size, nan=1e10, posinf=1e10, neginf=-1e10),
            begin,
            bounds=(low, np.inf) if curve.positive else (-np.inf, np.inf),
            x_scale="jac",
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-14,
            max_nfev=200,
        )
    return float(2 * found.cost)


@pytest.mark.parametrize(("name", "raised"), FORMS)
def test_start_reaches_what_the_truth_reaches(name: str, raised: bool) -> None:
    curve, missed = form(name, raised), []
    for each in range(SETS // 4 if raised else SETS):
        x, y, truth = data(CASES[name], generator(name, raised, each), raised)
        reached, best = (fitted(curve, x, y, start) for start in (curve.start(x, y, None), truth))
        if not reached <= best * (1 + 1e-6):
            missed.append((each, reached / best, truth))
    assert len(missed) <= (0 if raised else 1), missed


@pytest.mark.parametrize(("name", "raised"), FORMS)
def test_start_is_near(name: str, raised: bool) -> None:
    """Before any solver, the residuals are the noise: to 5%."""
    for each in range(3):
        x, y, truth = data(CASES[name], generator("near", name, raised, each), raised)
        noise = y - predicted(name, x, truth, raised)
        left = y - predicted(name, x, form(name, raised).start(x, y, None), raised)
        assert np.linalg.norm(left) < 1.05 * np.linalg.norm(noise)


# ------------------------------------------------------------------------------------------------------------ formulas


@pytest.mark.parametrize("name", NAMES)
def test_expression_is_the_textbook_formula(name: str) -> None:
    case, rng = CASES[name], generator("formula", name)
    x = np.linspace(case.low, case.high, 57)[1:]
    for _ in range(20):
        truth = case.draw(rng)
        expected = case.formula(x, **truth)
        values = [truth[each] for each in CURVES[name].parameters]
        np.testing.assert_allclose(
            compiled(CURVES[name])(x, *values) + 0 * x, expected, rtol=2e-12, atol=1e-14 * np.abs(expected).max()
        )


def test_every_curve_has_a_case() -> None:
    assert {name for name in CURVES if not name.startswith("poly")} | {"polynomial"} == set(CASES)


@pytest.mark.parametrize("name", RAISED)
def test_the_offset_is_added(name: str) -> None:
    assert form(name, True).arguments == (*CURVES[name].arguments, "c")
    assert form(name, True).expression == f"{CURVES[name].expression} + c"
    assert form(name, True).positive == CURVES[name].positive


@pytest.mark.parametrize(("name", "at_zero"), [("hill", 0.0), ("weibull", 0.0), ("weibull_survival", 3.0)])
def test_concentration_and_time_may_be_zero(name: str, at_zero: float) -> None:
    with np.errstate(all="ignore"):
        found = compiled(CURVES[name])(np.array([-1.0, 0.0]), 3.0, 2.0, 0.5)
    np.testing.assert_array_equal(found, at_zero)


@pytest.mark.parametrize(
    ("name", "values", "ends"),
    [
        ("logistic", (2.0, 1e4, 0.0), (0.0, 2.0)),
        ("gompertz", (2.0, 1e4, 0.0), (0.0, 2.0)),
        ("step", (2.0, 0.0, 1e-4), (0.0, 2.0)),
        ("weibull", (2.0, 1.0, 1e4), (0.0, 2.0)),
        ("weibull_survival", (2.0, 1.0, 1e4), (2.0, 0.0)),
        ("hill", (2.0, 1.0, 1e4), (0.0, 2.0)),
    ],
)
def test_steep_curves_do_not_overflow(name: str, values: tuple[float, ...], ends: tuple[float, float]) -> None:
    np.testing.assert_array_equal(compiled(CURVES[name])(np.array([-5.0, 5.0]), *values), ends)


def test_polynomials_of_any_degree() -> None:
    x, coefficients = np.linspace(-2, 3, 11), np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    expected = np.polynomial.Polynomial(coefficients)(x)
    np.testing.assert_allclose(compiled(named("polynomial", 5))(x, *coefficients), expected, rtol=1e-14)
    np.testing.assert_allclose(compiled(named("poly4"))(x, *coefficients), expected, rtol=1e-14)
    assert named("polynomial", 1).expression == "c0"
    assert named("poly4").arguments == named("polynomial", 5).arguments


# ------------------------------------------------------------------------------------------------------------ registry


def table() -> dict[str, tuple[str, str]]:
    """The rows of the table in the package's docstring."""
    inside = (package.__doc__ or "").split("====\n")[2:-1]
    rows = [line.split("  ") for line in inside[0].splitlines() if not line.startswith("=")]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {name: (call, formula) for name, call, formula in cells}


def test_the_table_of_the_package_holds_every_curve() -> None:
    rows = table()
    assert set(rows) == {name for name in CURVES if name not in [f"poly{degree}" for degree in range(4, 10)]}
    assert all(call == CURVES[name].call for name, (call, _) in rows.items())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "voigt"])
def test_the_table_of_the_package_holds_the_formula(name: str) -> None:
    case, (_, formula) = CASES[name], table()[name]
    x, truth = np.linspace(case.low, case.high, 12)[1:], case.draw(generator("table", name))
    found = eval(formula, LANGUAGE, {"x": x, **truth})
    np.testing.assert_allclose(found + 0 * x, case.formula(x, **truth), rtol=1e-11, atol=1e-13 * abs(truth.get("a", 0)))


def test_aliases_lead_to_curves() -> None:
    assert set(ALIASES.values()) <= set(CURVES)
    assert not set(ALIASES) & (set(CURVES) | set(LANGUAGE))
    assert named("gauss") is CURVES["gaussian"]


@pytest.mark.parametrize(
    ("name", "parameters", "text"),
    [
        ("gausian", None, "there is no curve 'gausian'. Did you mean 'gaussian'?"),
        ("zzz", None, "there is no curve 'zzz'. Curves are constant, line, "),
        ("gauss", 2, "Write gaussian(x, a, mu, s) or gaussian(x, a, mu, s, c)."),
        ("line", 3, "line has 3 parameters after its variable. Write line(x, slope, intercept)."),
        ("polynomial", 0, "polynomial has 0 parameters"),
    ],
)
def test_what_there_is_not(name: str, parameters: int | None, text: str) -> None:
    with pytest.raises(FormulaError) as error:
        named(name, parameters)
    assert text in str(error.value)


@pytest.mark.parametrize("name", [*CURVES, *ALIASES])
def test_the_language_reads_every_curve(name: str) -> None:
    from thalweg.curves.language import read_equation

    equation = read_equation(f"y = {name}(x)", ["x", "y"])
    assert set(equation.parameters) == set(named(name).parameters)
    assert equation.inputs in (("x",), ())


# ------------------------------------------------------------------------------------------------- hard rows for starts


EVEN = np.linspace(0, 7, 40)
HARD: dict[str, tuple[ndarray, ndarray]] = {
    "constant y": (EVEN, np.full(40, 3.0)),
    "y is 0": (EVEN, np.zeros(40)),
    "two points": (np.array([1.0, 2.0]), np.array([3.0, 5.0])),
    "one point": (np.array([1.0]), np.array([3.0])),
    "no point": (np.array([]), np.array([])),
    "equal x": (np.full(9, 4.0), np.arange(9.0)),
    "equal x = 0": (np.zeros(9), np.arange(9.0)),
    "negative x": (-1 - EVEN, np.cos(EVEN)),
    "integers": (np.arange(8), np.arange(8) ** 2),
    "not finite": (np.array([0.0, 1, np.nan, 3, np.inf]), np.array([1.0, np.nan, 2, 3, 4])),
    "noise": (EVEN, np.random.default_rng(5).standard_normal(40)),
    "outlier": (EVEN, np.where(EVEN[17] == EVEN, 1e9, np.sin(EVEN))),
    "years": (1e9 + EVEN, np.exp(EVEN)),
    "tiny": (1e-300 * EVEN, 1e-300 * np.exp(-EVEN)),
    "huge": (1e150 * EVEN, 1e300 * np.exp(-EVEN)),
    "denormal": (5e-324 * np.arange(8), np.arange(8.0)),
    "two sites": (np.concatenate([EVEN * 1e-9, 1 + EVEN * 1e-9]), np.tile(np.sin(EVEN), 2)),
}


@pytest.mark.parametrize(
    ("name", "raised", "rows"),
    [(name, False, rows) for name in NAMES for rows in HARD]
    + [(name, True, rows) for name in RAISED for rows in ("constant y", "two points", "no point", "equal x", "years")],
)
def test_starts_are_finite_whatever_the_rows(name: str, raised: bool, rows: str) -> None:
    curve = form(name, raised)
    for start in curve.starts(*HARD[rows], None) if curve.starts else [curve.start(*HARD[rows], None)]:
        assert tuple(start) == curve.parameters
        assert np.isfinite(list(start.values())).all(), start
        assert all(start[each] > 0 for each in curve.positive), start


def predicted(name: str, x: ndarray, start: dict[str, float], raised: bool = False) -> ndarray:
    curve = form(name, raised)
    return compiled(curve)(x, *(start[each] for each in curve.parameters)) + 0 * x


@pytest.mark.parametrize(("name", "raised"), FORMS)
def test_units_change_nothing(name: str, raised: bool) -> None:
    unit = 1e-6 if raised else 1e9
    x, y, _ = data(CASES[name], generator("units", name), raised)
    curve = form(name, raised)
    plain = predicted(name, x, curve.start(x, y, None), raised)
    scaled = predicted(name, x * unit, curve.start(x * unit, y * 1e6, None), raised)
    np.testing.assert_allclose(scaled / 1e6, plain, rtol=1e-5, atol=1e-6 * np.abs(y).max())


@pytest.mark.parametrize(("name", "raised"), FORMS)
def test_order_and_lost_rows_change_nothing(name: str, raised: bool) -> None:
    x, y, _ = data(CASES[name], generator("order", name), raised)
    start, order = form(name, raised).start, np.argsort(-x)
    assert start(x[order], y[order], None) == start(x, y, None)
    weights = np.append(np.ones(x.size), [0.0, 1.0])
    assert start(np.append(x, [7.0, np.nan]), np.append(y, [1e3, 0.0]), weights) == start(x, y, None)


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_little_weight_have_little_say(name: str) -> None:
    x, y, _ = data(CASES[name], generator("weights", name))
    wrong = np.arange(x.size) % 4 == 1
    weighted = CURVES[name].start(x, np.where(wrong, -3 * y.max(), y), np.where(wrong, 1e-9, 2.0))
    expected = CURVES[name].start(x[~wrong], y[~wrong], None)
    found = predicted(name, x, weighted)
    np.testing.assert_allclose(found, predicted(name, x, expected), rtol=1e-2, atol=1e-2 * np.ptp(y))


@pytest.mark.parametrize("name", RAISED)
def test_many_rows_are_thinned(name: str) -> None:
    rows = 20_000
    case, rng = CASES[name], generator("many", name)
    truth, x = case.draw(rng), rng.uniform(case.low, case.high, rows)
    y = case.formula(x, **truth)
    noisy = y + 0.02 * np.ptp(y) * rng.standard_normal(rows)
    error = predicted(name, x, CURVES[name].start(x, noisy, None)) - y
    assert np.sqrt(np.mean(error**2)) < 0.01 * np.ptp(y)


# ------------------------------------------------------------------------------------------- curves upon something else


APART: dict[str, dict[str, Callable[[float], float]]] = {
    "exponential_decay": {"k": lambda k: max(k, 0.5)},
    "gaussian": {"s": lambda s: min(s, 3.0)},
    "lorentzian": {"g": lambda g: min(g, 3.0)},
    "step": {"s": lambda s: min(s, 1.0)},
}


@pytest.mark.parametrize("slope", [0.0, 3.0])
@pytest.mark.parametrize(
    "name", ["gaussian", "lorentzian", "voigt", "sine", "damped_sine", "exponential_decay", "step"]
)
def test_the_curve_is_found_upon_an_offset_and_a_slope(name: str, slope: float) -> None:
    """To a tenth of its range where the rows tell them apart, though its own formula has no place for them."""
    case, missed = CASES[name], 0
    for each in range(SETS // 2):
        rng = generator("baseline", name, each)
        x = rng.uniform(case.low, case.high, 150)
        truth = case.draw(rng)
        y = case.formula(x, **{**truth, **{key: least(truth[key]) for key, least in APART.get(name, {}).items()}})
        height = np.ptp(y)
        over = y + 5 * height + slope * height * (x - case.low) / (case.high - case.low)
        start = CURVES[name].start(x, over + 0.005 * height * rng.standard_normal(x.size), None)
        missed += not np.ptp(predicted(name, x, start) - y) < 0.1 * height
    assert missed == 0


def test_starts_hold_the_other_baselines() -> None:
    """The first is `start`; a peak alone and the peak upon an offset are both there."""
    x = np.linspace(-5, 5, 80)
    y = 2 * np.exp(-(x**2) / 2) + 1
    curve = CURVES["gaussian"]
    assert curve.starts is not None
    found = curve.starts(x, y, None)
    assert found[0] == curve.start(x, y, None)
    assert found[0]["s"] == pytest.approx(1, rel=1e-2)
    assert any(each["s"] > 2 for each in found[1:])


def test_a_narrow_peak_among_many_rows() -> None:
    x = np.linspace(0, 1000, 900)
    y = 0.02 * np.random.default_rng(3).standard_normal(900) + np.exp(-(((x - 612.3) / 1.4) ** 2) / 2)
    start = CURVES["gaussian"].start(x, y, None)
    assert start["mu"] == pytest.approx(612.3, abs=0.2)
    assert start["s"] == pytest.approx(1.4, rel=0.2)
