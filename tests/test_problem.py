"""Problems: conventions against torch's own losses, passes against memory, Hessian products, devices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

import thalweg as tw
from thalweg import problem as problem_module
from thalweg.convention import CONVENTIONS
from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.derivatives import BY_AUTOGRAD, BY_HAND
from thalweg.errors import IncompatibleError, NotAvailableError, OptionError
from thalweg.losses import family
from thalweg.losses.base import Family
from thalweg.objective import Objective
from thalweg.predictors import Elementwise, Linear
from thalweg.problem import MemoryProblem, PassProblem, device_of, problem_of

FORMULA = "y ~ x + C(g) + offset(0.1 * x)"


def table(rows: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=rows)
    return {
        "x": x,
        "g": np.array(["a", "b", "c"])[rng.integers(0, 3, rows)],
        "y": rng.poisson(np.exp(0.4 * x)).astype(float),
        "label": (rng.normal(size=rows) + x > 0).astype(float),
        "w": rng.integers(0, 4, rows).astype(float),
    }


def objective_of(one: Family, response: str = "y", weights: str | None = None) -> tuple[Objective, tuple[str, ...]]:
    source = open_source(table())
    spec = Spec.learn(FORMULA.replace("y", response, 1), source, **({"weights": weights} if weights else {}))
    return Objective(Rows(source, spec), one), spec.names


def pair(one: Family, convention: str, weights: str | None = None, response: str = "y"):
    """(in memory, by passes, a point)."""
    objective, names = objective_of(one, response, weights)
    theta = torch.tensor([0.3, -0.2, 0.1, 0.25], dtype=torch.float64)
    return problem_of(objective, names, convention), PassProblem(objective, names, convention), theta


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize(
    ("one", "convention", "response"),
    [
        (family("gaussian"), "mean", "y"),
        (family("gaussian"), "half sum", "y"),
        (family("poisson"), "mean", "y"),
        (family("poisson"), "sum", "y"),
        (family("binomial"), "mean", "label"),
    ],
    ids=str,
)
def test_passes_are_what_memory_is(one: Family, convention: str, response: str, weights: str | None) -> None:
    memory, passes, theta = pair(one, convention, weights, response)
    assert isinstance(memory, MemoryProblem)
    assert memory.scale == pytest.approx(passes.scale, rel=1e-15)
    for there, here in zip(passes.value_and_gradient(theta), memory.value_and_gradient(theta), strict=True):
        torch.testing.assert_close(there, here, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(passes.value(theta), memory.value(theta), rtol=1e-13, atol=0)
    v = torch.tensor([1.0, -2.0, 0.5, 0.3], dtype=torch.float64)
    torch.testing.assert_close(passes.hessian_product(theta, v), memory.hessian_product(theta, v), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "link"), [("gaussian", "identity"), ("gaussian", "logit"), ("poisson", "log"), ("gamma", "log")]
)
def test_hessian_products_are_those_of_the_hessian(name: str, link: str) -> None:
    generator = torch.Generator().manual_seed(2)
    x, y = torch.randn(9, 3, generator=generator).double(), torch.rand(9, generator=generator).double() + 0.2
    weight, v = torch.rand(9, generator=generator).double(), torch.randn(3, generator=generator).double()
    problem = MemoryProblem(Linear(("a", "b", "c")), x, y, family(name, link), weight=weight, offset=0.1 * y)
    theta = 0.3 * torch.ones(3, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(problem.value, theta)
    torch.testing.assert_close(problem.hessian_product(theta, v), hessian @ v, rtol=1e-12, atol=1e-14)


def test_mean_is_what_torch_calls_its_losses() -> None:
    generator = torch.Generator().manual_seed(5)
    x, y = torch.randn(30, 2, generator=generator), torch.rand(30, generator=generator)
    label, theta = (y > 0.4).float(), torch.tensor([0.3, -1.2])
    squares = {
        "mean": mse_loss(x @ theta, y),
        "sum": mse_loss(x @ theta, y, reduction="sum"),
        "half mean": mse_loss(x @ theta, y) / 2,
        "half sum": mse_loss(x @ theta, y, reduction="sum") / 2,
    }
    for convention, expected in squares.items():
        problem = MemoryProblem(Linear(("a", "b")), x, y, family("gaussian"), convention)
        torch.testing.assert_close(problem.value(theta), expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(problem.value_and_gradient(theta)[0], expected, rtol=1e-6, atol=0)
    probability = MemoryProblem(Linear(("a", "b")), x, y, family("gaussian", "logit"))
    torch.testing.assert_close(probability.value(theta), mse_loss(torch.sigmoid(x @ theta), y), rtol=1e-6, atol=0)
    for convention, reduction in (("mean", "mean"), ("sum", "sum")):
        problem = MemoryProblem(Linear(("a", "b")), x, label, family("binomial"), convention)
        expected = binary_cross_entropy_with_logits(x @ theta, label, reduction=reduction)
        torch.testing.assert_close(problem.value(theta), expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(problem.value_and_gradient(theta)[0], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("batch", [None, torch.tensor([3, 0, 7, 7])])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("name", "link", "labels"),
    [
        ("gaussian", "identity", False), ("gaussian", "logit", True), ("gaussian", "probit", True),
        ("gaussian", "logit", False), ("binomial", "logit", True),
    ],
)  # fmt: skip
def test_the_short_form_of_a_loss_is_the_sum_of_the_loss(
    name: str, link: str, labels: bool, dtype: torch.dtype, batch: Tensor | None
) -> None:
    """Value and autograd's gradient, also far out, where 1 - F(eta) has digits only as F(-eta)."""
    g = torch.Generator().manual_seed(2)
    x, offset = (4 * torch.randn(12, k, generator=g, dtype=dtype) for k in (3, 1))
    y = torch.rand(12, generator=g, dtype=dtype)
    y = (y > 0.5).to(dtype) if labels else y
    theta = torch.tensor([0.5, -2.0, 1.0], dtype=dtype)
    for convention in CONVENTIONS[:2] if name == "binomial" else CONVENTIONS:
        short, plain = (
            MemoryProblem(Linear(("a", "b", "c")), x, y, family(name, link), convention, offset=offset[:, 0])
            for _ in range(2)
        )
        vars(plain)["_short"] = None
        assert (short._short is None) == (link == "logit" and not labels)
        ours, theirs = (BY_AUTOGRAD(each, theta, batch) for each in (short, plain))
        torch.testing.assert_close(ours, theirs, rtol=30 * torch.finfo(dtype).eps, atol=0)


