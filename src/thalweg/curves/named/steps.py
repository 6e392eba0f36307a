"""A step that a Gaussian has blurred."""

from __future__ import annotations

from thalweg.curves.named.base import NamedCurve
from thalweg.curves.named.sigmoids import normal, sigmoid
from thalweg.curves.named.starts import forms

STEPS: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "step",
        ("x", "a", "x0", "s"),
        "a * erfc((x0 - x) / (s * sqrt(2))) / 2",
        sigmoid(normal, lambda a, k, v0: {"a": a, "x0": v0, "s": 1 / k}, signed=False),
        "A step from 0 to a at x0, blurred by a normal distribution with the standard deviation s.",
        positive=("s",),
    ),
)
