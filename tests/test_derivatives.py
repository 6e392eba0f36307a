"""By hand = autograd = module = central differences, over every family and link, convention, weight and predictor."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import thalweg as tw
from thalweg.convention import CONVENTIONS, is_squared
from thalweg.derivatives import DERIVATIVES, Given, derivative_of
from thalweg.derivatives.hand import plainly
from thalweg.errors import IncompatibleError, NotAvailableError, OptionError
from thalweg.losses import Family, family
from thalweg.losses.families import FAMILIES
from thalweg.predictors import Elementwise, Linear, ModulePredictor, Predictor
from thalweg.problem import MemoryProblem

OWN = {
    "negative_binomial": {"alpha": 0.6},
    "tweedie": {"power": 1.5},
    **{name: {"scale": 0.4} for name in ("huber", "soft_l1", "cauchy")},  # within the residuals of `rows`
}
PAIRS = [(name, link) for name, kind in FAMILIES.items() for link in kind.links]
N = 7


def pair_of(name: str, link: str) -> Family:
    return family(name, link, **OWN.get(name, {}), **({"exponent": 0.5} if link == "power" else {}))


def rows(one: Family, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """(eta, y, z): an eta inside every domain, a response around its mean, and a covariate of which eta is a line."""
    probability = one.name == "binomial" or one.link.name in ("logit", "probit")
    ends = torch.tensor([0.3, 0.6] if probability else [1.2, 3.0], dtype=torch.float64)
    low, high = one.link.link(ends).tolist()
    z = torch.linspace(-1, 1, N, dtype=torch.float64)
    eta = (low + high) / 2 + (high - low) / 2 * z
    mu = one.mean(eta)
    y = mu * torch.tensor([1.2, 0.7, 1.1, 0.9, 1.3, 0.8, 1.0], dtype=torch.float64)
    if one.name in ("poisson", "negative_binomial"):
        y = y.round()
    return eta.to(dtype), (y.clamp(0, 1) if one.name == "binomial" else y).to(dtype), z.to(dtype)


def line_module(a: float, b: float, dtype: torch.dtype) -> nn.Module:
    module = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1)).to(dtype)  # two layers: eta is not linear in theta
    with torch.no_grad():
        for parameter, values in zip(
            module.parameters(), ([[1.0], [0.5]], [0.1, -0.2], [[b / 2, b]], [a - 0.05 * b + 0.2 * b]), strict=True
        ):
            parameter.copy_(torch.tensor(values))
    return module


def cases(one: Family, dtype: torch.dtype) -> list[tuple[str, Predictor, Tensor, Tensor, Tensor]]:
    """(name, predictor, theta, x, y), each with an eta of about that of `rows`."""
    eta, y, z = rows(one, dtype)
    b, a = float((eta[-1] - eta[0]) / 2), float(eta.mean())
    ones = torch.ones(N, 1, dtype=dtype)
    line = torch.tensor([a, b * 1.01], dtype=dtype)
    module = ModulePredictor(line_module(a, b, dtype))
    place = Elementwise((N,))
    return [
        ("linear", Linear(("Intercept", "z")), line, torch.cat([ones, z[:, None]], 1), y),
        ("no intercept", Linear(("z", "one")), line.flip(0), torch.cat([z[:, None], ones], 1), y),
        (
            "elementwise",
            place,
            torch.cat([(eta - 0.1 * a) * 0.5, line[:1] * 0.1]),
            torch.full((N,), 2.0, dtype=dtype),
            y,
        ),
        ("module", module, module.start(), z[:, None], y),
    ]


def problems(one: Family, dtype: torch.dtype):
    weight = torch.tensor([1.0, 2.0, 0.0, 0.5, 1.0, 3.0, 1.0], dtype=dtype)
    conventions = [name for name in CONVENTIONS if is_squared(one) or not name.startswith("half")]
    for (label, predictor, theta, x, y), name, w, o in itertools.product(
        cases(one, dtype), conventions, (None, weight), (False, True)
    ):
        offset = 0.02 * theta.abs().max() * torch.linspace(-1, 1, N, dtype=dtype) if o else None
        for derivative in DERIVATIVES.values():
            if derivative.name == "hand" and not predictor.by_hand:
                continue
            problem = MemoryProblem(predictor, x, y, one, name, weight=w, offset=offset, derivative=derivative)
            yield (label, name, w is not None, o), problem, theta


def jacobian_of(problem: MemoryProblem, theta: Tensor, kept: dict[str, Tensor], label: str) -> Tensor:
    """|d eta_i / d theta_j|, once for each predictor."""
    if label not in kept:
        kept[label] = torch.func.jacrev(lambda t: problem.predictor(t, problem.x))(theta).abs()
    return kept[label]


def size_of_terms(problem: MemoryProblem, theta: Tensor, jacobian: Tensor) -> Tensor:
    """c sum_i w_i (|loss'_i| + roundings of it) |d eta_i / d theta_j|: what a rounding of one term is a part of."""
    x, y, weight, offset, factor = problem.part(None)
    eta = problem.predictor(theta, x) + (0 if offset is None else offset)
    _, slope, curvature = problem.loss.terms(y, eta, 2)
    each = (slope.abs() + (1 + eta.abs()) * (curvature.abs() + problem.loss.fisher(y, eta))) * jacobian.T
    return factor * ((each if weight is None else weight * each).sum(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_all_ways_to_the_gradient_agree(name: str, link: str, dtype: torch.dtype) -> None:
    one, first, slopes = pair_of(name, link), {}, {}
    bound = 500 * torch.finfo(dtype).eps
    for key, problem, theta in problems(one, dtype):
        value, gradient = problem.value_and_gradient(theta)
        assert gradient.dtype == value.dtype == dtype
        assert not gradient.requires_grad
        assert not value.requires_grad
        assert math.isfinite(value), key
        kept = first.setdefault(key, (value, gradient, problem.derivative.name))
        allowed = bound * size_of_terms(problem, theta, jacobian_of(problem, theta, slopes, key[0]))
        gap = (gradient - kept[1]).abs()
        assert bool((gap <= allowed).all()), f"{key}: {problem.derivative.name} and {kept[2]} differ: {gap} > {allowed}"
        terms = problem.loss.terms(problem.y, problem.predictor(theta, problem.x), 1)
        assert abs(float(value - kept[0])) <= bound * problem.scale * float(terms[0].sum() + terms[1].abs().sum()) * 3
    assert len(first) == 4 * (4 if is_squared(one) else 2) * 4


@pytest.mark.parametrize(("name", "link"), PAIRS)
def test_the_gradient_is_the_limit_of_differences(name: str, link: str) -> None:
    slopes: dict[str, Tensor] = {}
    for key, problem, theta in problems(pair_of(name, link), torch.float64):
        if problem.derivative.name != "module" or key[1] != "mean" or key[2] != key[3]:
            continue
        step = 1e-6 * theta.abs().clamp(min=0.1)
        moved = torch.diag(step)
        differences = torch.stack([problem.value(theta + m) - problem.value(theta - m) for m in moved]) / (2 * step)
        gradient = problem.value_and_gradient(theta)[1]
        allowed = 1e-7 * size_of_terms(problem, theta, jacobian_of(problem, theta, slopes, key[0])) + 1e-9
        assert bool(((gradient - differences).abs() <= allowed).all()), key


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_short_form_of_squares_is_the_plain_one(weighted: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y, offset, w = (torch.randn(50, k, generator=generator, dtype=dtype) for k in (3, 1, 1, 1))
    for o, convention in itertools.product((None, offset[:, 0]), CONVENTIONS):
        weight = w[:, 0].abs() if weighted else None
        problem = MemoryProblem(
            Linear(("a", "b", "c")), x, y[:, 0], family("gaussian"), convention, weight=weight, offset=o
        )
        theta = torch.randn(3, generator=generator, dtype=dtype)
        assert problem.squares is not None
        for short, plain in zip(problem.squares(theta), plainly(problem, theta), strict=True):
            torch.testing.assert_close(short, plain, rtol=100 * torch.finfo(dtype).eps, atol=1e-6 * problem.scale)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_the_short_form_of_labels_is_the_plain_one(weighted: bool, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    x, offset, w = (torch.randn(50, k, generator=generator, dtype=dtype) for k in (3, 1, 1))
    y, batch = (torch.rand(50, generator=generator) < 0.4).to(dtype), torch.tensor([3, 40, 7])
    for o, convention, rows, size in itertools.product(
        (None, offset[:, 0]), ("mean", "sum"), (None, batch), (1.0, 30.0)
    ):
        weight = w[:, 0].abs() if weighted else None
        problem = MemoryProblem(Linear(("a", "b", "c")), x, y, family("binomial"), convention, weight=weight, offset=o)
        theta = size * torch.randn(3, generator=generator, dtype=dtype)
        assert problem.labels is not None
        for short, plain in zip(problem.labels(theta, rows), plainly(problem, theta, rows), strict=True):
            torch.testing.assert_close(short, plain, rtol=100 * torch.finfo(dtype).eps, atol=1e-5 * problem.scale)


class Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_a_step_of_least_squares_costs_four_operations() -> None:
    problem = MemoryProblem(Linear(("Intercept", "x")), torch.ones(8, 2), torch.ones(8), family("gaussian"))
    problem.value_and_gradient(torch.zeros(2))
    with Counting() as counted:
        problem.value_and_gradient(torch.zeros(2))
    assert [name for name in counted.names if "zeros" not in name] == [
        "aten.addmv.default",
        "aten.addmv.default",
        "aten.dot.default",
        "aten.mul.Tensor",
    ]


def test_batches_have_the_gradient_of_their_rows() -> None:
    batch = torch.tensor([5, 0, 2])
    for name, link in (("gaussian", "identity"), ("binomial", "logit"), ("gaussian", "logit")):
        for key, problem, theta in problems(pair_of(name, link), torch.float64):
            if key[0] == "elementwise":
                with pytest.raises(IncompatibleError, match="no batches"):
                    problem.value_and_gradient(theta, batch)
                continue
            x, y, weight, offset, _ = problem.part(batch)
            alone = MemoryProblem(
                problem.predictor,
                x,
                y,
                problem.loss,
                problem.convention,
                weight=weight,
                offset=offset,
                derivative=problem.derivative,
            )
            for whole, part in zip(
                problem.value_and_gradient(theta, batch), alone.value_and_gradient(theta), strict=True
            ):
                torch.testing.assert_close(whole, part, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("way", list(DERIVATIVES))
def test_gradients_do_not_add_up_from_call_to_call(way: str) -> None:
    _, predictor, theta, x, y = cases(pair_of("poisson", "log"), torch.float64)[0]
    problem = MemoryProblem(predictor, x, y, family("poisson"), derivative=DERIVATIVES[way])
    _, first = problem.value_and_gradient(theta)
    kept = first.clone()
    assert torch.equal(problem.value_and_gradient(theta)[1], kept)
    assert torch.equal(first, kept)  # nor is what was returned written over


def test_a_module_has_no_derivative_by_hand() -> None:
    _, predictor, theta, x, y = cases(pair_of("gaussian", "identity"), torch.float64)[3]
    assert MemoryProblem(predictor, x, y, family("gaussian")).derivative.name == "module"
    with pytest.raises(NotAvailableError, match="by hand"):
        predictor.transpose_times(theta, x, y)


# --- the user's own --------------------------------------------------------------------------------------------------


def boundary() -> tuple[MemoryProblem, Tensor]:
    _, predictor, theta, x, y = cases(pair_of("binomial", "logit"), torch.float64)[0]
    return MemoryProblem(predictor, x, y, family("binomial")), theta


def logistic(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> dict[str, Tensor]:
    error = torch.sigmoid(parameters["Intercept"] + parameters["z"] * x[:, 1]) - y
    return {"Intercept": error.mean(), "z": (error * x[:, 1]).mean()}


def line(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> dict[str, Tensor]:
    error = parameters["Intercept"] + parameters["x"] * x[:, 1] - y
    return {"Intercept": 2 * error.mean(), "x": 2 * (error * x[:, 1]).mean()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_a_right_gradient_is_used(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(4)
    x = torch.rand(9, generator=generator, dtype=torch.float64)
    data = {"x": x, "y": 3 * x - 1}
    name = str(dtype).removeprefix("torch.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 60 steps are not enough
        own, ours = (
            tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.3, steps=60, dtype=name, derivative=derivative))
            for derivative in (line, "autograd")
        )
    torch.testing.assert_close(own.theta, ours.theta, rtol=1e-5 if name == "float32" else 1e-13, atol=1e-12)


def test_a_flat_gradient_and_other_families_are_accepted() -> None:
    problem, theta = boundary()
    for function in (logistic, lambda p, x, y: torch.stack(list(logistic(p, x, y).values()))):
        problem.derivative = Given(function)
        value, gradient = problem.value_and_gradient(theta)
        expected = DERIVATIVES["autograd"](problem, theta)
        torch.testing.assert_close((value, gradient), expected, rtol=1e-13, atol=1e-15)


def changed(**factors: float):
    def gradient(parameters, x, y):
        right = line(parameters, x, y)
        return {name: factors.get(name, factors.get("all", 1.0)) * value for name, value in right.items()}

    return gradient


WRONG = {
    "half": (changed(all=0.5), ("Intercept: given", "x: given", "half the right one", "loss='half mean'")),
    "twice": (changed(all=2.0), ("twice the right one",)),
    "a sum": (changed(all=9.0), ("9 (the rows) times the right one", "Divide by n", "loss='sum'")),
    "half a sum": (changed(all=4.5), ("9 (the rows) times the right one", "half the right one")),
    "the mean of a mean": (changed(all=1 / 9), ("divided by 9",)),
    "sign": (changed(all=-1.0), ("wrong sign",)),
    "sign and half": (changed(all=-0.5), ("wrong sign", "half the right one")),
    "one of them": (changed(x=0.5), ("wrong for x: given", "the other one is right", "half the right one")),
    "one is 0": (changed(Intercept=0.0), ("wrong for Intercept: given 0,", "as if the loss did not depend on it")),
    "no reason": (changed(x=1.7), ("1.7 times the right one",)),
    "NaN": (changed(x=float("nan")), ("wrong for x: given nan", "not finite")),
    "left out": (lambda p, x, y: {"x": p["x"]}, ("leaves out Intercept",)),
    "unknown": (lambda p, x, y: {**line(p, x, y), "w": p["x"]}, ("no parameters: ['w']",)),
    "too short": (lambda p, x, y: torch.ones(1), ("1 entries for 2 parameters",)),
    "no number": (lambda p, x, y: "steep", ("returned a str",)),
    "a shape": (lambda p, x, y: {"Intercept": y, "x": p["x"]}, ("shape (9,), and Intercept itself ()",)),
    "the other order": (
        lambda p, x, y: {"Intercept": line(p, x, y)["x"], "x": line(p, x, y)["Intercept"]},
        ("another order",),
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_wrong_gradient_is_refused_before_the_first_step(case: str, dtype: str) -> None:
    function, texts = WRONG[case]
    x = torch.rand(9, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    seen: list[int] = []
    solver = tw.GradientDescent(lr=0.3, steps=60, dtype=dtype, derivative=function)
    with pytest.raises(OptionError) as refused:
        tw.fit("y ~ x", {"x": x, "y": 3 * x - 1}, solver=solver, observers=[lambda state: seen.append(state.step)])
    for text in texts:
        assert text in str(refused.value)
    assert not seen


def test_the_refusal_shows_the_right_number() -> None:
    data = {"x": [1.0, 2.0, 3.0], "y": [1.0, 3.0, 2.0]}
    # at w = b = 0: the mean of -2 (y) is -4, of -2 x y is -26/3
    with pytest.raises(OptionError, match=r"Intercept: given -2, right -4 .*differences of the loss -4\)"):
        tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, derivative=changed(all=0.5)))


def test_a_gradient_that_is_right_at_the_start_only_is_refused() -> None:
    def of_the_start(parameters, x, y):
        return line({"Intercept": torch.zeros(()).double(), "x": torch.zeros(()).double()}, x, y)

    x = torch.rand(9, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with pytest.raises(OptionError, match="near the start"):
        tw.fit("y ~ x", {"x": x, "y": 3 * x - 1}, solver=tw.GradientDescent(lr=0.3, derivative=of_the_start))


def test_a_gradient_of_a_matrix_may_be_transposed_by_mistake() -> None:
    module = ModulePredictor(nn.Linear(3, 1, bias=False).double())
    x, y = torch.rand(2, 6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = y[:, 0]

    def gradient(parameters, x, y):
        return {"weight": 2 / 6 * x.T @ (x @ parameters["weight"].T - y[:, None])}

    problem = MemoryProblem(module, x, y, family("gaussian"), derivative=Given(gradient))
    with pytest.raises(OptionError, match=r"shape \(3, 1\), and weight itself \(1, 3\).*transposed"):
        problem.value_and_gradient(module.start())


def test_at_the_optimum_a_right_gradient_is_not_refused() -> None:
    x = torch.rand(9, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = tw.fit(
            "y ~ x",
            {"x": x, "y": 3 * x - 1},
            solver=tw.GradientDescent(lr=0.3, steps=3, derivative=line),
            start={"Intercept": -1.0, "x": 3.0},
        )
    assert fit.coefficients["x"] == pytest.approx(3.0, rel=1e-13)


def test_weights_of_a_batch_cannot_be_given_to_a_user() -> None:
    problem, theta = boundary()
    problem.weight, problem.derivative = torch.ones(N).double(), Given(logistic)
    with pytest.raises(IncompatibleError, match="weights"):
        problem.value_and_gradient(theta, torch.tensor([0, 1]))


@pytest.mark.parametrize("wrong", ["by hand", 3, None, nn.Linear])
def test_what_is_no_derivative_is_refused(wrong: object) -> None:
    with pytest.raises(OptionError, match="'hand', 'autograd', 'module'"):
        derivative_of(wrong)


def test_names_and_functions_are_derivatives() -> None:
    assert [derivative_of(name).name for name in ("hand", "autograd", "module")] == ["hand", "autograd", "module"]
    assert derivative_of(derivative_of("hand")) is derivative_of("hand")
    assert isinstance(derivative_of(line), Given)


@pytest.mark.parametrize(
    ("function", "kind", "said"),
    [
        (lambda theta: theta, TypeError, "takes 1 positional argument but 3 were given"),
        (lambda p, x, y: {"a": p["slope"] * x.sum()}, KeyError, "slope"),
        (lambda p, x, y: p @ x, TypeError, "unsupported operand"),
        (lambda p, x, y: x.T @ x[:2], RuntimeError, "size|shape"),
        (lambda p, x, y: x.columns, AttributeError, "columns"),
    ],
)
def test_a_gradient_of_your_own_that_raises_is_told_how_it_is_called(function, kind, said) -> None:
    x = torch.linspace(0, 1, 5, dtype=torch.float64)
    solver = tw.GradientDescent(lr=0.1, steps=3, derivative=function)
    with pytest.raises(OptionError, match=f"raised a {kind.__name__}: .*({said})") as error:
        tw.fit("y ~ x", {"x": x, "y": 2 * x + x**2}, solver=solver)
    assert isinstance(error.value.__cause__, kind)
    text = str(error.value)
    assert "gradient(parameters, x, y)" in text
    assert "Intercept, x" in text
    assert "(5, 2)" in text
    assert "(5,)" in text
    assert "one flat tensor" in text
