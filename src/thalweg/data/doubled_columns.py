"""Expressions in two words: powers, products and sums of columns to about 32 digits.

A value is a pair (high, low) whose sum is meant, or (high, None) where low is zero. The data themselves are exact.
Functions such as log are evaluated in one word and their rounded values taken as the column.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.evaluate import Columns, as_tensor, evaluate
from thalweg.data.nodes import Binary, Call, Name, Negative, Node, Number, Stateful
from thalweg.error_free import Pair, dd_add, dd_mul, quick_two_sum, two_prod, two_sum

Doubled = tuple[Tensor, Tensor | None]

MAX_POWER = 1024  # whole powers up to here are products of pairs


def pair(value: Doubled) -> Pair:
    """Both words as tensors."""
    high, low = value
    return high, torch.zeros_like(high) if low is None else low


def doubled(node: Node, columns: Columns) -> Doubled:
    """An expression over a batch in two words.

    Examples
    --------
    >>> import torch
    >>> from thalweg.data.expression import parse_expression
    >>> from thalweg.data.source import Batch
    >>> batch = Batch({"x": torch.tensor([0.1], dtype=torch.float64)}, 1)
    >>> high, low = doubled(parse_expression("x**2").node, Columns(batch, {}))
    >>> from fractions import Fraction
    >>> Fraction(high.item()) + Fraction(low.item()) == Fraction(0.1) ** 2
    True
    """
    match node:
        case Number(value):
            return as_tensor(value), None
        case Name(name):
            return columns.number(name), None
        case Negative(operand):
            high, low = doubled(operand, columns)
            return -high, None if low is None else -low
        case Call("I", (argument,)):
            return doubled(argument, columns)
        case Binary("**", base, Number(power)) if power.is_integer() and 0 <= power <= MAX_POWER:
            return _power(doubled(base, columns), int(power))
        case Binary("+" | "-" | "*" | "/" as symbol, left, right):
            return _arithmetic(symbol, doubled(left, columns), doubled(right, columns))
        case Stateful(_, argument, _, text):
            return columns.transforms[text].doubled(pair(doubled(argument, columns)))
        case _:
            return as_tensor(evaluate(node, columns)), None


def _arithmetic(symbol: str, left: Doubled, right: Doubled) -> Doubled:
    left, right = _alike(left, right)
    if symbol == "-":
        right = -right[0], None if right[1] is None else -right[1]
    if symbol in "+-":
        return _settled(two_sum(left[0], right[0]) if left[1] is None is right[1] else dd_add(pair(left), pair(right)))
    if symbol == "*":
        return multiply(left, right)
    return _settled(_divide(pair(left), pair(right)))


def _alike(left: Doubled, right: Doubled) -> tuple[Doubled, Doubled]:
    """Literals as wide as the columns they meet."""
    shape = torch.broadcast_shapes(left[0].shape, right[0].shape)
    device = (left if left[0].dim() else right)[0].device

    def widen(value: Doubled) -> Doubled:
        high, low = (None if t is None else t.to(device).expand(shape).contiguous() for t in value)
        assert high is not None
        return high, low

    return widen(left), widen(right)


def multiply(left: Doubled, right: Doubled) -> Doubled:
    """The product of two values of the same shape."""
    if left[1] is None is right[1]:
        return _settled(two_prod(left[0].contiguous(), right[0].contiguous()))
    return _settled(dd_mul(pair(left), pair(right)))


def _divide(x: Pair, y: Pair) -> Pair:
    """x / y by two steps of long division."""
    quotient = x[0] / y[0]
    p, e = two_prod(quotient, y[0])
    rest = ((x[0] - p) - e) + x[1] - quotient * y[1]
    return quick_two_sum(quotient, rest / y[0])


def _power(value: Doubled, power: int) -> Doubled:
    """A whole power by repeated squaring."""
    if power == 0:
        return torch.ones_like(value[0]), None
    if power == 1:
        return value
    half = _power(value, power // 2)
    square = multiply(half, half)
    return multiply(square, value) if power % 2 else square


def _settled(value: Pair) -> Doubled:
    """Low words that are no numbers, beyond the range of error-free arithmetic, count as zero."""
    high, low = value
    return high, torch.where(torch.isfinite(low), low, 0.0)


def rowwise_product(left: Doubled, right: Doubled) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"] | None]:
    """All products of a column of `left` with one of `right`, the left one running fastest."""
    wide = left[0].shape[1] * right[0].shape[1]
    shape = (left[0].shape[0], right[0].shape[1], left[0].shape[1])

    def spread(value: Doubled, dim: int) -> Doubled:
        high, low = (None if t is None else t.unsqueeze(dim).expand(shape).reshape(shape[0], wide) for t in value)
        assert high is not None
        return high, low

    return multiply(spread(left, 1), spread(right, 2))
