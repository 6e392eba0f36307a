"""Gradients compared: by hand, by autograd, by module, by the user's own function, and by differences of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.convention import CONVENTIONS
from thalweg.derivatives import DERIVATIVES, Given
from thalweg.difference import difference_gradient
from thalweg.errors import NotAvailableError, OptionError
from thalweg.losses.base import Family
from thalweg.objective import Objective
from thalweg.prepare import prepare
from thalweg.problem import MemoryProblem, problem_of
from thalweg.show.frames import frame, library_for
from thalweg.solvers.choose import start_vector
from thalweg.solvers.descent import DTYPES, first_point
from thalweg.train import problem_of_predictor

Gradient = Callable[[Mapping[str, Tensor], Tensor, Tensor], Mapping[str, Tensor] | Tensor]
"""A user's own: (parameters by name, x, y) -> a gradient for each name, or one flat vector."""

OWN, WITNESS = "own", "differences"
TRUSTED = 1e-6  # of the size of the terms: as far as differences of values are trusted
MOST_ENTRIES = 2**22  # of a Jacobian that is written out to learn the size of the terms


@final
@dataclass(frozen=True, eq=False)
class GradientsAt:
    """The gradients at one state of a descent.

    Attributes
    ----------
    step : int
    ways : mapping of str to Tensor, (p,)
        By "hand", "autograd", "module" (those that the predictor has), and "own".
    witness, witness_error : Tensor, (p,), float64
        Central differences of the loss in float64, and their own estimate of their error.
    terms : Tensor, (p,), float64
        The size of the terms that each entry sums: rounding is a fraction of this, not of the entry.
    bound : float
        That fraction: rounding errors are below bound * terms.
    """

    step: int
    ways: Mapping[str, Float[Tensor, "p"]]
    witness: Float[Tensor, "p"]
    witness_error: Float[Tensor, "p"]
    terms: Float[Tensor, "p"]
    bound: float

    def wrong(self, way: str) -> list[int]:
        """Entries of one way that differ from the first way by more than rounding."""
        first = next(iter(self.ways.values()))
        gap = (self.ways[way].double() - first.double()).abs()
        return _above(gap, 2 * self.bound * self.terms)

    def doubted(self) -> list[int]:
        """Entries of the first way that differences of values contradict."""
        first = next(iter(self.ways.values())).double()
        allowed = torch.maximum((TRUSTED + self.bound) * self.terms, 100 * self.witness_error)
        return _above((self.witness - first).abs(), allowed)


def _above(gap: Float[Tensor, "p"], allowed: Float[Tensor, "p"]) -> list[int]:
    """Where a gap is more than is allowed, or is no number."""
    return [int(j) for j in (~(gap <= allowed)).nonzero()]


