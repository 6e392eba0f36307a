"""One weight for each place."""

from __future__ import annotations

import pytest
import torch

from thalweg.errors import DataError
from thalweg.losses import family
from thalweg.predictors import Elementwise
from thalweg.problem import MemoryProblem


@pytest.mark.parametrize("shape", [(1,), (2,), (3, 4), (2, 3, 5)])
def test_eta_is_w_x_plus_b(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x, w = (torch.randn(shape, generator=generator) for _ in range(2))
    predictor = Elementwise().bind(x, x)
    theta = predictor.join({"w": w, "b": torch.tensor(0.5)})
    torch.testing.assert_close(predictor(theta, x), w * x + 0.5)
    assert len(predictor.names) == predictor.size == x.numel() + 1
    assert predictor.names[-1] == "b"
    parts = predictor.split(theta)
    assert torch.equal(parts["w"], w)
    assert parts["b"].shape == ()
    module = predictor.module()
    with torch.no_grad():
        for name, value in predictor.state(theta).items():
            module.get_parameter(name).copy_(value)
    torch.testing.assert_close(module(x), w * x + 0.5)


def test_names_count_places_from_0() -> None:
    assert Elementwise((2,)).names == ("w[0]", "w[1]", "b")
    assert Elementwise((1, 2)).names == ("w[0, 0]", "w[0, 1]", "b")


def test_the_gradient_of_the_lesson() -> None:
    """x = (1, 2), y = (115, 21), w = (1, 2), b = 0: errors (-114, -17), dw = errors * x, db = their sum."""
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([115.0, 21.0])
    problem = MemoryProblem(Elementwise((2,)), x, y, family("gaussian"))
    value, gradient = problem.value_and_gradient(torch.tensor([1.0, 2.0, 0.0]))
    assert float(value) == (114**2 + 17**2) / 2
    assert gradient.tolist() == [-114.0, -34.0, -131.0]


@pytest.mark.parametrize(("x", "y"), [((2,), (1, 2)), ((2, 3), (3, 2)), ((2,), (3,)), ((2, 1), (2,))])
def test_other_shapes_are_refused_by_both_names(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as refused:
        Elementwise().bind(torch.zeros(x), torch.zeros(y))
    assert str(x) in str(refused.value)
    assert str(y) in str(refused.value)


def test_there_is_one_x() -> None:
    with pytest.raises(DataError, match="2 columns: a, b"):
        Elementwise().assemble({"a": torch.zeros(2), "b": torch.zeros(2)})
