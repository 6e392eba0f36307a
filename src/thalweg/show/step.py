"""One step of a descent as text."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from thalweg.convention import is_mean, is_squared, per_unit
from thalweg.show.numbers import elide
from thalweg.show.plots.run import solver_title

if TYPE_CHECKING:
    from thalweg.explain import Step
    from thalweg.predictors.curve import CurvePredictor
    from thalweg.problem import MemoryProblem, Problem

MOST_ROWS, FIRST_ROWS = 8, 3  # up to so many rows all are shown, of more the first
MOST_COLUMNS, MOST_NAMES = 4, 10  # of the design in the table; parameters whose gradient is written out
WIDTH = 110
_MINUS_Y = {("gaussian", "identity"), ("binomial", "logit"), ("poisson", "log")}  # whose loss' is mu - y


def step_text(step: Step) -> str:
    """Everything, in five parts."""
    rows = _rows(step)
    parts = [_heading(step)]
    if rows is not None:
        parts += [_predictions(step, rows), _loss(step, rows)]
    parts += [_gradient(step, rows), _update(step), _afterwards(step)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def number(value: float, digits: int = 7) -> str:
    """A number with so many digits at most.

    Examples
    --------
    >>> number(0.1), number(-17.0), number(1 / 3)
    ('0.1', '-17', '0.3333333')
    """
    return f"{value:.{digits}g}" if value else "0"  # not -0


def signed(value: float, digits: int = 7) -> str:
    """The same after an operator: negative ones in brackets."""
    text = number(value, digits)
    return f"({text})" if text.startswith("-") else text


# --- the rows -------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, eq=False)
class RowTable:
    """What a step sees of its rows.

    Attributes
    ----------
    numbers : Tensor of int64, (n,)
        Of the rows, from 1.
    y, eta, mu, slope, loss, weight : Tensor, (n,)
        Slope is loss' in eta times the weight; loss that of the row (of squared errors the square) times the weight.
    columns : mapping of str to Tensor, (n,)
        d eta_i / d theta_j of the parameters that are written out: for a formula the columns of its design.
    """

    numbers: Int[Tensor, "n"]
    y: Float[Tensor, "n"]
    eta: Float[Tensor, "n"]
    mu: Float[Tensor, "n"]
    slope: Float[Tensor, "n"]
    loss: Float[Tensor, "n"]
    weight: Float[Tensor, "n"] | None
    columns: dict[str, Float[Tensor, "n"]]


def _rows(step: Step) -> RowTable | None:
    """The rows, where they are in memory."""
    if not hasattr(step.descent.problem, "part"):
        return None
    problem = cast("MemoryProblem", step.descent.problem)
    x, y, weight, offset, _ = problem.part(step.batch)
    eta = problem.predictor(step.theta, x)
    eta = (eta if offset is None else eta + offset).detach()
    loss, slope = problem.loss.terms(y, eta, 1)
    loss, slope = (each if weight is None else weight * each for each in (loss, slope))
    link = getattr(problem.loss, "link", None)
    numbers = torch.arange(y.numel(), device=y.device) if step.batch is None else step.batch
    return RowTable(
        numbers + 1, y.reshape(-1), eta.reshape(-1), (eta if link is None else link.inverse(eta)).reshape(-1),
        slope.reshape(-1), loss.reshape(-1) * (2 if is_squared(problem.loss) else 1),
        None if weight is None else weight.reshape(-1), _columns(problem, step, x),
    )  # fmt: skip


def _columns(problem: MemoryProblem, step: Step, x: Tensor) -> dict[str, Tensor]:
    """The Jacobian, column by column."""
    found = {}
    for j, name in enumerate(problem.names[:MOST_NAMES]):
        unit = torch.zeros_like(step.theta)
        unit[j] = 1
        _, column = torch.autograd.functional.jvp(
            lambda theta: problem.predictor(theta, x).reshape(-1), step.theta, unit
        )
        found[name] = column.detach()
    return found


def _shown(rows: RowTable) -> list[int]:
    n = len(rows.y)
    return list(range(n if n <= MOST_ROWS else FIRST_ROWS))


# --- the parts ------------------------------------------------------------------------------------------------------


def _heading(step: Step) -> list[str]:
    descent, problem = step.descent, step.descent.problem
    title = f"Step {step.number}: from state {step.number} to state {step.number + 1} of {solver_title(descent.solver)}"
    all_rows = f"{problem.rows} row{'s' * (problem.rows != 1)}"
    where = f"batch of {len(step.batch)} of {all_rows}" if step.batch is not None else all_rows
    what = descent.rows.spec.formula if descent.rows is not None else f"{len(problem.names)} parameters"
    what = getattr(_curve(step), "text", what)
    return [title, f'{what}, loss "{problem.convention}", {where}. Numbers are shown to {_digits(step)} digits.']


def _curve(step: Step) -> CurvePredictor | None:
    """The curve, of a descent on one."""
    problem = step.descent.problem
    return cast("CurvePredictor", cast("MemoryProblem", problem).predictor) if problem.curve is not None else None


def _digits(step: Step) -> int:
    return 7 if step.theta.dtype == torch.float64 else 6


def _predictions(step: Step, rows: RowTable) -> list[str]:
    """Row by row."""
    d, plain = _digits(step), _is_identity(step.descent.problem)
    at = ", ".join(f"{elide(n, 24)} = {number(v, d)}" for n, v in _named(step, step.theta))
    sum_text, error = _sum_text(step, rows), _error_name(step)
    table: dict[str, Tensor] = {n: c for n, c in list(rows.columns.items())[:MOST_COLUMNS] if len(rows.columns) <= 6}
    if curve := _curve(step):
        x = cast("MemoryProblem", step.descent.problem).part(step.batch)[0]
        read = dict(zip(curve.columns, x.T, strict=False))
        table = dict(list(read.items())[:MOST_COLUMNS]) | {f"d/d{name}": column for name, column in table.items()}
    if rows.weight is not None:
        table["w"] = rows.weight
    table |= {"y": rows.y, "yhat": rows.eta} if plain else {"y": rows.y, "eta": rows.eta, "mu": rows.mu}
    table[error] = rows.slope
    if not is_squared(step.descent.problem.loss):
        table["loss" if rows.weight is None else "w loss"] = rows.loss
    lines = [f"1. Predictions at {at}", f"   {sum_text}", f"   {_error_text(step, rows)}"]
    return [*lines, *_table(table, rows, d)]


def _sum_text(step: Step, rows: RowTable) -> str:
    """How eta is made."""
    problem = step.descent.problem
    plain = _is_identity(problem)
    left = "yhat_i" if plain else "eta_i"
    names = [elide(name, 24) for name in problem.names]
    if step.descent.rows is not None and len(names) <= 6:
        sums = " + ".join(name if name == "Intercept" else f"{name} * {name}_i" for name in names)
        text = f"{left} = {sums}" + (" + offset_i" if getattr(problem, "offset", None) is not None else "")
    elif curve := _curve(step):
        text = f"{left} = {curve.text.split('=', 1)[-1].strip()}" + (
            " + offset_i" if getattr(problem, "offset", None) is not None else ""
        )
    else:
        text = f"{left} = f(x_i; theta)"
    link = getattr(getattr(problem.loss, "link", None), "name", "identity")
    return text if plain else f"{text}\n   mu_i = h(eta_i), the inverse of the {link} link"


def _is_identity(problem: Problem) -> bool:
    return getattr(getattr(problem.loss, "link", None), "name", "identity") == "identity"


def _error_name(step: Step) -> str:
    problem = step.descent.problem
    weighted = "w " if getattr(problem, "weight", None) is not None else ""
    return f"{weighted}{'e' if problem.loss.name == 'gaussian' and _is_identity(problem) else 's'}"


def _error_text(step: Step, rows: RowTable) -> str:
    """What the error is, by family."""
    problem = step.descent.problem
    link = getattr(getattr(problem.loss, "link", None), "name", "")
    weighted = "" if rows.weight is None else "w_i "
    name = _error_name(step)
    if (problem.loss.name, link) in _MINUS_Y:
        mean = "yhat_i" if _is_identity(problem) else "mu_i"
        body = f"{weighted}({mean} - y_i)" if weighted else f"{mean} - y_i"
        text = f"{name.replace(' ', '_i ')}_i = {body}"
        return text if name.endswith("e") else f"{text}, the derivative of the {problem.loss.name} loss in eta_i"
    return f"{name.replace(' ', '_i ')}_i = {weighted}loss'(y_i, eta_i) = -{weighted}(y_i - mu_i) h'(eta_i) / V(mu_i)"


def _table(columns: dict[str, Tensor], rows: RowTable, digits: int) -> list[str]:
    shown = _shown(rows)
    cells = [["i", *(elide(name, 18) for name in columns)]]
    cells += [[str(int(rows.numbers[i])), *(number(float(c[i]), digits) for c in columns.values())] for i in shown]
    if len(shown) < len(rows.y):
        cells.append(["..."] + [""] * len(columns))
        cells.append(["sum", *(number(float(c.double().sum()), digits) for c in columns.values())])
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return [
        "   " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _loss(step: Step, rows: RowTable) -> list[str]:
    """The sum of the rows' losses, and its multiple."""
    d, squared = _digits(step), is_squared(step.descent.problem.loss)
    total, of = float(rows.loss.double().sum()), "w_i " if rows.weight is not None else ""
    each = ("e_i^2" if _is_identity(step.descent.problem) else "(mu_i - y_i)^2") if squared else "loss(y_i, eta_i)"
    factor, _ = _factor(step, rows, of_loss=True)
    letters = _letters(step, rows, of_loss=True)
    lead = f"2. Loss = {letters}sum_i {of}{each}"
    return [lead, f"   = {factor}{number(total, d)}" + (f" = {number(step.value, d)}" if factor else "")]


