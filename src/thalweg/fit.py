"""fit(): the story of a fit on one screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, cast, overload

from torch.nn import Module

from thalweg.check import check, checked_inference
from thalweg.conclude import Choices, conclude, warn
from thalweg.curves.fit import fit_curve
from thalweg.curves.language import is_equation
from thalweg.descent import Descent
from thalweg.errors import OptionError
from thalweg.foreign import check_arrays
from thalweg.foreign_solvers import solver_advice
from thalweg.losses.base import Family
from thalweg.objective import Objective
from thalweg.observers import History, adapted
from thalweg.observers.adapt import check_observer
from thalweg.observers.given import listed
from thalweg.predictors import Predictor
from thalweg.prepare import prepare
from thalweg.problem import Problem
from thalweg.result import Fit
from thalweg.solvers.base import Solver, State
from thalweg.solvers.choose import choose, start_vector
from thalweg.solvers.descent import DescentSolver
from thalweg.solvers.dispersion import solve_with_alpha
from thalweg.solvers.iterate import Observer, check_resume, solve
from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt
from thalweg.threads import one_thread

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.store.checkpoint import Checkpoint


@overload
def fit(formula: Predictor | Module, data: Any, **options: Any) -> Descent: ...
@overload
def fit(formula: str | Callable[..., Any], data: Any, **options: Any) -> Fit: ...
def fit(
    formula: str | Callable[..., Any] | Predictor | Module,
    data: Any = None,
    *more: Any,
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    weights: Any = None,
    weights_kind: str = "precision",
    offset: Any = None,
    exposure: Any = None,
    trials: Any = None,
    missing: str = "error",
    covariance: str | None = None,
    cluster: Any = None,
    level: float = 0.95,
    solver: Solver[Any] | None = None,
    stop: Callable[[State], object] | None = None,
    start: Mapping[str, float] | Sequence[float] | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Mapping[str, float] | Sequence[str] | None = None,
    positive: Sequence[str] | None = None,
    tied: Mapping[str, str] | None = None,
    by: str | None = None,
    shared: Sequence[str] | None = None,
    starts: int | None = None,
    seed: int = 0,
    max_iter: int = 100,
    tol: float = 1e-10,
    progress: Callable[[State], None] | None = None,
    observers: Sequence[Any] = (),
    checkpoint: str | Path | Checkpoint | None = None,
    resume: bool | None = None,
    **options: Any,
) -> Fit | Descent:
    """Fit a line ("y ~ x"), any curve ("y = a * exp(-b * x) + c"), or any predictor.

    Minimizes J(theta) = sum_i w_i loss(y_i, eta_i), with the loss half the family's unit deviance: maximum likelihood.
    Of a formula eta_i = x_i' theta + offset_i, of a curve eta_i = f(x_i; theta) + offset_i. A gaussian family with the
    identity link is least squares, solved exactly for a formula and to the last digits for a curve.

    Parameters
    ----------
    formula : str, function, Predictor or torch.nn.Module
        "response ~ terms" in the language of R and formulaic: ``y ~ x + C(group) + poly(z, 2) + a:b + offset(t)``.

        "response = expression" is a curve: names that are columns of the data are columns, all others are parameters;
        functions and named curves (``gaussian(x, a, mu, s)``) are those of `docs/curves.md`. A Python function of
        arrays or tensors is a curve too: arguments that are columns are read from the data, the others are parameters
        (``def decay(x, a, tau: thalweg.Positive, c)``), and ``y=`` names the response.

        Of a predictor (`thalweg.Elementwise()`) or a module, the parameters are found by descent, and a `Descent` comes
        back; ``y=`` and ``x=`` then name the columns that it reads: see `thalweg.train.fit_predictor`. A module starts
        from the values that it has and holds the fitted ones at the end: a second fit of the same module goes on from
        there. Give ``copy.deepcopy(module)`` to keep yours as it was.
    data : path, frame, mapping of arrays, or name
        A CSV, Parquet, Arrow/Feather or JSON-lines file, a folder or glob of them, "-" for standard input; a pandas,
        polars or pyarrow table; a mapping of names to lists, NumPy arrays or tensors (a 2-D array is a term of many
        columns); the name of a built-in data set (`thalweg.datasets`).
    family : str or Family, default "gaussian"
        gaussian, binomial, poisson, gamma, inverse_gaussian, negative_binomial, tweedie; huber, soft_l1 and cauchy,
        which outliers pull less. Its parameter is given by keyword: ``power=1.5`` (Tweedie), ``alpha=0.7`` (negative
        binomial; estimated where it is not given), ``scale=0.5`` (the last three: residuals beyond it count less; of a
        curve it is found from the residuals where it is not given).
    link : str, optional
        identity, log, logit, probit, cloglog, loglog, cauchit, inverse, inverse_squared, sqrt, power; by default the
        family's usual one.
    weights : str or array, optional
        A column, an expression, or an array with one entry per row, >= 0.
    weights_kind : {"precision", "frequency", "sampling", "absolute"}
        What a weight means, hence what standard errors follow: the inverse of a relative variance (R's weights), a
        count of equal rows, the inverse of a probability of being sampled (robust standard errors), or the inverse of a
        variance that is known (1 / sigma**2): standard errors are then not scaled by the residuals.
    offset, exposure : str or array, optional
        Added to eta as it is, and as its logarithm.
    trials : str or array, optional
        Numbers of trials behind a binomial response, which is then a proportion. For counts of successes write
        ``cbind(successes, trials - successes) ~ ...`` instead.
    missing : {"error", "drop"}
        What to do with rows that lack a value.
    covariance : {"model", "HC0", "HC1", "HC2", "HC3", "cluster"}, optional
        "model" unless the weights are sampling weights ("linearized") or `cluster` is given. In any case of letters.
    cluster : str or array, optional
        Labels of clusters within which rows may depend on each other.
    level : float, default 0.95
        Of confidence intervals, in (0, 1).
    solver : Solver, optional
        LeastSquares or Newton with options of their own (of a curve: LevenbergMarquardt), or a descent to watch:
        `thalweg.GradientDescent(lr=0.01)`.
    stop : rule, optional
        Ends a solve at the first state of which it is true: `thalweg.LossBelow(1.0) | thalweg.TimeLimit(60)`.
    start : mapping or sequence of float, optional
        Starting values by name or in the order of the columns. Those of a curve are found from the data where none are
        given.
    bounds : mapping of name to (low, high), optional
        Of a curve's parameters; None for no bound on that side. They hold at every step.
    fixed : mapping of name to value, or names, optional
        Parameters of a curve that are held: at the value, or at their start.
    positive : names, optional
        Parameters of a curve that are above 0. Those of named curves that must be so (widths, scales) need no mention.
    tied : mapping of name to expression, optional
        Parameters of a curve that are computed from others: ``{"s2": "2 * s1"}``.
    by, shared : str and names, optional
        Fits a curve to each group of this column: with parameters of its own each, but for the shared ones. Without
        `shared` the groups are fitted apart, and `Fits` come back.
    starts, seed : int
        From how many points a curve's minimum is searched: 1 from the given start only; by default from many where none
        is given, or where the first minimum is doubtful. The seed is that of these points.
    max_iter, tol :
        Of formulas, for Newton's method: most steps, and the distance from the optimum, in standard errors, at which to
        stop. Of curves they are the solver's: ``solver=thalweg.LevenbergMarquardt(max_steps=500)``.
    progress : callable, optional
        Called with each state of the solver, as `thalweg.observers.Progress` to see a line on standard error.
    observers : sequence of callables
        Called with each state too: `thalweg.observers.Log(every=100)`, and callbacks of scikit-learn. One that raises
        `thalweg.observers.Stop` ends the solve there.
    checkpoint : path or thalweg.observers.Checkpoint, optional
        Of a descent: where to keep its state, so that a fit that was killed goes on as if it had not been.
    resume : bool, optional
        Whether to go on from the checkpoint where there is one; by default a checkpoint that exists is an error.
    **options :
        Parameters of the family (alpha, power, scale) and of the link (exponent), and how to read a text file:
        delimiter, decimal, encoding, header, format, text (columns that are categories although they hold numbers).

    Returns
    -------
    Fit
        Of a predictor that is neither formula nor curve a `Descent`; of a curve with `by` and without `shared` `Fits`.

    Raises
    ------
    thalweg.errors.ThalwegError
        Everything that is wrong with the data, the formula or the options: what was found, where, what to do.

    Warns
    -----
    ConvergenceWarning, SeparationWarning, CollinearityWarning
    ThalwegWarning
        A text column with so many levels that it may be none of categories.

    References
    ----------
    McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., doi:10.1201/9780203753736.

    Examples
    --------
    >>> import thalweg as tw
    >>> fit = tw.fit("progression ~ bmi + bp", "diabetes")
    >>> {name: round(value, 4) for name, value in fit.coefficients.items()}
    {'Intercept': -203.6233, 'bmi': 8.519, 'bp': 1.3847}
    >>> round(fit.std_errors["bmi"], 4)
    0.7047
    >>> data = {"x": [0.0, 1.0, 2.0, 3.0, 4.0], "y": [2.1, 1.3, 0.9, 0.5, 0.3]}
    >>> {name: round(value, 3) for name, value in tw.fit("y = a * exp(-b * x)", data).coefficients.items()}
    {'a': 2.101, 'b': 0.462}
    """
    check_arrays(formula, data, more, options)
    if isinstance(formula, Predictor | Module) and not isinstance(solver, LevenbergMarquardt):
        told = locals()
        given = {name: told[name] for name in SIGNATURE if told[name] is not DEFAULTS[name]}
        return fitted_predictor(formula, data, given, options)
    if is_curve(formula):
        told = {**locals(), **options}
        given = {n: v for n, v in told.items() if n in options or (n in SIGNATURE and v is not DEFAULTS[n])}
        return fit_curve(formula, data, **given)
    refuse_curve_options({name: value for name, value in locals().items() if name in OF_CURVES})
    check_callables(solver, progress, *listed(observers))
    covariance = checked_inference(weights_kind, level, covariance)
    given = {"weights": weights, "offset": offset, "exposure": exposure, "trials": trials, "cluster": cluster}
    ready = prepare(
        cast(str, formula),
        data,
        family=family,
        link=link,
        given=given,
        missing=missing,
        options=options,
        known=SIGNATURE,
    )
    if ready.unknown_alpha:
        check_heeded(solver=solver, stop=stop, checkpoint=checkpoint, resume=resume)
    check_resume(resume, checkpoint)
    rows, model = ready.rows, ready.model
    history = History()
    watching: list[Observer] = [history, *([] if progress is None else [progress]), *map(adapted, listed(observers))]
    objective = Objective(rows, model)
    theta = start_vector(start, rows.spec.names)
    if theta is not None:
        theta = theta.to(objective.device)
    with nullcontext() if objective.large else one_thread():
        check(rows, model, weights_kind)
        target: Any = None
        if ready.unknown_alpha:
            model, solution = solve_with_alpha(rows, link, theta, watching, max_iter=max_iter, tol=tol)
        else:
            chosen = choose(model, max_iter=max_iter, tol=tol) if solver is None else solver
            target = chosen.target(objective, rows.spec.names)
            solution = solve(chosen, target, theta, watching, stop=stop, checkpoint=checkpoint, resume=resume)
        history.close()
        result = conclude(rows, model, solution, history, Choices(weights_kind, covariance, given, level))
        if isinstance(target, Problem):
            result = replace(result, descent=Descent(target, cast(DescentSolver, chosen), solution, history, rows))
    warn(result)
    return result


def is_curve(formula: Any) -> bool:
    """Whether the first argument of `fit` is a curve: "y = expression", or a function."""
    return is_equation(formula) if isinstance(formula, str) else callable(formula) and not isinstance(formula, type)


def check_heeded(**given: Any) -> None:
    """Refuse what a fit of several solves cannot heed: coefficients and alpha are found in turn, by Newton's method.

    Raises
    ------
    OptionError
    """
    for name, value in given.items():
        if value is not None:
            raise OptionError(
                f"{name}= is of one solve, and a negative binomial whose alpha is estimated takes several",
                advice="Leave it out, or give alpha too: a fit without it finds one and shows it in its summary.",
            )


DEFAULTS = {name: each.default for name, each in signature(fit).parameters.items() if each.kind is each.KEYWORD_ONLY}
SIGNATURE = tuple(DEFAULTS)


OF_FORMULAS = ("weights_kind", "exposure", "trials", "missing", "covariance", "cluster", "level", "max_iter", "tol")


OF_CURVES = ("bounds", "fixed", "positive", "tied", "by", "shared", "starts", "seed")


A_CURVE = 'A curve is written with "=" and names its parameters: "y = a * x + b".'
CURVES_HAVE = {"seed": "The order of rows has its seed with the solver: solver=thalweg.SGD(lr=0.1, seed=0)."}


def refuse_curve_options(given: Mapping[str, Any]) -> None:
    """Refuse, of a formula, what only curves have.

    Raises
    ------
    OptionError
    """
    for name, value in given.items():
        if value is not DEFAULTS[name] and value != DEFAULTS[name]:
            raise OptionError(f"{name}= is for curves, and this is a formula", advice=CURVES_HAVE.get(name, A_CURVE))


def fitted_predictor(predictor: Any, data: Any, given: Mapping[str, Any], options: Mapping[str, Any]) -> Descent:
    """The descent of a predictor that is no formula, without the options that only formulas have.

    Raises
    ------
    OptionError
        One of those.
    """
    from thalweg.train import fit_predictor

    for name in (*OF_FORMULAS, *OF_CURVES):
        if name in given:
            raise OptionError(
                f"{name}= is for formulas and curves, and this is a {type(predictor).__name__}",
                advice="Leave it out.",
            )
    return fit_predictor(predictor, data, **given, **options)


def check_callables(solver: Any, *watching: Any) -> None:
    """Refuse a solver that is none, as its name in quotes, and a progress or observer that cannot be called.

    Raises
    ------
    OptionError
    """
    if solver is not None and not isinstance(solver, Solver):
        raise OptionError(
            f"solver is {solver!r}",
            advice=solver_advice(solver),
        )
    for watcher in watching:
        if watcher is not None:
            check_observer(watcher)
