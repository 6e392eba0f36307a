"""What a predictor was fitted to, and what it says at the parameters of every frame.

All frames are computed at once: for a formula the means along a grid are h(X theta' + offset), one matrix product for
the whole picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.nodes import Name
from thalweg.data.rows import Rows
from thalweg.data.source import Batch
from thalweg.data.sources import open_source
from thalweg.errors import NotAvailableError
from thalweg.losses.base import Family, Loss
from thalweg.show.motion.scene import padded
from thalweg.show.plots.grid import added, as_column
from thalweg.show.plots.predictors import Predictor, beside, computed_from, predictors
from thalweg.show.rowwise import values_of

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem
    from thalweg.show.plots.run import Run

MOST_POINTS = 2000  # rows in a moving picture
_PROBABILITIES = ("logit", "probit", "cloglog", "loglog", "cauchit")  # links whose mean lies between 0 and 1


class Subject(ABC):
    """Rows and a predictor.

    Attributes
    ----------
    numbers : tuple of str
        The number columns that eta is computed from, offsets included.
    category : Predictor or None
        The only category, where there is one.
    response : str
        What the response is called.
    classes : (str, str)
        What a response of 0 and of 1 is called.
    y : array, (n,)
        The response of the rows that are drawn.
    total : int
        Rows in all.
    simple : bool
        Whether eta is a function of the numbers and the category alone; else fitted against observed values are drawn.
    """

    numbers: tuple[str, ...]
    category: Predictor | None = None
    response: str
    classes: tuple[str, str] = ("0", "1")
    y: Float[np.ndarray, "n"]
    total: int
    simple: bool = True

    def __init__(self, loss: Loss) -> None:
        self.link = loss.link if isinstance(loss, Family) else None

    @property
    def probability(self) -> bool:
        """Whether the mean is a probability."""
        return self.link is not None and self.link.name in _PROBABILITIES

    @property
    def labelled(self) -> bool:
        """Whether every response is 0 or 1."""
        return bool(np.isin(self.y, (0.0, 1.0)).all())

    def mean(self, eta: Float[Tensor, "*n"]) -> Float[np.ndarray, "*n"]:
        """h(eta)."""
        return (eta if self.link is None else self.link.inverse(eta)).numpy()

    @property
    def view(self) -> tuple[float, float]:
        """Limits of an axis for the response."""
        return (-0.06, 1.06) if self.probability else padded(self.y, 0.1)

    def logarithmic(self, name: str) -> bool:
        """Whether a column belongs on a logarithmic axis."""
        return False

    @abstractmethod
    def column(self, name: str) -> np.ndarray:
        """A column of the rows that are drawn."""

    @abstractmethod
    def along(self, path: Float[np.ndarray, "k p"], columns: Mapping[str, Any]) -> Float[Tensor, "k m"]:
        """eta at m places for each of k parameters."""

    @abstractmethod
    def fitted(self, path: Float[np.ndarray, "k p"]) -> Float[Tensor, "k n"]:
        """eta of the rows that are drawn."""

    @abstractmethod
    def some(self, path: Float[np.ndarray, "k p"], most: int) -> Float[Tensor, "k m"]:
        """eta of so many of these rows at most."""


def subject_of(run: Run) -> Subject:
    """The rows and the predictor behind a run.

    Raises
    ------
    NotAvailableError
        The run knows neither.
    """
    if run.rows is not None and run.curve is not None:
        from thalweg.show.motion.curve_subject import CurveSubject

        return CurveSubject(run.rows, run.curve, run.loss)
    if run.rows is not None:
        return FormulaSubject(run.rows, run.loss)
    if run.problem is None or not hasattr(run.problem, "predictor"):
        raise NotAvailableError("this fit holds no rows, so it cannot be drawn over them", advice='Draw the "loss".')
    return TensorSubject(cast("MemoryProblem", run.problem), run.columns, run.response)


@final
class FormulaSubject(Subject):
    """The rows of a formula.

    Parameters
    ----------
    rows : Rows
    loss : Loss
        The family.
    """

    def __init__(self, rows: Rows, loss: Loss) -> None:
        super().__init__(loss)
        self.rows, self.total = rows, rows.count
        every = predictors(rows)
        self.numbers = tuple(p.name for p in every if p.numeric and p.index is None) + tuple(added(rows))
        categories = [p for p in every if not p.numeric]
        self.category = categories[0] if len(categories) == 1 else None
        # What has more than these is drawn as fitted against observed.
        self.simple = len(categories) <= 1 and all(p.index is None for p in every) and not computed_from(rows)
        self.simple = self.simple and set(beside(rows)) <= set(added(rows))
        response = rows.spec.response
        self.response = response.name
        if response.levels is not None and len(response.levels) == 2:
            self.classes = cast(tuple[str, str], tuple(map(str, response.levels)))
        self._read()

    def _read(self) -> None:
        """The drawn rows, in one reading."""
        parts: list[dict[str, np.ndarray]] = []
        design, y, offset = [], [], []
        for batch in chosen_rows(self.rows, MOST_POINTS):
            parts.append({name: values_of(column, np.arange(batch.rows)) for name, column in batch.columns.items()})
            block = self.rows.spec.block(batch).double()
            design.append(block.matrix.dense().cpu())
            y.append(cast(Tensor, block.y).cpu())
            offset.append(torch.zeros(batch.rows).double() if block.offset is None else block.offset.cpu())
        self.columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.design, self.offset = torch.cat(design), torch.cat(offset)
        self.y = torch.cat(y).numpy()

    def column(self, name: str) -> np.ndarray:
        return self.columns[name]

    @cached_property
    def held(self) -> dict[str, Any]:
        """What each column is where it is not varied: the mean of a number, a reference level, an exposure of 1."""
        at: dict[str, Any] = {p.column: p.reference for p in predictors(self.rows) if not p.numeric}
        for name in self.rows.spec.predictor_columns:
            at.setdefault(name, self._middle(name))
        exposure = self.rows.spec.roles.exposure
        if exposure is not None and isinstance(exposure.node, Name):
            at[exposure.node.name] = 1.0
        return at

    def _middle(self, name: str) -> Any:
        column = self.columns[name]
        return column[0] if column.dtype == object else column.mean(axis=0)

    def along(self, path: Float[np.ndarray, "k p"], columns: Mapping[str, Any]) -> Float[Tensor, "k m"]:
        rows = len(next(iter(columns.values())))
        table = {name: _repeated(value, rows) for name, value in self.held.items()} | dict(columns)
        spec, etas = self.rows.spec, []
        for batch in open_source(table).batches(spec.predictor_columns):
            block = spec.block(batch, response=False).double()
            eta = torch.from_numpy(path) @ block.matrix.dense().cpu().T
            etas.append(eta if block.offset is None else eta + block.offset.cpu())
        return torch.cat(etas, dim=1)

    def fitted(self, path: Float[np.ndarray, "k p"]) -> Float[Tensor, "k n"]:
        return torch.from_numpy(path) @ self.design.T + self.offset

    def some(self, path: Float[np.ndarray, "k p"], most: int) -> Float[Tensor, "k m"]:
        rows = spread(len(self.y), most)
        return torch.from_numpy(path) @ self.design[rows].T + self.offset[rows]


def chosen_rows(rows: Rows, most: int) -> Iterator[Batch]:
    """All rows, or so many of them chosen at random, the same ones every time."""
    chosen = np.arange(rows.count)
    if rows.count > most:
        chosen = np.sort(np.random.default_rng(0).choice(rows.count, most, replace=False, shuffle=False))
    position = 0
    for batch in rows.batches():
        first, last = np.searchsorted(chosen, [position, position + batch.rows])
        yield _some(batch, chosen[first:last] - position)
        position += batch.rows


def _some(batch: Batch, rows: np.ndarray) -> Batch:
    if len(rows) == batch.rows:
        return batch
    at = torch.from_numpy(rows)
    columns = {name: column[at.to(_device(column))] for name, column in batch.columns.items()}
    return Batch(columns, len(rows), batch.start, at + batch.start, batch.places)


def spread(rows: int, most: int) -> Tensor:
    """Places of at most so many rows."""
    return torch.linspace(0, rows - 1, min(rows, most)).round().long()


def _device(column: Any) -> torch.device:
    return column.device if isinstance(column, Tensor) else column.codes.device


def _repeated(value: Any, rows: int) -> np.ndarray:
    return np.tile(value, (rows, 1)) if isinstance(value, np.ndarray) and value.ndim else as_column([value] * rows)


@final
class TensorSubject(Subject):
    """Tensors and any predictor.

    Parameters
    ----------
    problem : MemoryProblem
    columns : tuple of str
        What x was read from; empty where that is not known.
    response : str
        What y was read from.
    """

    def __init__(self, problem: MemoryProblem, columns: tuple[str, ...] = (), response: str = "") -> None:
        super().__init__(problem.loss)
        self.problem, self.total, self.response = problem, problem.y.numel(), response or "y"
        self.y = problem.y.detach().double().cpu().reshape(-1).numpy()
        x = problem.x.detach()
        self.table = x.double().cpu().reshape(len(x), -1).numpy() if x.dim() else np.zeros((1, 0))
        features = self.table.shape[1]
        name = columns[0] if len(columns) == 1 else "x"
        self.numbers = (name,) if features == 1 else tuple(f"{name}[{j}]" for j in range(features))
        if len(columns) == features:
            self.numbers = columns
        self.shown = np.arange(self.total)

    @property
    def pointwise(self) -> bool:
        """Whether a parameter has an entry for each place of x: there is no other x to evaluate it at."""
        return not getattr(self.problem.predictor, "rowwise", True)

    def column(self, name: str) -> np.ndarray:
        return self.table[:, self.numbers.index(name)]

    def along(self, path: Float[np.ndarray, "k p"], columns: Mapping[str, Any]) -> Float[Tensor, "k m"]:
        grid = torch.from_numpy(np.stack([columns[name] for name in self.numbers], axis=1))
        x = grid.to(self.problem.x).reshape(-1, *self.problem.x.shape[1:])
        return self._eta(path, x, None)

    def fitted(self, path: Float[np.ndarray, "k p"]) -> Float[Tensor, "k n"]:
        return self._eta(path, self.problem.x, self.problem.offset)

    def some(self, path: Float[np.ndarray, "k p"], most: int) -> Float[Tensor, "k m"]:
        if self.pointwise:
            return self.fitted(path)[:, spread(self.total, most)]
        rows, offset = spread(len(self.problem.x), most).to(self.problem.device), self.problem.offset
        return self._eta(path, self.problem.x[rows], None if offset is None else offset[rows])

    def _eta(self, path: np.ndarray, x: Tensor, offset: Tensor | None) -> Float[Tensor, "k m"]:
        etas = []
        with torch.no_grad():
            for theta in torch.from_numpy(path).to(dtype=self.problem.dtype, device=self.problem.device):
                eta = self.problem.predictor(theta, x)
                etas.append((eta if offset is None else eta + offset).double().cpu().reshape(-1))
        return torch.stack(etas)
