"""fit() of a predictor that is no formula: an elementwise one, a user's `nn.Module`, any `Predictor`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from thalweg.conclude import warn_of_ending
from thalweg.derivatives import Derivative, derivative_of
from thalweg.descent import Descent
from thalweg.errors import DataError, OptionError
from thalweg.foreign import check_options
from thalweg.foreign_solvers import solver_advice
from thalweg.inputs import Table, as_number, beside, check_finite, table_of, weights_of
from thalweg.losses import check_response
from thalweg.losses import family as family_named
from thalweg.losses.base import Family
from thalweg.objective import LARGE
from thalweg.observers import History
from thalweg.observers.given import listed
from thalweg.predictors import ModulePredictor, Predictor
from thalweg.problem import MemoryProblem, device_of
from thalweg.solvers.base import Solver
from thalweg.solvers.descent import DTYPES, DescentSolver
from thalweg.solvers.iterate import check_resume, solve
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.solvers.base import State


def fit_predictor(
    predictor: Predictor | nn.Module,
    data: Any,
    *,
    y: str = "y",
    x: str | Sequence[str] | None = None,
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    weights: Any = None,
    offset: Any = None,
    solver: DescentSolver | None = None,
    start: Mapping[str, Any] | Sequence[float] | Tensor | None = None,
    stop: Any = None,
    observers: Sequence[Any] = (),
    progress: Callable[[State], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool | None = None,
    **options: Any,
) -> Descent:
    """Fit a predictor by descent: what `thalweg.fit` does when its first argument is no formula.

    Minimizes c sum_i w_i loss(y_i, eta_i) with eta = predictor(x), c by the solver's convention.

    Parameters
    ----------
    predictor : Predictor or nn.Module
        `thalweg.Elementwise()`, or a module of which eta is the output; a module starts from its own values, and holds
        the fitted ones at the end.
    data : mapping of tensors or arrays of any shape, or anything that `fit` reads
    y : str
        The response.
    x : str or list of str, optional
        What the predictor reads: all other columns by default, in their order. Several columns stand side by side as
        (n, k); a single one of more than one dimension stays as it is.
    family, link :
        As for `fit`.
    weights, offset : str or array, optional
        One for each entry of y: a weight >= 0, and what is added to eta.
    solver : descent solver, optional
        L-BFGS by default.
    start : mapping of name to values, or flat sequence, optional
        Of the parameters, in their own shapes: ``start={"w": [1.0, 2.0], "b": 0.0}``; a parameter that is not named
        starts where it would without.
    stop, observers, progress, checkpoint, resume :
        As for `fit`.
    **options :
        Parameters of the family (alpha, power) and of the link (exponent).

    Returns
    -------
    Descent

    Raises
    ------
    DataError
        Shapes that do not fit, missing values, a response outside the family's domain.
    OptionError
        A start of another shape, or a module that cannot be fitted.

    Warns
    -----
    ConvergenceWarning, DivergenceWarning

    Examples
    --------
    >>> import torch, warnings
    >>> import thalweg as tw
    >>> from thalweg.predictors import Elementwise
    >>> from thalweg.train import fit_predictor
    >>> data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # 100 steps are not enough, and it says so
    ...     solver = tw.GradientDescent(lr=0.01, steps=100)
    ...     descent = fit_predictor(Elementwise(), data, solver=solver, start={"w": [1.0, 2.0], "b": 0.0})
    >>> {name: value.numpy().round(4).tolist() for name, value in descent.parameters.items()}
    {'w': [51.826, -9.4314], 'b': 45.1103}
    """
    check_resume(resume, checkpoint)
    chosen = _solver(solver)
    problem, theta = problem_of_predictor(
        predictor,
        data,
        y=y,
        x=x,
        family=family,
        link=link,
        weights=weights,
        offset=offset,
        start=start,
        loss=chosen.loss,
        dtype=chosen.dtype,
        device=chosen.device,
        derivative=chosen.derivative,
        **options,
    )
    history = History()
    watching = [history, *([] if progress is None else [progress]), *listed(observers)]
    with nullcontext() if problem.x.numel() + problem.rows > LARGE else one_thread():
        solution = solve(chosen, problem, theta, watching, stop=stop, checkpoint=checkpoint, resume=resume)
    history.close()
    problem.predictor.adopt(solution.theta)
    warn_of_ending(solution)
    return Descent(problem, chosen, solution, history, columns=problem.columns, response=y)


def problem_of_predictor(
    predictor: Predictor | nn.Module,
    data: Any,
    *,
    y: str = "y",
    x: str | Sequence[str] | None = None,
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    weights: Any = None,
    offset: Any = None,
    start: Mapping[str, Any] | Sequence[float] | Tensor | None = None,
    loss: str = "mean",
    dtype: str = "float64",
    device: str | torch.device | None = None,
    derivative: str | Derivative | Callable[..., Any] = "hand",
    **options: Any,
) -> tuple[MemoryProblem, Float[Tensor, "p"]]:
    """What `fit_predictor` minimizes, and from where; its parameters, with those that a solver gives.

    Raises
    ------
    DataError, OptionError
        As `fit_predictor`.
    """
    check_options(options, SIGNATURE)
    kind, model, table = _predictor(predictor), family_named(family, link, **options), table_of(data)
    read = _read(kind, table, y, x, (weights, offset), model)
    where = _place(kind, dtype, device, read.x)
    given_x, response = read.x.to(**where), read.y.to(**where)
    bound = kind.bind(given_x, response)
    problem = MemoryProblem(
        bound,
        given_x,
        response,
        model,
        loss,
        weight=None if read.weight is None else read.weight.to(response),
        offset=None if read.offset is None else read.offset.to(response),
        derivative=derivative_of(derivative),
    )
    problem.columns = read.columns
    return problem, start_of_predictor(bound, start)


@final
@dataclass(frozen=True)
class Read:
    """x, y, weights and offset as the data have them, and the columns that x was made of."""

    x: Tensor
    y: Tensor
    weight: Tensor | None
    offset: Tensor | None
    columns: tuple[str, ...]


def _predictor(given: Any) -> Predictor:
    if isinstance(given, Predictor):
        return given
    if isinstance(given, type) and issubclass(given, Predictor | nn.Module):
        raise OptionError(f"{given.__name__} is a class", advice=f"Give an object: {given.__name__}(...).")
    if not isinstance(given, nn.Module):
        raise OptionError(
            f"the model is {given!r:.60}", advice="Give a formula, thalweg.Elementwise(), or an nn.Module."
        )
    return ModulePredictor(given)


def _solver(solver: Any) -> DescentSolver:
    if solver is None:
        from thalweg.solvers.lbfgs import LBFGS

        return LBFGS()
    if not isinstance(solver, DescentSolver):
        raise OptionError(
            f"solver is {solver!r}, and a predictor without a formula is fitted by descent",
            advice="Give GradientDescent(lr=...), SGD, TorchOptimizer or LBFGS, or none: L-BFGS is then chosen."
            if isinstance(solver, Solver)
            else solver_advice(solver, descent=True),
        )
    return solver


def _read(
    predictor: Predictor, table: Table, y: str, x: str | Sequence[str] | None, roles: tuple[Any, Any], model: Family
) -> Read:
    """The columns that take part, looked at before the first step."""
    response = as_number(table.columns([y])[y], y, labels=model.name == "binomial")
    check_finite(response, y, table.place)
    flat = response.reshape(-1)
    index = table.place if response.dim() == 1 else lambda entry: f"entry {entry} of {y!r}, counted from 0,"
    check_response(model, flat, 0, index)
    apart = {y, *(role for role in roles if isinstance(role, str))}
    names = [name for name in table.names if name not in apart] if x is None else [x] if isinstance(x, str) else [*x]
    if not names:
        raise DataError(f"there is no column but {y!r}", advice="Name what the predictor reads: x='x'.")
    if twice := {name for name in names if names.count(name) > 1 or name == y}:
        raise OptionError(f"x names {', '.join(map(repr, sorted(twice)))} twice, or names the response")
    columns = table.numbers(names)
    response = flat if predictor.rowwise and response.numel() == len(response) else response
    weight, offset = weights_of(roles[0], table, response), beside(roles[1], "offset", table, response)
    return Read(predictor.assemble(columns), response, weight, offset, tuple(names))


SIGNATURE = tuple(n for n, each in signature(fit_predictor).parameters.items() if each.kind is each.KEYWORD_ONLY)


def _place(predictor: Predictor, dtype: str, device: str | torch.device | None, x: Tensor) -> dict[str, Any]:
    """The type and device of the descent: the module's own, or those that are asked for."""
    wanted, place = DTYPES[dtype], device_of(device)
    if predictor.dtype is None:
        return {"dtype": wanted, "device": x.device if place is None else place}
    if predictor.dtype == torch.float64 and wanted == torch.float32:
        raise OptionError(
            "dtype='float32' is asked for, and the module's parameters are float64",
            advice="A module computes in its own type: write module.float() first.",
        )
    if place is not None and predictor.device is not None and place.type != predictor.device.type:
        raise OptionError(
            f"the module is on {predictor.device}, not on {place}", advice=f"Write module.to({place.type!r}) first."
        )
    return {"dtype": predictor.dtype, "device": predictor.device}


