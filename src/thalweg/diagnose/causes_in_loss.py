"""Causes of a divergence that lie in the loss and its gradient."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.derivatives import BY_AUTOGRAD
from thalweg.diagnose.evidence import Cause, Evidence
from thalweg.diagnose.rates import fastest
from thalweg.diagnose.words import count, settable_rate, short
from thalweg.errors import DataError
from thalweg.problem import MemoryProblem

WRONG = 1e-3  # relative difference of a gradient from autograd's, beyond float32 rounding
LARGEST = 709.0  # log of the largest float64: exp overflows above it


def gradient(found: Evidence) -> Cause | None:
    """A gradient of the user's that is not the loss's, where the descent was."""
    problem = found.problem
    if not isinstance(problem, MemoryProblem) or problem.derivative.name != "given":
        return None
    for where, theta in ((f"at step {found.best.step}", found.best.theta), ("at the last step", found.last.theta)):
        if not bool(torch.isfinite(theta).all()):
            continue
        got, right = problem.value_and_gradient(theta)[1].detach(), BY_AUTOGRAD(problem, theta)[1]
        wrong = _differing(got, right)
        if wrong is not None:
            given, true = float(got[wrong]), float(right[wrong])
            return Cause(
                "gradient",
                f"the gradient that was given is wrong {where}: that of {problem.names[wrong]} is {short(given)}, and"
                f" by autograd {short(true)}{_hint(given, true)}. Correct it, or leave derivative= out.",
            )
    return None


def _differing(got: Float[Tensor, "p"], right: Float[Tensor, "p"]) -> int | None:
    """The entry that differs most; None where all agree, or autograd has no number itself."""
    if not bool(torch.isfinite(right).all()):
        return None
    gap = torch.nan_to_num((got - right).abs(), nan=torch.inf)
    off = gap > WRONG * (right.abs() + 1e-3 * right.abs().max())
    return int(torch.where(off, gap / (right.abs() + 1e-300), -1.0).argmax()) if bool(off.any()) else None


def _hint(given: float, true: float) -> str:
    """What kind of mistake it looks like."""
    if not math.isfinite(given) or true == 0:
        return ""
    ratio = given / true
    return " (its sign is wrong)" if ratio < 0 else f" ({short(ratio)} times as much)"


def ascent(found: Evidence) -> Cause | None:
    """An optimizer that was told to go uphill, or whose decay outruns the step."""
    setting = found.setting
    if setting.maximize:
        return Cause("ascent", "maximize=True goes up the loss, which has no highest point. Leave it out.")
    if setting.weight_decay * setting.rate > 2:
        return Cause(
            "decay",
            f"weight_decay {setting.weight_decay:g} times lr {setting.rate:g} is above 2, so that the decay alone"
            f" throws the parameters beyond 0 and farther. Set weight_decay below {short(1 / setting.rate)}.",
        )
    return None


def domain(found: Evidence) -> Cause | None:
    """A linear predictor where the family has no mean."""
    theta = found.last.theta
    if math.isfinite(found.last.value) or not found.finite:
        return None
    eta = found.eta(theta)
    inside = None if eta is None else found.problem.loss.inside(eta)
    if eta is None or inside is None or bool(inside.all()):
        return None
    row = int(torch.nonzero(~inside)[0])
    link = getattr(getattr(found.problem.loss, "link", None), "name", "")
    above = _above(found)
    return Cause(
        "domain",
        f"step {found.last.step} put the linear predictor of row {row + 1} at {short(float(eta[row]))}, where the"
        f" {found.problem.loss.name} family with the {link} link has no mean{above}. Set a smaller lr or"
        f' lr=thalweg.Armijo(), which searches for one that stays inside, or take link="log".',
    )


def _above(found: Evidence) -> str:
    """The rate beside its limit, where it is above."""
    if not found.setting.rate > found.limit or found.steepest is None:
        return ""
    place = f" {found.steepest[0]}" if found.steepest[0] else ""
    return f" (lr {short(found.setting.rate)} is above the stable limit {short(found.limit)}{place})"


def start(found: Evidence) -> Cause | None:
    """A start where the curvature is far above what it is at the optimum: exp of a large eta."""
    if found.constant or found.optimum is None or not found.setting.rate > 0 or found.setting.kind == "adaptive":
        return None
    spectra = found.spectra
    began, ended = spectra.get("at the start"), spectra.get("at the optimum")
    if began is None or ended is None or not bool(found.start.any()):
        return None
    from thalweg.solvers.descent import first_point

    try:
        usual = first_point(found.problem, None)[0]
    except DataError:  # there is no start but the one that was given
        return None
    elsewhere = max(ended.largest, _curvature_at(found, usual))
    if found.setting.rate > found.limit_of(elsewhere) or found.setting.rate <= found.limit_of(began.largest):
        return None
    lr = settable_rate(fastest(elsewhere, ended.smallest))
    return Cause(
        "start",
        f"the start is too far away: the curvature there is {short(began.largest)}, and {short(ended.largest)} at the"
        f" optimum, so that lr {short(found.setting.rate)} is above the stable limit {short(found.limit)} of the start."
        f" Start nearer, or leave start= out: from there lr={lr:g} is stable.",
    )


def _curvature_at(found: Evidence, theta: Float[Tensor, "p"]) -> float:
    from thalweg.diagnose.spectrum import hessian_at, spectrum_of

    matrix = hessian_at(found.problem, theta)
    if matrix is not None and not bool(torch.isfinite(matrix).all()):
        return math.inf
    return spectrum_of(found.problem, theta).largest


def float32(found: Evidence) -> Cause | None:
    """Numbers that float32 does not hold and float64 does."""
    if found.problem.dtype != torch.float32 or found.double is found.problem or not found.finite:
        return None
    if math.isfinite(found.last.value) and math.isfinite(found.last.gradient_size):
        return None
    value, slope = found.double.value_and_gradient(found.last.theta.double())
    if not (math.isfinite(float(value)) and bool(torch.isfinite(slope).all())):
        return None
    if found.setting.rate > found.limit:
        return None  # it grows in float64 too
    return Cause(
        "float32",
        f"the loss is {short(float(value))} in float64, and its sums are beyond what float32 holds (3.4e+38). Set"
        ' dtype="float64", or bring the columns and the response to the size of 1.',
    )


def not_a_number(found: Evidence) -> Cause | None:
    """A module or a loss that gives NaN at parameters that are numbers."""
    if not found.finite or not isinstance(found.problem, MemoryProblem) or found.problem.predictor.linear:
        return None
    eta = found.eta(found.last.theta)
    if eta is None or bool(torch.isfinite(eta).all()):
        return None
    bad = torch.nonzero(~torch.isfinite(eta))[:, 0]
    predictor = found.problem.predictor
    name = type(getattr(predictor, "original", predictor)).__name__
    more = f" and {count(len(bad) - 1, 'row')} more" if len(bad) > 1 else ""
    if found.problem.curve is not None:
        at = ", ".join(f"{n} = {short(v)}" for n, v in zip(found.problem.names, found.last.theta.tolist(), strict=True))
        return Cause(
            "not a number",
            f"the curve is {short(float(eta[bad[0]]))} in row {int(bad[0]) + 1}{more}, at {at}: the last step led to"
            " where it has no value. Start nearer, set a smaller lr, or lr=thalweg.Armijo(), which steps back.",
        )
    return Cause(
        "not a number",
        f"the predictor ({name}) gives {float(eta[bad[0]])} for row {int(bad[0]) + 1}{more}, although its"
        " parameters are numbers: look for a log, a root or a quotient in it, and bound what goes in.",
    )


IN_LOSS = (gradient, ascent, start, domain, float32, not_a_number)
