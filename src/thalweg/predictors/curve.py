"""A curve as a predictor: eta = f(x; theta) of any expression, for descents.

The curve's list of instructions runs over tensors, in the type and on the device of the descent; its Jacobian is the
one that was derived symbolically (`thalweg.curves.graph`). Autograd goes through the same instructions, and the tests
hold the two to agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.curves.curve import Expression
from thalweg.curves.program import Program
from thalweg.errors import DataError
from thalweg.predictors.base import Predictor


@final
class CurvePredictor(Predictor):
    """eta = f(x; theta), one parameter for each free parameter of an expression.

    Parameters
    ----------
    curve : Expression
        Of the free parameters; those that are held or tied are written into it (`Curve.restricted`).
    start : sequence of float, optional
        Where a descent starts that was told nothing; ones where it is not given.

    Attributes
    ----------
    text : str
        The curve as it was written.
    columns : tuple of str
        What stands in the columns of x, (n, k).
    linear : bool
        Whether it is that in all parameters together (up to a constant), as a line or a polynomial is: its squared loss
        is then the same quadratic that it is for a formula.

    Examples
    --------
    >>> from thalweg.curves.curve import Expression
    >>> from thalweg.curves.language import read_equation
    >>> curve = Expression.of(read_equation("y = a * exp(-b * x)", ["x", "y"]))
    >>> predictor, x = CurvePredictor(curve), torch.tensor([[0.0], [1.0]])
    >>> predictor.names, predictor(torch.tensor([2.0, 1.0]), x)
    (('a', 'b'), tensor([2.0000, 0.7358]))
    >>> predictor.transpose_times(torch.tensor([2.0, 1.0]), x, torch.tensor([0.0, 1.0]))
    tensor([ 0.3679, -0.7358])
    """

    def __init__(self, curve: Expression, start: Sequence[float] | None = None) -> None:
        self.shapes = dict.fromkeys(curve.parameters, ())
        self.text, self.columns = curve.title, curve.inputs
        self.instructions = instructions(curve)  # a checkpoint knows the curve by them
        self.linear = is_linear(curve)
        self._curve, self._start = curve, start
        self._value, self._slopes = _Kept(curve.compiled.value, curve.inputs), _Kept(slopes_of(curve), curve.inputs)

    def __call__(self, theta: Float[Tensor, "p"], x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        (value,) = self._value.run(theta, x)
        return _filled(value, x)

    def transpose_times(
        self, theta: Float[Tensor, "p"], x: Float[Tensor, "n k"], slope: Float[Tensor, "n"]
    ) -> Float[Tensor, "p"]:
        """J' slope, with the Jacobian as it was derived."""
        return self.jacobian(theta, x) @ slope

    def jacobian(self, theta: Float[Tensor, "p"], x: Float[Tensor, "n k"]) -> Float[Tensor, "p n"]:
        """d eta_i / d theta_j: a row for each parameter."""
        return torch.stack([_filled(slope, x) for slope in self._slopes.run(theta, x)])

    def bind(self, x: Tensor, y: Tensor) -> CurvePredictor:
        if x.dim() != 2 or x.shape[1] != max(len(self.columns), 1):
            raise DataError(
                f"x has the shape {tuple(x.shape)}, and the curve reads {len(self.columns)} columns",
                advice=f"Give (n, {len(self.columns)}): {', '.join(self.columns)}.",
            )
        return self

    def start(self) -> Float[Tensor, "p"]:
        """What the constructor was given, else ones: a curve is seldom one at zeros."""
        if self._start is None:
            return torch.ones(self.size, dtype=torch.float64)
        return torch.tensor(list(self._start), dtype=torch.float64)

    def state(self, theta: Float[Tensor, "p"]) -> dict[str, Tensor]:
        return {module_name(name): value for name, value in self.split(theta).items()}

    def module(self, inverse: Callable[[Tensor], Tensor] | None = None) -> CurveModule:
        return CurveModule(self._curve, inverse)