def test_a_weighted_mean_divides_by_the_weights() -> None:
    y, weight = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1.0, 0.0, 3.0])
    problem = MemoryProblem(Linear(("Intercept",)), torch.ones(3, 1), y, family("gaussian"), weight=weight)
    assert float(problem.value(torch.zeros(1))) == pytest.approx((1 + 3 * 16) / 4)
    assert problem.scale == pytest.approx(2 / 4)
    batch = torch.tensor([1])  # a row without weight: no loss, and no NaN
    value, gradient = problem.value_and_gradient(torch.zeros(1), batch)
    assert (float(value), float(gradient)) == (0.0, 0.0)


def test_batches_average_to_the_whole() -> None:
    memory, _, theta = pair(family("poisson"), "mean")
    parts = torch.arange(40).reshape(5, 8)
    for whole, part in zip(
        memory.value_and_gradient(theta),
        zip(*(memory.value_and_gradient(theta, batch) for batch in parts), strict=True),
        strict=True,
    ):
        torch.testing.assert_close(torch.stack(part).mean(0), whole, rtol=1e-12, atol=1e-14)


def test_batches_are_refused_where_there_are_none() -> None:
    _, passes, theta = pair(family("poisson"), "mean")
    assert "batches" not in passes.has
    for call in (passes.value, passes.value_and_gradient):
        with pytest.raises(IncompatibleError, match="block by block"):
            call(theta, torch.tensor([0]))
    place = MemoryProblem(Elementwise((2,)), torch.ones(2), torch.ones(2), family("gaussian"))
    assert "batches" not in place.has
    assert "batches" in MemoryProblem(Linear(("a",)), torch.ones(2, 1), torch.ones(2), family("gaussian")).has


