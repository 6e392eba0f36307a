"""The equation of a fitted curve, with its numbers or with the names of its parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.data.dialects import Python, dialect_writer
from thalweg.data.nodes import Binary
from thalweg.data.symbols import symbol
from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.curve import curve_spec
from thalweg.show.curve_tree import signs, tidied, tree_of
from thalweg.show.links import equation_of, mean_name
from thalweg.show.numbers import significant

if TYPE_CHECKING:
    from thalweg.curves.spec import CurveSpec
    from thalweg.data.writer import Writer
    from thalweg.result import Fit

_PI = {"text": "pi", "latex": r"\pi", "python": "math.pi", "sql": repr(math.pi)}


def curve_equation(fit: Fit, dialect: str, digits: int | None, symbolic: bool = False) -> tuple[str, str]:
    """eta of a curve, and what else its Python needs.

    Parameters
    ----------
    fit : Fit
    dialect : {"text", "latex", "python", "sql"}
    digits : int or None
        Significant digits of the parameters; None for all.
    symbolic : bool
        Names of the parameters in place of their values.

    Returns
    -------
    eta, sources : str
        The curve and its offsets; definitions of the functions that it calls.

    Raises
    ------
    NotAvailableError
        A function that the dialect lacks, a curve that is no formula.
    OptionError
        Names where numbers are needed.
    """
    spec = _writable(fit)
    if symbolic and dialect not in ("text", "latex"):
        raise OptionError(
            f"the equation in {dialect} computes, so it holds the numbers", advice='symbolic=True: "text" or "latex".'
        )
    values = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    constants = {"pi": _PI[dialect]} if "pi" not in spec.curve.inputs else {}
    constants |= {name: _written(name, value, dialect, digits, symbolic) for name, value in values.items()}
    writer = dialect_writer(dialect, constants)
    node = tidied(tree_of(spec.curve, named=dialect == "text"), frozenset() if symbolic else signs(values))
    for offset in spec.offset_nodes():
        node = Binary("+", node, offset)
    return writer.write(node), _sources(writer)


def _sources(writer: Writer) -> str:
    return writer.sources if isinstance(writer, Python) else ""


def _writable(fit: Fit) -> CurveSpec:
    spec = curve_spec(fit)
    assert spec is not None
    if set(fit.names) != set(spec.curve.parameters):
        raise NotAvailableError(
            "a curve that is fitted by groups has an equation for each group, and they are not written yet",
            advice="fit.tidy() has the parameters of each group, and fit.predict(rows) computes the curve.",
        )
    return spec


def _written(name: str, value: float, dialect: str, digits: int | None, symbolic: bool) -> str:
    """A parameter: its name, or its value without a sign."""
    if symbolic:
        return symbol(name) if dialect == "latex" else name
    if digits is None:
        return repr(abs(value))
    text = significant(abs(value), digits)
    if dialect == "latex" and "e" in text:
        mantissa, _, exponent = text.partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    return text


def to_read(fit: Fit, dialect: str, digits: int, symbolic: bool) -> str:
    """The whole equation in "text" or "latex"."""
    eta, _ = curve_equation(fit, dialect, digits, symbolic)
    response = fit.spec.response.name
    if fit.family.link.name != "identity":
        return equation_of(fit, dialect, eta)
    if dialect == "text" or not response.isidentifier() or fit.family.name == "binomial":
        return f"{mean_name(fit, dialect)} = {eta}"
    return f"{symbol(response)} = {eta}" if symbolic else rf"\widehat{{{symbol(response)}}} = {eta}"
