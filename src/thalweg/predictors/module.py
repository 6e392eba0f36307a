"""Any `nn.Module` as a predictor."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.errors import DataError, NotAvailableError, OptionError
from thalweg.losses.base import Family
from thalweg.predictors.base import Predictor

_BATCH = (nn.modules.batchnorm._BatchNorm,)
_SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)  # they change no number
_RANDOM = (nn.modules.dropout._DropoutNd,)


@final
class ModulePredictor(Predictor):
    """eta = module(x), with the module's trainable parameters, in its own type and on its own terms.

    A fit starts from the values that the module has, computes in its type (``module.double()`` for float64), and puts
    the fitted values into it at its end. Parameters with ``requires_grad=False`` and buffers stay as they are; a
    parameter that is used in two places is one parameter, under its first name.

    Parameters
    ----------
    module : nn.Module
        Its forward is given x and returns one number for each row: (n,) or (n, 1). That number is eta: where a link is
        wanted (the logit of a binomial family), the module stops before it.

    Raises
    ------
    OptionError
        No module; no parameter to fit, or of several types; or a module whose output is not a function of a row:
        dropout or batch normalization in training mode.

    Examples
    --------
    >>> from torch import nn
    >>> ModulePredictor(nn.Sequential(nn.Linear(2, 1))).names
    ('0.weight[0, 0]', '0.weight[0, 1]', '0.bias')
    """

    linear = False
    by_hand = False

    def __init__(self, module: nn.Module) -> None:
        if not isinstance(module, nn.Module):
            raise OptionError(f"{module!r} is no nn.Module", advice="Give an object, not its class.")
        self.original = module
        trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
        self.dtype, self.device = _place(trained, bool(list(module.parameters())))
        self.shapes = {name: tuple(value.shape) for name, value in trained.items()}
        _check_deterministic(module)

    def __call__(self, theta: Float[Tensor, "p"], x: Tensor) -> Float[Tensor, "n"]:
        return _flat(torch.func.functional_call(self.original, self.split(theta), (x,)), x)

    def transpose_times(self, theta: Float[Tensor, "p"], x: Tensor, slope: Tensor) -> Float[Tensor, "p"]:
        raise NotAvailableError(
            "nobody wrote down the derivative of a module by hand", advice="Use derivative='autograd' or 'module'."
        )

    def bind(self, x: Tensor, y: Tensor) -> ModulePredictor:
        """The shapes are tried on the first rows."""
        if y.dim() == 0 or x.dim() == 0 or x.shape[0] != y.numel() or y.numel() != y.shape[0]:
            raise DataError(
                f"x has the shape {tuple(x.shape)} and y the shape {tuple(y.shape)}",
                advice="A module is given a row of x for each number in y: (n, k) and (n,).",
            )
        try:
            with torch.no_grad():
                first, again = (self(self.start(), x[:2]) for _ in range(2))
        except (RuntimeError, TypeError, IndexError, ValueError) as problem:
            if isinstance(problem, DataError):
                raise
            reason = str(problem).splitlines()[0]
            raise DataError(
                f"the module cannot be called with x of shape {tuple(x.shape)} and type {x.dtype}: {reason}",
                advice="Columns are given as (n, k), in the order of x=.",
            ) from problem
        if not torch.allclose(first, again, rtol=1e-3, equal_nan=True):
            raise OptionError(
                "the module returns another output for the same rows at each call",
                advice="Call module.eval() first, or take out what is random in it.",
            )
        self._check_differentiable(x[:2])
        return self

    def _check_differentiable(self, x: Tensor) -> None:
        """Refuse an output that gradients do not reach."""
        with torch.enable_grad():
            output = self(self.start().requires_grad_(), x)
        if not output.requires_grad:
            raise OptionError(
                "the module's output does not depend on its parameters, or forward cuts it off from them",
                advice="Take detach(), no_grad() and .data out of forward.",
            )

    def caution(self, loss: Family) -> str:
        """What is likely a slip: a module that ends in a sigmoid before a family that applies its own.

        Only the last layer of an `nn.Sequential` is looked at: what another module's forward does last is not known.
        """
        last = _last(self.original)
        squashed = _SQUASHED.get(type(last))
        if squashed is None or loss.name != "binomial" or loss.link.name != "logit":
            return ""
        name = type(last).__name__
        return (
            f"The module ends in a {name}, {squashed}: the binomial family takes its output as the logit of a"
            f' probability. Leave the {name} out, or fit its output as it is with family="gaussian".'
        )

    def start(self) -> Float[Tensor, "p"]:
        """The module's own values."""
        return self.join(dict(self.original.named_parameters())).detach().clone()

    @torch.no_grad()
    def adopt(self, theta: Float[Tensor, "p"]) -> None:
        """Put the values into the user's module."""
        for name, value in self.split(theta).items():
            self.original.get_parameter(name).copy_(value)

    def module(self, inverse: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
        """A copy of the user's module, which computes eta: what follows it was never its part."""
        return copy.deepcopy(self.original)


# What the layer makes of any number, and what a logit link makes of that.
_SQUASHED = {
    nn.Sigmoid: "and a second sigmoid follows, which leaves probabilities between 0.5 and 0.731 only",
    nn.LogSigmoid: "which is never above 0, and a sigmoid follows, which leaves probabilities of at most 0.5",
    nn.Softmax: "which of one number is always 1, whatever the parameters are",
}


def _last(module: nn.Module) -> nn.Module:
    """The layer that is called last, where modules are only put in a row."""
    if not isinstance(module, nn.Sequential):
        return module
    layers = [layer for layer in module if not isinstance(layer, _SHAPES)]
    return _last(layers[-1]) if layers else module


def _place(trained: dict[str, nn.Parameter], any_at_all: bool) -> tuple[torch.dtype, torch.device]:
    """The one type and device of the parameters."""
    if not trained:
        why = "all its parameters have requires_grad=False" if any_at_all else "it has no parameters"
        raise OptionError(
            f"there is nothing to fit in this module: {why}", advice="Give a module with trainable parameters."
        )
    if lazy := [name for name, value in trained.items() if isinstance(value, nn.parameter.UninitializedParameter)]:
        raise OptionError(f"the parameter {lazy[0]} has no shape yet", advice="Call the module once with some rows.")
    kinds = {(value.dtype, value.device): name for name, value in trained.items()}
    if len(kinds) > 1:
        (a, first), (b, second), *_ = kinds.items()
        raise OptionError(
            f"the module's parameters are of several kinds: {first} is {a[0]} on {a[1]}, {second} is {b[0]} on {b[1]}",
            advice="Write module.to(torch.float32) first, or .to(device).",
        )
    (dtype, device) = next(iter(kinds))
    if dtype not in (torch.float32, torch.float64):
        raise OptionError(f"the module's parameters are {dtype}", advice="Write module.float() or .double() first.")
    return dtype, device


def _check_deterministic(module: nn.Module) -> None:
    """Refuse what would make the loss another function at each call."""
    for name, part in module.named_modules():
        if not part.training:
            continue
        title = f"{type(part).__name__}{f' ({name!r})' if name else ''}"
        if isinstance(part, _BATCH):
            why = "the output for a row depends on the rows beside it, and running means change at each call"
        elif _dropped(part) > 0:
            why = "the output is random, and a loss that is another at each look has no descent to follow"
        else:
            continue
        raise OptionError(
            f"the module holds a {title} in training mode: {why}",
            advice="Call module.eval() first: dropout is then off, and normalization uses its stored means.",
        )


def _dropped(part: nn.Module) -> float:
    """The share that a layer drops: dropout layers call it p, recurrent and attention layers dropout."""
    share = getattr(part, "p" if isinstance(part, _RANDOM) else "dropout", 0.0)
    return share if isinstance(share, int | float) else 0.0


def _flat(output: object, x: Tensor) -> Float[Tensor, "n"]:
    """(n,) or (n, 1) as (n,)."""
    rows = x.shape[0]
    if isinstance(output, Tensor) and output.shape in ((rows,), (rows, 1)):
        return output.reshape(rows)
    shape = tuple(output.shape) if isinstance(output, Tensor) else f"none: it is a {type(output).__name__}"
    raise DataError(
        f"for {rows} row{'s' * (rows != 1)} the module returns the shape {shape}",
        advice=f"One number for each row is wanted: ({rows},) or ({rows}, 1).",
    )
