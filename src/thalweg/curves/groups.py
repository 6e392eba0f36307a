"""One curve for several groups of rows, with some parameters shared between them and the others each group's own.

With g(i) the group of row i, s the shared and l the local parameters,

    f_i = f(x_i; s, l_g(i)),        df_i / dl_h = [h = g(i)] df_i / dl                                           (1)

so that one evaluation of the curve, with a value per row in the place of each local parameter, gives all groups at
once, and its few derivatives are scattered to the columns of their groups. theta holds the shared parameters and then
each local one, group by group: tau, a[1], a[2], c[1], c[2].
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import numpy as np
import torch

from thalweg.curves.curve import Columns as Inputs
from thalweg.curves.curve import Curve, Evaluator, Theta
from thalweg.curves.parameters import Parameters, known, parameters_of
from thalweg.curves.restricted import Restricted
from thalweg.data.contrasts import show_level
from thalweg.data.evaluate import Columns
from thalweg.data.expression import quote
from thalweg.data.levels import LevelLearner
from thalweg.data.matrix import Categorical, Matrix, SideBySide
from thalweg.data.nodes import Node
from thalweg.data.source import Source
from thalweg.data.spec import Spec
from thalweg.errors import ColumnError, OptionError

MOST_PARAMETERS = 1000  # a dense triangle and its singular values at every step: about a second a step at this size


@final
class Grouped(Curve):
    """A curve with a copy of some parameters for each group.

    Parameters
    ----------
    inner : Curve
        The curve of one group.
    by : str
        The column of groups.
    shared : sequence of str
        Parameters that all groups have together.
    levels : sequence
        The groups, in the order of their codes; none before they are learned.

    Attributes
    ----------
    category : str
        The group's column as the formula that reads it spells it; also its key among the columns of `over`, where it
        holds the number of each row's group.
    local : tuple of str
        The parameters that each group has for itself.

    Raises
    ------
    OptionError
        A shared name that is no parameter, or nothing that is not shared.

    Examples
    --------
    >>> from thalweg.curves.curve import Expression
    >>> from thalweg.curves.language import read_equation
    >>> line = Expression.of(read_equation("y = a + b * x", ["y", "x", "run"]))
    >>> curve = Grouped(line, "run", ["b"], ["p", "q"])
    >>> curve.parameters
    ('b', 'a[p]', 'a[q]')
    >>> rows = curve.over({"x": np.array([0.0, 1.0, 2.0]), "C(run)": np.array([0, 1, 1])}, 3)
    >>> rows.values([10.0, 1.0, 2.0]).tolist()
    [1.0, 12.0, 22.0]
    >>> rows.jacobian([10.0, 1.0, 2.0])[1].tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """

    def __init__(self, inner: Curve, by: str, shared: Iterable[str], levels: Sequence[Hashable] = ()) -> None:
        wanted = {known(inner.parameters, name, "shared") for name in _listed(shared)}
        self.inner, self.by, self.levels = inner, by, tuple(levels)
        self.shared = tuple(name for name in inner.parameters if name in wanted)
        self.local = tuple(name for name in inner.parameters if name not in wanted)
        if not self.local:
            raise OptionError("every parameter is shared: the groups differ in nothing", advice="Leave out by=.")
        self.category = f"C({quote(by)})"
        self.inputs = (*inner.inputs, self.category)
        self.parameters = (*self.shared, *(name for each in self.local for name in self.of(each)))
        self.positive = frozenset(name for each in inner.positive for name in self.of(each))
        self.title = inner.title

    def learned(self, levels: Sequence[Hashable]) -> Grouped:
        """The same with its groups."""
        return Grouped(self.inner, self.by, self.shared, levels)

    def of(self, name: str) -> tuple[str, ...]:
        """The parameters that one of the inner curve has become: itself where it is shared, else one per group."""
        return (name,) if name in self.shared else tuple(f"{name}[{show_level(level)}]" for level in self.levels)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where in theta each parameter of the inner curve begins, in the inner curve's order."""
        at = {name: i for i, name in enumerate(self.shared)}
        at |= {name: len(self.shared) + i * len(self.levels) for i, name in enumerate(self.local)}
        return {name: at[name] for name in self.inner.parameters}

    def columns(self, design: Matrix) -> dict[str, np.ndarray]:
        """The columns of `over` from the linear design that read them."""
        numbers, codes = _numbers_and_codes(design, len(self.levels))
        columns = {name: np.ascontiguousarray(numbers[:, j]) for j, name in enumerate(self.inner.inputs)}
        return columns | {self.category: codes}

    def over(self, columns: Inputs, rows: int) -> Evaluator:
        return _GroupedRows(self, columns, rows)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        return Restricted(self, fixed, ties) if fixed or ties else self

    def linear(self) -> tuple[str, ...]:
        return tuple(name for each in self.inner.linear() for name in self.of(each))


