"""A solve as its pictures need it: the path it took, in arrays, with the words for its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np
from jaxtyping import Bool, Float, Int

from thalweg.convention import is_squared
from thalweg.errors import NotAvailableError
from thalweg.show.curve import free_curve, is_curve

if TYPE_CHECKING:
    from thalweg.curves.curve import Curve
    from thalweg.data.rows import Rows
    from thalweg.descent import Descent
    from thalweg.losses.base import Loss
    from thalweg.observers import History
    from thalweg.problem import Problem
    from thalweg.result import Fit

GONE = 1e200  # what is larger has diverged: a logarithmic axis up to 1e308 overflows in its own ticks
_AWAY = 100.0  # times the loss at the start
_SQUARED = {
    "mean": "mean squared error",
    "sum": "sum of squared errors",
    "half mean": "half the mean squared error",
    "half sum": "half the sum of squared errors",
}


@final
@dataclass(frozen=True, eq=False)
class Run:
    """The states of a solve that were recorded.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    steps : array of int, (k,)
    path : array, (k, p)
        The parameters at those steps.
    value, gradient_size, rate : array, (k,)
        The loss, the size of its gradient and the learning rate at them.
    whole : array of bool, (k,)
        Where the loss is that of all rows, and not of a mini-batch.
    loss : Loss
        Of one row.
    loss_name : str
        What the values are, as "mean squared error".
    title : str
        The solver and its rate.
    ending : str
        How the solve ended, as "diverged".
    problem : Problem or None
        What was minimized, where that is known as a function of the parameters.
    rows : Rows or None
        The rows of a formula or a curve.
    curve : Curve or None
        As a function of the parameters of the path, those that were free.
    columns, response : tuple of str, str
        What x and y were read from where there was no formula.
    """

    names: tuple[str, ...]
    steps: Int[np.ndarray, "k"]
    path: Float[np.ndarray, "k p"]
    value: Float[np.ndarray, "k"]
    gradient_size: Float[np.ndarray, "k"]
    rate: Float[np.ndarray, "k"]
    whole: Bool[np.ndarray, "k"]
    loss: Loss
    loss_name: str
    title: str
    ending: str
    problem: Problem | None = None
    rows: Rows | None = None
    curve: Curve | None = None
    columns: tuple[str, ...] = ()
    response: str = ""

    def __len__(self) -> int:
        return len(self.steps)

    def at(self, chosen: Int[np.ndarray, "m"] | slice) -> Run:
        """Some of the states."""
        columns = ("steps", "path", "value", "gradient_size", "rate", "whole")
        return replace(self, **{name: getattr(self, name)[chosen] for name in columns})

    @property
    def ran_away(self) -> bool:
        """Whether the descent diverged, or ended far above its start."""
        return self.ending == "diverged" or not self.value[-1] <= _AWAY * abs(self.value[0]) + _AWAY * abs(
            self.value.min()
        )

    def finite(self) -> Run:
        """The states before the first that cannot be drawn, at least the first: of a descent that diverged."""
        bad = ~((np.abs(self.value) < GONE) & (np.abs(self.path) < GONE).all(axis=1))  # NaN is bad too
        return self.at(slice(0, max(1, int(bad.argmax())))) if bad.any() else self


def run_of(what: Fit | Descent) -> Run:
    """The run behind a fit (by any solver) or a descent.

    Raises
    ------
    NotAvailableError
        A model that was loaded from a file: it holds no states.
    """
    descent = getattr(what, "descent", None) if hasattr(what, "spec") else what
    return _of_fit(cast("Fit", what)) if descent is None else _of_descent(descent)


def _of_descent(descent: Descent) -> Run:
    problem = descent.problem
    return Run(
        descent.names,
        **_columns(descent.trace),
        loss=problem.loss,
        loss_name=loss_name(problem.loss, problem.convention),
        title=solver_title(descent.solver, descent.trace.rate),
        ending=descent.solution.status.value,
        problem=problem,
        rows=descent.rows,
        columns=getattr(descent, "columns", ()),
        response=getattr(descent, "response", ""),
    )


def _of_fit(fit: Fit) -> Run:
    if fit.trace is None or fit.solution is None or not len(fit.trace):
        raise NotAvailableError(
            "this model was loaded from a file, and model files hold no steps", advice="Fit again to see them."
        )
    squared = is_squared(fit.family)
    if is_curve(fit):
        return _of_curve(fit, fit.trace, squared)
    return Run(
        fit.names,
        **_columns(fit.trace),
        loss=fit.family,
        loss_name=_SQUARED["half sum"] if squared else _likelihood(fit.family, "sum"),
        title="Least squares" if squared and fit.family.link.name == "identity" else "Newton's method",
        ending=fit.solution.status.value,
        rows=fit.rows,
    )


def _of_curve(fit: Fit, trace: History, squared: bool) -> Run:
    from thalweg.show.plots.curve_loss import CurveLoss

    assert fit.rows is not None
    assert fit.solution is not None
    curve = free_curve(fit)
    return Run(
        curve.parameters,
        **_columns(trace),
        loss=fit.family,
        loss_name=_SQUARED["half sum"] if squared else f"sum of {fit.family.title} losses",
        title="Levenberg-Marquardt",
        ending=fit.solution.status.value,
        problem=cast("Problem", CurveLoss(curve, fit.rows, fit.family)),
        rows=fit.rows,
        curve=curve,
    )


def _columns(trace: History) -> dict[str, Any]:
    """The recorded columns as arrays."""
    if not len(trace):
        raise NotAvailableError("this solve recorded no states, so there is nothing to draw")
    return {
        "steps": np.array(trace.step, dtype=np.int64),
        "path": trace.path.numpy(),
        "value": np.array(trace.value, dtype=np.float64),
        "gradient_size": np.array(trace.gradient_size, dtype=np.float64),
        "rate": np.array(trace.rate, dtype=np.float64),
        "whole": np.array(trace.whole, dtype=np.bool_),
    }


def loss_name(loss: Loss, convention: str) -> str:
    """What a loss in this convention is called, as an axis shows it."""
    return _SQUARED[convention] if is_squared(loss) else _likelihood(loss, convention)


def _likelihood(loss: Loss, convention: str) -> str:
    """Of a loss that is half a deviance: -log L itself where the response is 0 or 1."""
    if loss.name == "binomial":
        return "mean negative log-likelihood" if convention == "mean" else "negative log-likelihood"
    return "half the mean deviance" if convention == "mean" else "half the deviance"


def solver_title(solver: object, rates: Sequence[float] = ()) -> str:
    """A descent's own title; of what is no descent, the name of its class."""
    title = getattr(solver, "title", None)
    return str(title(rates)) if callable(title) else type(solver).__name__