@final
@dataclass(frozen=True, eq=False, repr=False)
class GradientComparison:
    """Gradients along a few steps of a descent, each computed in several ways; `print` it.

    Attributes
    ----------
    title : str
        What was compared.
    names : tuple of str
        Of the parameters.
    at : tuple of GradientsAt
        One for each step.
    bits : int
        Of a number: 53 (float64) or 24 (float32).
    library : str
        In whose frames `table` answers.

    Examples
    --------
    >>> import thalweg as tw
    >>> compared = tw.compare_gradients("y ~ x", {"x": [0.0, 1.0, 2.0], "y": [1.0, 3.0, 5.5]}, steps=2)
    >>> compared.ways, compared.agree
    (('hand', 'autograd', 'module'), True)
    """

    title: str
    names: tuple[str, ...]
    at: tuple[GradientsAt, ...]
    bits: int
    library: str

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways that were compared, differences of values apart."""
        return tuple(self.at[0].ways)

    @property
    def agree(self) -> bool:
        """Whether all ways agree to rounding, and differences of values do not contradict them."""
        return not any(self.wrong.values()) and not self.doubted

    @property
    def wrong(self) -> dict[str, tuple[str, ...]]:
        """For each way, the parameters for which it differs from the first way by more than rounding."""
        return {way: self._named([j for each in self.at for j in each.wrong(way)]) for way in self.ways}

    @property
    def doubted(self) -> tuple[str, ...]:
        """Parameters for which differences of values contradict the first way."""
        return self._named([j for each in self.at for j in each.doubted()])

    def _named(self, entries: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.names[j] for j in sorted(set(entries)))

    @property
    def largest_difference(self) -> float:
        """The largest absolute difference between two ways in any entry, differences of values apart."""
        spreads = [torch.stack([g.double() for g in each.ways.values()]) for each in self.at]
        return max(float((s.amax(0) - s.amin(0)).max()) for s in spreads)

    def table(self) -> Any:
        """A frame: step, parameter, one column for each way, differences, and their estimated error."""
        columns: dict[str, list[Any]] = {
            "step": [each.step for each in self.at for _ in self.names],
            "parameter": [name for _ in self.at for name in self.names],
        }
        for way in self.ways:
            columns[way] = [value for each in self.at for value in each.ways[way].double().tolist()]
        columns[WITNESS] = [value for each in self.at for value in each.witness.tolist()]
        columns["differences_error"] = [value for each in self.at for value in each.witness_error.tolist()]
        return frame(columns, self.library)

    def __str__(self) -> str:
        from thalweg.show.gradients import comparison_text

        return comparison_text(self)

    __repr__ = __str__


def compare_gradients(
    formula: Any,
    data: Any,
    *,
    steps: int = 5,
    lr: float | None = None,
    start: Mapping[str, float] | Sequence[float] | None = None,
    loss: str = "mean",
    family: str | Family | Mapping[str, Any] = "gaussian",
    link: str | None = None,
    gradient: Gradient | None = None,
    dtype: str = "float64",
    weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    trials: Any = None,
    missing: str = "error",
    **options: Any,
) -> GradientComparison:
    """Compute the gradient in every way there is, at each of a few steps of a descent, and hold them side by side.

    By hand, c sum_i w_i loss'(y_i, eta_i) d eta_i / d theta; by autograd, PyTorch's backward pass through the loss; by
    module, the same through an `nn.Module`; and, as a witness that knows no derivatives, central differences of the
    loss in float64 (`thalweg.difference`). They agree where they differ by no more than the rounding of the sums.

    Parameters
    ----------
    formula : str, Predictor or nn.Module
        As `thalweg.fit` reads it. A module is compared in its own type, from its own values, which stay as they are.
    data : anything that `thalweg.fit` reads
    steps : int, default 5
        States of the descent at which to compare, the start included; >= 1.
    lr : float, optional
        Learning rate, > 0; by default 1 / (the largest curvature at the start), halved where that raises the loss.
    start : mapping or sequence of float, optional
        Starting values, zero by default.
    loss : str, default "mean"
        "mean", "sum", "half mean" or "half sum" (`thalweg.convention`).
    family, link, weights, offset, exposure, trials, missing, **options
        As in `thalweg.fit`; of a predictor also x and y, the names of its columns.
    gradient : callable, optional
        Your own: (parameters by name, x, y) -> a gradient for each name, or one flat vector. For a formula x is the
        design matrix, (n, p), and y (n,). It shows as "yours", and a wrong entry is named.
    dtype : {"float64", "float32"}
        Of all ways but the differences of values.

    Returns
    -------
    GradientComparison
        `agree`, `wrong`, `largest_difference`, `table()`; printed, every number to 17 digits where they differ.

    Raises
    ------
    OptionError
        Options that do not exist, or a gradient that lacks a parameter or has another shape.
    NotAvailableError
        Data too large to be kept in memory.

    Examples
    --------
    >>> import thalweg as tw
    >>> compared = tw.compare_gradients("progression ~ bmi", "diabetes", steps=2)
    >>> compared.agree
    True
    >>> def half(theta, x, y):  # the gradient of half the mean: the factor 2 is missing
    ...     error = x @ torch.stack([theta["Intercept"], theta["bmi"]]) - y
    ...     return x.T @ error / len(y)
    >>> import torch
    >>> tw.compare_gradients("progression ~ bmi", "diabetes", steps=2, gradient=half).wrong["own"]
    ('Intercept', 'bmi')
    """
    _check(steps=steps, lr=lr, loss=loss, dtype=dtype, gradient=gradient)
    given = {"weights": weights, "offset": offset, "exposure": exposure, "trials": trials, "cluster": None}
    if isinstance(formula, str):
        ready = prepare(
            formula, data, family=family, link=link, given=given, missing=missing, options=options, known=SIGNATURE
        )
        objective = Objective(ready.rows, ready.model)
        problem = _in_memory(problem_of(objective, ready.rows.spec.names, loss))
        problem.objective = objective  # where zeros are no model, it knows a start that is one
        theta, title, library = start_vector(start, ready.rows.spec.names), formula, library_for(ready.rows.source)
    else:
        problem, theta = problem_of_predictor(
            formula, data, loss=loss, family=family, link=link, weights=weights, start=start, **options
        )
        title, library = type(getattr(formula, "original", formula)).__name__, library_for(None)
    found = _compared(problem, theta, steps=steps, lr=lr, gradient=gradient, dtype=DTYPES[dtype])
    digits = "float32" if found.bits == 24 else "float64"
    rows = f"{problem.rows} row{'s' * (problem.rows != 1)}"
    return replace(found, title=f'{title}: loss "{loss}", {rows}, {digits}{found.title}', library=library)


SIGNATURE = tuple(
    name for name, each in signature(compare_gradients).parameters.items() if each.kind is each.KEYWORD_ONLY
)


def _check(*, steps: Any, lr: Any, loss: str, dtype: str, gradient: Any) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise OptionError(f"steps is {steps!r}", advice="Give a whole number of steps, 1 or more.")
    if lr is not None and not (isinstance(lr, int | float) and 0 < lr < float("inf")):
        raise OptionError(f"lr is {lr!r}", advice="Give a learning rate above 0, or none: one is chosen.")
    if loss not in CONVENTIONS:
        raise OptionError(f"loss is {loss!r}", advice=f"Use one of {', '.join(map(repr, CONVENTIONS))}.")
    if dtype not in DTYPES:
        raise OptionError(f"dtype is {dtype!r}", advice=f"Use one of {', '.join(map(repr, DTYPES))}.")
    if gradient is not None and not callable(gradient):
        raise OptionError(f"gradient is {gradient!r}", advice="Give a function of (parameters, x, y).")


def _in_memory(problem: Any) -> MemoryProblem:
    if not isinstance(problem, MemoryProblem):
        raise NotAvailableError(
            "the data are too large to be kept in memory, and only derivatives by hand pass over them",
            advice="Compare gradients on some of the rows.",
        )
    return problem


def _compared(
    problem: MemoryProblem,
    theta: Float[Tensor, "p"] | None,
    *,
    steps: int,
    lr: float | None,
    gradient: Gradient | None,
    dtype: torch.dtype,
) -> GradientComparison:
    """Descend by the first way, comparing all of them at each state."""
    start = first_point(problem, theta)[0].double()
    short = _as_type(problem, problem.predictor.dtype or dtype)
    exact = _as_type(problem, torch.float64)
    rate = _stable_rate(exact, start) if lr is None else lr
    found, at = [], start.to(short.dtype)
    for step in range(steps):
        found.append(_gradients(exact, short, at, step, gradient))
        slope = next(iter(found[-1].ways.values()))
        at = at - (rate if lr is not None else _falling(exact, at.double(), slope.double(), rate)) * slope
        if not bool(torch.isfinite(at).all()):  # the rate that was given diverges: there is nothing to compare beyond
            break
    bits = 53 if short.dtype == torch.float64 else 24
    return GradientComparison(f", lr {rate:.3g}", problem.names, tuple(found), bits, "pyarrow")


def _as_type(problem: MemoryProblem, dtype: torch.dtype) -> MemoryProblem:
    """The same problem with its numbers in another type."""
    if problem.dtype == dtype:
        return problem
    parts = [
        part if part is None else part.to(dtype) for part in (problem.x, problem.y, problem.weight, problem.offset)
    ]
    x, y, weight, offset = parts
    assert x is not None
    assert y is not None
    return MemoryProblem(problem.predictor, x, y, problem.loss, problem.convention, weight=weight, offset=offset)


def _stable_rate(problem: MemoryProblem, theta: Float[Tensor, "p"], rounds: int = 30) -> float:
    """1 / the largest curvature at theta, by power iteration on Hessian-vector products."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(theta.numel(), generator=generator, dtype=theta.dtype).to(theta.device)
    size = 1.0
    for _ in range(rounds):
        v = problem.hessian_product(theta, v / torch.linalg.vector_norm(v))
        size = float(torch.linalg.vector_norm(v))
        if not 0 < size < float("inf"):
            return 1.0
    return 1 / size


