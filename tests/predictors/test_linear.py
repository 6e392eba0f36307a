"""The linear predictor, its module, and names."""

from __future__ import annotations

import pytest
import torch

from thalweg.errors import DataError
from thalweg.predictors import Linear
from thalweg.predictors.base import entry_names, side_by_side
from thalweg.predictors.linear import LinearModule


@pytest.mark.parametrize("names", [("Intercept", "a", "b"), ("a", "b", "c"), ("Intercept",), ("a",)])
def test_the_module_computes_eta(names: tuple[str, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    x, theta = torch.randn(5, len(names), generator=generator), torch.randn(len(names), generator=generator)
    if names[0] == "Intercept":
        x[:, 0] = 1
    predictor = Linear(names)
    module, state = predictor.module(), predictor.state(theta)
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        name: tuple(value.shape) for name, value in module.state_dict().items()
    }
    assert all(value.data_ptr() >= theta.data_ptr() for value in state.values() if value.numel())  # views
    module.load_state_dict(state)
    torch.testing.assert_close(module(predictor.inputs(x)), predictor(theta, x))


def test_a_bias_is_a_column_of_ones() -> None:
    with pytest.raises(DataError, match="not one in every row"):
        Linear(("Intercept", "x")).inputs(torch.zeros(3, 2))


def test_making_a_module_does_not_touch_the_global_generator() -> None:
    before = torch.get_rng_state()
    LinearModule(3)
    LinearModule(0)
    assert torch.equal(torch.get_rng_state(), before)


def test_columns_stand_side_by_side() -> None:
    a, b = torch.arange(3.0), torch.ones(3, 2)
    assert side_by_side({"a": a, "b": b}).tolist() == [[0, 1, 1], [1, 1, 1], [2, 1, 1]]
    assert side_by_side({"a": a}).shape == (3, 1)
    assert side_by_side({"picture": torch.zeros(4, 3, 2)}).shape == (4, 3, 2)
    with pytest.raises(DataError, match=r"'a' and 'c' have the shapes \(3,\) and \(4,\)"):
        side_by_side({"a": a, "c": torch.zeros(4)})


def test_the_design_has_a_column_for_each_name() -> None:
    with pytest.raises(DataError, match=r"needs \(n, 2\)"):
        Linear(("a", "b")).bind(torch.zeros(3, 1), torch.zeros(3))


def test_names_of_entries() -> None:
    assert entry_names("b", ()) == ["b"]
    assert entry_names("w", (1, 1)) == ["w"]
    assert entry_names("w", (2,)) == ["w[0]", "w[1]"]
    assert entry_names("w", (1, 2)) == ["w[0, 0]", "w[0, 1]"]
