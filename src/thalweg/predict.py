"""The means of a descent, for new rows or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.errors import DataError
from thalweg.inputs import check_finite, table_of
from thalweg.losses.base import Family
from thalweg.objective import linear_predictor

if TYPE_CHECKING:
    from thalweg.data.block import Block
    from thalweg.descent import Descent
    from thalweg.problem import MemoryProblem


@torch.no_grad()
def predict_descent(descent: Descent, data: Any = None) -> Any:
    """As `thalweg.Descent.predict`; new rows have no offset, unless a formula names it."""
    if descent.rows is not None:
        return _of_formula(descent, descent.rows, data)
    problem = cast("MemoryProblem", descent.problem)
    if data is None:
        eta = problem.predictor(_theta(descent), problem.x)
        return _mean(descent, eta if problem.offset is None else eta + problem.offset)
    x, as_tensor = _x_of(descent, data)
    x = x.to(dtype=problem.dtype, device=problem.device)
    if x.shape != problem.x.shape if not problem.predictor.rowwise else x.shape[1:] != problem.x.shape[1:]:
        raise DataError(f"x has the shape {tuple(x.shape)}, and that of the fit {tuple(problem.x.shape)}")
    mean = _mean(descent, problem.predictor(_theta(descent), x))
    return mean if as_tensor else mean.numpy(force=True)


def _x_of(descent: Descent, data: Any) -> tuple[Tensor, bool]:
    """x of a tensor alone, or of the columns of the fit; and whether a tensor is wanted back."""
    assemble = cast("MemoryProblem", descent.problem).predictor.assemble
    if isinstance(data, Tensor):
        check_finite(data, "x", lambda row: f"row {row + 1}")
        return assemble({"x": data.detach()}), True
    table = table_of(data)
    return assemble(table.numbers(descent.columns)), table.tensors


def _theta(descent: Descent) -> Tensor:
    return descent.solution.theta.to(dtype=descent.problem.dtype, device=descent.problem.device)


def _mean(descent: Descent, eta: Tensor) -> Tensor:
    loss = descent.problem.loss
    return loss.mean(eta) if isinstance(loss, Family) else eta


def _of_formula(descent: Descent, rows: Rows, data: Any) -> Any:
    """By the formula's design, block by block, in float64."""
    if isinstance(data, Tensor):
        raise DataError("a formula reads columns by name, not a tensor", advice="Give a mapping: {'x': tensor}.")
    new = rows.source if data is None else open_source(data)
    theta = descent.solution.theta.to(device=getattr(new, "device", None) or "cpu", dtype=torch.float64)

    def mean(block: Block) -> Tensor:
        return _mean(descent, linear_predictor(block, theta))

    if data is None:
        return torch.cat([mean(block.double()) for block in rows.blocks()])
    batches = new.batches(rows.spec.predictor_columns)
    means = torch.cat([mean(rows.spec.block(batch, response=False).double()) for batch in batches])
    tensors = isinstance(data, dict) and all(isinstance(value, Tensor) for value in data.values())
    return means if tensors else means.numpy(force=True)
