"""Readings: what a weight means, and that threads change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from thalweg.inference import reading
from thalweg.inference.residuals import diagnostics
from thalweg.inference.statistics import compute


def test_threads_change_not_a_bit(cancer: Any, tools: Any, weights: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, _ = tools.any(cancer.take(slice(None), size=11, weight=weights[:569]))
    kinds = ("leverage", "deviance")
    before = diagnostics(fitted, kinds)
    monkeypatch.setattr(reading, "LARGE", 0)
    torch.set_num_threads(3)
    after = diagnostics(fitted, kinds)
    assert all((before[kind] == after[kind]).all() for kind in kinds)
    again = compute(fitted.rows, fitted.family, fitted.theta, fitted.spec, rank=4)
    assert str(again) == str(fitted.statistics)  # every digit; NaN is NaN
    assert torch.get_num_threads() == 3


def test_the_two_roles_of_a_weight(wine: Any, tools: Any) -> None:
    w = torch.arange(178, dtype=torch.float64) % 3
    trials = torch.full_like(w, 5)
    rows = wine.take(slice(None), y=wine.y / 20, weight=w, trials=trials)
    fitted, _ = tools.glm(wine)
    for kind, repeat, scale in (
        ("frequency", w, trials),
        ("precision", (w > 0).double(), 5 * w),
        ("sampling", (w > 0).double(), 5 * w),
    ):
        parts = list(reading.map_readings(lambda r: r, rows, fitted.family, fitted.theta, kind, keep_absent=True))
        assert torch.equal(torch.cat([r.repeat for r in parts]), repeat)
        assert torch.equal(torch.cat([r.scale for r in parts]), scale)
        assert torch.equal(torch.cat([r.user_weight for r in parts]), w)
        present = list(reading.map_readings(lambda r: r, rows, fitted.family, fitted.theta, kind))
        assert torch.equal(torch.cat([r.index for r in present]), (w > 0).nonzero()[:, 0])
        assert torch.equal(torch.cat([r.number for r in present]), (w > 0).nonzero()[:, 0])
