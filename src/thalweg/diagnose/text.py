"""A diagnosis in words: a short table, and sentences that say what to set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from thalweg.diagnose.rates import rule
from thalweg.diagnose.remedies import subject
from thalweg.diagnose.words import by_step, count, digits_apart, short

if TYPE_CHECKING:
    from thalweg.diagnose.diagnosis import Diagnosis
    from thalweg.diagnose.standardized import Changed

KNOWN = {
    "exact": "exact: the curvature of a squared loss is the same everywhere",
    "bound": "a bound: the curvature of a logistic loss is nowhere larger",
    "estimate": "an estimate: the curvature at the start, which changes on the way",
}
LISTED = 20  # eigenvalues in the JSON of many parameters
Row = tuple[str, str, str]


def rows(found: Diagnosis) -> list[Row]:
    """(what, number, remark) of the table."""
    about = "" if found.kind == "exact" else "about "
    lines: list[Row] = [
        ("largest curvature", short(found.largest), f"set by {found.blame.text}"),
        ("smallest curvature", short(found.smallest), _rank(found)),
        ("condition number", short(found.condition), "largest / smallest"),
        ("stable limit", short(found.limit), rule(found.momentum, found.nesterov)),
        ("fastest rate", f"{found.fastest:g}", _needs(found.steps["fastest"], about)),
    ]
    if found.best[1] > 0:
        best = f"{found.best[0]:g}"
        lines.append(("with momentum", best, _told(f"momentum={found.best[1]:g}", _needs(found.steps["best"], about))))
    lines += [_change(found, each, about) for each in (found.centred, found.standardized) if each is not None]
    return lines


def _rank(found: Diagnosis) -> str:
    rank = found.spectrum.rank
    flat = 0 if rank is None or found.spectrum.negative else len(found.names) - rank
    return "" if not flat else f"of {rank}; along {count(flat, 'direction')} the loss is flat"


def _needs(steps: float, about: str) -> str:
    return "" if math.isnan(steps) else f"{about}{count(steps)}"


def _change(found: Diagnosis, new: Changed, about: str) -> Row:
    name = "columns" if found.columns is None else subject(found.columns).removeprefix("the ")
    remark = f"condition number {short(new.condition)}"
    return f"{name} {new.how}", f"{new.lr:g}", _told(remark, _needs(new.steps, about))


def _told(what: str, steps: str) -> str:
    return f"{what}: {steps}" if steps else what


def sentences(found: Diagnosis) -> Iterator[str]:
    """What to do, most urgent first."""
    about = "" if found.kind == "exact" else "about "
    if found.lr is not None:
        yield _judged(found, about)
    if found.largest <= 0:
        yield "The loss is flat at the start: its gradient goes nowhere, whatever the rate."
        return
    if found.separated:
        yield (
            "The classes are separated: the loss falls for ever as the coefficients grow, and no number of steps is"
            " enough. Stop early, or leave out a column that tells the classes apart."
        )
    elif math.isnan(found.least) and found.kind != "exact":
        yield "Newton's method finds no minimum from the start, so that no number of steps can be told."
    elif math.isnan(found.steps["fastest"]):
        yield "The start is too far from the optimum to tell numbers of steps: the curvature there is another one."
    yield from _advice(found, about)
    if found.collinear:
        yield (
            f"{found.collinear}. The loss is almost flat along a direction of theirs, and standardizing does not change"
            " that: leave one out, or use momentum."
        )
    if found.spectrum.negative:
        yield "The loss curves downwards in some direction at the start: it is not convex, and may have many minima."


def _judged(found: Diagnosis, about: str) -> str:
    """The rate that was told."""
    assert found.lr is not None
    if found.lr > found.limit:
        cause = f", set by {found.blame.text}" if found.blame.text else ""
        first, second = digits_apart(found.lr, found.limit)
        may = "" if found.kind == "exact" else "may "
        head = f"lr {first} is above the stable limit {second} ({rule(found.momentum, found.nesterov)}{cause})"
        return f"{head}: the loss {may}{'grow' if may else 'grows'} {by_step(found.growth)}."
    if found.momentum >= 1 and not found.nesterov:
        return (
            f"With momentum {found.momentum:g} (a gradient that is never cleared) the descent swings for ever and never"
            " converges: clear the gradient (momentum=0), or use momentum=0.9."
        )
    if found.lr == found.limit:
        return f"lr {found.lr:g} is the stable limit: the descent swings for ever and never converges."
    momentum = f" with momentum {found.momentum:g}" if found.momentum else ""
    steps = found.steps["lr"]
    if math.isnan(steps):
        return f"lr {found.lr:g}{momentum} is below the stable limit {short(found.limit)}."
    return f"lr {found.lr:g}{momentum} needs {about}{count(steps)} to {found.tol:g}."


def _advice(found: Diagnosis, about: str) -> Iterator[str]:
    """The fastest rate, what standardizing would do, and the column to blame."""
    steps = found.steps["fastest"]
    if not math.isnan(steps):
        text = f"lr={found.fastest:g} is {about}the fastest stable rate ({about}{count(steps)} to {found.tol:g})"
        new = found.standardized
        if new is not None and found.columns is not None and new.steps < steps:
            needs = count(new.steps).removesuffix(" steps")
            text += f"; with {subject(found.columns)} standardized, lr={new.lr:g} needs {about}{needs}"
        yield f"{text}."
    new = found.standardized
    if found.blame.advice and (new is None or new.condition < found.condition / 2 or found.blame.row is not None):
        yield found.blame.advice


def head(found: Diagnosis) -> str:
    """What is diagnosed, in a line."""
    what = "squared loss" if found.loss == "gaussian" else f"{found.loss} loss"
    size = f"{count(found.rows, 'row')}, {count(len(found.names), 'parameter')}"
    return f'{found.title}: {what}, "{found.convention}" over {size}'


def as_text(found: Diagnosis) -> str:
    """For a terminal: plain text of about 100 columns."""
    table = rows(found)
    first, second = max(len(row[0]) for row in table), max(len(row[1]) for row in table)
    lines = [f"  {what:<{first}}  {number:<{second}}  {remark}".rstrip() for what, number, remark in table]
    goal = f"  (steps: until the loss above its least is {found.tol:g} of what it was at the start)"
    blocks = [head(found), f"  {KNOWN[found.kind]}", *lines]
    if not math.isnan(found.least):
        blocks.append(goal)
    said = [*sentences(found), *([] if found.after is None else [found.after.sentence])]
    return "\n".join([*blocks, *(["", *said] if said else [])])


def as_html(found: Diagnosis) -> str:
    """For a notebook: semantic, every text escaped."""
    from thalweg.show.html import _STYLE

    body = "".join(
        f'<tr><th scope="row">{escape(what)}</th><td class="number">{escape(number)}</td><td>{escape(remark)}</td></tr>'
        for what, number, remark in rows(found)
    )
    said = [KNOWN[found.kind], *sentences(found), *([] if found.after is None else [found.after.sentence])]
    items = "".join(f"<li>{escape(each)}</li>" for each in said)
    table = f"<table><caption>{escape(head(found))}</caption><tbody>{body}</tbody></table>"
    return f'<style>{_STYLE}</style><div class="thalweg">{table}<ul class="notes">{items}</ul></div>'


def as_document(found: Diagnosis) -> dict[str, Any]:
    """As numbers, lists and text."""
    after = found.after
    values = found.spectrum.eigenvalues.tolist()
    return {
            "formula": found.title,
            "loss": found.loss,
            "convention": found.convention,
            "rows": found.rows,
            "names": list(found.names),
            "kind": found.kind,
            "eigenvalues": values if len(values) <= LISTED else [*values[: LISTED // 2], *values[-LISTED // 2 :]],
            "largest": found.largest,
            "smallest": found.smallest,
            "rank": found.spectrum.rank,
            "condition": found.condition,
            "stable_limit": found.limit,
            "fastest": {"lr": found.fastest, "steps": found.steps["fastest"], "contraction": found.contraction},
            "momentum": {"lr": found.best[0], "momentum": found.best[1], "steps": found.steps["best"]},
            "told": None if found.lr is None else {
                "lr": found.lr, "momentum": found.momentum, "nesterov": found.nesterov,
                "growth": found.growth, "steps": found.steps["lr"], "stable": found.lr <= found.limit,
            },
            "tol": found.tol,
            "start_value": found.start_value,
            "least": found.least,
            "separated": found.separated,
            "centred": None if found.centred is None else vars(found.centred),
            "standardized": None if found.standardized is None else vars(found.standardized),
            "blame": {"name": found.blame.name, "reason": found.blame.reason, "row": found.blame.row},
            "sentences": [*sentences(found), *([] if after is None else [after.sentence])],
        }  # fmt: skip
