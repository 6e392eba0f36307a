"""What fit() answers to options and arguments as other programs have them, and to data that seem something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import DomainError, NotAvailableError, OptionError, ThalwegError, ThalwegWarning
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


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("lr", 0.1, r"an option of the solver: solver=thalweg\.GradientDescent\(lr=0\.1\)"),
        ("steps", 100, r"solver=thalweg\.GradientDescent\(lr=0\.1, steps=1000\)"),
        ("momentum", 0.9, r"GradientDescent\(lr=0\.1, momentum=0\.9\)"),
        ("nesterov", True, r"GradientDescent\(lr=0\.1, momentum=0\.9, nesterov=True\)"),
        ("allow_divergence", True, r"GradientDescent\(lr=0\.1, allow_divergence=True\)"),
        ("batch_size", 32, r"thalweg\.SGD\(.*batch_size=32"),
        ("n_epochs", 5, r"thalweg\.SGD\(.*epochs=10"),
        ("optimizer", "adam", r'thalweg\.TorchOptimizer\("Adam", lr=0\.01\)'),
        ("learning_rate", 0.1, r"GradientDescent\(lr=0\.1\)"),
        ("callbacks", [], r"observers=\[\.\.\.\]"),
    ],
)
def test_an_option_of_a_solver_is_answered_with_that_solver(name: str, value: Any, advice: str) -> None:
    for model in ("y ~ x", torch.nn.Linear(1, 1)):
        with pytest.raises(OptionError, match=f"there is no option '{name}'. Here it is .*{advice}"):
            tw.fit(model, {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}, **{name: value})


def test_what_the_answers_say_can_be_written() -> None:
    """Every solver that an answer names is one."""
    from thalweg.solvers.base import Solver

    calls = {each.split("solver=")[1] for each in FOREIGN.values() if "solver=" in each}
    assert len(calls) > 10
    for call in calls:
        assert isinstance(eval(call, {"thalweg": tw}), Solver)


def _names() -> list[str]:
    from thalweg.cli.descent import OURS
    from thalweg.solvers.torch_optimizer import SPARSE, optimizers

    return [*OURS, *(name for name in optimizers() if name != SPARSE)]


@pytest.mark.parametrize("name", _names())
def test_a_solver_in_words_is_answered_with_what_to_write(name: str) -> None:
    """The names of the command line; what is written instead is that solver."""
    from thalweg.cli.descent import solver_of
    from thalweg.solvers.base import Solver

    for model in ("y ~ x", torch.nn.Linear(1, 1)):
        with pytest.raises(OptionError, match=f"solver is '{name.upper()}'.*Write solver=thalweg.") as error:
            tw.fit(model, {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}, solver=name.upper())  # type: ignore[arg-type]
    written = eval(str(error.value).split("Write solver=")[1].rstrip("."), {"thalweg": tw, "torch": torch})
    assert isinstance(written, Solver)
    if name != "newton":
        told = solver_of(name, {})
        assert type(written) is type(told)
        assert getattr(written, "optimizer", None) is getattr(told, "optimizer", None)
        assert getattr(written, "momentum", None) == getattr(told, "momentum", None)
        assert getattr(written, "nesterov", None) == getattr(told, "nesterov", None)


@pytest.mark.parametrize(
    ("solver", "advice"),
    [
        (tw.GradientDescent, r"Write solver=thalweg\.GradientDescent\("),
        (tw.SGD, r"Write solver=thalweg\.SGD\("),
        (tw.LBFGS, r"Write solver=thalweg\.LBFGS\(\)"),
        (torch.optim.Adam, r'Write solver=thalweg\.TorchOptimizer\("Adam", lr=0\.01\)'),
        (torch.optim.SGD([torch.zeros(1)], lr=0.5), r'Write solver=thalweg\.TorchOptimizer\("SGD", lr=0\.5\)'),
        ("gdd", r"Did you mean 'gd'\? Write solver=thalweg\.GradientDescent"),
        ("ols", "Leave it out"),
        (0.1, r"Give a solver as solver=thalweg\.GradientDescent"),
    ],
)
def test_a_solver_that_is_none_is_answered_with_what_to_write(solver: Any, advice: str) -> None:
    data = {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}
    for model in ("y ~ x", torch.nn.Linear(1, 1)):
        with pytest.raises(OptionError, match=advice):
            tw.fit(model, data, solver=solver)
    with pytest.raises(OptionError, match=advice.replace("solver=", "(solver=)?")):
        tw.race("y ~ x", data, {"a": solver})


def test_a_descent_that_stopped_early_says_so(data: dict[str, Any], tmp_path: Any) -> None:
    with pytest.warns(ThalwegWarning):
        fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.01, steps=3))
    for asked in (lambda: fit.vcov("HC3"), lambda: fit.vcov("model"), lambda: fit.residuals("studentized")):
        with pytest.raises(NotAvailableError, match=r"the descent ended .* standard errors from the optimum"):
            asked()
    with pytest.raises(OptionError):
        fit.vcov("HC9")
    fit.save(tmp_path / "m.safetensors")
    loaded = tw.load(tmp_path / "m.safetensors")
    for asked in (loaded.diagnose, lambda: loaded.explain_step(0)):
        with pytest.raises(NotAvailableError, match="loaded from a file, which holds no descent"):
            asked()
    with pytest.raises(NotAvailableError, match="not made by a descent"):
        tw.fit("y ~ x", data).diagnose()


@pytest.mark.parametrize("formula", ["y ~ x", torch.nn.Linear(1, 1)])
@pytest.mark.parametrize(("resume", "told"), [(True, "needs the file"), ("yes", "resume is 'yes'")])
def test_resume_without_a_checkpoint(data: dict[str, Any], formula: Any, resume: Any, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        tw.fit(formula, {"x": data["x"], "y": data["y"]}, solver=tw.GradientDescent(steps=2), resume=resume)


def test_one_row_is_no_rows() -> None:
    assert "1 row:" in repr(tw.fit("y ~ x - 1", {"x": [1.0], "y": [2.0]}))
    with pytest.raises(ThalwegError, match="has 1 row, "):
        tw.fit("y ~ x", {"x": [1.0], "y": [2.0, 3.0]})


def test_arrays_without_a_name_are_answered_with_the_mapping() -> None:
    x = np.arange(4.0)
    y = 2 * x + np.array([0.1, -0.1, 0.1, 0.0])
    mapping = r'fit\(\'y = a \* x\', \{"x": x, "y": y\}\)'
    fit: Any = tw.fit
    for arguments, named in (((x, y), {}), ((), {"x": x, "y": y}), ((), {})):
        with pytest.raises(OptionError, match=mapping):
            fit("y = a * x", *arguments, **named)
    with pytest.raises(OptionError, match=r"curve_fit\(f, x, y\)"):
        fit(lambda x, a: a * x, x, y)
    with pytest.raises(OptionError, match="there are no data"):
        fit("y ~ x")
    assert tw.fit("y = a * x", {"x": x, "y": y}).n == 4  # what it says to write


def test_a_curve_after_its_data_is_noticed() -> None:
    with pytest.raises(OptionError, match=r"swapped. Write fit\('y = a \* x', data\)"):
        tw.fit({"x": [1.0, 2.0], "y": [1.0, 2.0]}, "y = a * x")  # type: ignore[call-overload]


@pytest.mark.parametrize("word", ["lm", "trf", "leastsq"])
def test_the_methods_of_curve_fit_need_not_be_named(word: str) -> None:
    with pytest.raises(OptionError, match="Leave it out: a curve is fitted by Levenberg-Marquardt"):
        tw.fit("y = a * x", {"x": [1.0, 2.0], "y": [1.0, 2.5]}, solver=word)  # type: ignore[call-overload]


def test_help_says_what_curves_have() -> None:
    said = tw.fit.__doc__ or ""
    assert all(
        word in said for word in ('"absolute"', "huber", "soft_l1", "cauchy", "scale=", "LevenbergMarquardt(max_steps")
    )


def test_a_warning_names_the_line_of_the_user() -> None:
    data = {"x": np.arange(6.0), "time": np.arange(6.0), "y": np.array([2.0, 1.3, 0.8, 0.5, 0.4, 0.2])}
    with pytest.warns(ThalwegWarning) as caught:
        tw.fit("y = a * x + Time", data)
    assert all(each.filename == __file__ for each in caught)
    solver = tw.GradientDescent(lr=0.01, steps=3)
    with pytest.warns(ThalwegWarning) as caught:
        tw.fit("y = a * exp(-b * x)", data, start={"a": 1, "b": 1}, solver=solver)
    assert all(each.filename == __file__ for each in caught)
