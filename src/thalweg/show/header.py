"""The head of a summary: what was fitted to what, how it ended, and whose errors it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thalweg.curves.groups import Grouped
from thalweg.data.contrasts import show_level
from thalweg.data.dialects import dialect_writer
from thalweg.data.nodes import Cbind
from thalweg.show.curve import curve_spec, fixed, free, is_curve, tied
from thalweg.show.links import condition_of
from thalweg.show.plots.run import solver_title
from thalweg.show.whole import is_zero_one
from thalweg.solvers.base import Status

if TYPE_CHECKING:
    from thalweg.result import Fit
    from thalweg.solvers.base import Solution


def header(fit: Fit) -> Iterator[tuple[str, str]]:
    """Labels and texts, in the order in which they are shown."""
    yield "curve" if is_curve(fit) else "formula", fit.spec.formula
    if is_curve(fit) and len(free(fit)) < len(fit.names):
        yield "parameters", _parameters_text(fit)
    spec = curve_spec(fit)
    if spec is not None and isinstance(spec.curve, Grouped):
        yield "groups", _groups_text(spec.curve)
    yield "family", _family_text(fit)
    if fit.rows is not None:
        yield "data", fit.rows.source.description
    yield "rows", _rows_text(fit)
    modelled = modelled_text(fit)
    if modelled:
        yield "modelled", modelled
    yield from _roles(fit)
    if fit.solution is not None:
        solution = fit.solution
        if fit.descent is not None:
            solver = fit.descent.solver
            yield "descent", f"{solver_title(solver, fit.descent.trace.rate)}, loss {solver.loss!r}{_how(solution)}"
        yield "solver", _solver_text(_ending(solution), solution.steps, solution.passes)
    else:
        match fit.options.get("solver"):  # as a model file tells it
            case {"status": str(status), "steps": int(steps), "passes": int(passes)}:
                yield "solver", _solver_text(status, steps, passes)
    yield "errors", _covariance_text(fit)


def count(n: float, noun: str) -> str:
    """'1 row', '1,000 rows'."""
    return f"{n:,.15g} {noun}" + ("" if n == 1 else "s")


def _parameters_text(fit: Fit) -> str:
    """'2 fitted, 1 held, 1 tied'."""
    counts = {"fitted": len(free(fit)), "held": len(fixed(fit)), "tied": len(tied(fit))}
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n)


def _groups_text(curve: Grouped) -> str:
    """'3 of run; b shared by all'."""
    shared = f"; {', '.join(curve.shared)} shared by all" if curve.shared else ""
    return f"{len(curve.levels):,} of {curve.by}{shared}"


def _family_text(fit: Fit) -> str:
    settings = {**fit.family.parameters(), **fit.family.link.parameters()}
    inside = ", ".join(f"{name} = {value:.6g}" for name, value in settings.items())
    link = fit.family.link.name.replace("_", " ")
    return f"{fit.family.name.replace('_', ' ')}, {link} link" + (f" ({inside})" if inside else "")


def _rows_text(fit: Fit) -> str:
    rows, counted = fit.spec.rows, fit.statistics.n
    dropped = f", {fit.spec.dropped:,} left out for missing values" if fit.spec.dropped else ""
    weighed = f", counted as {counted:,.10g} by their weights" if counted != rows else ""
    return f"{rows:,} used{weighed}{dropped}"


def modelled_text(fit: Fit) -> str:
    """What a binomial model gives the probability of; empty for other families, whose mean is that of the response."""
    response = fit.spec.response
    if fit.family.name != "binomial":
        return ""
    if response.levels is not None and len(response.levels) > 1:
        first, second = map(show_level, response.levels[:2])
        return f"the probability of {response.name} = {second} (against {first})"
    if isinstance(response.node, Cbind):
        write = dialect_writer("text").write
        return f"the probability of {write(response.node.successes)} (against {write(response.node.failures)})"
    condition = condition_of(response)
    if condition is not None:
        return f"the probability of {condition}"
    known = is_zero_one(fit)
    if known is None:
        return f"the mean of {response.name}, a probability"
    if known:
        return f"the probability of {response.name} = 1"
    return f"the probability of a success, of which {response.name} is the proportion"


def _roles(fit: Fit) -> Iterator[tuple[str, str]]:
    """Every role that the model has, as the user named it."""
    for role, reading in fit.spec.roles.items():
        text = str(fit.options.get(role) or reading.text)
        if role == "weights":
            text += f" ({fit.options.get('weights_kind', 'precision')})"
        yield role, text


def _how(solution: Solution) -> str:
    return ", in closed form" if solution.details.get("replayed") else ""


def _ending(solution: Solution) -> str:
    """How a solve ended, with the rule that ended it."""
    rule = solution.details.get("rule")
    stopped = solution.status in (Status.REACHED, Status.STOPPED)
    return f"stopped by {rule}" if rule and stopped else solution.status.value


def _solver_text(status: str, steps: int, passes: int) -> str:
    return f"{status} ({count(steps, 'step')}, {_passes(passes)} over the rows)"


def _passes(n: int) -> str:
    return "1 pass" if n == 1 else f"{n:,} passes"


def _covariance_text(fit: Fit) -> str:
    if fit.covariance is None:
        return "none; the notes say why"
    kind = fit.covariance_kind
    named = {"model": "from the model", "cluster": _clustered(fit)}
    word = named.get(kind, f"robust ({kind})")
    degrees = "degree" if fit.df == 1 else "degrees"
    reference = f"t with {fit.df:.15g} {degrees} of freedom" if fit.df is not None else "normal (z)"
    return f"{word}; {reference}"


def _clustered(fit: Fit) -> str:
    """An array has no name: the line of its role says that it was given as one."""
    role = fit.spec.roles.cluster
    name = fit.options.get("cluster")
    return f"robust, clustered by {name}" if role is not None and name == role.text else "robust, clustered"
