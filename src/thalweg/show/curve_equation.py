"""The equation of a fitted curve, with its numbers or with the names of its parameters."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from thalweg.curves.groups import Grouped
from thalweg.data.contrasts import show_level
from thalweg.data.dialects import Python, dialect_writer
from thalweg.data.nodes import Binary, Name
from thalweg.data.symbols import symbol
from thalweg.errors import OptionError
from thalweg.show.curve import curve_spec
from thalweg.show.curve_tree import signs, tidied, tree_of
from thalweg.show.links import equation_of, mean_name
from thalweg.show.numbers import significant

if TYPE_CHECKING:
    from thalweg.curves.curve import Curve
    from thalweg.curves.spec import CurveSpec
    from thalweg.data.writer import Writer
    from thalweg.result import Fit

_FORMS = {"text": "named", "latex": "textbook"}
_PI = {"text": "pi", "latex": r"\pi", "python": "math.pi", "sql": repr(math.pi)}


def to_read(fit: Fit, dialect: str, digits: int, symbolic: bool) -> str:
    """The whole equation in "text" or "latex"; of a curve by groups one for each, with their numbers.

    Parameters
    ----------
    fit : Fit
        Of a curve.
    dialect : {"text", "latex"}
    digits : int
        Significant digits of the parameters.
    symbolic : bool
        Names of the parameters in place of their values.

    Raises
    ------
    NotAvailableError
        A curve that is no formula.
    """
    spec = _spec(fit)
    curve = _of_one_group(spec.curve)
    groups = _by_group(fit, spec.curve) if not symbolic else {None: dict.fromkeys(curve.parameters, math.nan)}
    sides = {}
    for level, values in groups.items():
        written = {name: _written(name, value, dialect, digits, symbolic) for name, value in values.items()}
        sides[level] = _expression(spec, curve, dialect, written, signs(values))[0]
    if len(sides) == 1 and None in sides:
        return _equation(fit, dialect, sides[None], symbolic)
    assert isinstance(spec.curve, Grouped)
    if dialect == "text":
        return "\n".join(
            f"{spec.curve.by} = {show_level(level)}: {_equation(fit, dialect, side, symbolic)}"
            for level, side in sides.items()
        )
    rows = [rf"{side} & {symbol(spec.curve.by)} = \text{{{_plain(level)}}}" for level, side in sides.items()]
    return _equation(fit, dialect, r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}", symbolic)


def to_compute(fit: Fit, dialect: str) -> tuple[str, str]:
    """eta in "python" or "sql" with every digit, and the functions that its Python needs.

    Raises
    ------
    NotAvailableError
        A function that the dialect lacks, a curve that is no formula.
    """
    spec = _spec(fit)
    if isinstance(spec.curve, Grouped):
        values = _shared(fit, spec.curve)
        looked_up = {name: _chosen(fit, spec.curve, name, dialect) for name in spec.curve.local}
    else:
        values, looked_up = dict(zip(fit.names, fit.theta.tolist(), strict=True)), {}
    written = {name: repr(abs(value)) for name, value in values.items()} | looked_up
    return _expression(spec, _of_one_group(spec.curve), dialect, written, signs(values))


def check_symbolic(dialect: str, *, curved: bool) -> None:
    """Refuse names of parameters where there are none, or where numbers are needed.

    Raises
    ------
    OptionError
    """
    if not curved:
        raise OptionError("symbolic=True is for curves", advice="Coefficients of a formula are named in fit.names.")
    if dialect not in _FORMS:
        raise OptionError(
            f"the equation in {dialect} computes, so it holds the numbers",
            advice='With symbolic=True there are "text" and "latex".',
        )


def _spec(fit: Fit) -> CurveSpec:
    spec = curve_spec(fit)
    assert spec is not None
    return spec


def _of_one_group(curve: Curve) -> Curve:
    return curve.inner if isinstance(curve, Grouped) else curve


def _expression(
    spec: CurveSpec, curve: Curve, dialect: str, written: Mapping[str, str], negative: frozenset[str]
) -> tuple[str, str]:
    """The right side with its offsets, and the sources of its functions."""
    constants = {"pi": _PI[dialect]} if "pi" not in curve.inputs else {}
    writer = dialect_writer(dialect, constants | dict(written))
    node = tidied(tree_of(curve, _FORMS.get(dialect, "computed")), negative)
    for offset in spec.offset_nodes():
        node = Binary("+", node, offset)
    return writer.write(node), _sources(writer)


def _sources(writer: Writer) -> str:
    return writer.sources if isinstance(writer, Python) else ""


def _written(name: str, value: float, dialect: str, digits: int, symbolic: bool) -> str:
    """A parameter: its name, or its value without a sign."""
    if symbolic:
        return symbol(name) if dialect == "latex" else name
    text = significant(abs(value), digits)
    if dialect == "latex" and "e" in text:
        mantissa, _, exponent = text.partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    return text


def _equation(fit: Fit, dialect: str, eta: str, symbolic: bool) -> str:
    """Both sides. A mean has a hat where it holds estimates."""
    response = fit.spec.response.name
    if fit.family.link.name != "identity":
        return equation_of(fit, dialect, eta)
    if dialect == "text" or not response.isidentifier() or fit.family.name == "binomial":
        return f"{mean_name(fit, dialect)} = {eta}"
    return f"{symbol(response)} = {eta}" if symbolic else rf"\widehat{{{symbol(response)}}} = {eta}"


# ------------------------------------------------------------------------------------------------------------ groups


def _by_group(fit: Fit, curve: Curve) -> dict[Hashable, dict[str, float]]:
    """The parameters of each group; of a curve without groups those of None."""
    values = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    if not isinstance(curve, Grouped):
        return {None: values}
    columns = {name: curve.of(name) for name in curve.inner.parameters}
    return {
        level: {name: values[of[i] if len(of) > 1 else of[0]] for name, of in columns.items()}
        for i, level in enumerate(curve.levels)
    }


def _shared(fit: Fit, curve: Grouped) -> dict[str, float]:
    values = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    return {name: values[name] for name in curve.shared}


def _chosen(fit: Fit, curve: Grouped, name: str, dialect: str) -> str:
    """A parameter that each group has for itself: looked up by the row's group."""
    writer = dialect_writer(dialect)
    values = dict(zip(fit.names, fit.theta.tolist(), strict=True))
    pairs = [(writer.level(level), repr(values[own])) for level, own in zip(curve.levels, curve.of(name), strict=True)]
    column = writer.write(Name(curve.by))
    if dialect == "python":
        return f"{{{', '.join(f'{level}: {value}' for level, value in pairs)}}}[{column}]"
    return "CASE " + " ".join(f"WHEN {column} = {level} THEN {value}" for level, value in pairs) + " END"


def _plain(level: Hashable) -> str:
    return "".join(f"\\{c}" if c in "&%$#_{}" else c for c in show_level(level))
