"""The same fits on a GPU: tensors stay where they are, and the answers are those of the CPU."""

from __future__ import annotations

import pytest
import torch

import thalweg as tw

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


def tensors(device: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(5000, 4, generator=generator, dtype=torch.float64)
    eta = x @ torch.tensor([0.5, -0.3, 0.2, 0.1], dtype=torch.float64) - 0.2
    y = eta + torch.randn(5000, generator=generator, dtype=torch.float64)
    count = torch.poisson(eta.exp(), generator=generator)
    label = (torch.rand(5000, generator=generator, dtype=torch.float64) < torch.sigmoid(eta)).double()
    return {name: value.to(device) for name, value in {"X": x, "y": y, "count": count, "label": label}.items()}


@pytest.mark.parametrize(("response", "family"), [("y", "gaussian"), ("label", "binomial"), ("count", "poisson")])
@pytest.mark.parametrize("covariance", ["model", "HC3"])
def test_a_fit_on_the_gpu_is_that_on_the_cpu(response, family, covariance):
    there = tw.fit(f"{response} ~ X", tensors("cuda"), family=family, covariance=covariance)
    here = tw.fit(f"{response} ~ X", tensors("cpu"), family=family, covariance=covariance)
    torch.testing.assert_close(there.theta.cpu(), here.theta, rtol=1e-11, atol=1e-13)
    torch.testing.assert_close(there.covariance.cpu(), here.covariance, rtol=1e-9, atol=1e-15)
    assert there.statistics.log_likelihood == pytest.approx(here.statistics.log_likelihood, rel=1e-11)


def test_float32_on_the_gpu():
    data = {name: value.float() for name, value in tensors("cuda").items()}
    fit = tw.fit("y ~ X", data)
    torch.testing.assert_close(fit.theta.cpu(), tw.fit("y ~ X", tensors("cpu")).theta, rtol=1e-4, atol=1e-5)


SOLVERS = {
    "gradient descent": tw.GradientDescent(lr=0.1, steps=200, momentum=0.5, replay=False),
    "autograd": tw.GradientDescent(lr=0.1, steps=200, derivative="autograd"),
    "mini-batches": tw.SGD(lr=0.05, epochs=2, batch_size=256, seed=1),
    "Adam": tw.TorchOptimizer("Adam", lr=0.01, steps=200),
    "L-BFGS": tw.LBFGS(steps=20),
}


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())
@pytest.mark.parametrize(("response", "family"), [("y", "gaussian"), ("label", "binomial")])
def test_a_descent_on_the_gpu_takes_the_way_of_that_on_the_cpu(response, family, solver):
    there = tw.fit(f"{response} ~ X", tensors("cuda"), family=family, solver=solver)
    here = tw.fit(f"{response} ~ X", tensors("cpu"), family=family, solver=solver)
    assert there.descent is not None
    assert there.descent.problem.device.type == "cuda"
    torch.testing.assert_close(there.trace.path, here.trace.path, rtol=1e-9, atol=1e-11)


def test_device_cuda_moves_data_that_lie_on_the_cpu():
    solver = tw.GradientDescent(lr=0.1, steps=50, replay=False, device="cuda")
    fit = tw.fit("y ~ X", tensors("cpu"), solver=solver)
    assert fit.descent is not None
    assert fit.descent.problem.device.type == "cuda"


def test_a_start_on_the_gpu():
    start = dict.fromkeys(("Intercept", *(f"X[{i}]" for i in range(4))), 0.1)
    there = tw.fit("label ~ X", tensors("cuda"), family="binomial", start=start)
    torch.testing.assert_close(there.theta.cpu(), tw.fit("label ~ X", tensors("cpu"), family="binomial").theta)


def decay(device: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = 4 * torch.rand(50_000, generator=generator, dtype=torch.float64)
    y = 3 * torch.exp(-1.2 * x) + 0.5 + 0.1 * torch.randn(50_000, generator=generator, dtype=torch.float64)
    count = torch.poisson(torch.exp(2 - 0.5 * x), generator=generator)
    return {name: value.to(device) for name, value in {"x": x, "y": y, "count": count, "w": 1 + x}.items()}


CURVES = {
    "decay": ("y = a * exp(-b * x) + c", {"start": {"a": 1, "b": 1, "c": 0}}),
    "weighted": ("y = a * exp(-b * x) + c", {"start": {"a": 1, "b": 1, "c": 0}, "weights": "w"}),
    "tied": ("y = a * exp(-b * x) + c", {"start": {"a": 1, "b": 1}, "tied": {"c": "a / 6"}}),
    "Poisson": ("count = a - b * x", {"start": {"a": 1, "b": 1}, "family": "poisson", "link": "log"}),
    "choice": ("y = where(x > 1, a, b) + c * x", {"start": {"a": 1, "b": 1, "c": 0}}),
}


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_on_the_gpu_is_that_on_the_cpu(name, monkeypatch):
    from thalweg.curves import fit as fitting

    made = []

    def parts(rows, curve):
        made.append(fitting_parts(rows, curve))
        return made[-1]

    fitting_parts = fitting.device_parts
    monkeypatch.setattr(fitting, "device_parts", parts)
    text, options = CURVES[name]
    there, here = (tw.fit(text, decay(device), **options) for device in ("cuda", "cpu"))
    assert made[0][0].y.is_cuda
    torch.testing.assert_close(there.theta, here.theta, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(there.vcov(), here.vcov(), rtol=1e-8, atol=1e-16)
    assert there.statistics.log_likelihood == pytest.approx(here.statistics.log_likelihood, rel=1e-11)
    assert there.predict({"x": torch.ones(3, device="cuda", dtype=torch.float64)}) == pytest.approx(
        here.predict({"x": torch.ones(3, dtype=torch.float64)}), rel=1e-9
    )


@pytest.mark.parametrize("careful", [True, False])
def test_sums_of_a_curve_on_the_gpu(careful):
    from thalweg.curves.curve import Expression
    from thalweg.curves.device import DevicePart, TensorEvaluator
    from thalweg.curves.language import read_equation
    from thalweg.curves.problem import CurveProblem
    from thalweg.losses import family

    curve = Expression.of(read_equation("y = a * exp(-b * x) + c", ["x", "y"]))
    found = []
    for device in ("cpu", "cuda"):
        data = decay(device)
        part = DevicePart(TensorEvaluator(curve, {"x": data["x"]}, 50_000, data["x"].device), data["y"], data["w"])
        problem = CurveProblem(curve, lambda part=part: [part], family("gaussian"), 50_000)
        problem._careful = careful
        linear = problem.linearize([2.0, 1.0, 0.3])
        found.append((linear.value, linear.triangle.T @ linear.triangle, linear.gradient))
    for a, b in zip(*found, strict=True):
        assert b == pytest.approx(a, rel=1e-11)


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS.keys())
def test_a_descent_on_a_curve_on_the_gpu(solver):
    text, start = "y = a * exp(-b * x) + c", {"a": 1, "b": 1, "c": 0}
    there, here = (tw.fit(text, decay(device), start=start, solver=solver) for device in ("cuda", "cpu"))
    assert there.descent is not None
    assert there.descent.problem.device.type == "cuda"
    torch.testing.assert_close(there.trace.path, here.trace.path, rtol=1e-9, atol=1e-11)
    assert (there.covariance is None) == (here.covariance is None)
