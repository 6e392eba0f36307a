"""`thalweg curves`: the curves that have a name, listed, or one of them described."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thalweg.cli import options as o
from thalweg.cli.document import printed

if TYPE_CHECKING:
    from thalweg.curves.named import NamedCurve

WIDTH = 100

# As textbooks have them, where the expression that is computed is written to be exact, or to reach far.
TEXTBOOK = {
    "logistic": "a / (1 + exp(-k * (x - x0)))",
    "gompertz": "a * exp(-exp(-k * (x - x0)))",
    "weibull": "a * (1 - exp(-(x / tau)**k))",
    "weibull_survival": "a * exp(-(x / tau)**k)",
    "hill": "vmax * x**n / (k**n + x**n)",
    "gaussian": "a * exp(-(x - mu)**2 / (2 * s**2))",
    "lorentzian": "a * g**2 / ((x - x0)**2 + g**2)",
    "voigt": "a Gaussian of width s spread by a Lorentzian of width g",
    "polynomial": "c0 + c1 * x + c2 * x**2, and so on",
    "poly2": "c0 + c1 * x + c2 * x**2",
    "poly3": "c0 + c1 * x + c2 * x**2 + c3 * x**3",
}
_UNLISTED = tuple(f"poly{degree}" for degree in range(4, 10))
_BELOW = (
    "In the place of x stands a column, or an expression of columns. The names of the parameters are yours to choose;"
    " gaussian(x) alone takes those above. The starting values are found from the data. All but the polynomials take an"
    " offset as one more parameter: gaussian(x, a, mu, s, c). Curves add up and multiply, as in 'y = gaussian(x, a, mu,"
    ' s) + slope * x + base\', and a prefix tells two apart: \'y = gaussian(x, "left_") + gaussian(x, "right_")\'.'
    " There are poly2 to poly9."
)


def curves(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of them, to describe.", show_default=False)
    ] = None,
    json: o.Json = False,
) -> None:
    """List the curves that have a name, with their formulas, or describe one of them.

    [bold]Example[/]: thalweg curves gaussian
    """
    from thalweg.curves.named import CURVES, named

    if name is None:
        found = list(CURVES.values())
        typer.echo(printed({"curves": [_entry(curve) for curve in found]}) if json else _table(found))
    else:
        curve = named(name)
        typer.echo(printed(_entry(curve)) if json else _page(curve))


def formula(curve: NamedCurve) -> str:
    """The formula as textbooks have it."""
    return TEXTBOOK.get(curve.name, curve.expression)


def _table(found: list[NamedCurve]) -> str:
    listed = [curve for curve in found if curve.name not in _UNLISTED]
    width = max(len(curve.call) for curve in listed)
    lines = [f"{curve.call:<{width}}  {formula(curve)}" for curve in listed]
    return "\n".join([*lines, "", fill(_BELOW, WIDTH)])


def _page(curve: NamedCurve) -> str:
    lines = [curve.call, f"  = {formula(curve)}", *_wrapped(curve.about)]
    if curve.positive:
        lines += _wrapped(f"Above 0: {', '.join(p for p in curve.parameters if p in curve.positive)}.")
    if names := _others(curve):
        lines += _wrapped(f"Also called {', '.join(names)}.")
    if curve.reference:
        lines += _wrapped(f"{curve.reference}.")
    return "\n".join([*lines, f"  As in: thalweg fit data.csv 'y = {curve.call}'"])


def _wrapped(text: str) -> list[str]:
    return fill(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False).splitlines()


def _others(curve: NamedCurve) -> list[str]:
    from thalweg.curves.named import ALIASES

    return [alias for alias, known in ALIASES.items() if known == curve.name]


def _entry(curve: NamedCurve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "call": curve.call,
        "parameters": curve.parameters,
        "formula": formula(curve),
        "expression": curve.expression,
        "positive": sorted(curve.positive),
        "about": curve.about,
        "reference": curve.reference,
        "aliases": _others(curve),
    }
