"""Causes of a divergence that lie in the learning rate: what it is above, and what put the limit there."""

from __future__ import annotations

import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.convention import is_mean
from thalweg.diagnose.evidence import Cause, Evidence
from thalweg.diagnose.rates import growth, rule, stable_limit
from thalweg.diagnose.remedies import remedies
from thalweg.diagnose.setting import first_above
from thalweg.diagnose.spectrum import spectrum_of
from thalweg.diagnose.words import by_step, count, digits_apart, settable_rate, short, times
from thalweg.problem import MemoryProblem

BATCHES = 256  # that are looked at
TRIED = 300  # steps of the plain descent that is run beside one with momentum
PART = 0.01  # of the largest distance to go: a rate for Adam


def adaptive(found: Evidence) -> Cause | None:
    """Adam and its kind, whose steps are as long as the rate, whatever the gradient."""
    if found.setting.kind != "adaptive":
        return None
    optimum, rate = found.optimum, found.setting.rate
    if optimum is None:
        advice = f"lr={settable_rate(rate / 100):g}"
        scale = ""
    else:
        way = float((optimum.theta - found.start.double().cpu()).abs().max())
        advice = f"lr={settable_rate(max(PART * way, 1e-300)):g}"
        scale = f", and the way from the start to the optimum is {short(way)}"
    return Cause(
        "adaptive",
        f"{found.setting.name} moves a parameter by about its lr in a step, however small the gradient: lr {rate:g}"
        f" is too long a step{scale}. Set {advice}.",
    )


def search(found: Evidence) -> Cause | None:
    """L-BFGS that takes whole steps without looking."""
    if found.setting.kind != "lbfgs" or found.setting.searched:
        return None
    return Cause(
        "search",
        "torch.optim.LBFGS takes whole steps without looking whether the loss falls. Set"
        ' line_search_fn="strong_wolfe", or use thalweg.LBFGS(), which searches.',
    )


def schedule(found: Evidence) -> Cause | None:
    """A schedule that began below the limit and rose above it."""
    setting, limit = found.setting, found.limit
    if not setting.first <= limit:
        return None
    if setting.schedule is not None:
        step = first_above(setting.schedule, limit, found.last.step)
        reached, where = (math.nan if step is None else setting.schedule(step)), f"at step {step}"
    else:
        reached, where = setting.rate, "on the way"
    if not reached > limit:
        return None
    return Cause(
        "schedule",
        f"the schedule began with lr {short(setting.first)} and {where} rose above the stable limit {short(limit)},"
        f" to {short(reached)} ({rule(setting.momentum, setting.nesterov)}{_set_by(found)}). Keep it below"
        f" {short(limit)}.",
    )


def nesterov(found: Evidence) -> Cause | None:
    """A rate that plain descent bears and Nesterov's does not."""
    setting = found.setting
    if not setting.nesterov or found.steepest is None:
        return None
    plain = stable_limit(found.steepest[1].largest)
    if not found.limit < setting.rate <= plain:
        return None
    return Cause(
        "nesterov",
        f"lr {short(setting.rate)} is below the limit {short(plain)} of plain descent, and above"
        f" {short(found.limit)}, that of Nesterov's momentum {setting.momentum:g} ({rule(setting.momentum, True)}). Set"
        f" lr={settable_rate(found.limit * 0.75):g}, or nesterov=False.",
    )


def weights(found: Evidence) -> Cause | None:
    """Weights that multiply the curvature."""
    problem = found.problem
    if not found.setting.rate > found.limit or not isinstance(problem, MemoryProblem) or problem.weight is None:
        return None
    even = MemoryProblem(
        problem.predictor, problem.x, problem.y, problem.loss, problem.convention, offset=problem.offset
    )
    limit = found.limit_of(spectrum_of(even, found.start).largest)
    if found.setting.rate > limit:
        return None
    largest, total = problem.weight.double().max(), problem.weight.double().sum()
    row = int(problem.weight.reshape(-1).argmax()) + 1
    size, advice = (
        f"they add up to {short(float(total))} over {count(problem.rows, 'row')}",
        "Divide them by their mean",
    )
    if is_mean(problem.convention):
        size, advice = f"row {row} has {float(largest / total):.0%} of them", f"Look at the weight of row {row}"
    return Cause(
        "weights",
        f"the weights make the curvature {times(limit / found.limit).removesuffix('x')} times what it would be without"
        f" ({size}): lr {short(found.setting.rate)} is above the stable limit {short(found.limit)}. {advice},"
        f" or set lr={_of_batches(found)[2] if _in_batches(found) else settable_rate(0.9 * found.limit):g}.",
    )


def summed(found: Evidence) -> Cause | None:
    """A sum over rows where the rate is one for a mean."""
    problem = found.problem
    if is_mean(problem.convention) or not found.setting.rate > found.limit:
        return None
    rows = problem.rows if found.setting.batch_size is None else min(found.setting.batch_size, problem.rows)
    if found.setting.rate > found.limit * problem.rows:
        return None
    mean = problem.convention.replace("sum", "mean")
    lr = settable_rate(found.setting.rate / rows)
    if _in_batches(found):
        lr = min(lr, _of_batches(found)[2])
    return Cause(
        "sum",
        f'loss="{problem.convention}" over {count(rows, "row")} makes the curvature {rows:,} times that of a mean:'
        f" lr {short(found.setting.rate)} is above the stable limit {short(found.limit)}. Set"
        f' lr={lr:g}, or loss="{mean}".',
    )


