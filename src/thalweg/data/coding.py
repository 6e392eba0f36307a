"""Which categories of a term are coded in full and which lose a column, so that no column is redundant by structure.

A category with an intercept in reach spans it: {1} + {reduced}. A term is expanded into the margins that it spans,
those already spanned by earlier terms are dropped, and what remains is put together again by the rule

    (anything):(reduced) + (anything)  ->  (anything):(full),

as patsy and formulaic do, and as R does for the usual hierarchies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from thalweg.data.formula import FormulaTerm

ScopedFactor = tuple[str, bool]  # its key, and whether it is reduced


@dataclass(frozen=True)
class ScopedTerm:
    """A product of factors each of which is coded in one way.

    Attributes
    ----------
    factors : tuple of (str, bool)
        Key, and whether a column is left out.
    scale : float
        The number in front.
    """

    factors: tuple[ScopedFactor, ...]
    scale: float = 1.0

    @property
    def key(self) -> frozenset[ScopedFactor]:
        """Two terms are the same where their factors are."""
        return frozenset(self.factors)


def scope(
    terms: Sequence[FormulaTerm], spans_intercept: Callable[[str], bool]
) -> list[tuple[FormulaTerm, list[ScopedTerm]]]:
    """Code each term, given those before it.

    Parameters
    ----------
    terms : sequence of FormulaTerm
        In the order of the design.
    spans_intercept : callable
        Whether the columns of a factor, coded in full, add up to a constant.

    Examples
    --------
    >>> terms = [FormulaTerm(()), FormulaTerm(("a",)), FormulaTerm(("a", "x"))]
    >>> [[scoped.factors for scoped in parts] for _, parts in scope(terms, lambda key: key == "a")]
    [[()], [(('a', True),)], [(('a', False), ('x', False))]]
    """
    spanned: set[frozenset[ScopedFactor]] = set()
    scoped = []
    for term in terms:
        margins = [margin for margin in _margins(term, spans_intercept) if margin.key not in spanned]
        scoped.append((term, _simplify(margins)))
        spanned.update(margin.key for margin in margins)
    return scoped


def _margins(term: FormulaTerm, spans_intercept: Callable[[str], bool]) -> list[ScopedTerm]:
    """All products that a term spans."""
    choices: list[list[ScopedFactor | None]] = [
        [(key, True), None] if spans_intercept(key) else [(key, False)] for key in term.factors
    ]
    return [ScopedTerm(tuple(f for f in chosen if f is not None), term.scale) for chosen in product(*choices)]


def _simplify(margins: Iterable[ScopedTerm]) -> list[ScopedTerm]:
    """The fewest products with the same span."""
    kept: list[ScopedTerm] = []
    for margin in sorted(margins, key=lambda term: len(term.factors)):
        for existing in kept:
            new = margin.key - existing.key
            if len(margin.factors) - 1 != len(existing.factors) or len(new) != 1:
                continue
            (factor,) = new
            if factor[1]:
                full = tuple((factor[0], False) if f == factor else f for f in margin.factors)
                others = [term for term in kept if term is not existing]
                kept = _simplify([*others, ScopedTerm(full, existing.scale * margin.scale)])
                break
        else:
            kept.append(margin)
    return kept