@final
class CurveModule(nn.Module):
    """mean = h(f(x; theta)), with one scalar `nn.Parameter` for each parameter of the curve.

    Parameters
    ----------
    curve : Expression
    inverse : callable, optional
        The inverse link h; none for the identity.
    """

    def __init__(self, curve: Expression, inverse: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.places = tuple(module_name(name) for name in curve.parameters)
        for place in self.places:
            self.register_parameter(place, nn.Parameter(torch.ones(())))
        self.title, self.inverse = curve.title, inverse
        self._program = _Kept(curve.compiled.value, curve.inputs)

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        """The means, flat; x holds the curve's columns, (n, k)."""
        (value,) = self._program.run_entries([self.get_parameter(place) for place in self.places], x)
        eta = _filled(value, x)
        return eta if self.inverse is None else self.inverse(eta)

    def extra_repr(self) -> str:
        return self.title


class _Kept:
    """A program over the columns of x, with what depends on no parameter computed once for the same x."""

    def __init__(self, program: Program, columns: Sequence[str]) -> None:
        self.program, self.columns = program, tuple(columns)
        self.known: tuple[Tensor, int, list[Any]] | None = None

    def run(self, theta: Float[Tensor, "p"], x: Float[Tensor, "n k"]) -> list[Any]:
        return self.run_entries(theta.unbind(), x)

    def run_entries(self, entries: Sequence[Tensor], x: Float[Tensor, "n k"]) -> list[Any]:
        return self.program.run(self._prepared(x), entries, "tensor")

    def _prepared(self, x: Float[Tensor, "n k"]) -> list[Any]:
        if self.known is None or self.known[0] is not x or self.known[1] != x._version:
            names = zip(self.columns, x.detach().unbind(1), strict=False)  # a curve of no column has one of ones
            with torch.no_grad():
                values = self.program.prepare({name: column.contiguous() for name, column in names}, "tensor")
            self.known = x, x._version, values
        return self.known[2]


def _filled(value: Any, x: Tensor) -> Float[Tensor, "n"]:
    """One entry per row, also of what is the same in all of them."""
    if isinstance(value, Tensor) and value.shape == x.shape[:1]:
        return value if value.dtype == x.dtype else value.to(x)
    return torch.as_tensor(value, dtype=x.dtype, device=x.device).expand(len(x))


def module_name(name: str) -> str:
    """A parameter's name in a module: with an underscore where `nn.Module` has an attribute of that name.

    Examples
    --------
    >>> module_name("a"), module_name("half")
    ('a', 'half_')
    """
    while hasattr(nn.Module, name) or name in ("training", "places", "title", "inverse"):
        name += "_"
    return name


def slopes_of(curve: Expression) -> Program:
    """The columns of the Jacobian, without the curve itself."""
    slopes, zero = curve.graph.gradient(curve.root), curve.graph.constant(0.0)
    return Program(curve.graph, [slopes.get(name, zero) for name in curve.parameters], curve.parameters)


def is_linear(curve: Expression) -> bool:
    """Whether parameters are only added, and multiplied with what depends on none.

    (That the Jacobian depends on none is not enough: a step at x > a has the derivative 0 by a.)
    """
    entries = curve.graph.entries

    def straight(node: int) -> bool:
        arguments = entries[node].arguments
        match entries[node].operation:
            case "parameter" | "add" | "subtract" | "negative" | "identity":
                return True
            case "multiply":
                return any(entries[argument].static for argument in arguments)
            case "divide":
                return entries[arguments[1]].static
            case "where":
                return entries[arguments[0]].static
        return False

    return all(entries[node].static or straight(node) for node in curve.graph.needed([curve.root]))


def instructions(curve: Expression) -> str:
    """What the curve computes, as text: operations with the places of their arguments, constants written in."""
    entries = curve.graph.entries
    nodes = {node: place for place, node in enumerate(curve.graph.needed([curve.root]))}
    lines = []
    for node in nodes:
        entry = entries[node]
        told = [entry.name or repr(entry.value)] if not entry.arguments else [str(nodes[a]) for a in entry.arguments]
        lines.append(f"{entry.operation} {' '.join(told)}")
    return "; ".join(lines)
