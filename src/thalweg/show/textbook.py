"""Named curves as textbooks write them, to be read.

What is computed differs where the textbook's form would overflow or have no value at 0; the two are the same numbers
elsewhere, which the tests hold them to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thalweg.curves.named import NamedCurve

_FORMS = {
    "logistic": "a / (1 + exp(-k * (x - x0)))",
    "gompertz": "a * exp(-exp(-k * (x - x0)))",
    "weibull": "a * (1 - exp(-(x / tau)**k))",
    "weibull_survival": "a * exp(-(x / tau)**k)",
    "hill": "vmax * x**n / (k**n + x**n)",
    "gaussian": "a * exp(-(x - mu)**2 / (2 * s**2))",
    "step": "a / 2 * erfc((x0 - x) / (s * sqrt(2)))",
}


def textbook(curve: NamedCurve) -> str:
    """The expression of a named curve, in the language of curves.

    Examples
    --------
    >>> from thalweg.curves.named import named
    >>> textbook(named("hill", 3)), textbook(named("poly2", 3))
    ('vmax * x**n / (k**n + x**n)', 'c0 + c1 * x + c2 * x**2')
    """
    if curve.name == "polynomial" or curve.name.startswith("poly"):
        terms = [f"{name} * x**{power}" for power, name in enumerate(curve.parameters)]
        return " + ".join([curve.parameters[0], *terms[1:]]).replace("x**1", "x")
    return _FORMS.get(curve.name, curve.expression)
