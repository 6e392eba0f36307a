"""The figures that were published with the lessons' programs, through the public API, to the printed digits.

The programs print the loss before an update beside the parameters after it. A state of Thalweg's has the loss of its
own parameters: where a figure is compared, the comment says which state it belongs to.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import thalweg as tw
from thalweg.data.simulate import Simulated
from thalweg.errors import ConvergenceWarning, DivergenceError, SeparationWarning

pytestmark = pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")

AS_PUBLISHED = {"dtype": "float32", "replay": False}  # the programs' own arithmetic and loop


def drawn(data: Simulated) -> float:
    """The next uniform number of the data's stream."""
    return torch.rand(1, generator=data.generator).item()


def eight() -> Simulated:
    return tw.simulate("line", n=8, seed=10, slope=2, intercept=3, noise=3, low=0, high=20)


def test_line_by_hand() -> None:
    data = eight()
    start = {"x": drawn(data), "Intercept": 0}
    solver = tw.GradientDescent(lr=0.001, steps=10_000, loss="half sum", **AS_PUBLISHED)
    fit = tw.fit("y ~ x", data, solver=solver, start=start)
    assert f"{fit.coefficients['x']:.5f} {fit.coefficients['Intercept']:.5f}" == "1.87083 3.46988"
    assert fit.solution.steps == 10_000
    exact = tw.fit("y ~ x", data).coefficients
    assert f"{exact['x']:.4f} {exact['Intercept']:.4f}" == "1.8708 3.4700"
    # Float32 stalls because a step is less than half of b's last digit. Float64 does not.
    fine = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.001, steps=10_000, loss="half sum"), start=start)
    assert f"{fine.coefficients['x']:.5f} {fine.coefficients['Intercept']:.5f}" == "1.87083 3.46996"


def test_line_by_autograd() -> None:
    data = eight()
    start = {"x": drawn(data), "Intercept": drawn(data)}
    solver = tw.GradientDescent(lr=0.001, steps=8000, loss="half sum", derivative="autograd", **AS_PUBLISHED)
    fit = tw.fit("y ~ x", data, solver=solver, start=start)
    assert f"{fit.coefficients['x']:.5f} {fit.coefficients['Intercept']:.5f}" == "1.87084 3.46979"


def test_an_uncleared_gradient_is_momentum_1() -> None:
    data = eight()
    x, y = (torch.tensor(data[name]) for name in ("x", "y"))
    theta = torch.tensor([0.25, 0.5], dtype=torch.float64, requires_grad=True)
    for _ in range(20):
        (((theta[1] * x + theta[0] - y) ** 2).sum() / 2).backward()
        with torch.no_grad():
            theta -= 1e-4 * theta.grad
    solver = tw.GradientDescent(lr=1e-4, steps=20, momentum=1, loss="half sum")
    fit = tw.fit("y ~ x", data, solver=solver, start=[0.25, 0.5])
    torch.testing.assert_close(fit.theta, theta.detach(), rtol=1e-12, atol=1e-12)


