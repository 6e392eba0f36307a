"""The learning pass: what a formula needs to know about the training rows, found in one reading of them.

    1. Rows with a missing value in a column that is used are counted, and refused or left out.
    2. Over the rows that remain: levels, ranges, and what each transform learns.
    3. Every expression must have a finite value, weights and exposures must be in range.

A second reading happens only where an expression stands around a transform, whose values are not known before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from thalweg.data.column_roles import Roles, require_in_range, role_values
from thalweg.data.contrasts import base_index
from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.formula import Formula
from thalweg.data.levels import LevelLearner
from thalweg.data.missing import Tally, extent, gaps, require_finite, without
from thalweg.data.nodes import Category, Cbind, Comparison, Name, Node, Stateful, Text, column_names, walk
from thalweg.data.response import Kind, Response
from thalweg.data.source import Batch, Coded, Source
from thalweg.data.transforms import Learner, State, Transform, fitted, learner
from thalweg.errors import ColumnError, DataError, FormulaError, UnseenLevelError

Missing = Literal["error", "drop"]


@dataclass(frozen=True)
class Learned:
    """What the training rows said.

    Attributes
    ----------
    kinds : dict of str to str or int
        For each column that is read: "number", "levels", or the width of a matrix.
    levels : dict of str to tuple
        Of each categorical factor, in the order of its coding.
    response_levels : tuple, optional
        Of a label.
    states : dict of str to dict
        What each transform learned, by the text of its call.
    ranges : dict of str to (float, float)
        Least and greatest value of each numeric predictor column.
    rows, dropped : int
        Rows learned from, and rows left out for missing values.
    """

    kinds: dict[str, str | int]
    levels: dict[str, tuple[Hashable, ...]]
    response_levels: tuple[Hashable, ...] | None
    states: dict[str, State]
    ranges: dict[str, tuple[float, float]]
    rows: int
    dropped: int


def category_of(key: str, node: Node, kinds: dict[str, str | int]) -> Category | None:
    """The category that a factor is, by itself or because its column holds text; None for numbers."""
    if isinstance(node, Category):
        return node
    return Category(node) if isinstance(node, Name) and kinds.get(node.name) == "levels" else None


def transform_nodes(formula: Formula) -> dict[str, Stateful]:
    """Every transform of a formula, by the text of its call."""
    parts = (part for node in formula.factors.values() for part in walk(node))
    return {part.text: part for part in parts if isinstance(part, Stateful)}


def numeric_columns(formula: Formula, kinds: dict[str, str | int]) -> tuple[str, ...]:
    """Predictor columns that are used as numbers."""
    nodes = [node for key, node in formula.factors.items() if category_of(key, node, kinds) is None]
    nodes += [offset.node for offset in formula.offsets]
    names = dict.fromkeys(name for node in nodes for name in column_names(node))
    return tuple(name for name in names if kinds.get(name) != "levels")


@dataclass
class _Pass:
    """The state of the pass."""

    formula: Formula
    roles: Roles
    source: Source
    names: tuple[str, ...]
    kinds: dict[str, str | int] = field(default_factory=dict)
    levels: dict[str, LevelLearner] = field(default_factory=dict)
    texts: dict[str, LevelLearner] = field(default_factory=dict)
    clusters: LevelLearner = field(default_factory=LevelLearner)
    response_levels: LevelLearner = field(default_factory=LevelLearner)
    learners: dict[str, Learner] = field(default_factory=dict)
    ranges: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    weight: float = 0.0
    rows: int = 0
    read: int = 0

    # 1. Completeness

    def complete_batches(self, missing: Missing) -> Iterator[Batch]:
        tally = Tally({}, {})
        for batch in self.source.batches(self.names):
            found = gaps(batch, self.names, self.source)
            tally.add(found, batch, self.source)
            self.read += batch.rows
            whole = without(batch, found)
            if whole.rows and (missing == "drop" or not tally.counts):
                yield whole
        if missing == "error":
            tally.refuse()

    # 2. Levels, ranges, transforms

    def start(self, batch: Batch) -> None:
        """Learn from the first rows what each column is."""
        for name in self.names:
            column = Columns(batch, {}).column(name)
            is_matrix = isinstance(column, Tensor) and column.dim() == 2
            self.kinds[name] = "levels" if isinstance(column, Coded) else column.shape[1] if is_matrix else "number"
        for key, node in self.formula.factors.items():
            if category_of(key, node, self.kinds) is not None:
                self.levels[key] = LevelLearner()
        self.learners = {text: learner(node) for text, node in transform_nodes(self.formula).items()}

    def update(self, batch: Batch) -> None:
        if not self.kinds:
            self.start(batch)
        self.rows += batch.rows
        columns = Columns(batch, {}, self.kinds)
        self._update_levels(columns)
        for name in numeric_columns(self.formula, self.kinds):
            self._update_range(name, columns)
        for text, node in transform_nodes(self.formula).items():
            values = as_tensor(evaluate(node.argument, columns))
            require_finite(values, text, node.argument, columns, self.source)
            self.learners[text].update(values)
        self._check(columns)

    def _update_levels(self, columns: Columns) -> None:
        for key, found in self.levels.items():
            category = category_of(key, self.formula.factors[key], self.kinds)
            assert category is not None
            found.update(_labels(category.argument, columns))
        if self.response_kind() == "levels":
            node = self.formula.response.node
            self.response_levels.update(_labels(node.argument if isinstance(node, Category) else node, columns))
        if self.roles.cluster is not None:
            self.clusters.update(_labels(self.roles.cluster.node, columns))
        for name, _ in self._compared():
            self.texts.setdefault(name, LevelLearner()).update(_labels(Name(name), columns))

    def _compared(self) -> list[tuple[str, str]]:
        """Columns that are compared with a text, and the texts."""
        readings = [self.formula.response, *self.formula.offsets, *(reading for _, reading in self.roles.items())]
        nodes = [*self.formula.factors.values(), *(reading.node for reading in readings)]
        parts = (part for node in nodes for part in walk(node))
        return [
            (part.left.name, part.right.value)
            for part in parts
            if isinstance(part, Comparison) and isinstance(part.left, Name) and isinstance(part.right, Text)
        ]

    def _update_range(self, name: str, columns: Columns) -> None:
        column = columns.column(name)
        if isinstance(column, Coded):
            return
        least, most = extent(column)
        if name in self.ranges:
            before = self.ranges[name]
            least, most = torch.minimum(before[0], least), torch.maximum(before[1], most)
        self.ranges[name] = least, most

    def response_kind(self) -> Kind:
        node = self.formula.response.node
        if isinstance(node, Category) or (isinstance(node, Name) and self.kinds[node.name] == "levels"):
            return "levels"
        return "trials" if isinstance(node, Cbind) else "number"

    # 3. Values

    def _check(self, columns: Columns) -> None:
        for key, node in self.formula.factors.items():
            if category_of(key, node, self.kinds) is None and not isinstance(node, Name) and not _holds_transform(node):
                require_finite(as_tensor(evaluate(node, columns)), key, node, columns, self.source)
        reading = self.formula.response
        Response(reading.text, None, self.response_kind(), reading.node).check(columns, self.source)
        for offset in self.formula.offsets:
            require_finite(role_values(offset, columns), offset.text, offset.node, columns, self.source)
        for role, _ in self.roles.items():
            self._check_role(role, columns)

    def _check_role(self, role: str, columns: Columns) -> None:
        reading = getattr(self.roles, role)
        if role == "cluster":
            return
        values = role_values(reading, columns)
        require_finite(values, f"{role} {reading.text}", reading.node, columns, self.source)
        require_in_range(role, reading.text, values, columns, self.source)
        if role == "weights":
            self.weight += float(values.sum())

    def check_transformed(self, states: dict[str, State], missing: Missing) -> None:
        """The second reading: expressions around transforms."""
        nodes = {
            key: node
            for key, node in self.formula.factors.items()
            if _holds_transform(node) and not isinstance(node, Stateful)
        }
        if not nodes:
            return
        transforms = fitted_transforms(self.formula, states)
        for batch in self.complete_batches(missing):
            columns = Columns(batch, transforms, self.kinds)
            for key, node in nodes.items():
                require_finite(as_tensor(evaluate(node, columns)), key, node, columns, self.source)

    # The end

    def finish(self) -> Learned:
        if not self.rows:
            dropped = f": all {self.read:,} of them miss a value" if self.read else ""
            raise DataError(f"there are no rows to learn from{dropped}", where=self.source.description)
        if self.roles.weights is not None and self.weight == 0:
            raise DataError(f"all weights ({self.roles.weights.text}) are zero", where=self.source.description)
        self._check_texts()
        return Learned(
            self.kinds,
            {key: self._final_levels(key, found.levels()) for key, found in self.levels.items()},
            self._final_response_levels(),
            {text: self._final_state(text, found) for text, found in self.learners.items()},
            self._final_ranges(),
            self.rows,
            self.read - self.rows,
        )

    def _check_texts(self) -> None:
        for name, value in self._compared():
            known = self.texts[name].levels()
            if value not in known:
                shown = ", ".join(map(repr, known[:20]))
                raise UnseenLevelError(f"no row of column {name!r} is {value!r}", advice=f"It holds {shown}.")

    def _final_levels(self, key: str, seen: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
        category = category_of(key, self.formula.factors[key], self.kinds)
        assert category is not None
        levels = seen if category.levels is None else category.levels
        extra = [level for level in seen if level not in levels]
        if extra:
            raise UnseenLevelError(f"{key} has the level {extra[0]!r}, which its list of levels lacks")
        if len(levels) < 2:
            raise ColumnError(
                f"{key} has only one level, {levels[0]!r}, and so no effect to estimate",
                advice="Leave it out of the formula.",
            )
        base_index(category, levels)
        return levels

    def _final_response_levels(self) -> tuple[Hashable, ...] | None:
        if self.response_kind() != "levels":
            return None
        node, levels = self.formula.response.node, self.response_levels.levels()
        given = node.levels if isinstance(node, Category) else None
        return given if given is not None and set(levels) <= set(given) else levels

    def _final_state(self, text: str, found: Learner) -> State:
        try:
            return found.state()
        except ValueError as error:
            kind = FormulaError if text.startswith("poly") else DataError
            raise kind(f"{text} cannot be learned: {error}", where=self.source.description) from None

    def _final_ranges(self) -> dict[str, tuple[float, float]]:
        ranges = {}
        for name, (least, most) in self.ranges.items():
            if least.dim():
                pairs = zip(least.tolist(), most.tolist(), strict=True)
                ranges.update({f"{name}[{i}]": pair for i, pair in enumerate(pairs)})
            else:
                ranges[name] = float(least), float(most)
        return ranges


def _holds_transform(node: Node) -> bool:
    return any(isinstance(part, Stateful) for part in walk(node))


def _labels(argument: Node, columns: Columns) -> Coded | Tensor:
    if isinstance(argument, Name):
        column = columns.column(argument.name)
        if isinstance(column, Coded):
            return column
    return as_tensor(evaluate(argument, columns))


def fitted_transforms(formula: Formula, states: dict[str, State]) -> dict[str, Transform]:
    """The transforms of a formula with what they learned.

    Raises
    ------
    ValueError
        A state that is missing, or that the call cannot have learned.
    """
    nodes = transform_nodes(formula)
    if set(nodes) != set(states):
        raise ValueError("the transforms are not those of the formula")
    return {text: fitted(node, states[text]) for text, node in nodes.items()}


def learn(
    formula: Formula, roles: Roles, source: Source, missing: Missing
) -> tuple[Learned, tuple[Hashable, ...] | None]:
    """Read the training rows once (see the module), and return what they said and the labels of clusters."""
    response = column_names(formula.response.node)
    names = tuple(dict.fromkeys([*response, *formula.predictor_columns, *roles.columns()]))
    state = _Pass(formula, roles, source, names)
    for batch in state.complete_batches(missing):
        state.update(batch)
    learned = state.finish()
    state.check_transformed(learned.states, missing)
    return learned, None if roles.cluster is None else state.clusters.levels()


__all__ = ["Learned", "Missing", "category_of", "fitted_transforms", "learn", "numeric_columns"]
