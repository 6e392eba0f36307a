"""A fit as an `nn.Module`: the same means, with a `state_dict`, to take along into PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast, overload

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.losses.base import Family, Loss
from thalweg.predictors import Linear

if TYPE_CHECKING:
    from thalweg.descent import Descent
    from thalweg.predictors import Predictor
    from thalweg.problem import Problem


@overload
def module_of(source: Descent) -> nn.Module: ...
@overload
def module_of(source: Problem, theta: Float[Tensor, "p"]) -> nn.Module: ...
@overload
def module_of(source: Sequence[str], theta: Float[Tensor, "p"], family: Loss) -> nn.Module: ...
def module_of(
    source: Descent | Problem | Sequence[str], theta: Float[Tensor, "p"] | None = None, family: Loss | None = None
) -> nn.Module:
    """The fitted model as a module, in the type and on the device of theta.

    Parameters
    ----------
    source : Descent, Problem, or the names of a formula's columns
    theta : Tensor, (p,)
        The parameters; a descent has its own.
    family : Family
        Whose inverse link is applied; a descent and a problem have their own.

    Returns
    -------
    nn.Module
        Of a formula: `thalweg.predictors.linear.LinearModule`, one `nn.Linear` ("linear.weight" (1, k), and
        "linear.bias" where there is an intercept). It is given the design's columns without the intercept, in the order
        of `fit.names`, (n, k), and the offset where there is one, and returns the means (n,).
        Of an elementwise predictor: the parameters "w" and "b"; the means in the shape of x.
        Of a user's module: a copy of it with the fitted values, which returns eta as it always did.

    Examples
    --------
    >>> import thalweg as tw
    >>> from thalweg.modules import module_of
    >>> fit = tw.fit("progression ~ bmi + bp", "diabetes")
    >>> module = module_of(fit.names, fit.theta, fit.family)
    >>> module(torch.tensor([[21.0, 90.0]], dtype=torch.float64)).detach().numpy().round(1)
    array([99.9])
    """
    if family is not None:
        assert theta is not None
        return _filled(Linear(tuple(cast("Sequence[str]", source))), theta, family)
    if hasattr(source, "solution"):
        descent = cast("Descent", source)
        return module_of(descent.problem, descent.solution.theta.to(descent.problem.dtype))
    problem = cast("Problem", source)
    predictor = getattr(problem, "predictor", None) or Linear(problem.names)
    start = torch.zeros(len(problem.names), dtype=problem.dtype, device=problem.device)
    return _filled(predictor, start if theta is None else theta, problem.loss)


def _filled(predictor: Predictor, theta: Float[Tensor, "p"], loss: Loss) -> nn.Module:
    """The predictor's module with these parameters."""
    module = predictor.module(inverse_of(loss)).to(dtype=theta.dtype, device=theta.device)
    with torch.no_grad():
        for name, value in predictor.state(theta).items():
            module.get_parameter(name).copy_(value)
    return module


def inverse_of(loss: Loss) -> Callable[[Tensor], Tensor] | None:
    """h, or None for the identity."""
    if not isinstance(loss, Family) or loss.link.name == "identity":
        return None
    return loss.link.inverse
