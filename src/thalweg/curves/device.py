"""A curve's rows where they lie on a device: sums are made there, and only (p + 1, p + 1) numbers come back.

A `DevicePart` is to tensors what `thalweg.curves.problem.Part` is to arrays: the same rows
[W^(1/2) F | W^(-1/2) slope], from the same list of instructions, in float64. Of these rows, A of p + 1 columns,

    1. A'A is summed on the device; the host makes R and q of it by a Cholesky decomposition of the scaled products
    2. where those are too badly conditioned (`CurveProblem.linearize` looks), or the rows are few, the triangle of a QR
       decomposition of A is taken on the device instead, and the triangles of the pieces are joined on the host

One step costs one copy of theta to the device and one of these numbers back. A device has no long double: the last
steps of a fit are taken in float64 there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.curves.curve import Curve, Expression
from thalweg.losses.base import Family

if TYPE_CHECKING:
    from thalweg.data.block import Block
    from thalweg.data.rows import Rows
    from thalweg.data.source import Column

PIECE = 2**21  # rows that are worked on at a time: with five columns 84 MB


@final
class TensorEvaluator:
    """A curve over some rows on a device: the twin of `thalweg.curves.curve.Evaluator`.

    Parameters
    ----------
    curve : Expression
    columns : mapping of str to Tensor, (n,), float64
    rows : int
    device : torch.device
    """

    extended = False  # no device has long doubles
    batched = False

    def __init__(self, curve: Expression, columns: Mapping[str, Tensor], rows: int, device: torch.device) -> None:
        self.compiled, self.columns, self.rows, self.device = curve.compiled, columns, rows, device
        self._value = self.compiled.value.prepare(columns, "tensor")
        self._both = self.compiled.both.prepare(columns, "tensor")

    def values(self, theta: Sequence[Any]) -> Float[Tensor, "n"]:
        """The curve; not finite where it has no value."""
        (value,) = self.compiled.value.run(self._value, self._entries(theta), "tensor")
        return self._filled(value)

    def jacobian(self, theta: Sequence[Any]) -> tuple[Float[Tensor, "n"], list[Float[Tensor, "n"]]]:
        """The curve, and its derivative by each parameter."""
        value, *slopes = self.compiled.both.run(self._both, self._entries(theta), "tensor")
        return self._filled(value), [self._filled(slope) for slope in slopes]

    def _entries(self, theta: Sequence[Any]) -> Sequence[Tensor]:
        return torch.tensor([float(entry) for entry in theta], dtype=torch.float64, device=self.device).unbind()

    def _filled(self, value: Any) -> Float[Tensor, "n"]:
        return torch.as_tensor(value, dtype=torch.float64, device=self.device).expand(self.rows)


@final
class DevicePart:
    """Some rows on a device.

    Parameters
    ----------
    evaluator : TensorEvaluator
    y : Tensor, (n,), float64
    weight : Tensor, (n,), optional
        Weights times trials.
    offset : Tensor, (n,), optional
        Added to the curve.
    """

    def __init__(
        self, evaluator: TensorEvaluator, y: Tensor, weight: Tensor | None = None, offset: Tensor | None = None
    ) -> None:
        self.evaluator, self.y, self.weight, self.offset = evaluator, y, weight, offset
        self.root = None if weight is None else weight.sqrt()

    def value(self, loss: Family, theta: Sequence[Any], *, squares: bool) -> float:
        """J of these rows; inf where it is not finite."""
        f = self._shifted(self.evaluator.values(theta))
        if squares:
            r = f - self.y if self.root is None else (f - self.y) * self.root
            value = 0.5 * float(r @ r)
        else:
            losses = loss.terms(self.y, f, 0)[0]
            value = float(losses.sum() if self.weight is None else self.weight @ losses)
        return value if np.isfinite(value) else np.inf

    def reduced(
        self, loss: Family, theta: Sequence[Any], *, squares: bool, careful: bool
    ) -> tuple[Float[np.ndarray, "q q"], float]:
        """A'A (point 1), or where `careful` the transpose of its triangle (point 2), and J of these rows."""
        rows, value = self._rows(loss, theta, squares)
        if not careful:
            made = rows @ rows.T
        elif bool(torch.isfinite(rows).all()):
            made = torch.linalg.qr(rows.T, mode="r")[1].T
        else:
            made = torch.full((len(rows), len(rows)), torch.nan, dtype=rows.dtype)
        return np.ascontiguousarray(made.numpy(force=True)), float(value)

    def gradient(self, loss: Family, theta: Sequence[Any], *, squares: bool) -> tuple[Float[np.ndarray, "p"], float]:
        """F' slope, and J of these rows."""
        f, jacobian = self.evaluator.jacobian(theta)
        losses, slope = self._terms(loss, self._shifted(f), squares)
        sums = torch.stack([*(column @ slope for column in jacobian), losses.sum()]).numpy(force=True)
        return sums[:-1], float(sums[-1])

    def every(self, rows: slice) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """Some rows on the processor: columns, y less the offset, weights; for a search for starts."""
        columns = {name: column[rows].numpy(force=True) for name, column in self.evaluator.columns.items()}
        y = self.y[rows] if self.offset is None else self.y[rows] - self.offset[rows]
        return columns, y.numpy(force=True), None if self.weight is None else self.weight[rows].numpy(force=True)

    def _shifted(self, f: Tensor) -> Tensor:
        return f if self.offset is None else f + self.offset

    def _terms(self, loss: Family, eta: Tensor, squares: bool) -> tuple[Tensor, Tensor]:
        """w loss and w loss' of each row."""
        if squares:
            r = eta - self.y
            losses, slope = 0.5 * r * r, r
        else:
            losses, slope = loss.terms(self.y, eta, 1)
        return (losses, slope) if self.weight is None else (losses * self.weight, slope * self.weight)

    def _rows(self, loss: Family, theta: Sequence[Any], squares: bool) -> tuple[Float[Tensor, "q n"], Tensor | float]:
        """[W^(1/2) F | W^(-1/2) slope]', and J."""
        f, jacobian = self.evaluator.jacobian(theta)
        eta = self._shifted(f)
        out = torch.empty((len(jacobian) + 1, len(f)), dtype=torch.float64, device=f.device)
        for row, column in zip(out, jacobian, strict=False):
            row.copy_(column)
        if squares:
            torch.sub(eta, self.y, out=out[-1])
        else:
            losses, slope, curvature = loss.terms(self.y, eta, 2, expected=True)
            root = curvature.sqrt()
            out[:-1] *= root
            out[-1] = torch.where(root > 0, slope / root, 0.0)
        if self.root is not None:
            out *= self.root
        if squares:
            return out, 0.5 * (out[-1] @ out[-1])
        inside = loss.inside(eta)
        if inside is not None and not bool(inside.all()):
            return out, np.inf
        return out, losses.sum() if self.weight is None else self.weight @ losses


