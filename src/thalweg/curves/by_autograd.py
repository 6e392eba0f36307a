"""Exact Jacobians of functions of tensors, in three ways of which each serves functions that the one before cannot.

`by_rows` is the fast one, and right only where each row of the result depends on the parameters through that row
alone: every parameter is expanded to one value per row, and one backward pass of the sum gives all columns.
`by_tangents` makes no such assumption (one forward pass for each parameter), `by_adjoints` needs no forward-mode
derivatives either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

TensorCall = Callable[[Sequence[Tensor]], Tensor]
"""Parameters -> the curve, (n,)."""
Jacobian = tuple[np.ndarray, np.ndarray]
Method = Callable[[TensorCall, Sequence[Any], int], Jacobian]


def by_rows(call: TensorCall, theta: Sequence[Any], rows: int) -> Jacobian:
    """d sum_i f_i / d theta_ij of parameters expanded to the rows.

    Returns
    -------
    tuple of ndarray
        The curve (n,) and its derivatives (p, n).
    """
    with torch.enable_grad():
        leaves = [_tensor(entry).expand(rows).clone().requires_grad_() for entry in theta]
        value = call(leaves)
        slopes = torch.autograd.grad(value, leaves, torch.ones_like(value), allow_unused=True)
    return _joined(value, slopes, rows)


def by_tangents(call: TensorCall, theta: Sequence[Any], rows: int) -> Jacobian:
    """Forward mode: one pass for each parameter. Shapes as `by_rows`."""
    primals = [_tensor(entry) for entry in theta]
    columns: list[Tensor | None] = []
    for j in range(len(primals)):
        with forward_ad.dual_level():
            duals = [
                forward_ad.make_dual(primal, torch.ones_like(primal) if i == j else torch.zeros_like(primal))
                for i, primal in enumerate(primals)
            ]
            value, tangent = forward_ad.unpack_dual(call(duals))
            columns.append(tangent)
    return _joined(value, columns, rows)


def by_adjoints(call: TensorCall, theta: Sequence[Any], rows: int) -> Jacobian:
    """d/dv of J'v, which is linear in v: one backward pass for each parameter through the backward pass itself."""
    with torch.enable_grad():
        leaves = [_tensor(entry).clone().requires_grad_() for entry in theta]
        value = call(leaves)
        v = torch.zeros_like(value, requires_grad=True)
        products = torch.autograd.grad(value, leaves, v, create_graph=True, allow_unused=True)
        columns = [_adjoint(product, v) for product in products]
    return _joined(value, columns, rows)


def _adjoint(product: Tensor | None, v: Tensor) -> Tensor | None:
    if product is None or not product.requires_grad:
        return None
    (column,) = torch.autograd.grad(product.sum(), v, retain_graph=True, allow_unused=True)
    return column


def _tensor(entry: Any) -> Tensor:
    return torch.as_tensor(np.asarray(entry, dtype=np.float64))


def _joined(value: Tensor, columns: Sequence[Tensor | None], rows: int) -> Jacobian:
    out = np.zeros((len(columns), rows))
    for row, column in zip(out, columns, strict=True):
        if column is not None:
            row[...] = column.detach().numpy()
    return value.detach().numpy(), out


METHODS: tuple[Method, ...] = (by_rows, by_tangents, by_adjoints)