@final
class _GroupedRows(Evaluator):
    """Equation (1) over some rows."""

    def __init__(self, curve: Grouped, columns: Inputs, rows: int) -> None:
        self.rows = rows
        self.size = len(curve.parameters)
        self.codes = np.asarray(columns[curve.category], dtype=np.intp)
        self.inner = curve.inner.over({name: columns[name] for name in curve.inner.inputs}, rows)
        self.extended, self.batched = self.inner.extended, self.inner.batched
        self._groups = len(curve.levels)
        self._places = [(at, name in curve.local) for name, at in curve.places.items()]
        self._unknown = self.codes < 0 if rows and int(self.codes.min()) < 0 else None  # rows without a known group

    def values(self, theta: Theta) -> np.ndarray:
        return self._known(self.inner.values(self._by_row(theta)))

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        value, slopes = self.inner.jacobian(self._by_row(theta))
        value = self._known(value)
        out = np.zeros((self.size, *value.shape), dtype=slopes.dtype)
        each = np.arange(self.rows)
        for (at, local), slope in zip(self._places, slopes, strict=True):
            if local:
                out[at + self.codes, ..., each] = slope.T  # one column of each row
            else:
                out[at] = slope
        return value, out

    def _by_row(self, theta: Theta) -> list[Any]:
        """theta of the inner curve: a number where it is shared, (n,) or (K, n) where each group has its own."""
        return [
            _joined(theta[at : at + self._groups])[..., self.codes] if local else theta[at]
            for at, local in self._places
        ]

    def _known(self, value: np.ndarray) -> np.ndarray:
        return value if self._unknown is None else np.where(self._unknown, np.nan, value)


def _joined(entries: Theta) -> np.ndarray:
    """One parameter of all groups as (G,), or (K, G) of K candidates."""
    if any(np.ndim(entry) == 2 for entry in entries):
        return np.concatenate(np.broadcast_arrays(*entries), axis=1)
    return np.array(entries)


# ----------------------------------------------------------------------------------------------- what the data say


def learn_grouped(curve: Grouped, formula: str, source: Source, options: Mapping[str, Any]) -> tuple[Grouped, Spec]:
    """The linear formula that reads a grouped curve's columns, learned, and the curve with the groups that were met.

    Raises
    ------
    ColumnError
        Only one group.
    """
    try:
        base = Spec.learn(formula, source, **options)
    except ColumnError:
        found = LevelLearner()
        for batch in source.batches([curve.by]):
            found.update(Columns(batch, {}).column(curve.by))
        if len(found.levels()) != 1:
            raise
        raise ColumnError(
            f"column {curve.by!r} holds one group only, {found.levels()[0]!r}: there is nothing to share",
            advice="Leave out by= and shared=.",
        ) from None
    return curve.learned(base.levels[curve.by]), base


