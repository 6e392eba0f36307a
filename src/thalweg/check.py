"""What is looked at before the first step: the response against its family, and the weights against their kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor

from thalweg.data.block import Block
from thalweg.data.expression import quote
from thalweg.data.factors import CategoricalFactor
from thalweg.data.nodes import Name
from thalweg.data.rows import Rows
from thalweg.data.spec import Spec
from thalweg.errors import ColumnError, DataError, DomainError, OptionError, ThalwegWarning, tell
from thalweg.foreign import covariance_kind
from thalweg.inference.covariance import check_kind
from thalweg.inference.distributions import check_level
from thalweg.inference.reading import check_weights_kind
from thalweg.losses import check_response
from thalweg.losses.base import Family

MANY_LEVELS = 50


def check(rows: Rows, family: Family, weights_kind: str) -> None:
    """Read the rows once and refuse what the model cannot use.

    Raises
    ------
    DomainError
        A response outside the family's domain, with its row and value; or one class only.
    DataError
        A negative weight, a frequency that is no whole number, or weights that are all zero.
    ColumnError
        Labels as the response of a family that needs numbers, or more than two of them.
    OptionError
        Weights that are known variances, for a family that is not gaussian.
    """
    check_labels(rows, family)
    check_absolute(family, weights_kind)
    low, high, weight, all_or_none = torch.inf, -torch.inf, 0.0, True
    for block in rows.blocks():
        assert block.y is not None
        used = _used(block)
        check_weights(rows, block, weights_kind)
        with trials_explained(rows):
            check_response(family, block.y[used], 0, partial(_place, rows, _numbers(block, used)))
        if bool(used.any()):
            low, high = min(low, float(block.y[used].min())), max(high, float(block.y[used].max()))
        weight += float(used.sum())
        all_or_none = all_or_none and bool((block.y == block.y.round()).all())
    if weight == 0:
        raise DataError("all weights are zero", advice="Give at least one row a positive weight.")
    if family.name == "binomial" and low == high and low in (0.0, 1.0):
        raise DomainError(
            f"the response holds one class only: every row is {_shown(rows.spec.response_label(low))}",
            advice="Give rows of both classes.",
        )
    if family.name == "binomial" and rows.spec.roles.trials is not None and all_or_none:
        text = "every proportion is 0 or 1: each row is taken as no success or as all of its trials being successes"
        tell(ThalwegWarning(f"{text}; for counts of successes write cbind(successes, failures) ~ ..."))


def checked_inference(weights_kind: str, level: float, covariance: str | None) -> str | None:
    """The covariance under its own name, after a look at what was chosen of the inference.

    Raises
    ------
    OptionError
    """
    check_weights_kind(weights_kind)
    check_level(level)
    covariance = covariance_kind(covariance)
    if covariance is not None:
        check_kind(covariance)
    return covariance


@contextmanager
def trials_explained(rows: Rows) -> Iterator[None]:
    """Say what `trials` means where a response that it was given for is no proportion."""
    try:
        yield
    except DomainError as error:
        role = rows.spec.roles.trials
        if role is None:
            raise
        shown, trials = rows.spec.response.name, "trials" if role.text.endswith("trials_given") else role.text
        raise DomainError(
            error.what,
            advice="With trials= the response is a proportion;"
            f" for counts write cbind({shown}, {trials} - {shown}) ~ ...",
        ) from None


def warn_of_many_levels(spec: Spec) -> None:
    """Tell of text columns that are hardly categories: more than 50 levels, in more than half as many rows."""
    for key, factor in spec.design.factors.items():
        if not isinstance(factor, CategoricalFactor) or not isinstance(spec.parsed.factors[key], Name):
            continue
        levels = len(factor.levels)
        if levels > MANY_LEVELS and 2 * levels > spec.rows:
            tell(
                ThalwegWarning(
                    f"column {key!r} holds text, and its {levels:,} different values in {spec.rows:,} rows are fitted"
                    f" as categories with a coefficient each, such as {factor.levels[0]!r}. If it is a date or an"
                    " identifier, make a column of numbers of it or leave it out; if it is a category, write"
                    f" C({quote(key)})."
                )
            )


def _place(rows: Rows, numbers: Tensor, row: int) -> str:
    """Where a row stands, in the user's terms."""
    return rows.source.place(int(numbers[row]))


def _shown(label: object) -> str:
    return f"{label + 0.0:g}" if isinstance(label, float) else repr(label)


def check_labels(rows: Rows, family: Family) -> None:
    """Refuse labels where numbers are needed, and more than two labels."""
    response = rows.spec.response
    if response is None or response.levels is None:
        return
    shown = ", ".join(repr(level) for level in response.levels[:5]) + (", ..." if len(response.levels) > 5 else "")
    if family.name != "binomial":
        raise ColumnError(
            f"the response {response.name!r} holds labels ({shown}), but the {family.name} family needs numbers",
            advice="Use family='binomial' for two labels, or a numeric response.",
        )
    if len(response.levels) != 2:
        raise ColumnError(
            f"the response {response.name!r} has {len(response.levels)} labels ({shown}), and a binomial one has two",
            advice=f"Compare one with the rest: {response.name} == {response.levels[0]!r} ~ ...",
        )


def check_weights(rows: Rows, block: Block, weights_kind: str) -> None:
    """Refuse weights that are negative, and frequencies that are no whole numbers."""
    if block.weight is None:
        return
    wrong = block.weight < 0
    what = "negative"
    if weights_kind == "frequency" and not bool(wrong.any()):
        wrong, what = block.weight != block.weight.round(), "no whole number, though it is a frequency"
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0, 0])
        raise DataError(
            f"a weight is {what}: {float(block.weight[row]):g}",
            where=rows.source.place(int(_numbers(block, None)[row])),
            advice="Weights are zero or more." if what == "negative" else "Use weights_kind='precision' or 'sampling'.",
        )


def check_absolute(family: Family, weights_kind: str) -> None:
    """Refuse weights that are known variances where the family has a variance of its own."""
    if weights_kind == "absolute" and family.name != "gaussian":
        raise OptionError(
            f"weights_kind is 'absolute' for the {family.name} family, whose variance is not given by weights",
            advice="It is for family='gaussian': weights='1/sigma**2'.",
        )


def _used(block: Block) -> Tensor:
    """Rows with a weight."""
    weight = block.loss_weight
    assert block.y is not None
    return torch.ones_like(block.y, dtype=torch.bool) if weight is None else weight != 0


def _numbers(block: Block, used: Tensor | None) -> Tensor:
    """The rows' numbers in their source."""
    numbers = torch.arange(block.start, block.start + block.rows) if block.numbers is None else block.numbers
    return numbers if used is None else numbers[used.to(numbers.device)]
