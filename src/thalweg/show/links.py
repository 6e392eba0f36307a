"""How each link is written in each language: the mean as a function of the linear predictor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from thalweg.data.contrasts import show_level
from thalweg.data.nodes import Call, Cbind, Comparison, column_names
from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.data.response import Response
    from thalweg.losses.base import Link
    from thalweg.result import Fit

# Python: lines of a function body in which `eta` is known. SQL: an expression with {eta} in it.
_PYTHON = {
    "identity": ("return eta",),
    "log": ("return math.exp(eta)",),
    # Each branch takes the exponential of a negative number: no overflow, and small probabilities keep their digits.
    "logit": ("if eta >= 0:", "    return 1 / (1 + math.exp(-eta))", "return math.exp(eta) / (1 + math.exp(eta))"),
    "probit": ("return 0.5 * math.erfc(-eta / math.sqrt(2))",),
    "cloglog": ("return -math.expm1(-math.exp(eta))",),
    "inverse": ("return 1 / eta",),
    "inverse_squared": ("return 1 / math.sqrt(eta)",),
    "sqrt": ("return eta * eta",),
    "power": ("return eta ** (1 / {exponent!r})",),
}
_SQL = {
    "identity": "{eta}",
    "log": "EXP({eta})",
    "logit": "1.0 / (1.0 + EXP(-({eta})))",
    "cloglog": "1.0 - EXP(-EXP({eta}))",
    "inverse": "1.0 / ({eta})",
    "inverse_squared": "1.0 / SQRT({eta})",
    "sqrt": "POWER({eta}, 2)",
    "power": "POWER({eta}, 1.0 / {exponent!r})",
}
# To read: the left side {m} is the mean, the right side {eta}. A probability is written as itself, other means through
# their link, which is what makes the right side a sum.
_TEXT = {
    "identity": "{m} = {eta}",
    "log": "log({m}) = {eta}",
    "logit": "{m} = 1 / (1 + exp(-({eta})))",
    "probit": "{m} = Phi({eta})",
    "cloglog": "{m} = 1 - exp(-exp({eta}))",
    "inverse": "1 / {m} = {eta}",
    "inverse_squared": "1 / {m}^2 = {eta}",
    "sqrt": "sqrt({m}) = {eta}",
    "power": "{m}^{exponent:g} = {eta}",
}
_LATEX = {
    "identity": r"{m} = {eta}",
    "log": r"\log {m} = {eta}",
    "logit": r"{m} = \frac{{1}}{{1 + \exp\left(-\left({eta}\right)\right)}}",
    "probit": r"{m} = \Phi\left({eta}\right)",
    "cloglog": r"{m} = 1 - \exp\left(-\exp\left({eta}\right)\right)",
    "inverse": r"\frac{{1}}{{{m}}} = {eta}",
    "inverse_squared": r"\frac{{1}}{{{m}^{{2}}}} = {eta}",
    "sqrt": r"\sqrt{{{m}}} = {eta}",
    "power": r"{m}^{{{exponent:g}}} = {eta}",
}


def mean_in(dialect: str, link: Link, kind: str) -> tuple[str, ...]:
    """How "python" (lines) or "sql" (one template) computes the mean from eta; eta itself where kind is "link".

    Raises
    ------
    NotAvailableError
        SQL has no function for it.
    """
    name = "identity" if kind == "link" else link.name
    if dialect == "python":
        return tuple(line.format(**link.parameters()) for line in _PYTHON[name])
    if name not in _SQL:
        raise NotAvailableError(
            f"the mean of a {name} model cannot be written in standard SQL",
            advice='Use kind="link" for its linear predictor, or the "python" dialect.',
        )
    return (_SQL[name].format(eta="{eta}", **link.parameters()),)


def equation_of(fit: Fit, dialect: str, eta: str) -> str:
    """The equation to read: the mean on the left, or its link, and eta on the right."""
    link = fit.family.link
    template = (_TEXT if dialect == "text" else _LATEX)[link.name]
    return template.format(m=mean_name(fit, dialect), eta=eta, **link.parameters())


def mean_name(fit: Fit, dialect: str = "text") -> str:
    """What the model predicts: `y` of a linear model, `P(died = yes)`, `E[claims]` of other families."""
    name, event = fit.spec.response.name, _event(fit)
    if dialect == "latex":
        if event is not None:
            return rf"P\left({' = '.join(map(latex_name, event))}\right)"
        upright = latex_name(name)
        linear = fit.family.link.name == "identity"
        return rf"\widehat{{{upright}}}" if linear else rf"\operatorname{{E}}\left[{upright}\right]"
    if event is not None:
        return f"P({' = '.join(event)})"
    return name if fit.family.link.name == "identity" else f"E[{name}]"


def axis_name(fit: Fit) -> str:
    """What an axis shows that holds the data and the fit: the response, or the probability of its event."""
    return fit.spec.response.name if _event(fit) is None else mean_name(fit)


def _event(fit: Fit) -> tuple[str, ...] | None:
    """What a binomial model gives the probability of: ('died', 'yes'), or ('y', '1'), or one word; None for a share."""
    response = fit.spec.response
    if fit.family.name != "binomial":
        return None
    if response.levels is not None:
        return response.name, show_level(response.levels[1])
    if isinstance(response.node, Cbind):
        return (" ".join(column_names(response.node.successes)) or response.name,)
    condition = condition_of(response)
    if condition is not None:
        return (condition,)
    grouped = fit.spec.roles.trials is not None or fit.spec.roles.weights is not None
    return None if grouped else (response.name, "1")


def condition_of(response: Response) -> str | None:
    """The comparison that a response is, as it was written: 'y > 1' of `y > 1` and of `I(y > 1)`; else None."""
    match response.node:
        case Comparison():
            return response.name
        case Call("I", (Comparison(),)):
            return response.name.removeprefix("I(").removesuffix(")")
    return None


def latex_name(name: str) -> str:
    r"""A name in upright letters, with what LaTeX reads as commands escaped.

    Examples
    --------
    >>> print(latex_name("blood_pressure"))
    \mathrm{blood\_pressure}
    """
    special = {"\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim ", " ": r"\ "}
    escaped = "".join(special.get(c, "\\" + c if re.match(r"[#$%&_{}]", c) else c) for c in name)
    return rf"\mathrm{{{escaped}}}"
