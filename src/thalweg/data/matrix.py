"""One block of rows of a design matrix, with the few operations that a fit needs.

A design is never one big array: a `Matrix` is dense, categorical (integer codes, never expanded to dummies), a column
of ones, or several of these side by side. Each knows four products,

    X θ,    X'r,    X' diag(w) X    and    X' diag(w) Z  with another part Z of the same rows,

and `dense()` is the plain twin that all of them are tested against.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Matrix(ABC):
    """Rows of a design, (n, p)."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(n, p)."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Floating-point type of the products."""

    @abstractmethod
    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        """X θ."""

    @abstractmethod
    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        """X'r."""

    @abstractmethod
    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        """X' diag(w) X; w = 1 where it is None."""

    @abstractmethod
    def dense(self) -> Float[Tensor, "n p"]:
        """The same rows as one array."""

    @abstractmethod
    def __getitem__(self, rows: slice | Tensor) -> Matrix:
        """Some of the rows; a view where rows is a slice."""

    @abstractmethod
    def to(self, *args: Any, **kwargs: Any) -> Matrix:
        """The same on another device or in another floating-point type."""


@final
class Dense(Matrix):
    """An (n, p) array of numbers, any strides."""

    def __init__(self, values: Float[Tensor, "n p"]) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        return self.values @ theta

    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        return self.values.T @ r

    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        if self.values.device.type == "cpu" and (weight is None or bool((weight >= 0).all())):
            return _symmetric(self.values if weight is None else self.values * weight.sqrt()[:, None])
        right = self.values if weight is None else self.values * weight[:, None]
        return self.values.T @ right

    def dense(self) -> Float[Tensor, "n p"]:
        return self.values

    def __getitem__(self, rows: slice | Tensor) -> Dense:
        return Dense(self.values[rows])

    def to(self, *args: Any, **kwargs: Any) -> Dense:
        return Dense(self.values.to(*args, **kwargs))


def _symmetric(root: Float[Tensor, "n p"]) -> Float[Tensor, "p p"]:
    """A'A through NumPy, which gives it to BLAS as a symmetric product: half the work of a general one."""
    array = root.detach().numpy()
    return torch.from_numpy(array.T @ array)