def above(found: Evidence) -> Cause | None:
    """A rate above the limit, and the column that set it."""
    setting = found.setting
    if not setting.rate > found.limit or found.steepest is None:
        return None
    place, spectrum = found.steepest
    first, second = digits_apart(setting.rate, found.limit)
    ratio = by_step(growth(spectrum.eigenvalues, setting.rate, setting.momentum, setting.nesterov))
    grows = f": the loss grows {ratio}" if spectrum.kind == "exact" else ""
    where = f" {place}" if place else ""
    advice = _bearable(found)
    blame = found.blame
    more = f" {blame.advice}" if blame is not None and blame.reason == "outlier" else ""
    place = "" if not _in_batches(found) else f" even over all rows{where}"
    where = place or where
    return Cause(
        blame.reason if blame is not None and blame.reason else "rate",
        f"lr {first} is above the stable limit {second}{where} ({rule(setting.momentum, setting.nesterov)}"
        f"{_set_by(found)}){grows}. {advice}{more}",
    )


def _in_batches(found: Evidence) -> bool:
    """Whether a step follows some of the rows only."""
    size = found.setting.batch_size
    return size is not None and size < found.problem.rows and isinstance(found.problem, MemoryProblem)


def _bearable(found: Evidence) -> str:
    """What to set: the fastest stable rate and its steps, or of batches what the steepest of them bears."""
    if _in_batches(found):
        size, largest, lr = _of_batches(found)
        return (
            f"A batch of {count(size, 'row')} has a curvature of up to {short(largest)}: set lr={lr:g}, or a larger"
            " batch_size."
        )
    told = remedies(found.problem, found.start, momentum=bool(found.setting.momentum))
    return told or f"Set lr={settable_rate(0.9 * found.limit):g}."


def _of_batches(found: Evidence) -> tuple[int, float, float]:
    """Rows of a batch, the largest curvature of one, and half the rate that it bears, with this momentum."""
    from thalweg.solvers.rates import choose_batch_rate

    problem, momentum = cast(MemoryProblem, found.problem), min(found.setting.momentum, 0.99)
    size = cast(int, found.setting.batch_size)
    theta = found.best.theta if found.steepest is None else found.places[found.steepest[0]]
    largest = _steepest_batch(problem, theta, size)
    rates = 0.5 * stable_limit(largest) * (1 - momentum), choose_batch_rate(problem, theta, size, momentum).rate
    return size, largest, settable_rate(min(rates))


def _set_by(found: Evidence) -> str:
    return f", set by {found.blame.text}" if found.blame is not None and found.blame.text else ""


def batch(found: Evidence) -> Cause | None:
    """Batches that are steeper than all rows together."""
    if not _in_batches(found):
        return None
    size, largest, lr = _of_batches(found)
    acting = found.setting.rate / (1 - found.setting.momentum) if found.setting.momentum < 1 else math.inf
    limit = stable_limit(largest)
    if not acting > limit:
        return None
    momentum = f" (with momentum {found.setting.momentum:g} a batch acts for {short(acting)})"
    return Cause(
        "batch",
        f"over all rows the stable limit is {short(found.limit)}, but a batch of {count(size, 'row')} has a curvature"
        f" of up to {short(largest)}, which bears {short(limit)}: lr {short(found.setting.rate)}"
        f"{momentum if found.setting.momentum else ''} is above it. Set lr={lr:g}, or a larger batch_size.",
    )


def _steepest_batch(problem: MemoryProblem, theta: Float[Tensor, "p"], size: int) -> float:
    """The largest curvature of some batches of an order of its own."""
    order = torch.randperm(problem.rows, generator=torch.Generator().manual_seed(0)).to(problem.x.device)
    largest = 0.0
    for rows in order.split(size)[:BATCHES]:
        x, y, weight, offset, _ = problem.part(rows)
        part = MemoryProblem(problem.predictor, x, y, problem.loss, problem.convention, weight=weight, offset=offset)
        largest = max(largest, spectrum_of(part, theta).largest)
    return largest


def momentum(found: Evidence) -> Cause | None:
    """Momentum that carries a rate, stable without it, too far."""
    setting = found.setting
    if not setting.momentum or found.setting.kind != "descent" or not math.isfinite(setting.rate):
        return None
    rate = settable_rate(setting.rate * max(1 - setting.momentum, 0.01))
    if setting.momentum > 1:
        return Cause("momentum", f"momentum {setting.momentum:g} is above 1, so that the velocity grows by itself,"
                     " whatever the rate. Set momentum=0.9, or 0.")  # fmt: skip
    if not _plain_holds(found):
        return None
    if setting.momentum == 1:
        why = "1 never lets go of a gradient (one that is never cleared), so that the steps grow longer and longer"
    else:
        why = f"{setting.momentum:g} makes each gradient act for {short(1 / (1 - setting.momentum))} steps"
    return Cause(
        "momentum",
        f"lr {short(setting.rate)} alone does not diverge from this start (that was run), but momentum {why}, to where"
        f" the loss is steeper. Clear the gradient (momentum=0), or set lr={rate:g} with"
        f" momentum={min(setting.momentum, 0.9):g}.",
    )


def _plain_holds(found: Evidence) -> bool:
    """Whether plain descent at the same rate stays below where it began."""
    theta, problem = found.start.clone(), found.problem
    first, slope = problem.value_and_gradient(theta)
    for _ in range(min(TRIED, max(found.last.step, 1) * 4)):
        theta = theta - found.setting.rate * slope
        value, slope = problem.value_and_gradient(theta)
        if not float(value) <= float(first):
            return False
    return True


IN_RATE = (adaptive, search, schedule, nesterov, weights, summed, above, batch, momentum)
