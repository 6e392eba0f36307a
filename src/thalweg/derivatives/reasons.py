"""The usual reasons why a gradient written by hand is wrong, guessed from its ratio to the right one."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from thalweg.convention import is_mean, is_squared

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem

CLOSE = 1e-3


def reason_for(
    problem: MemoryProblem, got: Float[Tensor, "p"], right: Float[Tensor, "p"], wrong: Bool[Tensor, "p"]
) -> str:
    """A sentence or two: what may have happened, and what to do.

    Parameters
    ----------
    got, right : Tensor, (p,)
        The user's gradient and the true one at one point.
    wrong : Tensor, (p,)
        Where they differ.
    """
    given, true = got[wrong], right[wrong]
    general = f"It must be the gradient of the whole loss in the convention {problem.convention!r}."
    if not bool(torch.isfinite(given).all()):
        return "It is not finite: look for a division by 0, a logarithm of 0, or an overflow."
    if not bool(given.any()):
        return f"It is 0 there, as if the loss did not depend on {'it' if int(wrong.sum()) == 1 else 'them'}. {general}"
    if _same(given.sort().values, true.sort().values) and given.numel() > 1:
        return "The right numbers stand in another order: transposed, or under each other's names."
    ratio = float(given @ true / (true @ true)) if bool(true.any()) else math.nan
    if math.isfinite(ratio) and ratio and _same(given, ratio * true):
        return _of_ratio(problem, ratio) or f"It is {ratio:.6g} times the right one. {general}"
    if not is_squared(problem.loss) or problem.weight is None:
        return general
    return f"{general} The rows have weights, which multiply their losses."


def _same(a: Tensor, b: Tensor) -> bool:
    """Equal to three digits of the largest."""
    return bool((a - b).abs().max() <= CLOSE * b.abs().max())


def _of_ratio(problem: MemoryProblem, ratio: float) -> str:
    """The combination of a sign, a 2 and an n that gives this ratio."""
    total = problem.rows if problem.weight is None else float(problem.weight.sum())
    texts = []
    for sign, two, many in product((1.0, -1.0), (1.0, 2.0, 0.5), (1.0, total, 1 / total)):
        if math.isclose(sign * two * many, ratio, rel_tol=CLOSE):
            texts.append(" ".join(filter(None, (_sign(sign), _two(problem, two), _many(problem, many, total)))))
    return min(texts, key=len) if texts else ""


def _sign(sign: float) -> str:
    return "It has the wrong sign: with the error as eta - y the gradient is plus the error times x." * (sign < 0)


def _two(problem: MemoryProblem, two: float) -> str:
    name = problem.convention
    if two == 1:
        return ""
    if two > 1:
        other = f"use loss='half {name}'" if is_squared(problem.loss) and not name.startswith("half") else ""
        other = other or (f"use loss={name.removeprefix('half ')!r}" if name.startswith("half") else "")
        return f"It is twice the right one: take out a factor 2{f', or {other}' * bool(other)}."
    other = f", or use loss='half {name}'" if is_squared(problem.loss) and not name.startswith("half") else ""
    return f"It is half the right one: the 2 of the squared error's derivative is missing{other}."


def _many(problem: MemoryProblem, many: float, total: float) -> str:
    name = problem.convention
    if many == 1:
        return ""
    count = f"{total:.10g} ({'the rows' if problem.weight is None else 'the sum of the weights'})"
    if many == total:
        other = name.replace("mean", "sum")
        return f"It is {count} times the right one: a sum where a mean is wanted. Divide by n, or use loss={other!r}."
    other = name.replace("sum", "mean")
    advice = f", or use loss={other!r}" if not is_mean(name) else ""
    return f"It is the right one divided by {count}: a mean where a sum is wanted. Multiply by n{advice}."
