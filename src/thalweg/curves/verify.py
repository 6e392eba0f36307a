"""A traced function compared with the function itself, at a few parameters and on rows in another order.

A trace is what the function did once. It is the function only if nothing in it depends on which rows came together, on
their number or order, on chance or on a state: then values at other rows and parameters agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from thalweg.curves.program import Program
from thalweg.curves.stacked import column_of
from thalweg.curves.tracing import NotTraceable, Trace

MOST = 500  # rows
LEAST = 3  # rows: one row is its own mean and its own first entry
RELATIVE = 1e-12
OF_LARGEST = 1e-14
POINTS = 5  # tried, until enough of them have a finite value
_GOLDEN = 0.6180339887498949

Call = Callable[[Mapping[str, Any], Sequence[Any]], Any]


def points(count: int, starts: Mapping[int, float]) -> Iterator[list[float]]:
    """Parameters to compare at: near 1, at the starts, smaller, negative; no two equal, and none a round number."""
    shares = [((j + 1) * _GOLDEN) % 1.0 for j in range(count)]
    yield [0.6 + 0.8 * share for share in shares]
    yield [starts.get(j, 0.05 + 0.4 * share) for j, share in enumerate(shares)]
    yield [0.01 * (1 + share) for share in shares]
    yield [2.0 * share - 1.3 for share in shares]
    yield [3.0 + 50.0 * share for share in shares]


def rows_of(inputs: Mapping[str, np.ndarray], rows: int, order: int) -> dict[str, np.ndarray]:
    """Copies of at most `MOST` rows; the second order is the reverse, beginning elsewhere."""
    every = max(1, -(-rows // MOST))
    keep = slice(None, None, every) if order == 0 else slice(None, None, -every)
    made = {}
    for name, value in inputs.items():
        last = value.ndim > 1 and value.shape[-1] == rows
        made[name] = np.ascontiguousarray(value[..., keep] if last else value[keep]).copy()
    return made


def verify(
    made: Trace, program: Program, call: Call, inputs: Mapping[str, np.ndarray], rows: int, **options: Any
) -> str:
    """Compare a trace with its function.

    Parameters
    ----------
    made : Trace
    program : Program
        Of its root, for the parameters in their order.
    call : callable
        The function.
    inputs : mapping of str to ndarray
    rows : int
    starts : mapping of int to float
        Parameters whose start is known, by place.
    enough : int, default 2
        Points with a finite value at which they must agree.

    Returns
    -------
    str
        What the function is called with: "array" or "tensor".

    Raises
    ------
    NotTraceable
        Where they differ, where the function fails, or where it has no value at any of the points.
    """
    if made.arrays and rows < LEAST:
        raise NotTraceable("it makes an array of its input, and there are too few rows to see what for")
    kinds = {"numpy": ("array",), "torch": ("tensor",)}.get(made.library, ("array", "tensor"))
    for kind in kinds:
        try:
            _compare(program, call, inputs, rows, kind, **options)
        except NotTraceable:
            raise
        except Exception as problem:
            if kind == kinds[-1]:
                raise NotTraceable(f"it raised {type(problem).__name__} when its trace was compared") from problem
        else:
            return kind
    raise AssertionError("there is no third kind")


def _compare(
    program: Program,
    call: Call,
    inputs: Mapping[str, np.ndarray],
    rows: int,
    kind: str,
    starts: Mapping[int, float] | None = None,
    enough: int = 2,
) -> None:
    agreed = 0
    for theta in points(len(program.parameters), starts or {}):
        chosen = rows_of(inputs, rows, agreed % 2)
        expected, got = _both(program, call, chosen, theta, kind)
        if not _agree(expected, got):
            raise NotTraceable(
                "its values depend on which rows come together, on chance or on a state, or on a sign of zero"
            )
        agreed += bool(np.isfinite(expected).any())
        if agreed >= enough:
            return
    if not agreed:
        raise NotTraceable("it has no finite value at the parameters at which its trace was compared")


def _both(
    program: Program, call: Call, inputs: Mapping[str, np.ndarray], theta: Sequence[float], kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """The function's values and the graph's."""
    columns: dict[str, Any] = {name: column_of(inputs, name) for name in program.columns}
    given: Mapping[str, Any] = inputs
    at: list[Any] = [np.float64(value) for value in theta]
    if kind == "tensor":
        columns = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in columns.items()}
        given = {name: torch.from_numpy(value) for name, value in inputs.items()}
        at = [torch.tensor(value, dtype=torch.float64) for value in theta]
    with np.errstate(all="ignore"):
        (got,) = program.run(program.prepare(columns, kind), at, kind)
        expected = call(given, at)
    if kind == "tensor" and not isinstance(expected, torch.Tensor | float | int):
        raise NotTraceable(f"it returns a {type(expected).__name__} for tensors")
    return np.asarray(expected, dtype=np.float64), np.asarray(got, dtype=np.float64)


def _agree(expected: np.ndarray, got: np.ndarray) -> bool:
    """Equal to rounding, and not finite in the same rows."""
    if expected.shape == got.shape and bool((expected == got).all()):
        return True
    if np.ndim(expected) > 1 or (np.ndim(expected) == 1 and np.ndim(got) == 1 and expected.shape != got.shape):
        return False
    expected, got = np.broadcast_arrays(expected, got)
    finite = np.isfinite(expected)
    if not np.array_equal(expected[~finite], got[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return False
    a, b = expected[finite], got[finite]
    if not a.size:
        return True
    return bool((np.abs(a - b) <= RELATIVE * np.abs(a) + OF_LARGEST * np.abs(a).max()).all())