def _falling(problem: MemoryProblem, at: Float[Tensor, "p"], slope: Float[Tensor, "p"], rate: float) -> float:
    """The rate, halved until it does not raise the loss: of other losses than squares the curvature may grow."""
    before = float(problem.value(at))
    for _ in range(60):
        if float(problem.value(at - rate * slope)) <= before:
            break
        rate /= 2
    return rate


def _gradients(
    problem: MemoryProblem, short: MemoryProblem, theta: Float[Tensor, "p"], step: int, own: Gradient | None
) -> GradientsAt:
    by_hand = short.predictor.by_hand  # a module's derivatives were never written down
    ways = {name: way(short, theta)[1] for name, way in DERIVATIVES.items() if by_hand or name != "hand"}
    if own is not None:
        ways[OWN] = Given(own).gradient(short, theta)
    exact = theta.double()
    witness, error = difference_gradient(problem, exact)
    rounding = torch.finfo(theta.dtype).eps * (problem.rows + len(problem.names) + 10)
    return GradientsAt(step, ways, witness, error, _size_of_terms(problem, exact, ways), rounding)


def _size_of_terms(problem: MemoryProblem, theta: Float[Tensor, "p"], ways: Mapping[str, Tensor]) -> Float[Tensor, "p"]:
    """c sum_i w_i |d eta_i / d theta_j| (|loss'_i| + |loss''_i| sum_k |d eta_i / d theta_k theta_k|): what rounds.

    The second term is the rounding of eta as it reaches loss'. Where the Jacobian is too large to be written out, the
    largest entry of the gradient stands for all.
    """
    x, y, weight, offset, factor = problem.part(None)
    if y.numel() * theta.numel() > MOST_ENTRIES:
        return torch.full_like(theta, float(max(g.abs().max() for g in ways.values())))
    jacobian = torch.autograd.functional.jacobian(lambda t: problem.predictor(t, x).reshape(-1), theta).abs()
    eta = problem.predictor(theta, x)
    _, slope, bend = problem.loss.terms(y, eta if offset is None else eta + offset, 2)
    row = slope.abs().reshape(-1) + bend.abs().reshape(-1) * (jacobian @ theta.abs() + y.abs().reshape(-1))
    return abs(factor) * (jacobian.T @ (row if weight is None else weight.reshape(-1) * row))
