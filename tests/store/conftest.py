"""A small model as parts and as bytes, without a fit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from thalweg.store.header import check_schema, from_parts
from thalweg.store.safetensors import pack, unpack

Parts = tuple[dict[str, Any], dict[str, Tensor]]


@pytest.fixture
def description() -> dict[str, Any]:
    return {
        "schema": 1,
        "spec": {"formula": "y ~ x", "ranges": {"x": [0.1, 2.5]}},
        "family": {"name": "gaussian", "link": {"name": "identity"}},
        "names": ["Intercept", "x"],
        "aliased": {},
        "separation": None,
        "covariance_kind": "model",
        "covariance_reason": None,
        "df": 6.0,
        "level": 0.95,
        "statistics": {"n": 8, "sigma": 0.1, "aic": float("nan"), "reasons": {"aic": "no likelihood"}},
        "options": {"weights_kind": "precision"},
        "notes": [],
        "created": "2026-01-02T03:04:05+00:00",
        "versions": {"thalweg": "0.1.0", "python": "3.11.2"},
    }


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    theta = torch.tensor([1 / 3, -2e-300], dtype=torch.float64)
    covariance = torch.tensor([[2.0, -0.5], [-0.5, 0.25]], dtype=torch.float64)
    return {"theta": theta, "covariance": covariance, "unscaled": covariance / 3}


@pytest.fixture
def packed(description: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    return pack(description, tensors)


@pytest.fixture
def read() -> Callable[[bytes], Parts]:
    """Bytes to description and tensors, through every check that needs no other part of Thalweg."""

    def from_bytes(data: bytes) -> Parts:
        description, tensors = unpack(io.BytesIO(data), len(data), check_schema)
        from_parts(description, tensors)
        return description, tensors

    return from_bytes


@pytest.fixture
def foreign() -> Callable[..., bytes]:
    """Any header (object, or text as it stands) and body as the bytes of a safetensors file, true or not."""

    def build(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return (len(text) if length is None else length).to_bytes(8, "little") + text + body

    return build
