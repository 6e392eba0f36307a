"""The description of a model's design: everything needed to build the same columns from any batch of rows, by name.

A `Spec` holds a parsed formula and what one reading of the training rows taught (`learn`): levels, ranges, means,
norms, knots. It holds no rows, and goes to JSON and back.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from jaxtyping import Int
from torch import Tensor

from thalweg.data.assemble import as_type, block_type, column_or_key, make_factors, make_response
from thalweg.data.block import Block
from thalweg.data.coding import scope
from thalweg.data.column_roles import Roles, parse_roles, require_in_range, role_values, total_offset
from thalweg.data.design import Design, Term
from thalweg.data.dialects import dialect_writer, is_expanded
from thalweg.data.doubled_columns import Doubled, doubled, pair
from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.factors import Absent, CategoricalFactor, NumericFactor, Rowwise, Unseen
from thalweg.data.formula import Formula, parsed_once
from thalweg.data.learn import Learned, Missing, fitted_transforms, learn, numeric_columns
from thalweg.data.matrix import Dense
from thalweg.data.missing import Tally, gaps, require_finite, without
from thalweg.data.nodes import Call, Category, Cbind, Name, Node, column_names
from thalweg.data.response import Response
from thalweg.data.rows import DoubledBlock
from thalweg.data.source import Batch, Coded, Source
from thalweg.data.transforms import Transform
from thalweg.data.unknown_columns import refuse_parameters
from thalweg.error_free import dd_add
from thalweg.errors import DataError, OptionError


@dataclass(frozen=True, eq=False)
class Spec:
    """A model's design, learned.

    Attributes
    ----------
    parsed : Formula
        The formula as it was read.
    roles : Roles
        Weights, offset, exposure, trials and cluster.
    learned : Learned
        What the training rows said.
    missing : str
        "error" or "drop": what becomes of training rows with a missing value.
    design : Design
        The columns.
    response : Response
        The left-hand side.

    Examples
    --------
    >>> import torch
    >>> from thalweg.data.sources import open_source
    >>> source = open_source({"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 3.0], "g": ["a", "b", "a"]})
    >>> spec = Spec.learn("y ~ x + g", source)
    >>> spec.names
    ('Intercept', 'x', 'g[T.b]')
    >>> (batch,) = source.batches(spec.columns)
    >>> spec.block(batch).matrix.dense().tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 3.0, 0.0]]
    """

    parsed: Formula
    roles: Roles
    learned: Learned
    missing: Missing
    design: Design
    transforms: Mapping[str, Transform]
    response: Response
    cluster_levels: tuple[Hashable, ...] | None = None
    checked: weakref.ref[Source] | None = None  # the source that was found complete, row by row, while learning

    def __getstate__(self) -> dict[str, Any]:
        """For pickle: without the source that was found complete, which is another in another process."""
        return {**self.__dict__, "checked": None}

    # Making one

    @classmethod
    def learn(
        cls,
        formula: str,
        source: Source,
        *,
        weights: str | None = None,
        offset: str | None = None,
        exposure: str | None = None,
        trials: str | None = None,
        cluster: str | None = None,
        missing: str = "error",
    ) -> Spec:
        """Read a formula and one pass of the training rows.

        Parameters
        ----------
        formula : str
            "response ~ terms", in the language of R and formulaic.
        source : Source
            The training rows.
        weights, offset, exposure, trials, cluster : str, optional
            A column's name or an expression.
        missing : str
            "error", or "drop" to leave out rows that miss a value in a column that is used.

        Raises
        ------
        FormulaError, ColumnError, MissingValueError, DataError
            What was found, where, and what to do.
        """
        if missing not in ("error", "drop"):
            raise OptionError(f"missing={missing!r} is not an option", advice="Use 'error' or 'drop'.")
        texts = {"weights": weights, "offset": offset, "exposure": exposure, "trials": trials, "cluster": cluster}
        roles = parse_roles(texts, source.names)
        others = [name for name in source.names if name not in roles.columns()]
        parsed = parsed_once(formula, tuple(others))
        refuse_parameters(parsed, source)
        how = cast(Missing, missing)
        learned, cluster_levels = learn(parsed, roles, source, how)
        return cls.assemble(parsed, roles, learned, how, cluster_levels, weakref.ref(source))

    @classmethod
    def assemble(
        cls,
        parsed: Formula,
        roles: Roles,
        learned: Learned,
        missing: Missing,
        cluster_levels: tuple[Hashable, ...] | None = None,
        checked: weakref.ref[Source] | None = None,
    ) -> Spec:
        """Put together what was read and what was learned.

        Raises
        ------
        ValueError, KeyError
            They do not belong together.
        """
        transforms = fitted_transforms(parsed, learned.states)
        factors = make_factors(parsed, learned, transforms)
        scoped = scope(parsed.terms, lambda key: factors[key].spans_intercept)
        design = Design(factors, [(term.name, parts) for term, parts in scoped])
        return cls(
            parsed, roles, learned, missing, design, transforms, make_response(parsed, learned), cluster_levels, checked
        )

    # What it is

    @property
    def formula(self) -> str:
        """The text of the formula."""
        return self.parsed.text

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the design's columns."""
        return self.design.names

    @property
    def terms(self) -> tuple[Term, ...]:
        """The formula's terms and their columns."""
        return self.design.terms

    @property
    def has_intercept(self) -> bool:
        """Whether the formula has an intercept."""
        return any(not term.factors for term in self.parsed.terms)

    @property
    def rows(self) -> int:
        """Complete training rows."""
        return self.learned.rows

    @property
    def dropped(self) -> int:
        """Training rows left out for missing values."""
        return self.learned.dropped

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest training value of each numeric predictor column."""
        return self.learned.ranges

    @property
    def levels(self) -> dict[str, tuple[Hashable, ...]]:
        """Levels of each categorical factor: by its column, or where it is computed by its text."""
        factors = (factor for factor in self.design.factors.values() if isinstance(factor, CategoricalFactor))
        return {column_or_key(factor): factor.levels for factor in factors}

    def with_roles(self, roles: Roles) -> Spec:
        """The same with other weights and offsets."""
        return replace(self, roles=roles)

    def response_label(self, y: float) -> Hashable:
        """What a value of y stands for: its label, or the number itself."""
        return y if self.response.levels is None else self.response.levels[int(y)]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the source that a fit reads."""
        response = column_names(self.parsed.response.node)
        return tuple(dict.fromkeys([*response, *self.parsed.predictor_columns, *self.roles.columns()]))

    @cached_property
    def predictor_columns(self) -> tuple[str, ...]:
        """Columns that a prediction reads."""
        return tuple(dict.fromkeys([*self.parsed.predictor_columns, *self.roles.columns("offset", "exposure")]))

    # Rows

    def complete(self, batch: Batch, source: Source | None = None, *, response: bool = True) -> Batch:
        """The rows of a batch that miss nothing; with missing="error", a row that misses a value is refused.

        Parameters
        ----------
        batch : Batch
            The rows.
        source : Source, optional
            Where they come from, to say where a value is missing.
        response : bool
            False looks at the predictors' columns alone.

        Raises
        ------
        MissingValueError
            Naming the column and the place; for an infinite value whatever the option.
        """
        if source is not None and source.in_memory and not self.dropped and self.checked and self.checked() is source:
            return batch
        found = gaps(batch, self.columns if response else self.predictor_columns, source)
        if self.missing == "error":
            tally = Tally({}, {})
            tally.add(found, batch, source)
            tally.refuse()
        return without(batch, found)

    def block(self, batch: Batch, response: bool = True, *, unseen: str = "error", missing: str = "error") -> Block:
        """The design of a batch, with its response and weights, or without them for a prediction.

        Parameters
        ----------
        batch : Batch
            Complete rows; for a prediction, any.
        response : bool
            False for a prediction, which needs neither response nor weights.
        unseen : str
            For a level that the fit never saw, at prediction: "error", "null" (NaN in the whole row), or "reference"
            (as the reference level).
        missing : str
            For a row that lacks a predictor, at prediction: "error" or "null" (NaN in the whole row).

        Raises
        ------
        ColumnError, MissingValueError, UnseenLevelError, DataError
            What the batch lacks, by name and row.
        """
        if unseen not in ("error", "null", "reference"):
            raise OptionError(f"unseen={unseen!r} is not an option", advice="Use 'error', 'null' or 'reference'.")
        if missing not in ("error", "null"):
            raise OptionError(f"missing={missing!r} is not an option", advice="Use 'error' or 'null'.")
        rows = Rowwise(self._view(batch), cast(Unseen, unseen), cast(Absent, missing))
        names = self.columns if response else self.predictor_columns
        dtype, device = block_type(batch, names)
        if not response:
            return self._prediction(rows, batch, dtype, device)
        matrix = self.design.matrix(rows, dtype, device)
        y: Tensor | None
        y, trials = self._response(rows)
        weight = None if self.roles.weights is None else role_values(self.roles.weights, rows)
        offset = total_offset(self.parsed.offsets, self.roles, rows)
        y, weight, offset, trials = as_type(dtype, y, weight, offset, trials)
        return Block(matrix, y, weight, offset, trials, batch.start, batch.numbers)

    def _view(self, batch: Batch) -> Columns:
        return Columns(batch, self.transforms, self.learned.kinds)

    def _response(self, columns: Columns) -> tuple[Tensor, Tensor | None]:
        y, trials = self.response.values(columns)
        if self.roles.trials is not None:
            given = role_values(self.roles.trials, columns)
            trials = given if trials is None else trials * given
        return y, trials

    def _prediction(self, rows: Rowwise, batch: Batch, dtype: torch.dtype, device: torch.device) -> Block:
        self._check_rows(rows)
        try:
            matrix = self.design.matrix(rows, dtype, device)
        except ValueError as error:
            raise error if isinstance(error, DataError) else DataError(str(error)) from None
        if rows.bad is not None:
            matrix = Dense(torch.where(rows.bad[:, None], torch.nan, matrix.dense()))
        offset = total_offset(self.parsed.offsets, self.roles, rows)
        return Block(
            matrix, offset=None if offset is None else offset.to(dtype), start=batch.start, numbers=batch.numbers
        )

    def _check_rows(self, rows: Rowwise) -> None:
        """Refuse infinite values, expressions without a value, and (or mark their rows) missing values, by name."""
        found = gaps(rows.batch, self.predictor_columns, None)
        if rows.missing == "error":
            tally = Tally({}, {})
            tally.add(found, rows.batch, None)
            tally.refuse("Fill it in, leave the row out, or pass missing='null' for an empty prediction.")
        for absent in found.values():
            rows.spoil(absent)
        self._check_expressions(self._view(without(rows.batch, found)) if found else rows)

    def _check_expressions(self, rows: Columns) -> None:
        if not rows.batch.rows:
            return
        if self.roles.exposure is not None:
            exposure = self.roles.exposure
            require_in_range("exposure", exposure.text, role_values(exposure, rows), rows, None)
        for key, factor in self.design.factors.items():
            if isinstance(factor, NumericFactor) and not isinstance(factor.node, Name):
                try:
                    values = as_tensor(evaluate(factor.node, rows))
                except ValueError as error:
                    raise error if isinstance(error, DataError) else DataError(f"{key}: {error}") from None
                require_finite(values, key, factor.node, rows, None)

    def doubled(self, batch: Batch) -> DoubledBlock:
        """The design and the response of a batch in two words: powers, products and sums to about 32 digits.

        The offset is subtracted from y here.
        """
        rows = Rowwise(self._view(batch))
        _, device = block_type(batch, self.columns)
        high, low = self.design.doubled(rows, device)
        y, y_low = self._doubled_response(rows)
        _, trials = self._response(rows)
        weight = None if self.roles.weights is None else role_values(self.roles.weights, rows)
        if trials is not None:
            weight = trials if weight is None else weight * trials
        return DoubledBlock(high, low, y, y_low, weight)

    def _doubled_response(self, columns: Columns) -> Doubled:
        offset = total_offset(self.parsed.offsets, self.roles, columns)
        if isinstance(self.response.node, Cbind | Category) or self.response.levels is not None:
            y: Doubled = self.response.values(columns)[0], None
        else:
            y = doubled(self.response.node, columns)
        if offset is not None:
            y = dd_add(pair(y), (-offset, torch.zeros_like(offset)))
        return y if y[1] is None or bool(y[1].any()) else (y[0], None)

    def cluster(self, batch: Batch) -> Int[Tensor, "n"]:
        """Number of each row's cluster, from 0, in the order of the labels.

        Raises
        ------
        OptionError
            The fit was made without clusters.
        UnseenLevelError
            A label that the fit never saw.
        """
        if self.roles.cluster is None or self.cluster_levels is None:
            raise OptionError("the model was fitted without clusters", advice="Pass cluster= to the fit.")
        codes = self._view(batch).codes(self.roles.cluster.node, self.cluster_levels)
        if codes.numel() and int(codes.min()) < 0:
            row = int((codes < 0).nonzero()[0])
            raise DataError(f"cluster {self.roles.cluster.text} has no known label", where=batch.place(row))
        return codes

    def outside(self, batch: Batch) -> dict[str, int]:
        """How many rows lie outside the training range, for each numeric predictor column that has such rows."""
        counts = {}
        for name in numeric_columns(self.parsed, self.learned.kinds):
            column = batch.columns.get(name)
            if column is None or isinstance(column, Coded):
                continue
            parts = [(name, column)] if column.dim() == 1 else [(f"{name}[{i}]", c) for i, c in enumerate(column.T)]
            for key, values in parts:
                if key not in self.ranges:  # of another width than in the fit, which the design refuses by name
                    continue
                least, most = self.ranges[key]
                counts[key] = int(((values < least) | (values > most)).sum())
        return {name: count for name, count in counts.items() if count}

    def expressions(self, dialect: str) -> list[str]:
        """Each column of the design as an expression: "text", "latex", "python" or "sql".

        Text shows transforms by the names of their columns; the others are plain arithmetic in the data's columns.

        Raises
        ------
        OptionError
            Another dialect.
        """
        writer = dialect_writer(dialect)
        pairs = zip(self.names, self.design.nodes(), strict=True)
        return [name if dialect == "text" and is_expanded(node) else writer.write(node) for name, node in pairs]

    def offset_nodes(self) -> list[Node]:
        """What is added to eta without a coefficient: offsets, and the logarithm of the exposure."""
        nodes = [reading.node for reading in self.parsed.offsets]
        nodes += [self.roles.offset.node] if self.roles.offset is not None else []
        nodes += [Call("log", (self.roles.exposure.node,))] if self.roles.exposure is not None else []
        return nodes

    def offset_expressions(self, dialect: str) -> list[str]:
        """The same as text, in the dialects of `expressions`."""
        return [dialect_writer(dialect).write(node) for node in self.offset_nodes()]

    # JSON

    def to_json(self) -> dict[str, Any]:
        """The spec as plain lists, dictionaries, texts and numbers."""
        from thalweg.data.spec_file import to_json

        return to_json(self)

    @staticmethod
    def from_json(content: object) -> Spec:
        """A spec from what `to_json` wrote.

        Raises
        ------
        ModelFileError
            Anything else.
        """
        from thalweg.data.spec_file import from_json

        return from_json(content)


__all__ = ["Response", "Spec", "Term"]