def _numbers_and_codes(matrix: Matrix, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns (n, k) of a design whose last columns are categories, and the category of each row; -1 for none."""
    if isinstance(matrix, SideBySide):
        *others, last = matrix.parts
        if isinstance(last, Categorical):
            numbers = torch.cat([part.dense() for part in others], dim=1)
            return numbers.numpy(force=True), last.codes.numpy(force=True)
    if isinstance(matrix, Categorical):
        return np.empty((matrix.shape[0], 0)), matrix.codes.numpy(force=True)
    values = matrix.dense().numpy(force=True)  # rows that cannot be had are NaN throughout
    dummies = values[:, values.shape[1] - groups :]
    return values[:, : values.shape[1] - groups], np.where(np.isnan(dummies[:, 0]), -1, dummies.argmax(axis=1))


# --------------------------------------------------------------------------------------------------- what users say


def group_options(by: Any, shared: Any) -> tuple[str, ...]:
    """The names of `shared=`.

    Raises
    ------
    OptionError
        Shared parameters without groups.
    """
    names = tuple(_listed(shared))
    if by is None and names:
        raise OptionError("shared= without by=", advice="Name the column of groups too: by='run'.")
    return names


def group_column(by: str | None, source: Source) -> str | None:
    """The column of groups.

    Raises
    ------
    ColumnError
        It is not there.
    """
    if by is not None and by not in source.names:
        near = difflib.get_close_matches(by, source.names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Columns are {', '.join(source.names[:12])}."
        raise ColumnError(f"by= names {by!r}, which is no column", advice=hint)
    return by


def grouped_parameters(
    curve: Grouped,
    *,
    start: Any = None,
    bounds: Mapping[str, Any] | None = None,
    fixed: Any = None,
    positive: Any = None,
    tied: Mapping[str, str] | None = None,
) -> Parameters:
    """`parameters_of` where each name may be one group's, "a[run1]", or all groups' at once, "a".

    A group's own word comes before that for all groups. A tie of a parameter of all groups, {"c": "2 * a"}, holds
    group by group.

    Raises
    ------
    OptionError, FormulaError
        As `parameters_of`; a tie that would read a parameter of all groups at once; more parameters than fit at once.
    """
    _check_size(curve)
    return parameters_of(
        curve,
        start=_starts(curve, start),
        bounds=_spread(curve, bounds),
        fixed=_spread(curve, fixed) if isinstance(fixed, Mapping) else _names(curve, fixed),
        positive=_names(curve, positive),
        tied=_tied(curve, tied or {}),
    )


def _check_size(curve: Grouped) -> None:
    count = len(curve.parameters)
    if count > MOST_PARAMETERS:
        raise OptionError(
            f"by={curve.by!r} with shared= is one fit of {count:,} parameters ({len(curve.levels):,} groups), and more"
            f" than {MOST_PARAMETERS:,} are not fitted at once",
            advice="Leave out shared= to fit each group for itself, or fit some of the groups.",
        )


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) else list(given or ())


def _spread(curve: Grouped, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is said by name, with each name of all groups written out."""
    if given is None:
        return None
    general = {name: value for each, value in given.items() if each in curve.local for name in curve.of(each)}
    return general | {name: value for name, value in given.items() if name not in curve.local}


def _names(curve: Grouped, given: Any) -> list[str] | None:
    if given is None:
        return None
    return list(
        dict.fromkeys(n for each in _listed(given) for n in (curve.of(each) if each in curve.local else (each,)))
    )


def _starts(curve: Grouped, start: Any) -> Any:
    """Starts by name; or as values in the order of one group's curve, or of all parameters."""
    if start is None or isinstance(start, Mapping):
        return _spread(curve, start)
    values, names = list(start), curve.inner.parameters
    return _spread(curve, dict(zip(names, values, strict=True))) if len(values) == len(names) else values


def _tied(curve: Grouped, tied: Mapping[str, str]) -> dict[str, str]:
    """Ties of one parameter each, with the names of groups' parameters in backquotes."""
    out: dict[str, str] = {}
    for name, text in tied.items():
        if name in curve.local:
            for own, level in zip(curve.of(name), curve.levels, strict=True):
                out[own] = _quoted(curve, str(text), level)
    return out | {name: _quoted(curve, str(text)) for name, text in tied.items() if name not in curve.local}


_NAME = re.compile(r"`[^`]+`|[^\W\d]\w*(?:\[[^\]]*\])?")


def _quoted(curve: Grouped, text: str, level: Hashable | None = None) -> str:
    """The text of a tie as the language of curves reads it; of one group, where a level is given."""

    def written(found: re.Match[str]) -> str:
        name = found.group()
        if name in curve.local and level is not None:
            return f"`{name}[{show_level(level)}]`"
        if name in curve.local:
            example = curve.of(name)[0]
            raise OptionError(
                f"the tie {text!r} reads {name}, which each group has for itself", advice=f"Write {example!r}, say."
            )
        return f"`{name}`" if name.endswith("]") else name

    return _NAME.sub(written, text)