def layer() -> nn.Linear:
    """One layer as `torch.manual_seed(0)` makes it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(1, 1)


def test_line_by_module(tmp_path) -> None:
    data = tw.simulate("line", n=11, slope=2, intercept=1, noise=0, low=0, high=10, spacing="even")
    model = layer()
    assert (model.weight.item(), model.bias.item()) == (pytest.approx(-0.00748682), pytest.approx(0.53644359))
    solver = tw.TorchOptimizer("SGD", lr=0.01, steps=1000, dtype="float32")
    fit = tw.fit(model, data, x="x", y="y", solver=solver)
    at = dict(zip(fit.trace.step, fit.trace.value, strict=True))
    assert f"{at[50]:.4f}" == "0.0048"
    assert f"{at[1000]:.1e}" == "1.1e-07"
    found = {name: value.item() for name, value in fit.parameters.items()}
    assert f"{found['weight']:.5f}" == "2.00009"
    assert f"{found['bias']:.5f}" == "0.99938"
    torch.save(fit.module().state_dict(), tmp_path / "line.pkl")
    fresh = nn.Linear(1, 1)
    fresh.load_state_dict(tw.read_state_dict(tmp_path / "line.pkl"))
    predictions = fresh(torch.tensor(data["x"], dtype=torch.float32)[:, None]).detach()[:, 0]
    assert np.abs(predictions.numpy() - data["y"]).max() < 1e-3
    assert torch.equal(predictions, fit.module()(torch.tensor(data["x"], dtype=torch.float32)[:, None]).detach()[:, 0])


CUBIC = "y ~ x + I(x**2) + I(x**3)"


@pytest.fixture(scope="module")
def sine() -> Simulated:
    return tw.simulate("sine", n=2000, noise=0, spacing="even", low=-math.pi, high=math.pi)


def test_cubic(sine) -> None:
    """Loss about 9 to 12 after 2,000 steps: of 40 starts the middle half, and none below the least value 8.8."""
    losses = []
    for seed in range(40):
        start = torch.randn(4, generator=torch.Generator().manual_seed(seed)).tolist()
        fit = tw.fit(CUBIC, sine, solver=tw.GradientDescent(lr=1e-6, steps=2000, loss="sum"), start=start)
        losses.append(fit.trace.value[-1])
    assert 9 < np.median(losses) < 12
    best = tw.fit(CUBIC, sine)
    assert best.equation(digits=4).count("x") == 3
    a, b, c, d = best.coefficients.values()
    assert (f"{b:.5f}", f"{d:.5f}") == ("0.85674", "-0.09333")
    assert max(abs(a), abs(c)) < 1e-12
    assert min(losses) > best.statistics.rss


def test_cubic_three_ways_agree_and_say_how_far_it_is(sine) -> None:
    start = torch.randn(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    options = {"lr": 1e-6, "steps": 2000, "loss": "sum"}
    hand, autograd = (
        tw.fit(CUBIC, sine, solver=tw.GradientDescent(derivative=way, **options), start=start.tolist()).theta
        for way in ("hand", "autograd")
    )
    x = torch.tensor(sine["x"])
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1)).double()
    model.load_state_dict({"0.weight": start[None, 1:], "0.bias": start[:1]})
    columns = {"x": torch.stack([x, x**2, x**3], dim=1), "y": torch.tensor(sine["y"])}
    module = tw.fit(model, columns, x="x", y="y", solver=tw.GradientDescent(derivative="module", **options))
    layer = module.parameters
    torch.testing.assert_close(autograd, hand, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(
        torch.cat([layer["0.bias"], layer["0.weight"][0]]).double(), hand, rtol=1e-11, atol=1e-11
    )
    assert tw.compare_gradients(CUBIC, sine, loss="sum", lr=1e-6, steps=3).agree


def test_cubic_says_how_many_steps_it_would_take(sine) -> None:
    options = {"lr": 1e-6, "loss": "sum"}
    fit = tw.fit(CUBIC, sine, solver=tw.GradientDescent(steps=2000, **options), start=[0.5, 0.5, 0.5, 0.5])
    after = fit.diagnose().after
    more = int(after.more_steps)
    assert more > 0
    assert f"{2000 + more:,}" in str(after) or str(2000 + more) in str(after)
    enough, short = (
        tw.fit(CUBIC, sine, solver=tw.GradientDescent(steps=2000 + more - less, **options), start=[0.5] * 4)
        for less in (0, 1)
    )
    least = tw.fit(CUBIC, sine).statistics.rss
    goal = 1e-6 * (fit.trace.value[0] - least)
    assert enough.trace.value[-1] - least <= goal * (1 + 1e-6)
    assert short.trace.value[-1] - least > goal * (1 - 1e-6)


def twenty() -> tuple[Simulated, dict[str, float]]:
    data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1, low=0, high=10)
    return data, {"x": torch.randn(1, generator=data.generator).item(), "Intercept": 0.0}


@pytest.mark.parametrize("arithmetic", [{}, AS_PUBLISHED])
def test_line_animated_uncleared_stops_at_step_12_by_luck(arithmetic) -> None:
    data, start = twenty()
    options = {"lr": 0.1, "momentum": 1, "loss": "half mean", "allow_divergence": True, **arithmetic}
    fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(steps=1000, **options), start=start, stop=tw.LossBelow(1.0))
    assert fit.solution.steps == 12
    assert f"{fit.trace.value[-1]:.3f}" == "0.602"
    assert [f"{fit.coefficients[name]:.3f}" for name in ("x", "Intercept")] == ["2.197", "3.648"]
    # The program updates once more before it looks, and prints w and b of state 13 beside the loss of state 12.
    # (LESSONS.md gives "w = 3.989, b = 0.00205" with it; 3.989 is the b of that state, and its w is 1.194.)
    after = tw.fit("y ~ x", data, solver=tw.GradientDescent(steps=13, **options), start=start)
    assert [f"{after.coefficients[name]:.3f}" for name in ("x", "Intercept")] == ["1.194", "3.989"]


def test_line_animated_mended_diverges_and_is_refused() -> None:
    data, start = twenty()
    with pytest.raises(DivergenceError, match="above the stable limit"):
        tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, loss="half mean"), start=start)
    # Infinite by step 60 in the program's own float32: the gradient first.
    wild = tw.GradientDescent(lr=0.1, loss="half mean", allow_divergence=True, **AS_PUBLISHED)
    fit = tw.fit("y ~ x", data, solver=wild, start=start)
    assert fit.solution.status.value == "diverged"
    assert fit.trace.step[-1] <= 60
    assert fit.trace.value[-1] > 1e30
    assert not math.isfinite(fit.solution.details["gradient_size"])
    assert "above the stable limit" in fit.solution.advice
    assert all(map(math.isfinite, fit.coefficients.values()))  # the best state is kept


def test_line_animated_stable_limit_is_told_first() -> None:
    data, start = twenty()
    told = tw.diagnose("y ~ x", data, loss="half mean", lr=0.1)
    x = np.column_stack([np.ones(20), data["x"]])
    limit = 2 / np.linalg.eigvalsh(x.T @ x / 20)[-1]
    assert f"{limit:.3g}"[:5] in str(told)
    for share, ends in ((0.99, True), (1.01, False)):
        solver = tw.GradientDescent(lr=share * limit, steps=20_000, loss="half mean", allow_divergence=True)
        fit = tw.fit("y ~ x", data, solver=solver, start=start)
        assert (fit.trace.value[-1] < 1) is ends


@pytest.mark.parametrize("arithmetic", [{}, AS_PUBLISHED])
def test_boundary_stops_at_step_24(arithmetic) -> None:
    data = tw.simulate("clouds", n=100, seed=0, centers=((2, 2), (-2, -2)))
    options = {"lr": 0.02, "momentum": 1, "loss": "mean", "allow_divergence": True, **arithmetic}
    written = {"family": "gaussian", "link": "logit", "start": {"x1": 1, "Intercept": 0}}
    formula = "label ~ x1 + offset(-x2)"
    solver = tw.GradientDescent(steps=1000, **options)
    fit = tw.fit(formula, data, solver=solver, stop=tw.LossBelow(0.01), **written)
    assert fit.solution.steps == 24
    assert f"{fit.trace.value[-1]:.7f}" == "0.0094962"
    assert [f"{fit.theta[i]:.4f}" for i in (1, 0)] == ["-0.8421", "-0.0276"]
    # As in the program, the printed parameters are those of the state after: w = -0.951, b = -0.029.
    after = tw.fit(formula, data, solver=tw.GradientDescent(steps=25, **options), **written)
    assert [f"{after.theta[i]:.3f}" for i in (1, 0)] == ["-0.951", "-0.029"]


def test_boundary_of_separable_clouds_has_no_answer() -> None:
    data = tw.simulate("clouds", n=100, seed=0, centers=((2, 2), (-2, -2)), spread=0.5)
    with pytest.warns(SeparationWarning, match="completely separated"):
        exact = tw.fit("label ~ x1 + x2", data, family="binomial")
    assert exact.separation.complete
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lengths = [
            tw.fit(
                "label ~ x1 + x2", data, family="binomial", solver=tw.GradientDescent(lr=0.5, steps=steps)
            ).theta.norm()
            for steps in (100, 1000, 10_000)
        ]
    assert lengths[0] < 0.8 * lengths[1] < 0.64 * lengths[2]


def test_boundary_of_overlapping_clouds_is_the_exact_one() -> None:
    data = tw.simulate("clouds", n=100, seed=0, centers=((2, 2), (-2, -2)), spread=2)
    solver = tw.GradientDescent(lr="auto", steps=5000)
    descent = tw.fit("label ~ x1 + x2", data, family="binomial", solver=solver)
    exact = tw.fit("label ~ x1 + x2", data, family="binomial")
    torch.testing.assert_close(descent.theta, exact.theta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("arithmetic", [{}, AS_PUBLISHED])
def test_elementwise(arithmetic) -> None:
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    start = {"w": [1.0, 2.0], "b": 0.0}

    def ends(steps: int):
        solver = tw.GradientDescent(lr=0.01, steps=steps, **arithmetic)
        return tw.fit(tw.Elementwise(), data, solver=solver, start=start)

    fit = ends(100)
    assert [f"{w:.4f}" for w in fit.parameters["w"].tolist()] == ["51.8260", "-9.4314"]
    assert f"{fit.parameters['b'].item():.4f}" == "45.1103"
    # "The loss is still 183": the program prints that of the state before; its own is 177.
    at = dict(zip(fit.trace.step, fit.trace.value, strict=True))
    assert (f"{at[99]:.2f}", f"{at[100]:.3f}") == ("183.08", "176.916")
    fit = ends(2000)
    prediction = fit.parameters["w"].double().cpu() * data["x"] + fit.parameters["b"].item()
    found = [fit.parameters["w"][0].item(), fit.parameters["b"].item(), prediction[0].item()]
    if arithmetic:
        assert [f"{value:.4f}" for value in found] == ["62.4444", "52.5554", "114.9998"]
    assert found == pytest.approx([62.4444, 52.5554, 114.9998], abs=3e-4)  # float32 rounds b by 0.0002 on its way


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)])
def test_elementwise_on_any_shape(shape) -> None:
    generator = torch.Generator().manual_seed(1)
    x = 1 + torch.rand(*shape, generator=generator, dtype=torch.float64)
    y = torch.randn(*shape, generator=generator, dtype=torch.float64)
    solver = tw.GradientDescent(lr=0.03, steps=5000, loss="sum")
    fit = tw.fit(tw.Elementwise(), {"x": x, "y": y}, solver=solver)
    assert fit.parameters["w"].shape == x.shape
    torch.testing.assert_close(fit.parameters["w"] * x + fit.parameters["b"], y, rtol=0, atol=1e-6)


def test_warnings_carry_the_number_to_set() -> None:
    data = eight()
    with pytest.warns(ConvergenceWarning, match=r"steps=\d+"):
        tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.001, steps=100, loss="half sum"))
