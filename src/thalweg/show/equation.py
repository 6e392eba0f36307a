"""The fitted equation: to read (text, LaTeX) and to compute with elsewhere (Python, SQL)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thalweg.data.dialects import dialect_writer
from thalweg.data.nodes import Binary, Negative, Node, Number
from thalweg.errors import NotAvailableError, OptionError
from thalweg.show.curve import is_curve
from thalweg.show.curve_equation import check_symbolic, to_compute, to_read
from thalweg.show.links import equation_of, mean_in
from thalweg.show.numbers import significant

if TYPE_CHECKING:
    from thalweg.result import Fit

DIALECTS = ("text", "latex", "python", "sql")
KINDS = ("mean", "link")


def equation(
    fit: Fit,
    dialect: str = "text",
    *,
    digits: int = 4,
    kind: str = "mean",
    table: str = "data",
    symbolic: bool = False,
) -> str:
    """The fitted equation.

    Parameters
    ----------
    fit : Fit
    dialect : {"text", "latex", "python", "sql"}
        "text" and "latex" are for reading. "python" is the source of a function `predict(row)` of a mapping from column
        to value that needs nothing but `math`; "sql" is one SELECT. Both carry every digit of the coefficients.
    digits : int
        Significant digits of coefficients in "text" and "latex".
    kind : {"mean", "link"}
        What "python" and "sql" compute: the mean, or the linear predictor eta.
    table : str
        The table that the SELECT reads.
    symbolic : bool
        For "text" and "latex" of a curve: the names of its parameters in place of their values.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        Another dialect or kind; names of parameters where there is no curve, or where the equation has to compute.
    NotAvailableError
        The fit is separated, or the mean cannot be written in SQL (probit: SQL has no normal distribution function), or
        the curve calls what the dialect lacks (erf in SQL, the Faddeeva function of a Voigt peak in Python).

    Notes
    -----
    Coefficients that are aliased are left out: they are zero. Offsets of the formula are part of the equation. Named
    curves are kept as they are in "text", written as in textbooks in "latex", and as they are computed elsewhere.
    Python raises ValueError for a row in which a curve has no value (the logarithm of a negative number), where
    `predict` gives NaN.

    Examples
    --------
    >>> import thalweg as tw
    >>> print(tw.fit("progression ~ bmi + bp", "diabetes").equation())
    progression = -203.6 + 8.519 bmi + 1.385 bp
    """
    check_dialect(dialect)
    if kind not in KINDS:
        raise OptionError(f"there is no kind {kind!r} of equation", advice='Use "mean" or "link".')
    if fit.separation is not None:
        raise NotAvailableError(
            "a separated fit has no equation, because some of its coefficients are infinite",
            advice=f"{fit.separation.sentence} See fit.summary().",
        )
    curved = is_curve(fit)
    if symbolic:
        check_symbolic(dialect, curved=curved)
    if dialect in ("text", "latex"):
        if curved:
            return to_read(fit, dialect, digits, symbolic)
        return equation_of(fit, dialect, _sum(fit, dialect, digits))
    eta, sources = to_compute(fit, dialect) if curved else (_sum(fit, dialect, None), "")
    if dialect == "python":
        return _python(fit, eta, kind, sources)
    return _sql(fit, eta, kind, table)


def check_dialect(dialect: str) -> None:
    """Refuse a word that is no dialect."""
    if dialect not in DIALECTS:
        raise OptionError(f"there is no dialect {dialect!r}", advice=f"Use one of {', '.join(DIALECTS)}.")


def _sum(fit: Fit, dialect: str, digits: int | None) -> str:
    """eta: the coefficients times their columns, and the offsets; every digit where `digits` is None."""
    terms = [
        _term(value, column, dialect, digits)
        for name, value, column in zip(fit.names, fit.theta.tolist(), _columns(fit, dialect), strict=True)
        if name not in fit.aliased
    ]
    terms += [("+", _bracketed(node, dialect_writer(dialect).write(node), dialect)) for node in fit.spec.offset_nodes()]
    if not terms:
        return "0"
    (sign, first), rest = terms[0], terms[1:]
    return ("-" if sign == "-" else "") + first + "".join(f" {sign} {text}" for sign, text in rest)


def _columns(fit: Fit, dialect: str) -> list[str | None]:
    """Each column of the design as a factor of a product; None for the constant."""
    nodes, texts = fit.spec.design.nodes(), fit.spec.expressions(dialect)
    return [
        None if node == Number(1.0) else text if text == name else _bracketed(node, text, dialect)
        for name, node, text in zip(fit.names, nodes, texts, strict=True)
    ]


def _bracketed(node: Node, text: str, dialect: str) -> str:
    """Sums in brackets, so that what stands before them multiplies all of them."""
    loose = isinstance(node, Negative) or (isinstance(node, Binary) and node.operator in ("+", "-"))
    return dialect_writer(dialect).bracket(text) if loose else text


def _term(value: float, column: str | None, dialect: str, digits: int | None) -> tuple[str, str]:
    sign = "-" if value < 0 else "+"
    size = repr(abs(value)) if digits is None else _readable(abs(value), digits, dialect)
    times = {"text": " ", "latex": r" \, ", "python": " * ", "sql": " * "}[dialect]
    return sign, size if column is None else f"{size}{times}{column}"


def _readable(value: float, digits: int, dialect: str) -> str:
    text = significant(value, digits)
    if dialect == "latex" and "e" in text:
        mantissa, _, exponent = text.partition("e")
        return rf"{mantissa} \times 10^{{{int(exponent)}}}"
    return text


def _python(fit: Fit, eta: str, kind: str, sources: str = "") -> str:
    response = fit.spec.response
    what = "mean" if kind == "mean" else "linear predictor"
    of = f" of {response.name}" if response is not None else ""
    by = "curve" if is_curve(fit) else "formula"
    lines = [
        "import math",
        *sources.splitlines(),
        "",
        "",
        "def predict(row):",
        f"    {_quoted(f'The {what}{of}, by the {by} {fit.spec.formula}; row maps columns to values.')}",
        f"    eta = {eta}",
        *(f"    {line}" for line in mean_in("python", fit.family.link, kind)),
    ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A docstring of any text: what repr escapes cannot end it."""
    return repr(text)


def _sql(fit: Fit, eta: str, kind: str, table: str) -> str:
    (mean,) = mean_in("sql", fit.family.link, kind)
    return f"SELECT {mean.format(eta=eta)} AS prediction FROM {_identifier(table)}"


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'
