"""State dicts: what is read, and what is refused without running anything."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import thalweg as tw
from thalweg.errors import ModelFileError, OptionError, OutputError
from thalweg.store.state_dict import load_into, read_state_dict, write_state_dict


def weights() -> dict[str, Tensor]:
    return {"weight": torch.tensor([[1.5, -2.0]]), "bias": torch.tensor([0.25])}


def old_format(path: Path) -> None:
    torch.save(weights(), path, _use_new_zipfile_serialization=False)


READABLE: dict[str, Callable[[Path], None]] = {
    "model.safetensors": lambda path: write_state_dict(path, weights()),
    "model.pt": lambda path: torch.save(weights(), path),
    "model.pth": lambda path: torch.save(nn.Linear(2, 1).state_dict() | weights(), path),
    "old.pkl": old_format,
    "pickle-by-name.safetensors": lambda path: torch.save(weights(), path),
    "checkpoint.pt": lambda path: torch.save({"epoch": 3, "model_state_dict": weights(), "loss": 0.5}, path),
    "lightning.ckpt": lambda path: torch.save({"epoch": 3, "state_dict": weights()}, path),
}


@pytest.mark.parametrize("name", READABLE)
def test_weights_are_read_whatever_the_file_is_called(name: str, tmp_path: Path) -> None:
    READABLE[name](tmp_path / name)
    read = read_state_dict(tmp_path / name)
    assert read.keys() == weights().keys()
    assert all(torch.equal(read[key], value) for key, value in weights().items())
    module = nn.Linear(2, 1)
    load_into(module, tmp_path / name)
    assert module(torch.tensor([[2.0, 1.0]])).item() == 1.25


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


class Net(nn.Linear):
    """A module of the user's."""


def cut(path: Path) -> None:
    torch.save(weights(), path)
    path.write_bytes(path.read_bytes()[:-200])


def cut_safetensors(path: Path) -> None:
    write_state_dict(path.with_suffix(".safetensors"), weights())
    path.write_bytes(path.with_suffix(".safetensors").read_bytes()[:-3])


def pickled(content: Any) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(pickle.dumps(content))


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "whole module": (
        lambda path: torch.save(Net(2, 1), path),
        r"names .*Net, .*torch.save\(model.state_dict\(\), path\)",
    ),
    "code": (lambda path: torch.save({"weight": Evil()}, path), "opening it could run code"),
    "code in a plain pickle": (pickled(Evil()), "pickle"),
    "a plain pickle": (pickled({"w": [1, 2]}), "pickle"),
    "truncated": (cut, "truncated"),
    "truncated safetensors": (cut_safetensors, "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("x,y\n1,2\n"), "the file is text"),
    "a list": (lambda path: torch.save([torch.ones(1)], path), "no state dict but a list"),
    "an optimizer": (lambda path: torch.save({"state": {}, "param_groups": []}, path), "keys 'state', 'param_groups'"),
    "nothing there": (lambda path: None, "there is no such file"),
    "a folder": (lambda path: path.mkdir(), "directory"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_is_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, text = REFUSED[case]
    write(tmp_path / "model.pt")
    with pytest.raises(ModelFileError, match=text) as refused:
        read_state_dict(tmp_path / "model.pt")
    assert "model.pt" in str(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        (
            {"weight": torch.ones(1, 3), "bias": torch.ones(1)},
            r"weight has the shape \(1, 3\) in the file and \(1, 2\)",
        ),
        ({"weight": torch.ones(1, 2)}, "bias is missing from the file"),
        ({**weights(), "scale": torch.ones(1), "shift": torch.ones(1)}, "scale, shift are not in the module"),
        ({"linear.weight": torch.ones(1, 2)}, "weight, bias are missing .*; linear.weight is not in the module"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(tensors: dict[str, Tensor], text: str, tmp_path: Path) -> None:
    torch.save(tensors, tmp_path / "model.pt")
    module = nn.Linear(2, 1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ModelFileError, match=text):
        load_into(module, tmp_path / "model.pt")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"not \.pkl"):
        write_state_dict(tmp_path / "model.pkl", weights())
    with pytest.raises(OutputError, match="no folder"):
        write_state_dict(tmp_path / "none" / "model.safetensors", weights())


def test_shared_and_strided_tensors_are_written(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    write_state_dict(tmp_path / "m.safetensors", {"a": whole, "b": whole, "c": whole.T, "d": whole[0, 1:]})
    read = read_state_dict(tmp_path / "m.safetensors")
    assert torch.equal(read["c"], whole.T)
    assert torch.equal(read["b"], whole)
    assert read["d"].tolist() == [1.0, 2.0]


def test_load_says_what_a_state_dict_is(tmp_path: Path) -> None:
    solver = tw.GradientDescent(lr=0.1, steps=2000)
    fit = tw.fit("y ~ x", {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}, solver=solver)
    assert fit.descent is not None
    fit.descent.save(tmp_path / "w.safetensors")
    with pytest.raises(ModelFileError, match="state dict") as caught:
        tw.load(tmp_path / "w.safetensors")
    assert "thalweg.load_into(module, path) or thalweg.read_state_dict(path)" in str(caught.value)
