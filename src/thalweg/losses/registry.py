"""From a name, or from what a model file stores, to a family with its link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from thalweg.errors import OptionError
from thalweg.losses.base import Family, Link
from thalweg.losses.families import ALIASES, FAMILIES, PARAMETERS
from thalweg.losses.links import LINKS


def family(
    name: str | Mapping[str, Any] | Family, link: str | Mapping[str, Any] | Link | None = None, **parameters: float
) -> Family:
    """The family of this name, with its default link or the one that is given.

    ===================== ================ ======================================================== ==================
    name                  default link     other links                                              parameter
    ===================== ================ ======================================================== ==================
    gaussian              identity         log, inverse, inverse_squared, sqrt, power, logit, probit
    binomial              logit            probit, cloglog, loglog, cauchit, log, identity
    poisson               log              identity, sqrt, inverse, inverse_squared, power
    gamma                 inverse          log, identity, sqrt, inverse_squared, power
    inverse_gaussian      inverse_squared  log, identity, sqrt, inverse, power
    negative_binomial     log              identity, sqrt, inverse, inverse_squared, power          alpha > 0
    tweedie               log              identity, sqrt, inverse, inverse_squared, power          power <= 0 or >= 1
    huber                 identity                                                                  scale > 0
    soft_l1               identity                                                                  scale > 0
    cauchy                identity                                                                  scale > 0
    ===================== ================ ======================================================== ==================

    The defaults are those of R and statsmodels. The last three are robust losses (`thalweg.losses.robust`).

    Parameters
    ----------
    name : str, mapping or Family
        A name of the table; or what `Family.to_json` returned; or a family, which is returned as it is.
    link : str, mapping or Link, optional
        A name of the table; or what a family's JSON holds as its link.
    **parameters : float
        The family's parameter; `exponent` for the link `power`.

    Raises
    ------
    OptionError
        A name, a key or a parameter that does not exist or is missing, a parameter out of its range, or a link that
        the family has not. The text names what there is.

    Examples
    --------
    >>> family("tweedie", power=1.5)
    Tweedie(power=1.5, link=Log())
    >>> family("gamma", "power", exponent=-0.5)
    Gamma(link=Power(exponent=-0.5))
    >>> family(family("poisson").to_json())
    Poisson(link=Log())
    """
    if isinstance(name, Family):
        if link is not None or parameters:
            raise OptionError(f"{name!r} already has its link and parameters", advice="Give a family by its name.")
        return name
    stored = dict(name) if isinstance(name, Mapping) else {"name": name}
    given = {**stored, **({} if link is None else {"link": link}), **parameters}
    kind = _find(given.pop("name", None), FAMILIES, "family", ALIASES)
    needed = [PARAMETERS[kind]] if kind in PARAMETERS else []
    chosen = given.pop("link", FAMILIES[kind].default_link)
    exponent = {"exponent": given.pop("exponent")} if "exponent" in given else {}
    arguments = _numbers(given, needed, f"family {kind!r}")
    return FAMILIES[kind](link_of(chosen, **exponent), **arguments)


def link_of(name: str | Mapping[str, Any] | Link, **parameters: float) -> Link:
    """The link of this name, or of this JSON.

    Raises
    ------
    OptionError
        As `family`.

    Examples
    --------
    >>> link_of({"name": "power", "exponent": 2})
    Power(exponent=2.0)
    """
    if isinstance(name, Link):
        _numbers(parameters, [], f"link {name!r}")
        return name
    given = {**(name if isinstance(name, Mapping) else {"name": name}), **parameters}
    kind = _find(given.pop("name", None), LINKS, "link", {})
    needed = ["exponent"] if kind == "power" else []
    return LINKS[kind](**_numbers(given, needed, f"link {kind!r}"))


def _find(name: object, known: Iterable[str], what: str, aliases: Mapping[str, str]) -> str:
    """A name of the list, whatever its case, with - and _ as one."""
    known = list(known)
    asked = name.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(name, str) else ""
    asked = aliases.get(asked, asked)
    if asked in known:
        return asked
    close = get_close_matches(asked, known, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise OptionError(f"there is no {what} {_short(name)}", advice=f"{hint}There are {', '.join(known)}.")


def _numbers(given: Mapping[str, Any], needed: list[str], what: str) -> dict[str, float]:
    """Exactly these parameters, each a number."""
    for key in given:
        if key not in needed:
            has = f"It has {needed[0]!r}." if needed else "It has none."
            raise OptionError(f"{what} has no parameter {_short(key)}", advice=has)
    for key in needed:
        if key not in given:
            raise OptionError(f"{what} needs the parameter {key!r}", advice=f"Give {key}=... .")
        if isinstance(given[key], bool) or not isinstance(given[key], int | float) or abs(given[key]) > 1e300:
            raise OptionError(f"the parameter {key!r} of {what} must be a number, not {_short(given[key])}")
    return {key: float(given[key]) for key in needed}


def _short(value: object) -> str:
    """The value as text, cut where it is long."""
    text = repr(value)[:60]
    return text if len(text) < 60 else text[:57] + "..."