@final
class Ones(Matrix):
    """The intercept's column, (n, 1), without its storage."""

    def __init__(self, rows: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> None:
        self.one = torch.ones(1, dtype=dtype, device=device).expand(rows)

    @property
    def shape(self) -> tuple[int, int]:
        return self.one.shape[0], 1

    @property
    def dtype(self) -> torch.dtype:
        return self.one.dtype

    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        return theta.expand(self.one.shape[0])

    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        return r.sum().reshape(1)

    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        return (self.one if weight is None else weight).sum().reshape(1, 1)

    def dense(self) -> Float[Tensor, "n p"]:
        return self.one[:, None]

    def __getitem__(self, rows: slice | Tensor) -> Ones:
        return Ones(self.one[rows].shape[0], self.one.dtype, self.one.device)

    def to(self, *args: Any, **kwargs: Any) -> Ones:
        moved = self.one[:1].to(*args, **kwargs)
        return Ones(self.one.shape[0], moved.dtype, moved.device)


@final
class Categorical(Matrix):
    """Columns of which each row holds at most one that is not zero.

    Parameters
    ----------
    codes : Tensor of int64, shape (n,)
        The column in which a row has its value; -1 for none (the reference level).
    columns : int
        p.
    values : Tensor, shape (n,), optional
        The rows' values (a category times a number); 1 where it is None.
    """

    def __init__(
        self,
        codes: Int[Tensor, "n"],
        columns: int,
        values: Float[Tensor, "n"] | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.codes, self.columns, self.values = codes, columns, values
        self._dtype = dtype if values is None else values.dtype
        # A row without a column writes to one place past the end, which is cut off: no mask, no branch.
        self.places = torch.where(codes < 0, columns, codes)

    @property
    def shape(self) -> tuple[int, int]:
        return self.codes.shape[0], self.columns

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def _scaled(self, r: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        return r if self.values is None else r * self.values

    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        return self._scaled(torch.cat([theta, theta.new_zeros(1)])[self.places])

    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        return r.new_zeros(self.columns + 1).index_add_(0, self.places, self._scaled(r))[:-1]

    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        one = torch.ones(self.codes.shape[0], dtype=self.dtype, device=self.codes.device) if weight is None else weight
        return torch.diag(self.transpose_times(self._scaled(one)))

    def cross(self, right: Float[Tensor, "n k"]) -> Float[Tensor, "p k"]:
        """X'Z for a dense Z: the sums of Z's rows by category."""
        scaled = right if self.values is None else right * self.values[:, None]
        return scaled.new_zeros(self.columns + 1, right.shape[1]).index_add_(0, self.places, scaled)[:-1]

    def cross_categorical(self, other: Categorical, weight: Float[Tensor, "n"]) -> Float[Tensor, "p q"]:
        """X' diag(w) Z for another categorical Z: the weighted table of the two."""
        width = other.columns + 1
        table = weight.new_zeros((self.columns + 1) * width)
        table.index_add_(0, self.places * width + other.places, other._scaled(self._scaled(weight)))
        return table.reshape(self.columns + 1, width)[:-1, :-1]

    def dense(self) -> Float[Tensor, "n p"]:
        out = torch.zeros(self.codes.shape[0], self.columns + 1, dtype=self.dtype, device=self.codes.device)
        value = torch.ones_like(out[:, :1]) if self.values is None else self.values[:, None]
        return out.scatter_(1, self.places[:, None], value)[:, :-1]

    def __getitem__(self, rows: slice | Tensor) -> Categorical:
        return Categorical(
            self.codes[rows], self.columns, None if self.values is None else self.values[rows], self.dtype
        )

    def to(self, *args: Any, **kwargs: Any) -> Categorical:
        target = torch.empty(0, dtype=self.dtype, device=self.codes.device).to(*args, **kwargs)
        values = None if self.values is None else self.values.to(*args, **kwargs)
        return Categorical(self.codes.to(target.device), self.columns, values, target.dtype)


@final
class SideBySide(Matrix):
    """Several matrices with the same rows, as one."""

    def __init__(self, parts: Sequence[Matrix]) -> None:
        self.parts = tuple(parts)
        edges = [0]
        for part in self.parts:
            edges.append(edges[-1] + part.shape[1])
        self.slices = [slice(a, b) for a, b in pairwise(edges)]

    @property
    def shape(self) -> tuple[int, int]:
        return self.parts[0].shape[0], self.slices[-1].stop

    @property
    def dtype(self) -> torch.dtype:
        """float64 as soon as one part is."""
        return torch.float64 if any(part.dtype == torch.float64 for part in self.parts) else self.parts[0].dtype

    def times(self, theta: Float[Tensor, "p"]) -> Float[Tensor, "n"]:
        total = self.parts[0].times(theta[self.slices[0]])
        for part, columns in zip(self.parts[1:], self.slices[1:], strict=True):
            total = total + part.times(theta[columns])
        return total

    def transpose_times(self, r: Float[Tensor, "n"]) -> Float[Tensor, "p"]:
        return torch.cat([part.transpose_times(r) for part in self.parts])

    def gram(self, weight: Float[Tensor, "n"] | None = None) -> Float[Tensor, "p p"]:
        p = self.shape[1]
        blocks: Tensor | None = None
        for i, (left, rows) in enumerate(zip(self.parts, self.slices, strict=True)):
            square = left.gram(weight)
            blocks = square.new_zeros(p, p) if blocks is None else blocks
            blocks[rows, rows] = square
            for right, columns in zip(self.parts[i + 1 :], self.slices[i + 1 :], strict=True):
                product = _cross(left, right, weight)
                blocks[rows, columns] = product
                blocks[columns, rows] = product.T
        assert blocks is not None
        return blocks

    def dense(self) -> Float[Tensor, "n p"]:
        return torch.cat([part.dense() for part in self.parts], dim=1)

    def __getitem__(self, rows: slice | Tensor) -> SideBySide:
        return SideBySide([part[rows] for part in self.parts])

    def to(self, *args: Any, **kwargs: Any) -> SideBySide:
        return SideBySide([part.to(*args, **kwargs) for part in self.parts])


def _cross(left: Matrix, right: Matrix, weight: Tensor | None) -> Tensor:
    """X' diag(w) Z of two parts, by the cheapest product that the pair allows."""
    match left, right:
        case Ones(), _:
            return right.transpose_times(left.one if weight is None else weight)[None, :]
        case _, Ones():
            return _cross(right, left, weight).T
        case Categorical(), Categorical():
            one = torch.ones(left.shape[0], dtype=left.dtype, device=left.codes.device) if weight is None else weight
            return left.cross_categorical(right, one)
        case Categorical(), _:
            z = right.dense()
            return left.cross(z if weight is None else z * weight[:, None])
        case _, Categorical():
            return _cross(right, left, weight).T
        case _:
            z = right.dense()
            return left.dense().T @ (z if weight is None else z * weight[:, None])