def _gradient(step: Step, rows: RowTable | None) -> list[str]:
    """Each entry as its sum."""
    d = _digits(step)
    if rows is None:
        lines = ["1. Gradient, summed over all rows"]
        return (
            lines + [f"   d loss / d {name} = {number(v, d)}" for name, v in _named(step, step.gradient)] + _more(step)
        )
    symbol = _error_name(step).replace(" ", "_i ") + "_i"
    factor, words = _factor(step, rows, of_loss=False)
    letters = _letters(step, rows, of_loss=False)
    lines = [f"3. Gradient: d loss / d theta_j = {letters}sum_i {symbol} * d eta_i / d theta_j{words}"]
    for (name, value), column in zip(_named(step, step.gradient), rows.columns.values(), strict=True):
        lines += _entry(name, value, column, rows, factor, d)
    return lines + _more(step)


def _entry(name: str, value: float, column: Tensor, rows: RowTable, factor: str, digits: int) -> list[str]:
    shown = _shown(rows)
    terms = [f"{signed(float(rows.slope[i]), digits)} * {signed(float(column[i]), digits)}" for i in shown]
    rest = " + ..." if len(shown) < len(rows.y) else ""
    total = float((rows.slope.double() * column.double()).sum())
    # A factor of 1 needs no line of its own.
    end = f"= {factor}{signed(total, digits)} = {number(value, digits)}" if factor else f"= {number(value, digits)}"
    text = f"d loss / d {elide(name, 30)} = {factor}({' + '.join(terms)}{rest}) {end}"
    return textwrap.wrap(text, WIDTH, initial_indent="   ", subsequent_indent="       ", break_long_words=False)


