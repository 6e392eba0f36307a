"""A gradient that the user wrote, checked before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final
from weakref import WeakSet

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.derivatives.base import Derivative
from thalweg.errors import IncompatibleError, OptionError

if TYPE_CHECKING:
    from thalweg.problem import MemoryProblem


MISUSE = (TypeError, AttributeError, LookupError, ValueError, RuntimeError)  # what another shape or signature raises


@final
class Given(Derivative):
    """gradient(parameters, x, y), as the user wrote it.

    Parameters
    ----------
    function : callable
        Given the parameters by name, each a tensor of its own shape (of a formula: one scalar for each column), what
        the predictor reads (of a formula: the design (n, p), its column of ones included) and the response. It returns
        the gradient of the whole loss in the solver's convention: a mapping with an entry for each parameter, or one
        flat tensor in the order of the names.

    Examples
    --------
    >>> import thalweg as tw
    >>> def gradient(parameters, x, y):
    ...     error = parameters["Intercept"] + parameters["x"] * x[:, 1] - y
    ...     return {"Intercept": 2 * error.mean(), "x": 2 * (error * x[:, 1]).mean()}
    >>> solver = tw.GradientDescent(lr=0.1, derivative=gradient)
    """

    name = "given"

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._checked: WeakSet[MemoryProblem] = WeakSet()

    def __call__(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "p"]]:
        self.check(problem, theta)
        if batch is not None and (problem.weight is not None or problem.offset is not None):
            raise IncompatibleError(
                "a gradient of your own is given x and y of a batch, not the rows' weights and offsets;"
                " use derivative='hand', or all rows at each step"
            )
        return problem.value(theta, batch), self.gradient(problem, theta, batch)

    def check(self, problem: MemoryProblem, theta: Float[Tensor, "p"]) -> None:
        """Compare with autograd at theta and nearby, once for each problem.

        Raises
        ------
        OptionError
            Which parameters are wrong, by how much, and the usual reason for it.
        """
        if problem not in self._checked:
            from thalweg.derivatives.checking import check_given

            check_given(self, problem, theta)
            self._checked.add(problem)

    def gradient(
        self, problem: MemoryProblem, theta: Float[Tensor, "p"], batch: Int[Tensor, "m"] | None = None
    ) -> Float[Tensor, "p"]:
        """What the function returns, as a flat vector.

        Raises
        ------
        OptionError
            The function raises an exception, which is the cause of this one; a parameter left out or unknown; or an
            entry of another shape than its parameter.
        """
        x, y = (problem.x, problem.y) if batch is None else (problem.x[batch], problem.y[batch])
        try:
            with torch.no_grad():
                returned = self.function(problem.predictor.split(theta.clone()), x, y)
        except MISUSE as error:
            raise _misused(error, problem, x, y) from error
        if isinstance(returned, Mapping):
            return self._joined(problem, returned)
        flat = _tensor(returned, problem).reshape(-1)
        if flat.numel() != problem.predictor.size:
            raise OptionError(
                f"the gradient that was given has {flat.numel()} entries for {problem.predictor.size} parameters",
                advice=f"One for each of {_listed(problem.names)}; or return a dict with an entry for each name.",
            )
        return flat

    def _joined(self, problem: MemoryProblem, returned: Mapping[Any, Any]) -> Float[Tensor, "p"]:
        shapes = problem.predictor.shapes
        absent = [name for name in shapes if name not in returned]
        unknown = [name for name in returned if name not in shapes]
        if absent or unknown:
            what = f"leaves out {_listed(absent)}" if absent else f"has entries that are no parameters: {unknown!r}"
            raise OptionError(
                f"the gradient that was given {what}", advice=f"It needs an entry for each of {_listed(list(shapes))}."
            )
        return torch.cat([_entry(name, returned[name], shape, problem) for name, shape in shapes.items()])


def _misused(error: Exception, problem: MemoryProblem, x: Tensor, y: Tensor) -> OptionError:
    """How the function is called, and what it is to return."""
    said = (str(error).splitlines() or [""])[0].rstrip(".")
    return OptionError(
        f"the gradient that was given raised a {type(error).__name__}: {said}",
        advice="It is called as gradient(parameters, x, y): parameters by name"
        f" ({_listed(list(problem.predictor.shapes))}), x of shape {tuple(x.shape)} and y of shape {tuple(y.shape)},"
        " all tensors. It returns the gradient for each name, or one flat tensor in their order.",
    )


def _entry(name: str, value: Any, shape: tuple[int, ...], problem: MemoryProblem) -> Float[Tensor, "k"]:
    """One parameter's gradient, flat."""
    tensor = _tensor(value, problem)
    if tensor.shape != shape and not (tensor.numel() == 1 and problem.predictor.entries(name) == 1):
        turned = " It is transposed." if tuple(tensor.shape) == shape[::-1] else ""
        raise OptionError(
            f"the gradient that was given for {name} has the shape {tuple(tensor.shape)}, and {name} itself {shape}",
            advice=f"A gradient has the shape of its parameter.{turned}",
        )
    return tensor.reshape(-1)


def _tensor(value: Any, problem: MemoryProblem) -> Tensor:
    try:
        return torch.as_tensor(value).to(dtype=problem.dtype, device=problem.device).detach()
    except (TypeError, ValueError, RuntimeError):
        raise OptionError(
            f"the gradient function returned a {type(value).__name__} that is no number",
            advice="Return a dict of tensors by the parameters' names, or one flat tensor.",
        ) from None


def _listed(names: list[str] | tuple[str, ...]) -> str:
    """The first few names."""
    return ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if len(names) > 8 else "")
