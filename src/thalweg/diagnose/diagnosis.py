"""Before a descent: which learning rates its problem bears, how long it will take, and what would make it quicker.

    exact        squared loss of a linear predictor: its Hessian is the same everywhere
    bound        logistic loss: the largest curvature is bounded for every theta by that of X'WX / 4
    estimate     any other: the Hessian at the start (and at the optimum, where Newton's method finds it)

Numbers of steps are those until the excess f - f* is `tol` of what it was at the start. Of a squared loss they are
exact (`thalweg.diagnose.recursion`); of others they come from the Hessian at the optimum, and are called estimates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.data.tokens import shorten
from thalweg.diagnose.blame import Blame, blame_of, collinear
from thalweg.diagnose.columns import Columns, columns_of
from thalweg.diagnose.optimum import optimum_of
from thalweg.diagnose.prospects import Prospects
from thalweg.diagnose.rates import contraction, growth, polyak, stable_limit
from thalweg.diagnose.spectrum import Spectrum, spectrum_of
from thalweg.diagnose.standardized import Changed, correlations
from thalweg.diagnose.words import settable_pair
from thalweg.errors import FormulaError, OptionError
from thalweg.losses.base import Family
from thalweg.problem import Problem

if TYPE_CHECKING:
    from thalweg.diagnose.after import After


@final
@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What can be known of a descent before its first step; `print` it.

    Attributes
    ----------
    title : str
        The formula, or the kind of predictor.
    names : tuple of str
        Of the parameters.
    rows : int
    loss, convention : str
        The family's name, and how rows are added up.
    kind : str
        "exact", "bound" or "estimate": how well the curvature is known.
    spectrum : Spectrum
        Its eigenvalues at the start.
    largest, smallest : float
        L and mu: the largest curvature that is known on the way, and the smallest positive one at the optimum.
    limit : float
        The stable limit, with the momentum that was told.
    fastest, contraction : float
        The fastest plain rate, cut to three digits, and what a step of it multiplies the distance by in the long run.
    best : tuple of float
        (lr, momentum) of the fastest heavy ball.
    steps : mapping of str to float
        "lr" (the rate that was told), "fastest", "best": steps until the excess is `tol` of what it was; inf: never;
        NaN: not known.
    lr, momentum, nesterov :
        As told; lr is None where it was not.
    growth : float
        What a step with them multiplies the excess by in the long run; NaN without lr.
    tol : float
    start_value, least : float
        The loss at the start, and the least (NaN where Newton's method finds no minimum).
    separated : bool
        The classes are separated: there is no minimum.
    columns : Columns or None
        The columns of the design.
    centred, standardized : Changed or None
        What changing the columns would do.
    blame : Blame
        The column that sets the largest curvature.
    collinear : str
        Columns that are nearly combinations of one another, in words.
    after : After or None
        Where a descent has ended (`Descent.diagnose`).
    """

    title: str
    names: tuple[str, ...]
    rows: int
    loss: str
    convention: str
    kind: str
    spectrum: Spectrum
    largest: float
    smallest: float
    limit: float
    fastest: float
    contraction: float
    best: tuple[float, float]
    steps: Mapping[str, float]
    lr: float | None
    momentum: float
    nesterov: bool
    growth: float
    tol: float
    start_value: float
    least: float
    separated: bool
    columns: Columns | None
    centred: Changed | None
    standardized: Changed | None
    blame: Blame
    collinear: str
    after: After | None = None

    @property
    def condition(self) -> float:
        """L / mu."""
        return self.largest / self.smallest if self.smallest > 0 else 1.0

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers, lists and text, for JSON: what is not finite is None."""
        from thalweg.diagnose.text import as_document

        return as_document(self)

    def __str__(self) -> str:
        from thalweg.diagnose.text import as_text

        return as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from thalweg.diagnose.text import as_html

        return as_html(self)


def diagnose(
    formula: Any,
    data: Any,
    *,
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    trials: Any = None,
    missing: str = "error",
    loss: str = "mean",
    lr: float | None = None,
    momentum: float = 0.0,
    nesterov: bool = False,
    tol: float = 1e-6,
    start: Mapping[str, float] | Sequence[float] | None = None,
    **options: Any,
) -> Diagnosis:
    """Say which learning rates a descent bears, how many steps it takes, and which column makes it slow.

    Parameters
    ----------
    formula : str, Predictor or nn.Module
        As `thalweg.fit` reads it.
    data : anything that `thalweg.fit` reads
    family, link, weights, offset, exposure, trials, missing, **options
        As in `thalweg.fit`.
    loss : {"mean", "sum", "half mean", "half sum"}
        How rows are added up (`thalweg.convention`): it changes what a learning rate means.
    lr, momentum, nesterov :
        A learning rate to be judged, > 0, and a momentum >= 0.
    tol : float
        The part of the excess loss at the start that may be left, in (0, 1).
    start : mapping or sequence of float, optional
        Where the descent begins: zeros by default.

    Raises
    ------
    OptionError
        A rate, momentum or tolerance out of range.
    thalweg.errors.ThalwegError
        What `thalweg.fit` would find wrong with formula, data and family.

    References
    ----------
    Nesterov (2004), doi:10.1007/978-1-4419-8853-9; Polyak (1964), doi:10.1016/0041-5553(64)90137-5.

    Examples
    --------
    >>> import thalweg as tw
    >>> from thalweg.diagnose.diagnosis import diagnose
    >>> found = diagnose("y ~ x", {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.0, 5.0, 8.0]}, lr=0.5)
    >>> round(found.limit, 4), found.fastest, found.steps["fastest"], found.standardized.steps
    (0.238, 0.222, 48, 1)
    """
    _check(lr, momentum, tol)
    if isinstance(formula, Problem):
        raise OptionError("this is a Problem", advice="Use thalweg.diagnose.diagnosis.diagnose_problem.")
    if not isinstance(formula, str):
        return _of_predictor(
            formula, data, tol=tol, lr=lr, momentum=momentum, nesterov=nesterov,
            loss=loss, family=family, link=link, weights=weights, offset=offset, start=start, **options,
        )  # fmt: skip
    refuse_curve(formula)
    from thalweg.check import check
    from thalweg.objective import Objective
    from thalweg.prepare import prepare
    from thalweg.problem import problem_of
    from thalweg.solvers.choose import start_vector

    given = {"weights": weights, "offset": offset, "exposure": exposure, "trials": trials, "cluster": None}
    ready = prepare(
        formula, data, family=family, link=link, given=given, missing=missing, options=options, known=SIGNATURE
    )
    names = ready.rows.spec.names
    theta = start_vector(start, names)
    check(ready.rows, ready.model, "precision")
    objective = Objective(ready.rows, ready.model)
    problem = problem_of(objective, names, loss)
    problem.objective = objective
    return diagnose_problem(problem, lr=lr, momentum=momentum, nesterov=nesterov, start=theta, tol=tol, title=formula)


def refuse_curve(formula: str) -> None:
    """Refuse a curve, of which a fit says more.

    Raises
    ------
    FormulaError
    """
    from thalweg.curves.language import is_equation

    if is_equation(formula):
        raise FormulaError(
            f"diagnose is of formulas (~), and {shorten(formula)!r} is a curve",
            advice="Fit it and read its notes, or watch a descent:"
            " tw.fit(curve, data, start=..., solver=tw.GradientDescent(...)).diagnose().",
        )


SIGNATURE = tuple(name for name, each in signature(diagnose).parameters.items() if each.kind is each.KEYWORD_ONLY)


def _check(lr: Any, momentum: Any, tol: Any) -> None:
    for name, value, most, advice in (
        ("lr", lr, math.inf, "Give a learning rate above 0, or none."),
        ("tol", tol, 1.0, "Give the part of the excess that may be left, as 1e-6."),
    ):
        if value is not None and not (isinstance(value, int | float) and 0 < value < most):
            raise OptionError(f"{name} is {value!r}", advice=advice)
    if not (isinstance(momentum, int | float) and 0 <= momentum <= 1):
        raise OptionError(f"momentum is {momentum!r}", advice="Give a number from 0 to 1.")


def _of_predictor(
    predictor: Any, data: Any, *, tol: float, lr: float | None, momentum: float, nesterov: bool, **options: Any
) -> Diagnosis:
    from thalweg.train import problem_of_predictor

    problem, theta = problem_of_predictor(predictor, data, **options)
    title = type(predictor).__name__
    return diagnose_problem(problem, lr=lr, momentum=momentum, nesterov=nesterov, start=theta, tol=tol, title=title)


def diagnose_problem(
    problem: Problem,
    *,
    lr: float | None = None,
    momentum: float = 0.0,
    nesterov: bool = False,
    start: Float[Tensor, "p"] | None = None,
    tol: float = 1e-6,
    title: str = "",
) -> Diagnosis:
    """The diagnosis of a problem; the parameters are those of `diagnose`."""
    theta = starting(problem, start)
    spectrum, columns, optimum = spectrum_of(problem, theta), columns_of(problem), optimum_of(problem, theta)
    prospects = Prospects(problem, theta, spectrum, optimum, tol)
    largest, smallest = prospects.ends
    best = settable_pair(*polyak(largest, smallest)) if smallest > 0 else (math.inf, 0.0)
    from thalweg.diagnose.separated import separated

    return Diagnosis(
        title=title or _title(problem),
        names=problem.names,
        rows=problem.rows,
        loss=problem.loss.name,
        convention=problem.convention,
        kind=spectrum.kind,
        spectrum=spectrum,
        largest=largest,
        smallest=smallest,
        limit=stable_limit(largest, momentum, nesterov),
        fastest=prospects.fastest,
        contraction=contraction(largest, smallest),
        best=best,
        steps={
            "lr": prospects.steps(lr, momentum, nesterov),
            "fastest": prospects.steps(prospects.fastest),
            "best": prospects.steps(*best),
        },
        lr=lr,
        momentum=momentum,
        nesterov=nesterov,
        growth=math.nan if lr is None else growth(torch.tensor([largest, smallest]).double(), lr, momentum, nesterov),
        tol=tol,
        start_value=float(problem.value(theta)),
        least=math.nan if optimum is None else optimum.least,
        separated=optimum is None and separated(problem),
        columns=columns,
        centred=prospects.changed(columns, "centred"),
        standardized=prospects.changed(columns, "standardized"),
        blame=blame_of(problem, spectrum, columns),
        collinear=collinear(columns, None if columns is None else correlations(problem, columns)),
    )


def _title(problem: Problem) -> str:
    """A curve as it was written; of any other the name of its class."""
    predictor = getattr(problem, "predictor", problem)
    return str(getattr(predictor, "text", type(predictor).__name__))


def starting(problem: Problem, start: Float[Tensor, "p"] | None) -> Float[Tensor, "p"]:
    """The start that was given; else zeros, or where they are outside the family's domain a constant mean."""
    from thalweg.solvers.descent import first_point

    return first_point(problem, start)[0]