def _named(step: Step, values: Tensor) -> list[tuple[str, float]]:
    """The parameters that are written out."""
    return list(zip(step.descent.problem.names[:MOST_NAMES], values.tolist(), strict=False))


def _more(step: Step) -> list[str]:
    rest = len(step.descent.problem.names) - MOST_NAMES
    return [f"   and {rest} more parameters in the same way"] if rest > 0 else []


def _weight(step: Step, rows: RowTable) -> float:
    """What a mean divides by."""
    return float(len(rows.y)) if rows.weight is None else float(rows.weight.double().sum())


def _factor(step: Step, rows: RowTable, *, of_loss: bool) -> tuple[str, str]:
    """The convention's factor with numbers, "2/8 * ", and where it comes from."""
    problem = step.descent.problem
    mean, whole, squared = (
        is_mean(problem.convention),
        per_unit(problem.convention, problem.loss),
        is_squared(problem.loss),
    )
    top = whole / 2 if of_loss and squared else whole
    over = number(_weight(step, rows)) if mean else ""
    if top == 0.5:
        factor = f"1/(2 * {over}) * " if mean else "1/2 * "
    else:
        factor = f"{top:g}/{over} * " if mean else ("2 * " if top == 2 else "")
    origin = ["2 from the derivative of a square"] if not of_loss and squared and whole == 2 else []
    origin += (
        ["the 1/2 and the 2 of the derivative of a square cancel"] if not of_loss and squared and whole == 1 else []
    )
    origin += [f"1/{over} from the mean"] if mean else []
    return factor, f"\n   ({', '.join(origin)})" if origin and not of_loss else ""


def _letters(step: Step, rows: RowTable, *, of_loss: bool) -> str:
    """The factor in letters: "2/n "."""
    problem = step.descent.problem
    mean, whole = is_mean(problem.convention), per_unit(problem.convention, problem.loss)
    top = whole / 2 if of_loss and is_squared(problem.loss) else whole
    n = ("n" if rows.weight is None else "(sum w)") if mean else ""
    if top == 0.5:
        return f"1/(2 {n}) " if mean else "1/2 "
    return f"{top:g}/{n} " if mean else ("2 " if top == 2 else "")


