"""A step written out: its numbers are those of the descent, and its arithmetic is right."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch

import thalweg as tw
from thalweg.errors import ConvergenceWarning, NotAvailableError, OptionError

NUMBER = r"\(?(-?[0-9.]+(?:e[+-]?[0-9]+)?)\)?"


def line(n: int = 8) -> dict[str, Any]:
    """Lesson 1, with weights."""
    generator = torch.Generator().manual_seed(10)
    x = torch.rand(n, generator=generator).double() * 20
    y = 2 * x + 3 * (1 + torch.randn(n, generator=generator).double())
    return {"x": x, "y": y, "w": torch.arange(1.0, n + 1).double()}


def fit(formula: str, data: Any, solver: Any, **options: Any) -> tw.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return tw.fit(formula, data, solver=solver, **options)


def updates(text: str) -> dict[str, tuple[float, float, float, float]]:
    """From the lines "x <- old - lr * way = new": old, lr, way, new."""
    pattern = rf"^   (\S+) <- {NUMBER} - {NUMBER} \* {NUMBER} = {NUMBER}$"
    return {m[1]: tuple(map(float, m.groups()[1:])) for m in re.finditer(pattern, text, re.M)}


def gradients(text: str) -> dict[str, float]:
    """From the ends of the lines "d loss / d x = ... = value"."""
    joined = re.sub(r"\n {7}", " ", text)
    return {m[1]: float(m[2]) for m in re.finditer(rf"^   d loss / d (\S+) = .* = {NUMBER}$", joined, re.M)}


@pytest.mark.parametrize("loss", ["mean", "sum", "half mean", "half sum"])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (1.0, False)])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("step", [0, 1, 17])
def test_the_numbers_are_those_of_the_descent(loss, momentum, nesterov, weights, step):
    lr = 1e-3 if loss.endswith("mean") else 2e-5
    solver = tw.GradientDescent(lr=lr, steps=20, momentum=momentum, nesterov=nesterov, loss=loss)
    result = fit("y ~ x", line(), solver, weights=weights)
    text, trace, problem = result.explain_step(step), result.trace, result.descent.problem
    value, gradient = problem.value_and_gradient(trace.theta[step])
    assert gradients(text) == pytest.approx(dict(zip(result.names, gradient.tolist(), strict=True)), rel=1e-6)
    found = updates(text)
    assert list(found) == ["Intercept", "x"]
    for j, (old, rate, way, new) in enumerate(found.values()):
        assert f"{trace.theta[step][j]:.7g}" == f"{old:.7g}"
        assert f"{trace.theta[step + 1][j]:.7g}" == f"{new:.7g}"
        assert rate == lr
        assert old - rate * way == pytest.approx(new, rel=1e-5, abs=1e-8)
    assert f"Loss after the step: {trace.value[step + 1]:.7g};" in text
    assert f"from {float(value):.7g}." in text


@pytest.mark.parametrize("loss", ["mean", "sum", "half mean", "half sum"])
def test_the_sums_are_right(loss):
    """Every product that is printed, added up and multiplied by the printed factor, gives the printed gradient."""
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-4, steps=5, loss=loss))
    text = re.sub(r"\n {7}", " ", result.explain_step(2))
    rows = re.findall(r"^   d loss / d \S+ = (.*?)\((.*)\) = ", text, re.M)
    assert len(rows) == 2
    for (factor, terms), value in zip(rows, gradients(text).values(), strict=True):
        pairs = re.findall(rf"{NUMBER} \* {NUMBER}(?: \+ |\)? = |\)?$)", terms.split(") = ")[0] + " = ")
        assert len(pairs) == 8
        times = {"2/8 * ": 0.25, "1/8 * ": 0.125, "2 * ": 2.0, "": 1.0}[factor]
        assert times * sum(float(a) * float(b) for a, b in pairs) == pytest.approx(value, rel=1e-5)
    ((top, over, total, loss_value),) = re.findall(
        rf"^   = (?:(\d+)/(8|2|\(2 \* 8\)) \* )?{NUMBER}(?: = {NUMBER})?$", text, re.M
    )
    divided = float(top or 1) / {"": 1, "2": 2, "8": 8, "(2 * 8)": 16}[over] * float(total)
    value_there = float(result.descent.problem.value(result.trace.theta[2]))
    assert divided == pytest.approx(value_there, rel=1e-6)
    assert float(loss_value or total) == pytest.approx(value_there, rel=1e-6)
    factors = {"mean": ("2/n", "1/n"), "sum": ("2 ", ""), "half mean": ("1/n", "1/(2 n)"), "half sum": ("", "1/2")}
    assert f"d theta_j = {factors[loss][0]}".rstrip() in text
    assert f"Loss = {factors[loss][1]}".rstrip() in text


def test_eight_rows_are_shown_in_full_and_of_more_the_first_three_and_the_sums():
    short = fit("y ~ x", line(8), tw.GradientDescent(lr=1e-3, steps=3)).explain_step(1)
    assert len(re.findall(r"^ +[1-8]  ", short, re.M)) == 8
    assert "..." not in short.split("4. Update")[0]
    result = fit("y ~ x", line(9), tw.GradientDescent(lr=1e-3, steps=3))
    long = result.explain_step(1)
    assert re.findall(r"^ +([0-9]+)  ", long, re.M) == ["1", "2", "3"]
    errors = result.descent.problem.x @ result.trace.theta[1] - result.descent.problem.y
    (sums,) = re.findall(r"^ +sum  (.*)$", long, re.M)
    assert float(sums.split()[-1]) == pytest.approx(float(errors.sum()), rel=1e-6)


def test_a_logistic_step_has_its_own_error():
    result = fit("diagnosis ~ mean_texture", "breast_cancer", tw.GradientDescent(lr=0.001, steps=5), family="binomial")
    text = result.explain_step(0)
    assert "s_i = mu_i - y_i" in text
    assert "1/n sum_i s_i" in text
    assert "0.6931472" in text  # log 2: the loss at zero
    assert gradients(text)["Intercept"] == pytest.approx(0.5 - 212 / 569, rel=1e-6)
    assert updates(text)["Intercept"][3] == pytest.approx(result.trace.theta[1][0].item(), rel=1e-6)


def test_a_family_without_a_canonical_link_shows_the_formula():
    solver = tw.GradientDescent(lr=1e-4, steps=3)
    result = fit("progression ~ bmi", "diabetes", solver, family="gamma", link="log")
    text = result.explain_step(1)
    assert "loss'(y_i, eta_i) = -(y_i - mu_i) h'(eta_i) / V(mu_i)" in text
    gradient = result.descent.problem.value_and_gradient(result.trace.theta[1])[1]
    assert gradients(text) == pytest.approx(dict(zip(result.names, gradient.tolist(), strict=True)), rel=1e-6)


def test_the_rows_of_a_batch_are_those_that_the_step_followed():
    solver = tw.SGD(lr=1e-3, steps=40, batch_size=3, seed=4)
    result = fit("y ~ x", line(), solver)
    for step in (0, 1, 2, 3, 25):
        text = result.explain_step(step)
        assert "of 8 rows" in text
        for j, (old, rate, way, new) in enumerate(updates(text).values()):
            assert f"{result.trace.theta[step + 1][j]:.7g}" == f"{new:.7g}"
            assert old - rate * way == pytest.approx(new, rel=1e-5, abs=1e-8)
    assert "batch of 2 of 8 rows" in result.explain_step(2)  # 3 + 3 + 2


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "LBFGS"])
def test_another_optimizer_shows_the_update_as_it_made_it(name):
    from thalweg.solvers.torch_optimizer import TorchOptimizer

    result = fit("y ~ x", line(), TorchOptimizer(name, lr=0.01, steps=5))
    text = result.explain_step(2)
    assert f"Update as {name} made it" in text
    pattern = rf"^   (\S+) <- {NUMBER} ([+-]) {NUMBER} = {NUMBER}$"
    found = re.findall(pattern, text, re.M)
    assert [row[0] for row in found] == ["Intercept", "x"]
    for j, (_, old, sign, change, new) in enumerate(found):
        assert f"{result.trace.theta[3][j]:.7g}" == f"{float(new):.7g}"
        assert float(old) + float(sign + change) == pytest.approx(float(new), rel=1e-5, abs=1e-8)


def test_the_rate_of_a_schedule_is_that_of_the_step():
    result = fit("y ~ x", line(), tw.GradientDescent(lr=tw.ExponentialDecay(1e-3, 0.9), steps=10))
    for step in (0, 4):
        for _, rate, _, _ in updates(result.explain_step(step)).values():
            assert rate == pytest.approx(result.trace.rate[step + 1], rel=1e-6)


def test_an_uncleared_gradient_is_told():
    """The sum of the gradients so far, against the sum itself."""
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-3, steps=10))
    assert "cleared" not in result.explain_step(0)
    text = " ".join(result.explain_step(4).split())
    total = sum(result.descent.problem.value_and_gradient(theta)[1] for theta in result.trace.theta[:5])
    (found,) = re.findall(
        rf"sum of the 5 gradients so far, not this one: Intercept {NUMBER}, x {NUMBER}\.",
        text.replace(". That", ".. That"),
    )
    assert [float(v.rstrip(".")) for v in found] == pytest.approx(total.tolist(), rel=1e-5)
    uncleared = fit("y ~ x", line(), tw.GradientDescent(lr=1e-4, steps=10, momentum=1.0))
    assert "Momentum 1 forgets nothing" in uncleared.explain_step(3)


@pytest.mark.parametrize("replay", [True, False])
def test_replayed_and_looped_descents_read_the_same(replay):
    options = {"lr": 1e-3, "steps": 50, "momentum": 0.5}
    result = fit("y ~ x", line(), tw.GradientDescent(**options, replay=replay))
    first = fit("y ~ x", line(), tw.GradientDescent(**options, replay=False))
    for step in (0, 1, 30):
        a, b = updates(result.explain_step(step)), updates(first.explain_step(step))
        for name in a:
            assert a[name] == pytest.approx(b[name], rel=1e-5)


def test_float32_is_explained_in_its_own_digits():
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-3, steps=5, dtype="float32"))
    text = result.explain_step(2)
    assert "shown to 6 digits" in text
    for j, (_, _, _, new) in enumerate(updates(text).values()):
        assert f"{result.trace.theta[3][j]:.6g}" == f"{new:.6g}"


def test_an_elementwise_predictor():
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        descent = tw.fit(
            tw.Elementwise(), data, solver=tw.GradientDescent(lr=0.01, steps=3), start={"w": [1.0, 2.0], "b": 0.0}
        )  # type: ignore[arg-type]
    text = descent.explain_step(0)
    assert gradients(text.replace("w[0]", "w0").replace("w[1]", "w1")) == {"w0": -114.0, "w1": -34.0, "b": -131.0}
    assert "w[0] <- 1 - 0.01 * (-114) = 2.14" in text


def test_steps_count_from_the_end_too():
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-3, steps=10))
    assert result.explain_step(-1) == result.explain_step(9)


@pytest.mark.parametrize("step", [10, -11, 2.0, True, "1"])
def test_a_step_out_of_range_is_refused_with_the_range(step):
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-3, steps=10))
    with pytest.raises(OptionError, match="0 to 9"):
        result.explain_step(step)


def test_a_state_that_was_let_go_is_named():
    result = fit("y ~ x", line(), tw.GradientDescent(lr=1e-3, steps=10, replay=False))
    trace = result.trace
    trace.every = 2
    trace._thin()
    trace.every = 4  # what thinning once more would say
    for column in ("step", "value", "gradient_size", "rate", "theta", "seconds"):
        getattr(trace, column)[:] = [v for v, s in zip(getattr(trace, column), [0, 4, 8], strict=False) if s % 4 == 0]
    with pytest.raises(OptionError, match="multiple of 4"):
        result.explain_step(3)
    assert "computed here" in result.explain_step(4)


def test_a_fit_that_is_no_descent_has_no_steps():
    with pytest.raises(NotAvailableError, match="GradientDescent"):
        tw.fit("y ~ x", line()).explain_step(0)
