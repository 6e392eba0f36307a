"""Saturation of enzymes and receptors: Michaelis-Menten and Hill."""

from __future__ import annotations

from thalweg.curves.named.base import NamedCurve
from thalweg.curves.named.rows import logarithm
from thalweg.curves.named.sigmoids import logistic, saturation, sigmoid
from thalweg.curves.named.starts import exponential, forms

KINETICS: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "michaelis_menten",
        ("x", "vmax", "km"),
        "vmax * x / (km + x)",
        saturation(lambda a, km: {"vmax": a, "km": km}),
        "The rate of an enzyme at the concentration x, half of vmax at km.",
        positive=("km",),
        reference="Michaelis & Menten (1913), in Johnson & Goody (2011), doi:10.1021/bi201284u",
    ),
    forms(
        "hill",
        ("x", "vmax", "k", "n"),
        "where(x > 0, vmax * sigmoid(n * log(where(x > 0, x, k) / k)), 0)",
        sigmoid(logistic, lambda a, n, v0: {"vmax": a, "k": exponential(v0), "n": n}, logarithm, signed=False),
        "Binding with the coefficient n, half of vmax at k; 0 for x <= 0.",
        positive=("k", "n"),
        reference="Hill (1910), Journal of Physiology 40, iv",
    ),
)
