"""From what the user gave to rows and a model: the first half of a fit, of a diagnosis and of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from thalweg.check import warn_of_many_levels
from thalweg.data.roles import with_roles
from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.foreign import check_options, check_order
from thalweg.losses import family as family_named
from thalweg.losses.base import Family

READING = ("delimiter", "decimal", "encoding", "header", "format", "text")


@final
@dataclass(frozen=True)
class Prepared:
    """Rows and a model.

    Attributes
    ----------
    rows : Rows
    model : Family
        With alpha = 1 where that is still to be estimated.
    unknown_alpha : bool
    """

    rows: Rows
    model: Family
    unknown_alpha: bool


def prepare(
    formula: str,
    data: Any,
    *,
    family: str | Family | Mapping[str, Any],
    link: str | None,
    given: Mapping[str, Any],
    missing: str,
    options: Mapping[str, Any],
    known: tuple[str, ...],
) -> Prepared:
    """Open the data, learn the design, find the family.

    Parameters
    ----------
    given : mapping
        weights, offset, exposure, trials, cluster: names, expressions or arrays.
    options : mapping
        Parameters of the family and how to read a text file.
    known : tuple of str
        The caller's own options, to answer an unknown one with the nearest.
    """
    check_order(formula, data)
    reading = {key: value for key, value in options.items() if key in READING}
    options = {key: value for key, value in options.items() if key not in READING}
    check_options(options, (*known, *READING))
    source, roles = with_roles(open_source(data, **reading), given)
    spec = Spec.learn(formula, source, missing=missing, **roles)
    warn_of_many_levels(spec)
    unknown_alpha = needs_alpha(family, options)
    model = family_named(family, link, **({"alpha": 1.0} if unknown_alpha else options))
    return Prepared(Rows(source, spec), model, unknown_alpha)


def needs_alpha(family: Any, options: Mapping[str, Any]) -> bool:
    """Whether this is a negative binomial family whose dispersion is to be estimated."""
    return isinstance(family, str) and family.replace("-", "_").lower() == "negative_binomial" and not options
