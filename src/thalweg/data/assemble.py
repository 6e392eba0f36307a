"""Putting together what a formula says and what was learned: factors, response, and the type of a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from thalweg.data.factors import CategoricalFactor, Factor, NumericFactor
from thalweg.data.formula import Formula
from thalweg.data.learn import Learned, category_of
from thalweg.data.nodes import Cbind, Name, Node
from thalweg.data.response import Kind, Response
from thalweg.data.source import Batch, Coded
from thalweg.data.transforms import Transform


def make_factors(parsed: Formula, learned: Learned, transforms: Mapping[str, Transform]) -> dict[str, Factor]:
    """Each factor of a formula with its levels, transforms or width."""
    return {key: _factor(key, node, learned, transforms) for key, node in parsed.factors.items()}


def _factor(key: str, node: Node, learned: Learned, transforms: Mapping[str, Transform]) -> Factor:
    category = category_of(key, node, learned.kinds)
    if category is not None:
        return CategoricalFactor(key, category, learned.levels[key])
    kind = learned.kinds[node.name] if isinstance(node, Name) else None
    return NumericFactor(key, node, transforms, kind if isinstance(kind, int) else None)


def make_response(parsed: Formula, learned: Learned) -> Response:
    """The response with its levels."""
    kind: Kind = "trials" if isinstance(parsed.response.node, Cbind) else "number"
    levels = learned.response_levels
    return Response(parsed.response.text, levels, kind if levels is None else "levels", parsed.response.node)


def column_or_key(factor: CategoricalFactor) -> str:
    """The column whose categories a factor shows; where they are computed, the factor's own name."""
    argument = factor.category.argument
    return argument.name if isinstance(argument, Name) else factor.key


def block_type(batch: Batch, names: Iterable[str]) -> tuple[torch.dtype, torch.device]:
    """float32 where every number column is, else float64; and the device of the columns."""
    columns = [batch.columns[name] for name in names if name in batch.columns]
    tensors = [column for column in columns if isinstance(column, Tensor)]
    codes = [column.codes for column in columns if isinstance(column, Coded)]
    small = bool(tensors) and all(tensor.dtype == torch.float32 for tensor in tensors)
    device = next((tensor.device for tensor in [*tensors, *codes]), torch.device("cpu"))
    return torch.float32 if small else torch.float64, device


def as_type(dtype: torch.dtype, *columns: Tensor | None) -> list[Tensor | None]:
    """Columns in one type."""
    return [None if column is None else column.to(dtype) for column in columns]
