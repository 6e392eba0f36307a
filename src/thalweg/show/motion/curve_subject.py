"""A curve and its rows as a moving picture needs them: the curve itself at the parameters of every frame."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.sources import open_source
from thalweg.show.motion.subject import MOST_POINTS, Subject, chosen_rows, spread
from thalweg.show.plots.curve_rows import is_log_spread, numbers_of
from thalweg.show.plots.grid import as_column
from thalweg.show.plots.predictors import Predictor
from thalweg.show.rowwise import values_of

if TYPE_CHECKING:
    from thalweg.curves.curve import Curve
    from thalweg.curves.spec import CurveSpec
    from thalweg.data.rows import Rows
    from thalweg.losses.base import Loss


@final
class CurveSubject(Subject):
    """The rows of a curve.

    Parameters
    ----------
    rows : Rows
    curve : Curve
        Of the free parameters, those of the path.
    loss : Loss
        The family.
    """

    def __init__(self, rows: Rows, curve: Curve, loss: Loss) -> None:
        super().__init__(loss)
        self.rows, self.curve, self.total = rows, curve, rows.count
        self.spec = cast("CurveSpec", rows.spec)
        self.response = self.spec.response.name
        if self.spec.response.levels is not None and len(self.spec.response.levels) == 2:
            self.classes = cast(tuple[str, str], tuple(map(str, self.spec.response.levels)))
        self.numbers = numbers_of(self.spec)
        self._read()
        rest = [name for name in self.spec.predictor_columns if name not in self.numbers]
        if len(rest) == 1:
            known = getattr(self.spec.curve, "levels", ())
            levels = known or tuple(sorted(set(self.columns[rest[0]].tolist()), key=str))
            self.category = Predictor(rest[0], rest[0], levels=levels, reference=levels[0])
        self.simple = len(rest) <= 1

    def _read(self) -> None:
        """The drawn rows, in one reading."""
        parts: list[dict[str, np.ndarray]] = []
        inputs, y, offset = [], [], []
        for batch in chosen_rows(self.rows, MOST_POINTS):
            parts.append({name: values_of(column, np.arange(batch.rows)) for name, column in batch.columns.items()})
            block = self.spec.base.block(batch).double()
            inputs.append(self.spec.inputs(block))
            y.append(cast(Tensor, block.y).cpu())
            offset.append(torch.zeros(block.rows).double() if block.offset is None else block.offset.cpu())
        self.columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.inputs = {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]}
        self.offset, self.y = torch.cat(offset), torch.cat(y).numpy()

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]

    def logarithmic(self, name: str) -> bool:
        return is_log_spread(self.columns[name].astype(np.float64))

    @cached_property
    def held(self) -> dict[str, Any]:
        """What each column is where it is not varied: the mean of a number, the first category."""
        at: dict[str, Any] = {} if self.category is None else {self.category.column: self.category.reference}
        for name in self.spec.predictor_columns:
            column = self.columns[name]
            at.setdefault(name, column[0] if column.dtype == object else float(column.mean()))
        return at

    def along(self, path: Float[np.ndarray, "k p"], columns: Mapping[str, Any]) -> Float[Tensor, "k m"]:
        rows = len(next(iter(columns.values())))
        table = {name: as_column([value] * rows) for name, value in self.held.items()} | dict(columns)
        etas = []
        for batch in open_source(table).batches(self.spec.predictor_columns):
            block = self.spec.base.block(batch, response=False).double()
            eta = self._values(path, self.spec.inputs(block), block.rows)
            etas.append(eta if block.offset is None else eta + block.offset.cpu())
        return torch.cat(etas, dim=1)

    def fitted(self, path: Float[np.ndarray, "k p"]) -> Float[Tensor, "k n"]:
        return self._values(path, self.inputs, len(self.y)) + self.offset

    def some(self, path: Float[np.ndarray, "k p"], most: int) -> Float[Tensor, "k m"]:
        rows = spread(len(self.y), most)
        inputs = {name: values[rows.numpy()] for name, values in self.inputs.items()}
        return self._values(path, inputs, len(rows)) + self.offset[rows]

    def _values(self, path: np.ndarray, inputs: Mapping[str, np.ndarray], rows: int) -> Float[Tensor, "k m"]:
        evaluator = self.curve.over(inputs, rows)
        return torch.from_numpy(np.array([evaluator.values(theta) for theta in path.tolist()], dtype=np.float64))
