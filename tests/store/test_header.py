"""Descriptions with a right checksum that no fit can have: each is refused with its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from thalweg.errors import ModelFileError
from thalweg.store.safetensors import pack

NAN = math.nan


def put(key: str, value: Any) -> Callable:
    return lambda description, tensors: description.__setitem__(key, value)


def tensor(name: str, values: list) -> Callable:
    return lambda description, tensors: tensors.__setitem__(name, torch.tensor(values, dtype=torch.float64))


CASES: dict[str, tuple[Callable, str]] = {
    "missing key": (lambda d, t: d.pop("level"), r"lacks \['level'\]"),
    "unknown key": (put("class", "os.system"), r"unknown keys \['class'\]"),
    "spec is text": (put("spec", "y ~ x"), "'spec' cannot be 'y ~ x'"),
    "level is true": (put("level", True), "'level' cannot be True"),
    "level 95": (put("level", 95), "not between 0 and 1"),
    "level NaN": (put("level", NAN), "not between 0 and 1"),
    "negative df": (put("df", -1.0), "negative"),
    "df is text": (put("df", "6"), "'df' cannot be"),
    "names repeat": (put("names", ["x", "x"]), "not different"),
    "names are numbers": (put("names", [1, 2]), "not different"),
    "names are lists": (put("names", [["a"], ["b"]]), "not different"),
    "one name too few": (put("names", ["x"]), r"1 names for a 'theta' of shape \[2\]"),
    "one name too many": (put("names", ["a", "b", "../c"]), "3 names for a 'theta'"),
    "aliased is a stranger": (put("aliased", {"z": "0"}), "names what it has no coefficient for"),
    "aliased without words": (put("aliased", {"x": 1}), "not all text"),
    "notes are numbers": (put("notes", [1]), "not all text"),
    "versions are numbers": (put("versions", {"torch": 2}), "not all text"),
    "separation incomplete": (put("separation", {"sentence": "x"}), "'separation' is not one"),
    "separation of a stranger": (
        put("separation", {"complete": True, "direction": {"z": 1.0}, "sentence": ""}),
        "no coefficient for",
    ),
    "separation in words": (put("separation", {"complete": True, "direction": {"x": "1"}, "sentence": ""}), "numbers"),
    "no theta": (lambda d, t: t.pop("theta"), "no 'theta'"),
    "theta NaN": (tensor("theta", [1.0, NAN]), "coefficient of 'x' is not a finite number"),
    "theta inf": (tensor("theta", [math.inf, 1.0]), "coefficient of 'Intercept'"),
    "theta square": (tensor("theta", [[1.0, 2.0]]), r"shape \[1, 2\]"),
    "covariance flat": (tensor("covariance", [1.0, 2.0]), "'covariance' of shape"),
    "covariance 1x1": (tensor("covariance", [[1.0]]), "'covariance' of shape"),
    "covariance asymmetric": (tensor("covariance", [[2.0, -0.5], [0.5, 0.25]]), "'covariance' is not symmetric"),
    "covariance half NaN": (tensor("covariance", [[2.0, NAN], [0.5, 0.25]]), "not symmetric"),
    "unscaled asymmetric": (tensor("unscaled", [[2.0, -0.5], [0.5, 0.25]]), "'unscaled' is not symmetric"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(description, tensors, read, case):
    change, reason = CASES[case]
    change(description, tensors)
    with pytest.raises(ModelFileError, match=reason):
        read(pack(description, tensors))


@pytest.mark.parametrize(
    "covariance",
    [
        [[NAN, NAN], [NAN, NAN]],  # separated
        [[2.0, 0.0], [0.0, 0.0]],  # an aliased column
        [[4e200, 1e90], [1e90, 1.0]],
        [[2.0, -0.5], [-0.5 - 1e-14, 0.25]],  # symmetric but for rounding
    ],
)
def test_covariances_that_a_fit_can_have(description, tensors, read, covariance):
    tensors["covariance"] = torch.tensor(covariance, dtype=torch.float64)
    read(pack(description, tensors))


def test_a_fit_without_covariance(description, tensors, read):
    del tensors["covariance"], tensors["unscaled"]
    description["covariance_reason"] = "fewer rows than coefficients"
    assert read(pack(description, tensors))[1].keys() == {"theta"}