# --- the update -----------------------------------------------------------------------------------------------------


def _update(step: Step) -> list[str]:
    title = "4. Update" if hasattr(step.descent.problem, "part") else "2. Update"
    if not step.by_formula:
        return _as_made(step, title)
    lines = [f"{title}: {_rule(step)}" + ("" if step.kept else "   (computed here: the history let this state go)")]
    if step.velocity is not None:
        lines += _velocities(step)
    d, rate = _digits(step), number(step.rate)
    of = _named(step, step.direction)
    for (name, old), (_, way), (_, new) in zip(_named(step, step.theta), of, _named(step, step.after), strict=True):
        lines.append(f"   {elide(name, 30)} <- {number(old, d)} - {rate} * {signed(way, d)} = {number(new, d)}")
    return lines + _more(step) + _uncleared(step)


def _rule(step: Step) -> str:
    if step.velocity is None:
        return f"theta <- theta - lr * gradient, lr = {number(step.rate)}"
    way = "(gradient + momentum * v)" if step.nesterov else "v"
    return f"v <- {number(step.momentum)} * v + gradient, then theta <- theta - lr * {way}, lr = {number(step.rate)}"


def _velocities(step: Step) -> list[str]:
    """The velocity, and with Nesterov's momentum the direction."""
    assert step.velocity is not None
    d, mu = _digits(step), number(step.momentum)
    lines = []
    triples = zip(
        _named(step, step.velocity), _named(step, step.gradient), _named(step, step.new_velocity), strict=True
    )
    for (name, old), (_, slope), (_, new) in triples:
        lines.append(f"   v of {elide(name, 25)} <- {mu} * {signed(old, d)} + {signed(slope, d)} = {number(new, d)}")
    if step.nesterov:
        pairs = zip(
            _named(step, step.gradient), _named(step, step.new_velocity), _named(step, step.direction), strict=True
        )
        for (name, slope), (_, new), (_, way) in pairs:
            lines.append(
                f"   direction of {elide(name, 17)} = {number(slope, d)} + {mu} * {signed(new, d)} = {number(way, d)}"
            )
    return lines


def _uncleared(step: Step) -> list[str]:
    """What .grad would hold where nobody clears it."""
    if step.velocity is not None:
        if step.momentum != 1:
            return []
        text = (
            "Momentum 1 forgets nothing: it is what an uncleared gradient does, to which each backward() adds its own."
        )
        return [f"   {text}"]
    trace = step.descent.trace
    constant = len(set(trace.rate)) == 1 and step.batch is None
    if step.number == 0 or not constant or trace.step[0] != 0:
        return []
    d, start = _digits(step), trace.theta[0].to(step.after)
    held = (start - step.after) / step.rate
    sums = ", ".join(f"{elide(name, 20)} {number(v, d)}" for name, v in _named(step, held)[:4])
    text = (
        f"Not cleared since step 0, .grad would hold the sum of the {step.number + 1} gradients so far, not this one:"
        f" {sums}{', ...' if len(held) > 4 else ''}. That is a descent with momentum 1."
    )
    return textwrap.wrap(text, WIDTH, initial_indent="   ", subsequent_indent="   ")


def _as_made(step: Step, title: str) -> list[str]:
    """The change itself, of a solver whose rule is not lr times a velocity."""
    d = _digits(step)
    rate = f", lr = {number(step.rate)}" if math.isfinite(step.rate) else ""
    lines = [f"{title} as {_solver_name(step)} made it{rate}: it is not lr * gradient"]
    for (name, old), (_, new) in zip(_named(step, step.theta), _named(step, step.after), strict=True):
        change = new - old
        sign = "-" if change < 0 else "+"
        lines.append(f"   {elide(name, 30)} <- {number(old, d)} {sign} {number(abs(change), d)} = {number(new, d)}")
    return lines + _more(step)


def _solver_name(step: Step) -> str:
    return solver_title(step.descent.solver).split(",")[0]


def _afterwards(step: Step) -> list[str]:
    d, over = _digits(step), " of the same batch" if step.batch is not None else ""
    change = step.value_after - step.value
    how = "does not change" if change == 0 else f"{'falls' if change < 0 else 'rises'} by {number(abs(change), d)}"
    last = "5" if hasattr(step.descent.problem, "part") else "3"
    return [
        f"{last}. Loss{over} after the step: {number(step.value_after, d)}; it {how}, from {number(step.value, d)}."
    ]
