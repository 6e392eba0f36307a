"""Names of columns and parameters as LaTeX symbols."""

from __future__ import annotations

import re

_LOWER = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi"
_UPPER = "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
GREEK = frozenset(f"{_LOWER} {_UPPER}".split())
_SPECIAL = {"\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim ", " ": r"\ "}


def symbol(name: str) -> str:
    r"""A name as it is set in formulas: letters slanted, Greek ones as such, words upright, numbers as subscripts.

    A short part after an underscore is the symbol and what stands before it the subscript, as in the parameters of a
    named curve with a prefix; else what stands after it is.

    Examples
    --------
    >>> print(*map(symbol, ["x", "b1", "tau", "mu_2", "left_mu", "k_obs", "rate", "mean radius"]))
    x b_{1} \tau \mu_{2} \mu_{\mathrm{left}} k_{\mathrm{obs}} \mathrm{rate} \mathrm{mean\ radius}
    """
    name = name.rstrip("_") or name
    found = re.fullmatch(r"([A-Za-z]+)_?(\d+)", name) or re.fullmatch(r"([A-Za-z0-9]+)_([A-Za-z0-9]+)", name)
    if found is None:
        return _part(name)
    first, second = found.groups()
    if _is_word(first) and not _is_word(second) and not second.isdigit():
        first, second = second, first
    return f"{_part(first)}_{{{_part(second)}}}"


def _is_word(part: str) -> bool:
    return len(part) > 1 and part not in GREEK


def _part(part: str) -> str:
    if part in GREEK:
        return f"\\{part}"
    if len(part) == 1 or part.isdigit():
        return upright(part) if part in "#$%&_{}\\^~ " else part
    inner = re.fullmatch(r"([A-Za-z]+)(\d+)", part)
    if inner and not _is_word(inner[1]):
        return f"{_part(inner[1])}_{{{inner[2]}}}"
    return upright(part)


def upright(name: str) -> str:
    """A name in upright letters, with what LaTeX reads as commands escaped."""
    escaped = "".join(_SPECIAL.get(c, "\\" + c if c in "#$%&_{}" else c) for c in name)
    return rf"\mathrm{{{escaped}}}"
