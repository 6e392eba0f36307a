"""An `nn.Module` as a curve: its trainable parameters are those of the fit.

    f_i(theta) = module(x_i; theta),  theta the module's parameters one after the other, named "layer.weight[0, 1]"

The derivatives are those of autograd, one row at a time under `torch.func.vmap`, in chunks of rows of bounded size.
Where rows depend on each other (attention between rows), or `vmap` cannot follow the module, they are taken by one
backward pass for each row. The user's module is never changed: what is called is a copy in float64.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.curves.called import same
from thalweg.curves.curve import Columns, Curve, Evaluator, Theta
from thalweg.curves.restricted import Restricted
from thalweg.data.nodes import Node
from thalweg.errors import DataError, OptionError, ThalwegError
from thalweg.predictors.module import ModulePredictor

ENTRIES = 1 << 22  # of the Jacobian that are held at a time beside the result
TRIED = 50  # rows at which the two ways to the Jacobian are compared

Jacobian = Float[Tensor, "n p"]


@final
class ModuleCurve(Curve):
    """A module of (n, k), or of (n,) for one column, to (n,) or (n, 1).

    Parameters
    ----------
    module : nn.Module
        Parameters with ``requires_grad=False`` and buffers stay as they are.
    columns : sequence of str
        The columns that it is given, in this order.
    sample : mapping of str to ndarray
        Rows to try it on.

    Raises
    ------
    OptionError
        No trainable parameter; dropout or batch normalization in training mode, which make the curve another one at
        each call: ``module.eval()`` ends that.
    DataError
        It cannot be called with these columns, or returns another shape.

    Examples
    --------
    >>> layer = nn.Linear(2, 1)
    >>> curve = ModuleCurve(layer, ["u", "v"], {"u": np.zeros(3), "v": np.ones(3)})
    >>> curve.parameters, curve.inputs
    (('weight[0, 0]', 'weight[0, 1]', 'bias'), ('u', 'v'))
    """

    derivatives = "exact, by autograd"

    def __init__(self, module: nn.Module, columns: Sequence[str], sample: Columns) -> None:
        predictor = ModulePredictor(module)
        self.parameters, self.inputs, self.split = predictor.names, tuple(columns), predictor.split
        self.title = type(module).__name__
        self.module = copy.deepcopy(module).double().cpu()
        self.start = dict(zip(self.parameters, predictor.start().double().tolist(), strict=True))
        if not self.inputs:
            raise OptionError("a module needs at least one column", advice='Name them: x=["t"].')
        self.flat = False
        self.flat = self._takes_rows_of_numbers(sample)
        self.by_rows = self._is_by_rows(sample)
        self.whole_rows = not self.by_rows and self._looks_at_all(sample)

    def __call__(self, theta: Float[Tensor, "p"], x: Tensor) -> Float[Tensor, "n"]:
        """The curve at some rows."""
        values = torch.func.functional_call(self.module, self.split(theta), (x,))
        return values.reshape(x.shape[0]) if values.shape == (x.shape[0], 1) else values

    def over(self, columns: Columns, rows: int) -> Evaluator:
        return _Rows(self, self.table(columns), rows)

    def restricted(self, fixed: Mapping[str, float], ties: Mapping[str, Node]) -> Curve:
        return Restricted(self, fixed, ties) if fixed or ties else self

    def table(self, columns: Columns) -> Tensor:
        """The columns as the module takes them."""
        table = torch.as_tensor(np.stack([np.asarray(columns[name], dtype=np.float64) for name in self.inputs], axis=1))
        return table[:, 0] if self.flat else table

    def adopt(self, theta: Sequence[float]) -> None:
        """Put values into the curve's own copy, which `module` is."""
        with torch.no_grad():
            for name, value in self.split(torch.as_tensor(theta, dtype=torch.float64)).items():
                self.module.get_parameter(name).copy_(value)

    def _takes_rows_of_numbers(self, sample: Columns) -> bool:
        """Whether it wants one column as (n,): only where it does not take it as (n, 1).

        Raises
        ------
        DataError
        """
        table, first = self.table(sample), None
        for given in [table, table[:, 0]] if len(self.inputs) == 1 else [table]:
            try:
                found = self._called(given)
            except ThalwegError:
                raise
            except (RuntimeError, TypeError, IndexError, ValueError) as problem:
                first = first or problem
                continue
            if found.shape == (len(table),):
                return given.dim() == 1
            first = first or _wrong_shape(found.shape, len(table))
        if isinstance(first, DataError):
            raise first
        raise DataError(
            f"the module cannot be called with x of shape {tuple(table.shape)}: {str(first).splitlines()[0]}",
            advice="Columns are given as (n, k) in float64, in their order.",
        ) from first

    def _called(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            first, again = (self(torch.tensor(list(self.start.values()), dtype=torch.float64), x) for _ in range(2))
        if not torch.allclose(first, again, equal_nan=True):
            raise OptionError(
                "the module returns another output for the same rows at each call",
                advice="Call module.eval() first, or take out what is random in it.",
            )
        return first

    def _is_by_rows(self, sample: Columns) -> bool:
        """Whether rows can be taken one at a time: the Jacobian of a few must be that of all of them together."""
        x = self.table(sample)[:TRIED]
        theta = torch.tensor(list(self.start.values()), dtype=torch.float64)
        try:
            single = _row_by_row(self, theta, x)
        except Exception:  # vmap has many ways to say that it cannot follow a module
            return False
        return same(single.numpy().ravel(), _backward(self, theta, x).numpy().ravel())

    def _looks_at_all(self, sample: Columns) -> bool:
        """Whether a row's value depends on the rows that come with it."""
        x = self.table(sample)
        whole = self._called(x)
        for kept in (torch.arange(1, len(x), 2), torch.arange(len(x)).flip(0)):
            try:
                some = self._called(x[kept])
            except (RuntimeError, TypeError, IndexError, ValueError):
                return True
            if some.shape != kept.shape or not same(some.numpy(), whole[kept].numpy()):
                return True
        return False


def _wrong_shape(shape: Sequence[int], rows: int) -> DataError:
    return DataError(
        f"for {rows} row{'s' * (rows != 1)} the module returns the shape {tuple(shape)}",
        advice=f"One number for each row is wanted: ({rows},) or ({rows}, 1).",
    )


@final
class _Rows(Evaluator):
    """A module over rows."""

    def __init__(self, curve: ModuleCurve, x: Tensor, rows: int) -> None:
        self.curve, self.rows, self._x = curve, rows, x

    def values(self, theta: Theta) -> np.ndarray:
        with torch.no_grad():
            return self.curve(_vector(theta), self._x).numpy()

    def jacobian(self, theta: Theta) -> tuple[np.ndarray, np.ndarray]:
        vector = _vector(theta)
        jacobian = _row_by_row if self.curve.by_rows else _backward
        return self.values(theta), np.ascontiguousarray(jacobian(self.curve, vector, self._x).numpy().T)


def _vector(theta: Sequence[Any]) -> Float[Tensor, "p"]:
    return torch.as_tensor(np.array([float(entry) for entry in theta]))


def _row_by_row(curve: Callable[[Tensor, Tensor], Tensor], theta: Tensor, x: Tensor) -> Jacobian:
    """vmap of the gradient of one row, a chunk of rows at a time."""

    def row(theta: Tensor, one: Tensor) -> Tensor:
        return curve(theta, one[None])[0]

    gradients = torch.func.vmap(torch.func.grad(row), in_dims=(None, 0))
    chunk = max(1, ENTRIES // max(1, theta.numel()))
    parts = [gradients(theta, x[i : i + chunk]) for i in range(0, len(x), chunk)]
    return torch.cat(parts) if parts else theta.new_zeros((0, theta.numel()))


def _backward(curve: Callable[[Tensor, Tensor], Tensor], theta: Tensor, x: Tensor) -> Jacobian:
    """One backward pass for each row."""
    out = theta.new_zeros((len(x), theta.numel()))
    with torch.enable_grad():
        leaf = theta.clone().requires_grad_()
        value = curve(leaf, x)
        for i, entry in zip(itertools.count(), value.unbind()):
            (slope,) = torch.autograd.grad(entry, leaf, retain_graph=True, allow_unused=True)
            if slope is not None:
                out[i] = slope
    return out
