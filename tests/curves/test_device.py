"""Rows on a device against rows in NumPy: here the tensors lie on the CPU, and take the way of a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.curves import device, fit, problem
from thalweg.curves.curve import Expression
from thalweg.curves.language import read_equation
from thalweg.curves.problem import CurveProblem, Part
from thalweg.losses import family

ROWS = 300
CURVES = {
    "decay": ("y = a * exp(-b * x) + c", [2.0, 0.7, 0.3]),
    "peak": ("y = gaussian(x, h, m, s) + slope * x", [3.0, 1.5, 0.6, 0.1]),
    "choice": ("y = where(x > k, a, a * x / k) + 0.5 * (x > 1)", [1.3, 2.1]),
    "constant": ("y = a", [1.5]),
    "line": ("y = a + b * x + c * z", [1.0, 0.2, -0.3]),
}
LOSSES = {"gaussian": "identity", "poisson": "log", "gamma": "log"}


def data(n: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 4, n)
    return {
        "x": x,
        "z": rng.normal(size=n),
        "y": rng.poisson(np.exp(1.5 - 0.3 * x)) + 0.5,
        "weight": rng.uniform(0.2, 3, n),
        "offset": 0.1 * x,
    }


def pair(text: str, loss: str = "gaussian", *, weighted: bool = True, n: int = ROWS, piece: int = 70):
    """The same problem over arrays, and over tensors in pieces."""
    columns = data(n)
    curve = Expression.of(read_equation(text, list(columns)))
    beside = (columns["weight"], columns["offset"]) if weighted else (None, None)
    here = [Part(curve.over(columns, n), columns["y"], *beside)]
    there = []
    for first in range(0, n, piece):
        rows = slice(first, first + piece)
        tensors = {name: torch.from_numpy(values[rows].copy()) for name, values in columns.items()}
        extra = (tensors["weight"], tensors["offset"]) if weighted else (None, None)
        count = len(tensors["y"])
        evaluator = device.TensorEvaluator(curve, tensors, count, torch.device("cpu"))
        there.append(device.DevicePart(evaluator, tensors["y"], *extra))
    model = family(loss, LOSSES[loss])
    return tuple(CurveProblem(curve, lambda parts=parts: parts, model, n) for parts in (here, there))


def assert_same_linearization(a, b, rtol=1e-12):
    assert b.value == pytest.approx(a.value, rel=rtol)
    size = np.abs(a.triangle.T @ a.triangle).max()
    np.testing.assert_allclose(b.triangle.T @ b.triangle, a.triangle.T @ a.triangle, rtol=rtol, atol=rtol * size)
    np.testing.assert_allclose(b.gradient, a.gradient, rtol=rtol, atol=rtol * np.abs(a.gradient).max())
    assert b.right @ b.right == pytest.approx(a.right @ a.right, rel=1e-11)


@pytest.mark.parametrize("careful", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", CURVES)
def test_a_part_on_a_device_gives_the_sums_of_one_in_numpy(name, loss, weighted, careful):
    text, theta = CURVES[name]
    here, there = pair(text, loss, weighted=weighted)
    here._careful = there._careful = careful
    assert there.value(theta) == pytest.approx(here.value(theta), rel=1e-12)
    assert_same_linearization(here.linearize(theta), there.linearize(theta))
    (g, j), (h, k) = here.gradient(theta), there.gradient(theta)
    np.testing.assert_allclose(h, g, rtol=1e-12, atol=1e-12 * np.abs(g).max())
    assert k == pytest.approx(j, rel=1e-12)
    assert there._careful == careful


def test_products_that_are_too_badly_conditioned_give_way_to_qr():
    """exp(-b x) and exp(-d x) with b next to d: cross products would square the condition number."""
    text, theta = "y = a * exp(-b * x) + c * exp(-d * x)", [1.0, 0.7, 1.0, 0.71]
    here, there = pair(text)
    there._careful = False
    linear = there.linearize(theta)
    assert there._careful
    wide = here.linearize(theta)
    condition = np.linalg.cond(wide.triangle / wide.norms)
    assert 1e5 < condition < 1e8  # so that seven digits of the last pivot are left, and none of a Cholesky factor's
    np.testing.assert_allclose(np.abs(linear.triangle), np.abs(wide.triangle), rtol=1e-7, atol=1e-13)


def test_where_the_curve_is_not_finite_so_is_nothing():
    here, there = pair("y = a * log(x - b)", weighted=False)
    for careful in (True, False):
        here._careful = there._careful = careful
        for each in (here, there):
            assert each.value([1.0, 2.0]) == np.inf
            assert each.linearize([1.0, 2.0]).value == np.inf


@pytest.mark.parametrize("loss", ["poisson", "inverse_gaussian"])
def test_outside_the_domain_of_the_loss(loss):
    here, there = pair("y = a - b * x", weighted=False)
    for each in (here, there):
        each.loss, each.squares = family(loss, "identity"), False
        assert each.linearize([1.0, 1.0]).value == np.inf


def test_few_rows_have_a_triangle_too():
    here, there = pair("y = a * exp(-b * x) + c", n=2, weighted=False)
    assert_same_linearization(here.linearize([2.0, 0.7, 0.3]), there.linearize([2.0, 0.7, 0.3]))


def test_a_search_for_starts_reads_rows_back():
    _, there = pair("y = a * x", piece=300)
    columns, y, weight = next(iter(there.parts())).every(slice(1, None, 7))
    known = data()
    np.testing.assert_array_equal(columns["x"], known["x"][1::7])
    np.testing.assert_array_equal(y, (known["y"] - known["offset"])[1::7])
    np.testing.assert_array_equal(weight, known["weight"][1::7])


@pytest.fixture
def elsewhere(monkeypatch):
    """Fits take the way of a device."""
    made = []

    def parts(rows, curve):
        made.extend(device.device_parts(rows, curve))
        return made

    monkeypatch.setattr(fit, "device_of_rows", lambda rows: torch.device("cuda"))
    monkeypatch.setattr(fit, "device_parts", parts)
    return made


@pytest.mark.parametrize("loss", ["gaussian", "poisson"])
def test_a_whole_fit_takes_the_way_of_a_device(elsewhere, monkeypatch, loss):
    monkeypatch.setattr(device, "PIECE", 64)
    columns = data() | {"y": np.floor(data()["y"])}
    options = {"start": {"a": 1.0, "b": 0.5}, "weights": "weight", "family": loss, "link": LOSSES[loss]}
    text = "y = a - b * x" if loss == "poisson" else "y = exp(a - b * x)"
    there = tw.fit(text, columns, **options)
    assert len(elsewhere) == 5
    monkeypatch.undo()
    here = tw.fit(text, columns, **options)
    torch.testing.assert_close(there.theta, here.theta, rtol=1e-10, atol=0)
    torch.testing.assert_close(there.vcov(), here.vcov(), rtol=1e-9, atol=0)
    assert there.statistics.log_likelihood == pytest.approx(here.statistics.log_likelihood, rel=1e-12)


def test_many_rows_are_summed_as_products(elsewhere, monkeypatch):
    monkeypatch.setattr(problem, "MANY_ROWS", 100)
    there = tw.fit("y = a * exp(-b * x)", data(), start={"a": 1.0, "b": 0.5})
    assert elsewhere
    monkeypatch.undo()
    here = tw.fit("y = a * exp(-b * x)", data(), start={"a": 1.0, "b": 0.5})
    torch.testing.assert_close(there.theta, here.theta, rtol=1e-10, atol=0)


def test_rows_in_memory_know_where_they_lie():
    from thalweg.curves.spec import CurveSpec
    from thalweg.data.rows import Rows
    from thalweg.data.sources import open_source

    source = open_source({name: torch.from_numpy(values) for name, values in data().items()})
    curve = Expression.of(read_equation("y = a * x", source.names))
    rows = Rows(source, CurveSpec.learn(curve, "y", "y = a * x", source))
    assert device.device_of_rows(rows).type == "cpu"
    (part,) = device.device_parts(rows, curve)
    np.testing.assert_array_equal(part.evaluator.values([2.0]).numpy(), 2 * data()["x"])
