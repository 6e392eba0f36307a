"""Descents of predictors that are no formula: the lessons' figures, starts, what is refused, and what is left."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import thalweg as tw
from thalweg.errors import ColumnError, ConvergenceWarning, DataError, DomainError, MissingValueError, OptionError
from thalweg.losses import family
from thalweg.predictors import Elementwise, Linear
from thalweg.store.state_dict import load_into, read_state_dict
from thalweg.train import fit_predictor, problem_of_predictor

LESSON = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
START = {"w": [1.0, 2.0], "b": 0.0}


def quietly(*arguments, **options) -> tw.Descent:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit_predictor(*arguments, **options)


def elementwise(steps: int, **options) -> tw.Descent:
    solver = tw.GradientDescent(lr=0.01, steps=steps, **options)
    return quietly(Elementwise(), LESSON, solver=solver, start=START)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("derivative", ["hand", "autograd", "module"])
def test_the_lesson_after_100_steps(dtype: str, derivative: str) -> None:
    descent = elementwise(100, dtype=dtype, derivative=derivative)
    assert descent.parameters["w"].numpy() == pytest.approx([51.8260, -9.4314], abs=6e-5)
    assert float(descent.parameters["b"]) == pytest.approx(45.1103, abs=6e-5)
    assert descent.loss == pytest.approx(176.916, abs=6e-4)
    assert descent.trace.value[-2] == pytest.approx(183.08, abs=6e-3)  # what the program prints: before the last update


def test_the_lesson_after_2000_steps() -> None:
    descent = elementwise(2000, dtype="float32")
    assert float(descent.parameters["w"][0]) == pytest.approx(62.4444, abs=6e-5)
    assert float(descent.parameters["b"]) == pytest.approx(52.5554, abs=6e-5)
    assert float(descent.predict()[0]) == pytest.approx(114.9998, abs=6e-5)


def loop(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, steps: int) -> tuple[Tensor, Tensor]:
    """The lesson's program."""
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    for _ in range(steps):
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
            w.grad, b.grad = None, None
    return w.detach(), b.detach()


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 2)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    descent = quietly(Elementwise(), {"x": x, "y": y}, solver=tw.GradientDescent(lr=0.2, steps=30))
    w, b = loop(x, y, torch.zeros(shape).double(), torch.zeros(()).double(), 0.2, 30)
    torch.testing.assert_close(descent.parameters["w"], w, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(descent.parameters["b"], b, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(descent.predict(), w * x + b)
    torch.testing.assert_close(descent.predict(x), w * x + b)
    assert isinstance(descent.predict({"x": x.numpy()}), np.ndarray)


def test_a_module_is_fitted_as_its_own_loop_would() -> None:
    """Lesson 3: eleven points on a line, one layer, SGD with 0.01, mean squared error."""
    x = torch.arange(11, dtype=torch.float32)[:, None]
    y = 2 * x + 1
    torch.manual_seed(7)
    ours, theirs = nn.Linear(1, 1), nn.Linear(1, 1)
    theirs.load_state_dict(ours.state_dict())
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01)
    losses = []
    for _ in range(200):
        loss = nn.functional.mse_loss(theirs(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    descent = quietly(ours, {"x": x, "y": y}, solver=tw.GradientDescent(lr=0.01, steps=200))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-5, atol=1e-5)
    assert descent.trace.value[:200] == pytest.approx(losses, rel=1e-4)
    assert descent.problem.dtype == torch.float32
    assert descent.names == ("weight", "bias")


def test_weights_go_into_a_fresh_module_that_predicts_without_training(tmp_path: Path) -> None:
    x = np.linspace(0, 1, 20, dtype=np.float32)
    module = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
    descent = quietly(module, {"x": x, "y": np.sin(3 * x)}, solver=tw.GradientDescent(lr=0.1, steps=50))
    descent.save(tmp_path / "net.safetensors")
    torch.save(descent.module().state_dict(), tmp_path / "net.pt")
    for name in ("net.safetensors", "net.pt"):
        fresh = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
        load_into(fresh, tmp_path / name)
        with torch.no_grad():
            assert torch.equal(fresh(torch.from_numpy(x)[:, None])[:, 0], descent.predict())
    assert all(torch.equal(value, module.state_dict()[name]) for name, value in descent.module().state_dict().items())


def test_columns_are_given_in_the_order_of_x() -> None:
    rng = np.random.default_rng(0)
    data = {"y": rng.normal(size=9), "a": rng.normal(size=9), "b": rng.normal(size=(9, 2)), "c": rng.normal(size=9)}
    problem, _ = problem_of_predictor(nn.Linear(4, 1).double(), data)
    np.testing.assert_array_equal(problem.x, np.column_stack([data["a"], data["b"], data["c"]]))
    assert problem.columns == ("a", "b", "c")
    problem, _ = problem_of_predictor(nn.Linear(2, 1).double(), data, x=["c", "a"])
    np.testing.assert_array_equal(problem.x, np.column_stack([data["c"], data["a"]]))
    problem, _ = problem_of_predictor(nn.Linear(3, 1).double(), data, weights=np.ones(9), x=["b", "c"], loss="sum")
    assert problem.weight is not None
    problem, _ = problem_of_predictor(nn.Linear(3, 1).double(), {**data, "w": np.ones(9)}, weights="w", offset="a")
    assert problem.columns == ("b", "c")


def test_a_linear_predictor_is_least_squares() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = 1 + 2 * x[:, 1] + rng.normal(size=30)
    descent = fit_predictor(Linear(("Intercept", "x")), {"X": x, "y": y})
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    assert descent.solution.theta.numpy() == pytest.approx(expected, rel=1e-6)


def test_files_and_frames_are_read() -> None:
    descent = quietly(
        nn.Linear(2, 1), "diabetes", y="progression", x=["bmi", "bp"], solver=tw.GradientDescent(lr=1e-5, steps=9)
    )
    assert descent.problem.x.shape == (442, 2)
    assert descent.predict({"bmi": [20.0], "bp": [90.0]}).shape == (1,)


@pytest.mark.parametrize("labels", [[True, False] * 10, [1.0, 0.0] * 10, ["yes", "no"] * 10])
def test_labels_for_a_module_that_gives_logits(labels: list) -> None:
    x = torch.linspace(-1, 1, 20, dtype=torch.float64)
    module = nn.Linear(1, 1).double()
    descent = quietly(
        module, {"x": x, "y": labels}, family="binomial", solver=tw.GradientDescent(lr=0.5, steps=20, loss="sum")
    )
    torch.testing.assert_close(descent.predict(), torch.sigmoid(module(x[:, None])[:, 0].detach()))
    torch.testing.assert_close(descent.problem.y, torch.tensor([1.0, 0.0] * 10, dtype=torch.float64))
    expected = nn.functional.binary_cross_entropy_with_logits(
        module(x[:, None])[:, 0], descent.problem.y, reduction="sum"
    )
    assert descent.loss == pytest.approx(expected.item(), rel=1e-12)


def test_weights_count_rows() -> None:
    data = {"x": [0.0, 1.0, 2.0], "y": [1.0, 2.0, 5.0]}
    twice = {"x": [0.0, 1.0, 2.0, 2.0], "y": [1.0, 2.0, 5.0, 5.0]}
    start = [0.1, 0.2]
    one, other = (
        quietly(nn.Linear(1, 1).double(), d, weights=w, start=start, solver=tw.GradientDescent(lr=0.1, steps=9))
        for d, w in ((data, [1, 1, 2]), (twice, None))
    )
    torch.testing.assert_close(one.solution.theta, other.solution.theta, rtol=1e-12, atol=0)


def test_an_offset_is_added() -> None:
    data = {"x": [0.0, 1.0, 2.0], "y": [1.0, 2.0, 5.0], "o": [0.0, 1.0, 2.0]}
    less = {"x": [0.0, 1.0, 2.0], "y": [1.0, 1.0, 3.0]}
    solver = tw.GradientDescent(lr=0.1, steps=9)
    with_offset = quietly(nn.Linear(1, 1).double(), data, offset="o", start=[0.1, 0.2], solver=solver)
    without = quietly(nn.Linear(1, 1).double(), less, start=[0.1, 0.2], solver=solver)
    torch.testing.assert_close(with_offset.solution.theta, without.solution.theta, rtol=1e-12, atol=0)
    torch.testing.assert_close(with_offset.predict() - torch.tensor([0.0, 1.0, 2.0]), without.predict())


def test_starts() -> None:
    _, theta = problem_of_predictor(Elementwise(), LESSON, start={"b": 3.0})
    assert theta.tolist() == [0.0, 0.0, 3.0]
    _, theta = problem_of_predictor(Elementwise(), LESSON, start=[1, 2, 3])
    assert theta.tolist() == [1.0, 2.0, 3.0]
    module = nn.Linear(2, 1)
    _, theta = problem_of_predictor(module, {"X": torch.ones(3, 2), "y": torch.ones(3)})
    assert theta.tolist() == [*module.weight[0].tolist(), module.bias.item()]


REFUSED = {
    "shapes": (
        Elementwise(),
        {"x": torch.ones(2), "y": torch.ones(1, 2)},
        {},
        DataError,
        r"\(2,\) and y the shape \(1, 2",
    ),
    "NaN in a picture": (
        Elementwise(),
        {"x": torch.tensor([[1.0, float("nan")]]), "y": torch.ones(1, 2)},
        {},
        MissingValueError,
        r"'x' holds nan \(at \[0, 1\]\)",
    ),
    "None in a list": (Elementwise(), {"x": [1, None], "y": [1, 2]}, {}, MissingValueError, r"'x' holds nan \(row 2\)"),
    "inf in y": (
        Elementwise(),
        {"x": [1.0, 2], "y": [1, float("inf")]},
        {},
        MissingValueError,
        r"'y' holds inf \(row 2",
    ),
    "text": (Elementwise(), {"x": ["a", "b"], "y": [1, 2]}, {}, ColumnError, "holds categories"),
    "no y": (Elementwise(), {"x": [1, 2], "z": [1, 2]}, {}, ColumnError, "no column 'y'"),
    "no x": (Elementwise(), {"y": [1, 2]}, {}, DataError, "no column but 'y'"),
    "x twice": (nn.Linear(2, 1), {"x": [1, 2], "y": [1, 2]}, {"x": ["x", "x"]}, OptionError, "twice"),
    "start's shape": (Elementwise(), LESSON, {"start": {"w": [[1, 2]]}}, OptionError, r"\(1, 2\), and w has \(2,\)"),
    "start's name": (Elementwise(), LESSON, {"start": {"v": 1}}, OptionError, "unknown name 'v'"),
    "start's length": (Elementwise(), LESSON, {"start": [1]}, OptionError, "1 values for 3 parameters"),
    "start's text": (Elementwise(), LESSON, {"start": {"b": "zero"}}, OptionError, "start of b is 'zero'"),
    "start's NaN": (Elementwise(), LESSON, {"start": {"b": float("nan")}}, OptionError, "not finite"),
    "solver": (Elementwise(), LESSON, {"solver": "adam"}, OptionError, "solver is 'adam'"),
    "class": (nn.Linear, LESSON, {}, OptionError, "Linear is a class"),
    "nothing": (None, LESSON, {}, OptionError, "the model is None"),
    "domain": (
        nn.Linear(1, 1),
        {"x": [1.0, 2], "y": [1, 2]},
        {"family": "binomial"},
        DomainError,
        "row 2 holds 2",
    ),
    "weights": (nn.Linear(1, 1), {"x": [1.0, 2], "y": [1, 2]}, {"weights": [1, -1]}, DataError, "negative: -1"),
    "weights of 0": (nn.Linear(1, 1), {"x": [1.0, 2], "y": [1, 2]}, {"weights": [0, 0]}, DataError, "are zero"),
    "weights' shape": (nn.Linear(1, 1), {"x": [1.0, 2], "y": [1, 2]}, {"weights": [1]}, DataError, r"\(1,\)"),
    "an option": (nn.Linear(1, 1), LESSON, {"learning_rate": 0.1}, OptionError, "learning_rate"),
    "float32 of float64": (
        nn.Linear(1, 1).double(),
        {"x": [1.0, 2], "y": [1, 2]},
        {"solver": tw.GradientDescent(lr=0.1, dtype="float32")},
        OptionError,
        "module.float",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_fitted_is_refused_in_words(case: str) -> None:
    predictor, data, options, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        fit_predictor(predictor, data, **options)


def test_a_descent_that_stops_early_says_so() -> None:
    with pytest.warns(ConvergenceWarning):
        fit_predictor(Elementwise(), LESSON, solver=tw.GradientDescent(lr=0.01, steps=3))


def test_the_default_solver_reaches_the_optimum() -> None:
    descent = fit_predictor(Elementwise(), LESSON)
    assert descent.loss < 1e-10
    assert type(descent.solver).__name__ == "LBFGS"


def test_observers_are_shown_every_state_and_rules_stop() -> None:
    seen: list[int] = []
    descent = fit_predictor(
        Elementwise(),
        LESSON,
        solver=tw.GradientDescent(lr=0.01, steps=500),
        start=START,
        observers=[lambda state: seen.append(state.step)],
        stop=lambda state: state.value < 183.0,
    )
    assert seen == list(range(101))  # 183.08 at step 99, 176.9 at step 100
    assert descent.solution.steps == 100


def test_summary_and_repr() -> None:
    descent = elementwise(100)
    text = descent.summary()
    for part in ("GradientDescent", "176.916", "gaussian, mean", "step 100", "w = [51.826, -9.43", "b = 45.1103"):
        assert part in text
    assert repr(descent).startswith("<Descent, 3 parameters, loss 176.916, ")
    assert descent._repr_html_().startswith("<pre>Descent of GradientDescent")
    many = quietly(nn.Linear(300, 1), {"X": torch.rand(5, 300), "y": torch.rand(5)}, solver=tw.GradientDescent(lr=1e-3))
    assert "..." in many.summary()
    assert max(map(len, many.summary().splitlines()[:4])) < 120


def test_predictions_of_a_formula() -> None:
    data = {"x": [0.0, 1.0, 2.0, 3.0], "g": ["a", "b", "a", "b"], "y": [0.0, 1.0, 1.0, 0.0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = tw.fit("y ~ x + g", data, family="binomial", solver=tw.GradientDescent(lr=0.1, steps=50))
    np.testing.assert_allclose(fit.descent.predict(), fit.predict(), rtol=1e-13)
    new = {"x": [0.5], "g": ["b"]}
    np.testing.assert_allclose(fit.descent.predict(new), fit.predict(new), rtol=1e-13)
    with pytest.raises(DataError, match="by name"):
        fit.descent.predict(torch.ones(2, 2))


def test_other_shapes_for_predict_are_refused() -> None:
    with pytest.raises(DataError, match=r"\(3,\), and that of the fit \(2,\)"):
        elementwise(3).predict(torch.ones(3))
    with pytest.raises(MissingValueError):
        elementwise(3).predict(torch.tensor([1.0, float("nan")]))
    with pytest.raises(ColumnError, match="no column 'x'"):
        elementwise(3).predict({"z": [1.0, 2.0]})


def test_a_saved_descent_holds_its_parameters(tmp_path: Path) -> None:
    descent = elementwise(100)
    descent.save(tmp_path / "lesson.safetensors")
    kept = read_state_dict(tmp_path / "lesson.safetensors")
    assert kept.keys() == {"w", "b"}
    assert torch.equal(kept["w"], descent.parameters["w"])
    with pytest.raises(OptionError, match=r"safetensors file, not \.pt"):
        descent.save(tmp_path / "lesson.pt")


def test_a_family_takes_its_parameter() -> None:
    problem, _ = problem_of_predictor(nn.Linear(1, 1), {"x": [1.0, 2], "y": [1, 2]}, family="tweedie", power=1.5)
    assert problem.loss == family("tweedie", power=1.5)
