"""The response: a number, a label, or successes out of trials."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.missing import place, require_finite
from thalweg.data.nodes import Category, Cbind, Node
from thalweg.data.source import Source
from thalweg.errors import DataError, MissingValueError, UnseenLevelError

Kind = Literal["number", "levels", "trials"]


@dataclass(frozen=True)
class Response:
    """What stands before the ~.

    Attributes
    ----------
    name : str
        As the formula writes it.
    levels : tuple, optional
        Of a label: y is the index, so that of two levels the second is 1, the success.
    kind : str
        "number", "levels", or "trials" for `cbind(successes, failures)`.
    node : Node
        How it is computed.
    """

    name: str
    levels: tuple[Hashable, ...] | None
    kind: Kind
    node: Node

    def values(self, columns: Columns) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"] | None]:
        """y, and the trials where the response has them.

        Raises
        ------
        UnseenLevelError
            A label that the fit never saw.
        """
        match self.node:
            case Cbind(successes, failures):
                s, f = (as_tensor(evaluate(node, columns)) for node in (successes, failures))
                return torch.where(s + f > 0, s / (s + f), 0.0), s + f
            case node if self.levels is not None:
                return self._codes(node, columns), None
            case node:
                return as_tensor(evaluate(node, columns)), None

    def _codes(self, node: Node, columns: Columns) -> Float[Tensor, "n"]:
        assert self.levels is not None
        codes = columns.codes(node.argument if isinstance(node, Category) else node, self.levels)
        if codes.numel() and int(codes.min()) < 0:
            row = int((codes < 0).nonzero()[0])
            where, known = place(None, columns.batch, row), ", ".join(map(str, self.levels))
            if int(codes[row]) == -1:
                raise MissingValueError(f"the response {self.name} is missing", where=where)
            what = f"{self.name} has a label that the fit never saw"
            raise UnseenLevelError(what, where=where, advice=f"Known labels are {known}.")
        return codes.double()

    def check(self, columns: Columns, source: Source | None) -> None:
        """Refuse rows whose response has no finite value, and negative counts of `cbind`.

        Raises
        ------
        DataError
            Naming the row.
        """
        if isinstance(self.node, Cbind):
            for part in (self.node.successes, self.node.failures):
                counts = as_tensor(evaluate(part, columns))
                require_finite(counts, self.name, part, columns, source)
                if counts.numel() and float(counts.min()) < 0:
                    row = int(counts.argmin())
                    raise DataError(f"{self.name} holds a negative count", where=place(source, columns.batch, row))
        elif self.kind == "number":
            require_finite(self.values(columns)[0], self.name, self.node, columns, source)
