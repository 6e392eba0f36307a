"""What fit() answers to options and arguments as other programs have them, and to data that seem something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import DomainError, OptionError, ThalwegWarning
from thalweg.foreign import FOREIGN

ROWS = 60


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    random = np.random.default_rng(3)
    m = random.integers(5, 9, ROWS)
    return {
        "y": random.normal(size=ROWS),
        "x": random.normal(size=ROWS),
        "m": m,
        "s": random.binomial(m, 0.4),
        "day": np.array([f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(ROWS)]),
    }


@pytest.mark.parametrize("name", FOREIGN)
def test_an_option_of_another_program_is_answered_with_its_name_here(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"there is no option '{name}'. Here it is "):
        tw.fit("y ~ x", data, **{name: 1})


def test_no_foreign_name_is_one_of_our_own() -> None:
    from thalweg.fit import SIGNATURE
    from thalweg.prepare import READING

    assert not {*FOREIGN} & {*SIGNATURE, *READING, "alpha", "power", "exponent"}


def test_a_misspelt_option_is_answered_with_the_nearest(data: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"there is no option 'familly'. Did you mean family=\?"):
        tw.fit("y ~ x", data, familly="poisson")
    with pytest.raises(OptionError, match=r"The options are alpha, .*weights_kind"):
        tw.fit("y ~ x", data, qqq=1)


def test_a_parameter_that_the_family_lacks_is_left_to_the_family(data: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="gaussian"):
        tw.fit("y ~ x", data, alpha=0.05)


def test_covariances_in_any_case(data: dict[str, Any]) -> None:
    upper = tw.fit("y ~ x", data, covariance="HC1")
    lower = tw.fit("y ~ x", data, covariance="hc1")
    assert lower.covariance_kind == "HC1"
    assert lower.std_errors == upper.std_errors
    assert lower.vcov("hc3").equal(upper.vcov("HC3"))
    with pytest.raises(OptionError, match="'hc9'"):
        tw.fit("y ~ x", data, covariance="hc9")


def test_swapped_arguments_are_noticed(data: dict[str, Any]) -> None:
    for first in (data, "diabetes.csv"):
        with pytest.raises(OptionError, match=r"swapped. Write fit\('y ~ x', data\)"):
            tw.fit(first, "y ~ x")
    with pytest.raises(OptionError, match=r"the formula is a ndarray, not text. Write fit\(\"y ~ x\", data\)"):
        tw.fit(data["x"], data["y"])


def test_counts_with_trials_are_told_to_be_cbind(data: dict[str, Any]) -> None:
    with pytest.raises(DomainError, match=r"response is a proportion; for counts write cbind\(s, m - s\) ~"):
        tw.fit("s ~ x", data, family="binomial", trials="m")
    with pytest.raises(DomainError, match=r"cbind\(successes, failures\)"):
        tw.fit("s ~ x", data, family="binomial")
    counts = tw.fit("cbind(s, m - s) ~ x", data, family="binomial")
    shares = tw.fit("s / m ~ x", data, family="binomial", trials="m")
    assert counts.coefficients == pytest.approx(shares.coefficients, rel=1e-12)
    assert counts.aic == pytest.approx(shares.aic, rel=1e-12)


def test_a_text_column_of_dates_is_told(data: dict[str, Any]) -> None:
    with pytest.warns(ThalwegWarning, match=r"column 'day' holds text, and its 60 different values in 60 rows"):
        tw.fit("y ~ day", data)
    tw.fit("y ~ C(day)", data)


def test_few_levels_or_many_rows_are_not() -> None:
    for levels, rows in ((50, 60), (60, 120)):
        names = np.array([f"v{i % levels}" for i in range(rows)])
        tw.fit("y ~ g", {"y": np.arange(rows) % 7.0, "g": names})


def test_zeros_and_ones_with_trials_are_questioned():
    data = {"y": [0.0, 1.0, 1.0, 0.0, 1.0, 0.0], "x": [1.0, 2.0, 3.0, 2.5, 1.5, 4.0], "m": [4.0] * 6}
    with pytest.warns(tw.errors.ThalwegWarning, match="cbind"):
        tw.fit("y ~ x", data, family="binomial", trials="m")


def test_an_observer_may_stop_the_fit():
    from thalweg.observers import StopWhen, TimeLimit

    seen = []
    with pytest.warns(tw.errors.ConvergenceWarning, match="stopped by an observer"):
        fit = tw.fit(
            "progression ~ bmi",
            "diabetes",
            family="poisson",
            observers=[seen.append, StopWhen(lambda state: state.step == 1)],
        )
    assert fit.solution.status.value == "stopped by an observer"
    assert [state.step for state in seen] == fit.trace.step == [0, 1]
    with pytest.warns(tw.errors.ConvergenceWarning):
        tw.fit("progression ~ bmi", "diabetes", family="poisson", observers=[TimeLimit(1e-9)])


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("solver", tw.GradientDescent(lr=0.01)),
        ("stop", tw.LossBelow(1.0)),
        ("checkpoint", "run.ckpt"),
        ("resume", True),
    ],
)
def test_what_an_unknown_alpha_cannot_heed_is_refused(name: str, given: Any, data: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"{name}=.* alpha is estimated"):
        tw.fit("s ~ x", data, family="negative_binomial", **{name: given})