def device_of_rows(rows: Rows) -> torch.device:
    """Where the columns lie; files are read to the processor."""
    if not rows.source.in_memory:
        return torch.device("cpu")
    batch = next(iter(rows.source.batches(rows.spec.columns)))
    return next((_device(column) for column in batch.columns.values()), torch.device("cpu"))


def _device(column: Column) -> torch.device:
    return column.device if isinstance(column, Tensor) else column.codes.device


def device_parts(rows: Rows, curve: Curve) -> list[DevicePart]:
    """The rows as parts on their device.

    Parameters
    ----------
    rows : Rows
        Read through a `CurveSpec`.
    curve : Expression
        Of the free parameters.
    """
    assert isinstance(curve, Expression)
    spec: Any = rows.spec
    blocks = (spec.base.block(batch).double() for batch in rows.batches())
    return [part for block in blocks for part in _pieces(block, curve, spec.curve.inputs)]


def _pieces(block: Block, curve: Expression, names: Sequence[str]) -> Iterator[DevicePart]:
    assert block.y is not None
    x = block.matrix.dense().T.contiguous()  # a curve of no column has one of ones, which it does not read
    for first in range(0, block.rows, PIECE):
        here = slice(first, first + PIECE)
        columns = {name: column[here] for name, column in zip(names, x, strict=False)}
        weight, offset = (None if t is None else t[here] for t in (block.loss_weight, block.offset))
        y = block.y[here]
        yield DevicePart(TensorEvaluator(curve, columns, len(y), y.device), y, weight, offset)