def start_of_predictor(
    predictor: Predictor, start: Mapping[str, Any] | Sequence[float] | Tensor | None
) -> Float[Tensor, "p"]:
    """The user's start, and the predictor's own for what that leaves open.

    Raises
    ------
    OptionError
        A name that is no parameter, values of another shape, or values that are not finite.
    """
    own = predictor.start()
    if start is None:
        return own
    if not isinstance(start, Mapping):
        flat = _values(start, "start", own).reshape(-1)
        if flat.numel() != predictor.size:
            raise OptionError(
                f"start has {flat.numel()} values for {predictor.size} parameters",
                advice=f"Give them by name: {', '.join(predictor.shapes)}.",
            )
        return flat
    parameters = predictor.split(own.clone())
    for name, given in start.items():
        if name not in parameters:
            raise OptionError(
                f"start has the unknown name {name!r}", advice=f"The parameters are {', '.join(parameters)}."
            )
        value, shape = _values(given, name, own), tuple(parameters[name].shape)
        if tuple(value.shape) != shape and not value.numel() == math.prod(shape) == 1:
            raise OptionError(f"start of {name} has the shape {tuple(value.shape)}, and {name} has {shape}")
        parameters[name].copy_(value.reshape(shape))
    return predictor.join(parameters)


def _values(given: Any, name: str, like: Tensor) -> Tensor:
    try:
        value = torch.as_tensor(given).detach().to(like)
    except (TypeError, ValueError, RuntimeError):
        raise OptionError(f"start of {name} is {given!r:.60}", advice="Give numbers.") from None
    if not bool(torch.isfinite(value).all()):
        raise OptionError(f"start of {name} holds a value that is not finite")
    return value
