"""All named curves by name, and by how many parameters the call has."""

from __future__ import annotations

import difflib

from thalweg.curves.named.base import NamedCurve
from thalweg.curves.named.decays import DECAYS
from thalweg.curves.named.growth import GROWTH
from thalweg.curves.named.kinetics import KINETICS
from thalweg.curves.named.peaks import PEAKS
from thalweg.curves.named.polynomials import POLYNOMIALS, polynomial
from thalweg.curves.named.steps import STEPS
from thalweg.curves.named.waves import WAVES
from thalweg.errors import FormulaError

FORMS: dict[str, tuple[NamedCurve, ...]] = {
    of_one_name[0].name: of_one_name
    for of_one_name in (*POLYNOMIALS, *DECAYS, *GROWTH, *KINETICS, *PEAKS, *WAVES, *STEPS)
}
"""The curve as it is first, and then with an offset where it can have one."""

CURVES: dict[str, NamedCurve] = {name: of_one_name[0] for name, of_one_name in FORMS.items()}

ALIASES: dict[str, str] = {
    "linear": "line",
    "quadratic": "poly2",
    "parabola": "poly2",
    "cubic": "poly3",
    "exp_decay": "exponential_decay",
    "exp_growth": "exponential_growth",
    "biexponential": "bi_exponential",
    "double_exponential": "bi_exponential",
    "power": "power_law",
    "powerlaw": "power_law",
    "logistic_growth": "logistic",
    "stretched_exponential": "weibull_survival",
    "kohlrausch": "weibull_survival",
    "gauss": "gaussian",
    "lorentz": "lorentzian",
    "cauchy": "lorentzian",
    "sinusoid": "sine",
    "damped_sinusoid": "damped_sine",
    "damped_oscillation": "damped_sine",
    "erf_step": "step",
}


def named(name: str, parameters: int | None = None) -> NamedCurve:
    """The curve of a name, in the form that has so many parameters.

    Parameters
    ----------
    name : str
        Of `CURVES` or `ALIASES`.
    parameters : int, optional
        How many parameters the call has after the variable; None for the first form.

    Raises
    ------
    FormulaError
        No such curve, or none with so many parameters.

    Examples
    --------
    >>> named("gaussian").call, named("gauss", 4).call
    ('gaussian(x, a, mu, s)', 'gaussian(x, a, mu, s, c)')
    >>> named("polynomial", 4).expression
    'c0 + x * (c1 + x * (c2 + x * c3))'
    """
    known = ALIASES.get(name, name)
    if known not in FORMS:
        raise FormulaError(f"there is no curve {name!r}", advice=_nearest(name))
    if parameters is None:
        return CURVES[known]
    if known == "polynomial" and parameters > 0:
        return polynomial(parameters)
    for form in FORMS[known]:
        if len(form.parameters) == parameters:
            return form
    ways = " or ".join(form.call for form in FORMS[known])
    raise FormulaError(f"{name} has {parameters} parameters after its variable", advice=f"Write {ways}.")


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, [*FORMS, *ALIASES], n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Curves are {', '.join(FORMS)}."