def test_a_problem_that_is_read_block_by_block_costs_no_pass_to_make() -> None:
    objective, names = objective_of(family("poisson"))
    problem = PassProblem(objective, names, "sum")
    assert objective.passes == 0
    assert problem.device.type == "cpu"
    problem.value_and_gradient(torch.zeros(4, dtype=torch.float64))
    assert objective.passes == 1


def test_a_large_design_is_read_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem_module, "KEEP_BYTES", 40 * 4 * 8 - 1)
    objective, names = objective_of(family("poisson"))
    assert isinstance(problem_of(objective, names), PassProblem)
    for options, text in (
        ({"dtype": torch.float16}, "dtype='float16'"),
        ({"derivative": BY_AUTOGRAD}, "derivative='autograd'"),
    ):
        monkeypatch.setattr(problem_module, "KEEP_BYTES", 1)
        with pytest.raises(OptionError, match=text):
            problem_of(objective, names, **options)


def test_float32_is_float32_throughout() -> None:
    objective, names = objective_of(family("poisson"), weights="w")
    problem = problem_of(objective, names, dtype=torch.float32)
    assert isinstance(problem, MemoryProblem)
    kept: list[Tensor | None] = [problem.x, problem.y, problem.weight, problem.offset]
    value, gradient = problem.value_and_gradient(torch.zeros(4))
    assert {tensor.dtype for tensor in [*kept, value, gradient] if tensor is not None} == {torch.float32}
    exact = problem_of(objective, names).value_and_gradient(torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(gradient.double(), exact[1], rtol=1e-5, atol=1e-6)


def test_a_quadratic_is_only_where_there_is_one() -> None:
    memory, _, theta = pair(family("gaussian"), "half mean", "w")
    quadratic = memory.quadratic
    assert quadratic is not None
    away = theta - quadratic.optimum
    expected = quadratic.least + float(away @ quadratic.hessian @ away) / 2
    assert float(memory.value(theta)) == pytest.approx(expected, rel=1e-12)
    assert pair(family("gaussian", "log"), "mean")[0].quadratic is None
    assert pair(family("poisson"), "mean")[0].quadratic is None


def test_devices() -> None:
    assert device_of(None) is None
    assert device_of("cpu") == torch.device("cpu")
    assert device_of("auto") == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(OptionError, match="'auto'"):
        device_of("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_not_available() -> None:
    objective, names = objective_of(family("poisson"))
    with pytest.raises(NotAvailableError, match=r"no CUDA devices.*'auto'"):
        problem_of(objective, names, device="cuda")
    with pytest.raises(NotAvailableError, match="'auto'"):
        tw.fit("y ~ x", table(), solver=tw.GradientDescent(lr=0.1, device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_problem_on_the_gpu_is_that_on_the_cpu() -> None:
    objective, names = objective_of(family("poisson"), weights="w")
    here, there = problem_of(objective, names), problem_of(objective, names, device="cuda")
    theta = torch.tensor([0.3, -0.2, 0.1, 0.25], dtype=torch.float64)
    for a, b in zip(here.value_and_gradient(theta), there.value_and_gradient(theta.cuda()), strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-12, atol=1e-14)


def test_halves_are_of_squares() -> None:
    with pytest.raises(OptionError, match="halves squared errors"):
        MemoryProblem(Linear(("a",)), torch.ones(2, 1), torch.ones(2), family("poisson"), "half mean")
    assert math.isfinite(
        MemoryProblem(Linear(("a",)), torch.ones(2, 1), torch.ones(2), family("gaussian", "logit"), "half mean").scale
    )


def test_the_derivative_is_by_hand_unless_told() -> None:
    assert pair(family("poisson"), "mean")[0].derivative is BY_HAND
