"""The description of a curve's rows: what `thalweg.data.spec.Spec` is for a formula.

The columns that the curve reads, the response, the weights and what becomes of missing values are those of a linear
formula with the same columns ("y ~ 0 + I(x)"), which reads, checks and remembers them; the curve takes the place of the
product of its design with the coefficients.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Int
from torch import Tensor

from thalweg.curves.curve import Curve
from thalweg.curves.groups import Grouped, learn_grouped
from thalweg.curves.tangent import Tangent
from thalweg.data.block import Block
from thalweg.data.column_roles import Roles
from thalweg.data.expression import quote
from thalweg.data.response import Response
from thalweg.data.source import Batch, Source
from thalweg.data.spec import Spec


@final
@dataclass(frozen=True, eq=False)
class CurveSpec:
    """A curve and how its rows are read.

    Attributes
    ----------
    curve : Curve
        Of all parameters, the held and the tied ones too.
    base : Spec
        The linear formula that reads the columns.
    text : str
        The curve as it was written.
    at : tuple of float
        The fitted parameters, where the Jacobian is taken; ones before the fit.
    """

    curve: Curve
    base: Spec
    text: str
    at: tuple[float, ...] = ()

    @classmethod
    def learn(cls, curve: Curve, response: str, text: str, source: Source, **options: Any) -> CurveSpec:
        """Read one pass of the training rows.

        Raises
        ------
        FormulaError, ColumnError, MissingValueError, DataError
            As `Spec.learn`.
        """
        if isinstance(curve, Grouped):
            curve, base = learn_grouped(curve, _linear(response, curve.inner.inputs, curve.category), source, options)
        else:
            base = Spec.learn(_linear(response, curve.inputs), source, **options)
        return cls(curve, base, text, (1.0,) * len(curve.parameters))

    # What `Spec` has too

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters."""
        return self.curve.parameters

    @property
    def formula(self) -> str:
        """The curve as it was written."""
        return self.text

    @property
    def has_intercept(self) -> bool:
        """True: R² compares the curve with a constant, as for a line with an intercept."""
        return True

    @property
    def whole_rows(self) -> bool:
        """Whether a row's value depends on the rows that come with it: then they are never cut into blocks."""
        return self.curve.whole_rows

    @property
    def response(self) -> Response:
        """The left side."""
        return self.base.response

    @property
    def roles(self) -> Roles:
        """Weights, offset, trials and clusters."""
        return self.base.roles

    @property
    def missing(self) -> str:
        """What became of rows with a missing value."""
        return self.base.missing

    @property
    def rows(self) -> int:
        """Complete training rows."""
        return self.base.rows

    @property
    def dropped(self) -> int:
        """Training rows left out for missing values."""
        return self.base.dropped

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and greatest training value of each column."""
        return self.base.ranges

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the source that a fit reads."""
        return self.base.columns

    @property
    def predictor_columns(self) -> tuple[str, ...]:
        """Columns that a prediction reads."""
        return self.base.predictor_columns

    def with_roles(self, roles: Roles) -> CurveSpec:
        """The same with other weights and offsets."""
        return replace(self, base=self.base.with_roles(roles))

    def response_label(self, y: float) -> Hashable:
        """What a value of y stands for."""
        return self.base.response_label(y)

    def complete(self, batch: Batch, source: Source | None = None, *, response: bool = True) -> Batch:
        """The complete rows of a batch."""
        return self.base.complete(batch, source, response=response)

    def cluster(self, batch: Batch) -> Int[Tensor, "n"]:
        """Number of each row's cluster."""
        return self.base.cluster(batch)

    def outside(self, batch: Batch) -> dict[str, int]:
        """How many rows lie outside the training range, by column."""
        return self.base.outside(batch)

    def fitted(self, theta: Tensor) -> CurveSpec:
        """The same at the fitted parameters."""
        return replace(self, at=tuple(theta.tolist()))

    def block(self, batch: Batch, response: bool = True, *, unseen: str = "error", missing: str = "error") -> Block:
        """The rows of a batch, with the curve in the place of a design."""
        block = self.base.block(batch, response, unseen=unseen, missing=missing).double()
        here = {name: getattr(block, name) for name in ("y", "weight", "offset", "trials", "numbers")}
        here = {name: None if values is None else values.cpu() for name, values in here.items()}  # as the curve is
        return replace(block, matrix=self._tangent(block), **here)

    def _tangent(self, block: Block) -> Tangent:
        return Tangent(self.curve, self.inputs(block), block.rows, np.array(self.at))

    def inputs(self, block: Block) -> dict[str, np.ndarray]:
        """The columns of a block of the linear formula, by the names that the curve has for them."""
        if not self.curve.inputs:
            return {}
        if isinstance(self.curve, Grouped):
            return self.curve.columns(block.matrix)
        values = block.matrix.dense().numpy(force=True)
        return {name: np.ascontiguousarray(values[:, j]) for j, name in enumerate(self.curve.inputs)}

    def offset_nodes(self) -> list[Any]:
        """What is added to the curve without a parameter."""
        return self.base.offset_nodes()


def _linear(response: str, inputs: tuple[str, ...], *categories: str) -> str:
    """The formula that reads these columns."""
    terms = [name if name.startswith("I(") else f"I({quote(name)})" for name in inputs]
    return f"{response} ~ 0 + {' + '.join([*terms, *categories])}" if terms or categories else f"{response} ~ 1"
