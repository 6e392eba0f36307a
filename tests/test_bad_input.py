"""Bad input, from end to end: a clear error that says where, or the right answer; never a wrong number in silence."""

from __future__ import annotations

import math
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import thalweg as tw
from bad_input_cases import CLEAN, REFUSED_FILES, SAME_FILES, exact_canonical, exact_least_squares
from thalweg.cli import main
from thalweg.errors import (
    CollinearityWarning,
    ConvergenceWarning,
    ExtrapolationWarning,
    NotAvailableError,
    SeparationWarning,
    ThalwegError,
)

N = 60
RANDOM = np.random.default_rng(20)
X = np.round(RANDOM.normal(size=N) * 64) / 64  # few bits, so that sums with 1e10 are exact
Z = np.round(RANDOM.normal(size=N) * 64) / 64
Y = np.round((1 + 2 * X + RANDOM.normal(size=N)) * 64) / 64
SIDE = (X + RANDOM.normal(size=N) > 0).astype(float)
COUNT = RANDOM.poisson(np.exp(0.5 + 0.3 * X)).astype(float)
G = np.array(list("abc") * (N // 3))
DATA = {"x": X, "z": Z, "y": Y, "side": SIDE, "count": COUNT, "g": G, "amount": np.abs(Y) + 0.5}
RESPONSE = {
    "gaussian": "y",
    "binomial": "side",
    "poisson": "count",
    "gamma": "amount",
    "inverse_gaussian": "amount",
    "negative_binomial": "count",
    "tweedie": "amount",
    "huber": "y",
    "soft_l1": "y",
    "cauchy": "y",
}
PARAMETER = {
    "tweedie": {"power": 1.5},
    "negative_binomial": {"alpha": 0.5},
    **{name: {"scale": 1.3} for name in ("huber", "soft_l1", "cauchy")},
}
FAMILIES = sorted(RESPONSE)


def quiet(formula: str, data: Any, **options: Any) -> tw.Fit:
    """A fit whose warnings are not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tw.fit(formula, data, **options)


def values(fit: tw.Fit) -> list[float]:
    return list(fit.coefficients.values())


def close(ours: Any, truth: Any, digits: float = 11) -> None:
    np.testing.assert_allclose(ours, truth, rtol=10**-digits, atol=1e-300)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(("content", "message"), REFUSED_FILES.values(), ids=REFUSED_FILES.keys())
def test_file_is_refused(tmp_path, capsys, content, message) -> None:
    """In Python by an error that names the place; on the command line by at most two lines and exit code 2."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ThalwegError, match=message) as caught:
        tw.fit("y ~ x", path)
    out = tmp_path / "m.safetensors"
    assert main(["fit", str(path), "y ~ x", "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    assert caught.value.what.split("\n")[0][:30] in said.err
    assert said.out == ""
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", SAME_FILES.values(), ids=SAME_FILES.keys())
def test_file_means_the_same(tmp_path, content) -> None:
    path = tmp_path / "same.csv"
    path.write_bytes(content)
    rows = [line.split(",") for line in CLEAN.splitlines()[1:]]
    x, y, b = [float(r[0]) for r in rows], [float(r[1]) for r in rows], [float(r[2] == "b") for r in rows]
    close(values(tw.fit("y ~ x + g", path)), exact_least_squares([[1.0] * len(x), x, b], y), 14)


def test_integers_at_2_to_the_53_are_exact(tmp_path) -> None:
    x, y = [2**53 - i for i in range(6)], [0, 1, 3, 3, 5, 4]
    path = tmp_path / "large.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))
    close(values(tw.fit("y ~ 0 + x", path)), exact_least_squares([x], y), 15)


def test_thousands_separators(tmp_path) -> None:
    x, y = [1234567, 2345678, 1000, 9876543], [1.5, 2.5, 3.5, 1.25]
    path = tmp_path / "thousands.csv"
    path.write_text("x;y\n" + "".join(f"{a:,};{b}\n" for a, b in zip(x, y, strict=True)))
    close(values(tw.fit("y ~ x", path)), exact_least_squares([[1] * 4, x], y))


# ---------------------------------------------------------------- arrays

I8 = np.round(X * 10).astype(np.int8)
SAME_ARRAYS: dict[str, Any] = {
    "int8": I8,
    "uint64": I8.astype(np.int64).astype(np.float64).astype(np.int64),
    "float16": I8.astype(np.float16),
    "float32": I8.astype(np.float32),
    "big-endian float": I8.astype(">f8"),
    "big-endian integer": I8.astype(">i4"),
    "long double": I8.astype(np.longdouble),
    "negative strides": I8[::-1].astype(float).copy()[::-1],
    "every other": np.repeat(I8.astype(float), 2)[::2],
    "objects": I8.astype(object),
    "one column of a matrix": I8[:, None].astype(float),
    "tensor of bfloat16": torch.tensor(I8).to(torch.bfloat16),
    "list": I8.tolist(),
}


@pytest.mark.parametrize("x", SAME_ARRAYS.values(), ids=SAME_ARRAYS.keys())
def test_array_means_the_same(x) -> None:
    truth = exact_least_squares([np.ones(N), I8.astype(float)], Y)
    close(values(tw.fit("y ~ x", {"x": x, "y": Y})), truth, 14)
    close(values(tw.fit("y ~ x", {"x": x, "y": Y[:, None]})), truth, 14)


REFUSED_ARRAYS: dict[str, tuple[Any, str]] = {
    "NaN": (np.r_[X[:-1], np.nan], r"column 'x' has a missing value \(row 60\).*missing='drop'"),
    "inf": (np.r_[X[:-1], np.inf], r"column 'x' holds an infinite value \(row 60\)"),
    "complex": (X + 1j, "column 'x' is of type complex128"),
    "mixed objects": (np.array([*X[:-1], "a"], object), r"'x' mixes numbers and text.*row 60"),
    "lengths": (X[:-1], "'x' has 59 rows, 'y' has 60"),
    "row vector": (X[None], "'x' has 1 row, "),
    "three dimensions": (np.ones((N, 2, 2)), r"'x' has shape \(60, 2, 2\)"),
    "dates": (np.array(["2020-01-01"] * N, "M8[D]"), "'x' is of type datetime64.*number first"),
    "2^53 + 1": (np.full(N, 2**53 + 1), r"9007199254740993.*row 1\).*C\(x\)"),
    "masked": (np.ma.array(X, mask=X > 1), "'x' has .* missing values"),
    "one level": (np.array(["a"] * N), "only one level, 'a'"),
    "scalar": (1.0, "'x' is a single value"),
}


@pytest.mark.parametrize(("x", "message"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS.keys())
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_array_is_refused(x, message, family) -> None:
    with pytest.raises(ThalwegError, match=message):
        tw.fit("y ~ x", {"x": x, "y": Y if family == "gaussian" else COUNT}, family=family)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [1e-150, 1e-40, 1e40, 1e150])
def test_scale_of_a_column(family, scale) -> None:
    """Powers of ten are not exact in binary: the truth is the fit of x, its slope divided by the scale."""
    options = {"family": family, **PARAMETER.get(family, {})}
    if family in ("gamma", "inverse_gaussian"):
        options["link"] = "log"
    plain = tw.fit(f"{RESPONSE[family]} ~ x + z", DATA, **options)
    scaled = tw.fit(f"{RESPONSE[family]} ~ x + z", {**DATA, "x": X * scale}, **options)
    for ours, truth in ((scaled.coefficients, plain.coefficients), (scaled.std_errors, plain.std_errors)):
        close([ours["Intercept"], ours["x"] * scale, ours["z"]], list(truth.values()), 10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [1e-300, 1e200, 1e300])
def test_scale_whose_squares_leave_float64(family, scale) -> None:
    with pytest.raises(ThalwegError, match=r"range of float64.*power of ten") as caught:
        tw.fit(f"{RESPONSE[family]} ~ x", {**DATA, "x": X * scale}, family=family, **PARAMETER.get(family, {}))
    assert "column 2" in str(caught.value)


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize(("a", "b"), [(1e10, 0.0), (1e10, 1e10), (1e10, 1e5), (2.0**40, 2.0**40)])
def test_offset_of_a_column(family, a, b) -> None:
    """x + 1e10 is exact here, so that the slopes are those of x, to nearly all digits."""
    plain = tw.fit(f"{RESPONSE[family]} ~ x + z", DATA, family=family)
    moved = tw.fit(f"{RESPONSE[family]} ~ x + z", {**DATA, "x": X + a, "z": Z + b}, family=family)
    for name in ("x", "z"):
        close(moved.coefficients[name], plain.coefficients[name], 11)
        close(moved.std_errors[name], plain.std_errors[name], 4)  # the weights know eta to 1e12 roundings only


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_float32_with_an_offset(family) -> None:
    single = (X + 1e5).astype(np.float32)
    close(
        values(tw.fit(f"{RESPONSE[family]} ~ x", {**DATA, "x": single}, family=family)),
        values(tw.fit(f"{RESPONSE[family]} ~ x", {**DATA, "x": single.astype(float)}, family=family)),
        12,
    )


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_columns_that_nearly_repeat(family) -> None:
    """x and x + 2^-40 z: the span is that of x and z, the coefficients follow."""
    plain = tw.fit(f"{RESPONSE[family]} ~ x + z", DATA, family=family).coefficients
    near = tw.fit(f"{RESPONSE[family]} ~ x + z", {**DATA, "z": X + 2.0**-40 * Z}, family=family).coefficients
    close(near["z"], plain["z"] * 2.0**40, 10)
    close(near["x"], plain["x"] - plain["z"] * 2.0**40, 10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("weighted", [False, True])
def test_rank_deficient(family, weighted) -> None:
    """Constant and repeated columns get no number, and the others those of the design without them."""
    more = {**DATA, "k": np.full(N, 3.0), "twice": 2 * X - 1, "w": 1.0 + (np.arange(N) % 3)}
    options = {"family": family, **PARAMETER.get(family, {}), **({"weights": "w"} if weighted else {})}
    with pytest.warns(CollinearityWarning, match=r"k = 3 \* Intercept; twice = -Intercept \+ 2 \* x"):
        fit = tw.fit(f"{RESPONSE[family]} ~ x + k + twice + z", more, **options)
    alone = tw.fit(f"{RESPONSE[family]} ~ x + z", more, **options)
    assert set(fit.aliased) == {"k", "twice"}
    for name in fit.names:
        close(fit.coefficients[name], alone.coefficients.get(name, math.nan), 11)
        close(fit.std_errors[name], alone.std_errors.get(name, math.nan), 9)
    with pytest.warns(CollinearityWarning, match="k = 3"):
        fit.predict({"x": [0.0], "k": [3.0], "twice": [-1.0], "z": [0.0]})


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_weights_of_zero_for_a_whole_level(family) -> None:
    weights = (G != "c").astype(float)
    with pytest.warns(CollinearityWarning, match="= 0 in every row"):
        fit = tw.fit(f"{RESPONSE[family]} ~ g + x", DATA, family=family, weights=weights)
    kept = {name: column[G != "c"] for name, column in DATA.items()}
    alone = tw.fit(f"{RESPONSE[family]} ~ g + x", kept, family=family)
    for name in fit.names:
        close(fit.coefficients[name], alone.coefficients.get(name, math.nan))
        close(fit.std_errors[name], alone.std_errors.get(name, math.nan), 9)


def test_few_rows() -> None:
    for rows, formula in ((1, "y ~ x"), (2, "y ~ x + z")):
        fit = quiet(formula, {name: column[:rows] for name, column in DATA.items()})
        assert all(math.isnan(error) for error in fit.std_errors.values())  # no degrees of freedom are left
        close(fit.residuals() + 1, np.ones(rows), 14)
    with pytest.raises(ThalwegError, match="no rows"):
        tw.fit("y ~ x", {"x": [], "y": []})


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_an_unused_column_does_not_matter(family) -> None:
    formula = f"{RESPONSE[family]} ~ x"
    close(
        values(tw.fit(formula, {**DATA, "q": np.full(N, np.nan)}, family=family)),
        values(tw.fit(formula, DATA, family=family)),
        15,
    )


def test_categories() -> None:
    frame = pd.DataFrame({"y": Y, "c": pd.Categorical([None, *G[1:]], categories=["z", "a", "b", "c"])})
    with pytest.raises(ThalwegError, match=r"column 'c' has a missing value \(row 1\)"):
        tw.fit("y ~ c", frame)
    fit = tw.fit("y ~ c", frame, missing="drop")
    assert fit.names == ("Intercept", "c[T.b]", "c[T.c]")  # z never occurs
    means = [Y[1:][G[1:] == level].mean() for level in "abc"]
    close(values(fit), [means[0], means[1] - means[0], means[2] - means[0]])
    assert tw.fit("y ~ c", {"y": Y, "c": np.array(["", "a", "b"] * 20)}).names == ("Intercept", "c[T.a]", "c[T.b]")


# ---------------------------------------------------------------- formulas

HOSTILE = [
    "__import__('os').system('true')",
    "x.__class__.__mro__",
    "(lambda: 1)()",
    "[v for v in x]",
    "f'{x}'",
    "exec('1')",
    "x ** 99999999999",
    "I(x ** 10 ** 10 ** 10)",
    "poly(x, 10**9)",
    "poly(x, 1000)",
    "poly(x, 60)",
    "bs(x, df=100000000)",
    "(" * 3000 + "x" + ")" * 3000,
    "-" * 20000 + "x",
    "+".join(["x"] * 20000),
    "*".join(f"x{i}" for i in range(30)),
    "(x + g) ** 1000000",
    "log(" * 500 + "x" + ")" * 500,
    "`x",
    "x\x00",
    "x; z",
    "nosuch",
    "log(x)",
    "I(1 / (x - x))",
    "poly(g, 2)",
    "C(g, Treatment('q'))",
]


@pytest.mark.parametrize("term", HOSTILE, ids=[term[:20].replace("\x00", "0") for term in HOSTILE])
def test_hostile_formula(term) -> None:
    begun = time.perf_counter()
    with pytest.raises(ThalwegError):
        tw.fit("y ~ " + term, DATA)
    assert time.perf_counter() - begun < 1.0


@pytest.mark.parametrize("formula", ["", "y", "~ x", "y ~", "y ~ x ~ z", "y ~ 0", "g ~ x", None, 5, "y = x"])
def test_no_formula(formula) -> None:
    with pytest.raises(ThalwegError):
        tw.fit(formula, DATA)


def test_names_and_levels_that_mean_something_elsewhere(tmp_path) -> None:
    levels = ["a'b", 'c"d', "e\nf", "g]h[", "; DROP TABLE x; --", "ü \\", "", "{x}", "$1$", "<b>"]
    frame = pd.DataFrame({"a b": levels * 6, 'y"; --': Y})
    fit = tw.fit('`y"; --` ~ `a b`', frame)
    fit.save(tmp_path / "m.safetensors")
    again = tw.load(tmp_path / "m.safetensors")
    means = [Y[i::10].mean() for i in range(10)]
    close(again.predict({"a b": levels}), means)
    assert "<b>" not in again._repr_html_()
    scope: dict[str, Any] = {}
    exec(again.equation("python"), scope)  # our own text, which must not have let the levels out of their quotes
    close([scope["predict"]({"a b": level}) for level in levels], means)
    import sqlite3

    with sqlite3.connect(":memory:") as base:
        base.execute('CREATE TABLE data ("a b" TEXT)')
        base.executemany("INSERT INTO data VALUES (?)", [(level,) for level in levels])
        close([row[0] for row in base.execute(again.equation("sql"))], means)
    first, second = again.names[1:3]
    assert 0 <= again.wald(f"`{first}` = `{second}`").p_value <= 1


# ---------------------------------------------------------------- options

WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "negative weight": ({"weights": np.r_[-1, np.ones(N - 1)]}, r"is -1, which is negative \(row 1\)|negative.*row 1"),
    "weights of zero": ({"weights": np.zeros(N)}, "all weights"),
    "NaN weight": ({"weights": np.r_[np.nan, np.ones(N - 1)]}, "missing value.*row 1"),
    "infinite weight": ({"weights": np.r_[np.inf, np.ones(N - 1)]}, "infinite value.*row 1"),
    "short weights": ({"weights": np.ones(5)}, "5 entries.*60 rows"),
    "broken frequency": ({"weights": np.full(N, 0.5), "weights_kind": "frequency"}, "no whole number.*row 1"),
    "denormal weights": ({"weights": np.full(N, 5e-324)}, "range of float64"),
    "text weights": ({"weights": "g"}, "'g' holds text"),
    "infinite offset": ({"offset": np.r_[np.inf, np.zeros(N - 1)]}, "infinite value.*row 1"),
    "exposure of 0": ({"exposure": np.r_[0, np.ones(N - 1)]}, r"exposure.* is 0.*positive \(row 1\)"),
    "negative trials": ({"family": "binomial", "trials": np.full(N, -4.0)}, "trials.*negative"),
    "offset of 800": ({"offset": np.r_[800, np.zeros(N - 1)]}, "starting values|range of float64"),
    "short start": ({"start": [1.0]}, "start has 1 values for 2"),
    "start in words": ({"start": {"Intercept": "a", "x": "b"}}, "start is not one number for each coefficient"),
    "start of another": ({"start": {"q": 1.0}}, "unknown name 'q'"),
    "start is a number": ({"start": 5}, "start is not one number"),
    "infinite start": ({"start": [math.inf, 0.0]}, "not finite"),
    "max_iter": ({"max_iter": -1}, "max_iter is -1"),
    "tol": ({"tol": math.nan}, "tol is nan"),
    "solver in words": ({"solver": "newton"}, "solver is 'newton'"),
    "progress": ({"progress": 5}, "observer is 5"),
    "level": ({"level": 95}, "level is 95"),
    "covariance": ({"covariance": "HC9"}, "covariance is 'HC9'"),
    "alpha": ({"family": "negative_binomial", "alpha": -1}, "alpha .* above 0"),
    "power": ({"family": "tweedie", "power": 0.5}, "power of a Tweedie"),
    "family": ({"family": "poison"}, "Did you mean 'poisson'"),
}


@pytest.mark.parametrize(("options", "message"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS.keys())
def test_option_is_refused(options, message) -> None:
    response = "side" if options.get("family") == "binomial" else "count"
    with pytest.raises(ThalwegError, match=message):
        tw.fit(f"{response} ~ x", DATA, **{"family": "poisson", **options})


@pytest.mark.parametrize("covariance", ["HC2", "HC3"])
def test_leverage_of_one(covariance) -> None:
    alone = np.zeros(N)
    alone[0] = 1
    fit = tw.fit("y ~ x + alone", {**DATA, "alone": alone}, covariance=covariance)
    rest = tw.fit("y ~ x", {name: column[1:] for name, column in DATA.items()})
    close(values(fit)[:2], values(rest))
    assert all(math.isnan(error) for error in fit.std_errors.values())
    assert "leverage" in (fit.covariance_reason or "")


def test_one_cluster() -> None:
    fit = tw.fit("y ~ x", {**DATA, "k": np.ones(N)}, cluster="k")
    assert all(math.isnan(error) for error in fit.std_errors.values())
    assert "cluster" in (fit.covariance_reason or "")


# ---------------------------------------------------------------- responses

WRONG_RESPONSES: dict[str, tuple[str, Any, str]] = {
    "one class": ("binomial", np.ones(N), "one class only.*is 1"),
    "one class of zeros": ("binomial", np.zeros(N), "one class only.*is 0"),
    "three classes": ("binomial", G, "3 labels"),
    "count for a class": ("binomial", COUNT + 2, r"row 1 holds"),
    "negative count": ("poisson", np.r_[1.0, -1.0, np.ones(N - 2)], "row 2 holds -1"),
    "negative amount": ("gamma", np.r_[1.0, 2.0, -3.0, np.ones(N - 3)], "row 3 holds -3"),
    "zero amount": ("inverse_gaussian", np.r_[0.0, np.ones(N - 1)], "row 1 holds 0"),
    "negative amount with zeros": ("tweedie", np.r_[-1.0, np.ones(N - 1)], "row 1 holds -1"),
    "labels": ("poisson", G, "holds labels"),
}


@pytest.mark.parametrize(("family", "y", "message"), WRONG_RESPONSES.values(), ids=WRONG_RESPONSES.keys())
def test_response_is_refused(family, y, message) -> None:
    with pytest.raises(ThalwegError, match=message):
        tw.fit("y ~ x", {"x": X, "y": y}, family=family, **PARAMETER.get(family, {}))


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_amounts_of_any_scale(scale) -> None:
    """With a log link the scale of the response goes into the intercept and nowhere else."""
    plain = tw.fit("amount ~ x", DATA, family="gamma", link="log")
    scaled = tw.fit("amount ~ x", {**DATA, "amount": DATA["amount"] * scale}, family="gamma", link="log")
    close(scaled.coefficients["x"], plain.coefficients["x"], 10)
    close(list(scaled.std_errors.values()), list(plain.std_errors.values()), 10)
    close(scaled.coefficients["Intercept"] - math.log(scale), plain.coefficients["Intercept"], 10)
    close(scaled.statistics.dispersion, plain.statistics.dispersion, 10)


def test_counts_around_1e12() -> None:
    y = np.round(1e12 * np.exp(0.1 * X))
    close(values(tw.fit("y ~ x", {"x": X, "y": y}, family="poisson")), exact_canonical("poisson", [np.ones(N), X], y))


def test_negative_binomial_at_its_ends() -> None:
    """alpha -> 0 is Poisson; counts of zero alone say nothing, not even of alpha."""
    poisson = tw.fit("count ~ x", DATA, family="poisson")
    close(values(tw.fit("count ~ x", DATA, family="negative_binomial", alpha=1e-14)), values(poisson), 10)
    with pytest.warns(SeparationWarning, match="completely"):
        fit = tw.fit("y ~ x", {"x": X, "y": np.zeros(N)}, family="negative_binomial")
    assert all(math.isnan(value) for value in values(fit))


@pytest.mark.parametrize("family", ["gaussian", "poisson", "gamma"])
def test_constant_and_perfect_responses(family) -> None:
    link = {"gaussian": "identity"}.get(family, "log")
    assert abs(values(tw.fit("y ~ x", {"x": X, "y": np.full(N, 2.0)}, family=family, link=link))[1]) < 1e-15
    eta = np.round(8 + X)
    y = eta if link == "identity" else np.exp2(eta)
    fit = tw.fit("y ~ t", {"t": eta, "y": y}, family=family, link=link)
    close(values(fit)[1], 1.0 if link == "identity" else math.log(2), 12)


def test_unbalanced_classes() -> None:
    x = np.round(np.random.default_rng(1).normal(size=2000) * 16) / 16
    y = np.zeros(2000)
    y[[5, 77]] = 1
    columns = [np.ones(2000), x]
    ours = values(tw.fit("y ~ x", {"x": x, "y": y}, family="binomial"))
    groups, count = np.unique(x, return_counts=True)
    theta = mean_of_groups(groups, count, [y[x == v].sum() for v in groups])
    assert len(columns) == len(ours)
    close(ours, theta)


def mean_of_groups(x: np.ndarray, count: np.ndarray, ones: list[float]) -> list[float]:
    """The logistic fit of grouped data in 50 digits."""
    import mpmath

    with mpmath.workdps(50):
        a, b = mpmath.mpf(-6), mpmath.mpf(0)
        for _ in range(60):
            mu = [1 / (1 + mpmath.exp(-(a + b * v))) for v in map(float, x)]
            g0 = sum(int(n) * m - o for n, m, o in zip(count, mu, ones, strict=True))
            g1 = sum((int(n) * m - o) * float(v) for n, m, o, v in zip(count, mu, ones, x, strict=True))
            w = [int(n) * m * (1 - m) for n, m in zip(count, mu, strict=True)]
            h = [sum(wi * float(v) ** k for wi, v in zip(w, x, strict=True)) for k in range(3)]
            det = h[0] * h[2] - h[1] ** 2
            a, b = a - (h[2] * g0 - h[1] * g1) / det, b - (h[0] * g1 - h[1] * g0) / det
        return [float(a), float(b)]


# ---------------------------------------------------------------- separation

LINKS = [("binomial", None), ("binomial", "probit"), ("binomial", "cloglog")]


@pytest.mark.parametrize(("family", "link"), LINKS)
@pytest.mark.parametrize("start", [None, [0.0, 60.0], [0.0, 1e4]])
def test_complete_separation(family, link, start) -> None:
    with pytest.warns(SeparationWarning, match="completely separated: along the direction"):
        fit = tw.fit("y ~ x", {"x": X, "y": (X > 0.5).astype(float)}, family=family, link=link, start=start)
    assert all(math.isnan(value) for value in [*values(fit), *fit.std_errors.values()])
    with pytest.raises(NotAvailableError, match="separated"):
        fit.predict({"x": [0.0]}, interval=0.9)
    with pytest.raises(NotAvailableError, match="separated"):
        fit.wald("x = 0")


def quasi(direction: str) -> tuple[dict[str, Any], np.ndarray, set[str], str]:
    """Data that are separated in part; the rows that are not; the coefficients without an estimate; the formula."""
    g, h = G, np.array(list("pqrs") * (N // 4))
    y = RANDOM_SIDE.copy()
    if direction == "a level":
        y[g == "c"] = 1
        return {"y": y, "g": g, "z": Z}, g != "c", {"g[T.c]"}, "y ~ g + z"
    if direction == "two levels, against each other":
        y[h == "s"] = 0
        y[g == "c"] = 1
        return {"y": y, "g": g, "h": h, "z": Z}, (g != "c") & (h != "s"), {"g[T.c]", "h[T.s]"}, "y ~ g + h + z"
    if direction == "a column that is 0 where classes overlap":
        t = np.where(np.arange(N) % 2 == 0, 0.0, X)
        y = np.where(t > 0, 1.0, np.where(t < 0, 0.0, y))
        return {"y": y, "t": t, "z": Z}, t == 0, {"t"}, "y ~ t + z"
    if direction == "with a repeated column":
        y[g == "c"] = 1
        return {"y": y, "g": g, "z": Z, "twice": 2 * Z}, g != "c", {"g[T.c]", "twice"}, "y ~ g + z + twice"
    y[(g == "c") & (np.arange(N) != 2)] = 1  # "by a weight of zero": the one row against it does not count
    y[2] = 0
    weights = (np.arange(N) != 2).astype(float)
    return {"y": y, "g": g, "z": Z, "w": weights}, (g != "c"), {"g[T.c]"}, "y ~ g + z"


RANDOM_SIDE = (np.random.default_rng(3).random(N) < 0.5).astype(float)
DIRECTIONS = [
    "a level",
    "two levels, against each other",
    "a column that is 0 where classes overlap",
    "with a repeated column",
    "by a weight of zero",
]


@pytest.mark.parametrize(("family", "link"), [*LINKS, ("poisson", None), ("negative_binomial", None)])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_quasi_separation(family, link, direction) -> None:
    """No number for the coefficients that run away; for the others the limit, which is the fit of the other rows."""
    data, still, gone, formula = quasi(direction)
    if family != "binomial":  # zeros run away, and nothing else
        data["y"] = np.where(still, np.round(2 * RANDOM_SIDE + np.arange(N) % 3), 0.0)
        if "t" in data:
            data["t"] = np.abs(data["t"])
    options = {"family": family, "link": link, **PARAMETER.get(family, {})}
    fit = quiet(formula, data, **options, weights="w" if "w" in data else None)
    assert fit.separation is not None
    assert {name for name, value in fit.coefficients.items() if math.isnan(value)} == gone
    rest = {name: column[still] for name, column in data.items() if name not in ("t", "twice")}
    shorter = formula.replace("t + z", "z") if "t" in data else formula.replace(" + twice", "")
    alone = tw.fit(shorter, rest, **options)
    assert alone.separation is None
    for name in set(fit.names) - gone:
        close(fit.coefficients[name], alone.coefficients[name], 10)
        close(fit.std_errors[name], alone.std_errors[name], 8)
    close(fit.statistics.log_likelihood, alone.statistics.log_likelihood, 10)


def test_separation_among_many_rows() -> None:
    """Some rows lie close to the boundary and hardly move, and move all the same; one row across it changes it all."""
    x = np.random.default_rng(4).normal(size=60_000)
    y = (x > 0).astype(float)
    with pytest.warns(SeparationWarning, match="completely"):
        fit = tw.fit("y ~ x", {"x": x, "y": y}, family="binomial")
    assert all(math.isnan(value) for value in values(fit))
    near = np.argsort(np.abs(x))
    y[near[40]] = 1 - y[near[40]]
    fit = tw.fit("y ~ x", {"x": x, "y": y}, family="binomial")
    close_by = {"x": x[near[:2000]], "y": y[near[:2000]]}  # no other row has a weight that float64 could see
    assert fit.separation is None
    close(values(fit), values(tw.fit("y ~ x", close_by, family="binomial")), 9)


@pytest.mark.parametrize(("a", "b"), [(1e10, 1.0), (0.0, 1e-150), (0.0, 1e150)])
def test_separation_beside_a_column_of_another_size(a, b) -> None:
    data, still, gone, formula = quasi("a level")
    fit = quiet(formula, {**data, "z": b * (Z + a)}, family="binomial")
    alone = tw.fit(formula, {name: column[still] for name, column in data.items()}, family="binomial")
    assert {name for name, value in fit.coefficients.items() if math.isnan(value)} == gone
    close(fit.coefficients["z"] * b, alone.coefficients["z"], 10)
    close(fit.std_errors["z"] * b, alone.std_errors["z"], 5)


def test_a_start_far_out_does_not_hide_separation() -> None:
    data, _, gone, formula = quasi("a level")
    fit = quiet(formula, data, family="binomial", start=[0.0, 0.0, 60.0, 0.0])
    assert {name for name, value in fit.coefficients.items() if math.isnan(value)} == gone


@pytest.mark.parametrize("family", ["poisson", "negative_binomial", "tweedie"])
def test_all_zero(family) -> None:
    with pytest.warns(SeparationWarning, match="completely"):
        fit = tw.fit("y ~ x", {"x": X, "y": np.zeros(N)}, family=family, **PARAMETER.get(family, {}))
    assert all(math.isnan(value) for value in values(fit))


@pytest.mark.parametrize("overlap", [0.5, 1e-2, 1e-4, 1e-6])
def test_near_separation_is_not_separation(overlap) -> None:
    """One pair on the wrong sides, however close, makes every estimate finite."""
    x = np.linspace(-1, 1, 20)
    y = (x > 0).astype(float)
    x[10] = x[9] - overlap
    fit = tw.fit("y ~ x", {"x": x, "y": y}, family="binomial")
    assert fit.separation is None
    close(values(fit), exact_canonical("binomial", [np.ones(20), x], y), 9)


# ---------------------------------------------------------------- prediction


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bad") / "m.safetensors"
    tw.fit("y ~ x + g", DATA).save(path)
    return path


def test_prediction_is_by_name_whatever_the_type(saved) -> None:
    fit = tw.load(saved)
    truth = np.array([1.0, 2.0, 0.0]) * fit.coefficients["x"] + fit.coefficients["Intercept"]
    for x in ([1, 2, 0], np.array([1, 2, 0], np.int8), np.array([1, 2, 0], ">f4"), torch.tensor([1.0, 2.0, 0.0])):
        close(fit.predict({"extra": [None, "q", "r"], "g": ["a"] * 3, "x": x}), truth)
    close(fit.predict(pd.DataFrame({"g": pd.Categorical(["a"] * 3), "x": pd.array([1, 2, 0], "Int64")})), truth)


WRONG_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "unseen level": ({"x": [1.0], "g": ["q"]}, "g has the level 'q', which the fit never saw.*row 1"),
    "missing column": ({"x": [1.0]}, "no column 'g'"),
    "number for a category": ({"x": [1.0], "g": [1.0]}, "'g' held text in the fit"),
    "text for a number": ({"x": ["one"], "g": ["a"]}, "'x' was a number in the fit"),
    "missing value": ({"x": [math.nan], "g": ["a"]}, "'x' has a missing value.*row 1"),
    "infinite": ({"x": [math.inf], "g": ["a"]}, "'x' holds an infinite value"),
    "no rows": ({"x": [], "g": []}, "no rows"),
}


@pytest.mark.parametrize(("rows", "message"), WRONG_ROWS.values(), ids=WRONG_ROWS.keys())
def test_prediction_is_refused(saved, rows, message) -> None:
    with pytest.raises(ThalwegError, match=message):
        tw.load(saved).predict(rows)


def test_prediction_outside_the_training_range_is_said(saved) -> None:
    with pytest.warns(ExtrapolationWarning, match="1 in x"):
        tw.load(saved).predict({"x": [1e300, 0.0], "g": ["a", "a"]})


# ---------------------------------------------------------------- the fit as an object


def test_data_that_change_after_the_fit() -> None:
    x = X.copy()
    fit = tw.fit("y ~ x", {"x": x, "y": Y})
    summary, residuals, robust = fit.summary(), fit.residuals().copy(), fit.vcov("HC3").clone()
    x[:] = 7.0
    assert fit.summary() == summary
    close(fit.residuals(), residuals, 15)
    close(tw.fit("y ~ x", {"x": X, "y": Y}).vcov("HC3"), robust, 15)


def test_two_threads() -> None:
    found: dict[int, list[float]] = {}

    def work(i: int) -> None:
        found[i] = values(tw.fit("side ~ x + g", {**DATA, "x": X + i}, family="binomial"))[1:]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(1, 4):
        close(found[i], found[0])


def test_too_few_steps_are_said() -> None:
    with pytest.warns(ConvergenceWarning, match="max_iter="):
        tw.fit("count ~ x", DATA, family="poisson", max_iter=1)


# ---------------------------------------------------------------- outputs


@pytest.fixture
def break_writing(monkeypatch):
    """The disk is full when a finished file is put in its place, or when it is flushed."""
    import os

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def apply(name: str) -> None:
        monkeypatch.setattr(os, name, full)

    return apply


OUTPUTS = {
    "predict": ["predict", "{model}", "{data}", "--out", "{out}.csv"],
    "predict to Parquet": ["predict", "{model}", "{data}", "--out", "{out}.parquet"],
    "plot": ["fit", "{data}", "y ~ x + g", "--plot", "{out}.png"],
    "model": ["fit", "{data}", "y ~ x + g", "--out", "{out}.safetensors"],
    "data set": ["datasets", "iris", "--out", "{out}.csv"],
}


@pytest.mark.parametrize("command", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_full_disk_leaves_nothing_half_written(saved, tmp_path, capsys, break_writing, command, broken, before):
    data = tmp_path / "data.csv"
    data.write_text(CLEAN)
    folder = tmp_path / "out"
    folder.mkdir()
    told = [part.format(model=saved, data=data, out=folder / "o") for part in command]
    out = Path(told[-1])
    if before is not None:
        out.write_bytes(before)
    break_writing(broken)
    assert main(told) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ([] if before is None else [out.name])
    assert before is None or out.read_bytes() == before


@pytest.mark.parametrize("command", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_a_folder_that_is_missing(saved, tmp_path, capsys, command) -> None:
    data = tmp_path / "data.csv"
    data.write_text(CLEAN)
    told = [part.format(model=saved, data=data, out=tmp_path / "no" / "o") for part in command]
    assert main(told) == 2
    said = capsys.readouterr()
    assert "no folder" in said.err
    assert said.out == ""


def test_an_error_in_the_last_row_leaves_no_prediction(saved, tmp_path, capsys) -> None:
    data, out = tmp_path / "data.csv", tmp_path / "o.csv"
    data.write_text(CLEAN + "3,1,unseen\n")
    for more in ([], ["--out", str(out)]):
        assert main(["predict", str(saved), str(data), *more]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "'unseen'" in said.err
    assert not out.exists()
