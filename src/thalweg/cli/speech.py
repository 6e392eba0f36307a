"""What the command line says beside its data: errors, notes and file names, on standard error, one line each."""

from __future__ import annotations

import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from thalweg.errors import ThalwegWarning


def clean(text: str) -> str:
    """One line without control characters: a name from a file must not steer the terminal.

    Examples
    --------
    >>> clean("column 'a\\x1b[31m' is\\nmissing")
    "column 'a\\\\x1b[31m' is missing"
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


DESCENT = (
    *("lr", "steps", "momentum", "batch_size", "epochs", "average"),
    *("loss", "derivative", "dtype", "device", "seed"),
)  # keywords of the library's descents
OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        *("missing", "unseen", "kind", "offset", "exposure", "weights", "weights_kind", "trials", "cluster"),
        *("family", "link", "power", "alpha", "covariance", "level", "start", "max_iter", "tol"),
        *("text", "decimal", "delimiter", "encoding", "header", "format"),
        *("solver", *DESCENT, "every"),
        *("frames", "allow_divergence", "resume", "checkpoint"),
        *("bounds", "positive", "starts", "by", "shared", "scale", "max_steps"),
    )
} | {
    "interval": "--interval-kind",
    "fixed": "--fix",
    "tied": "--tie",
}  # keywords of the library, and how the command line spells them

_FLAGS = ("allow_divergence", "resume", "average")
_PHRASES = {
    "= (an array or a column's name) to predict": "= and a column's name",
    "fit.summary()": "the table",
    "nesterov=False": "solver=gd",
    "a file that `save` wrote": "a file that `thalweg fit --out` wrote",
}
_SOLVERS = {"GradientDescent": "gd", "LBFGS": "lbfgs"}
_SOLVER = re.compile(rf"\bsolver=(?:thalweg\.)?({'|'.join(_SOLVERS)})\((?:lr=\.\.\.)?([^()]*)\)")
_LEVENBERG_MARQUARDT = re.compile(r"\bsolver=(?:thalweg\.)?LevenbergMarquardt\(([^(),]*)[^()]*\)")
_VALUE = r"""\{(?P<map>[^}]*)\}|\[(?P<list>[^\]]*)\]|'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[\w.+-]*\w)"""
_KEYWORD = re.compile(rf"(?<![\w.-])(?P<name>{'|'.join(OPTIONS)})=(?:{_VALUE}|\.\.\. ?(?=\.))?")
_ENTRY = re.compile(r"'(?P<name>[^']*)': (?:\((?P<low>[^,]*), (?P<high>[^)]*)\)|'(?P<text>[^']*)'|(?P<bare>[^,]*))")
_PICTURE = re.compile(r'plot\("(\w+)"\)')


def in_options(text: str) -> str:
    """A sentence of the library's, with the options of the command line in place of keywords.

    Examples
    --------
    >>> in_options("Pass missing='drop' to leave those rows out.")
    'Pass --missing drop to leave those rows out.'
    >>> in_options("open the file with text=['zip code']; say header=False, or another encoding=.")
    "open the file with --text 'zip code'; say --no-header, or another --encoding."
    >>> in_options("Set lr=0.049, or allow_divergence=True to see it.")
    'Set --lr 0.049, or --allow-divergence to see it.'
    >>> in_options("set steps=600, or solver=GradientDescent(lr=0.0517, momentum=0.8, steps=72).")
    'set --steps 600, or --solver gd --lr 0.0517 --momentum 0.8 --steps 72.'
    >>> in_options("Fit with solver=thalweg.GradientDescent(lr=...) and one step or more.")
    'Fit with --solver gd and one step or more.'
    >>> in_options("Give scale=... .")
    'Give --scale.'
    >>> in_options("Here it is solver=thalweg.LevenbergMarquardt(max_steps=500, tol=1e-8).")
    'Here it is --max-steps 500.'
    >>> in_options("Write fixed={'c': 1.0}, bounds={'b': (0, None)}, tied={'s2': '2 * s1'}, or other start={...}.")
    "Write --fix c=1.0, --bounds b=0:, --tie 's2=2 * s1', or other --start."
    """
    for phrase, ours in _PHRASES.items():
        text = text.replace(phrase, ours)
    text = _SOLVER.sub(lambda found: f"solver={_SOLVERS[found[1]]} {found[2].replace(', ', ' ')}".rstrip(), text)
    text = _LEVENBERG_MARQUARDT.sub(r"\1", text)
    return _PICTURE.sub(r"--plot-kind \1", _KEYWORD.sub(_as_option, text))


def _as_option(found: re.Match[str]) -> str:
    option, parts = OPTIONS[found["name"]], found.groupdict()
    if found["name"] == "header" and parts["bare"] in ("True", "False"):
        return option if parts["bare"] == "True" else "--no-header"
    if found["name"] in _FLAGS:
        return option if parts["bare"] != "False" else f"--no-{option[2:]}"
    if parts["map"] is not None:
        value = ",".join(map(_pair, _ENTRY.finditer(parts["map"]))) or None
    elif parts["list"] is not None:
        value = parts["list"].replace("', '", ",").strip("'\"")
    else:
        value = next((parts[kind] for kind in ("single", "double", "bare") if parts[kind] is not None), None)
    return option if value is None else f"{option} {shlex.quote(value)}"


def _pair(entry: re.Match[str]) -> str:
    """An entry of a mapping as the command line has it: name=value, or name=low:high."""
    if entry["low"] is None:
        return f"{entry['name']}={entry['bare'] if entry['text'] is None else entry['text']}"
    low, high = ("" if side == "None" else side for side in (entry["low"], entry["high"]))
    return f"{entry['name']}={low}:{high}"


def say(what: str, advice: str | None = None) -> None:
    """An error: what happened on one line, what to do on the next."""
    print(f"thalweg: {clean(what)}", file=sys.stderr)
    if advice:
        print(f"  {clean(advice)}", file=sys.stderr)


def tell(text: str) -> None:
    """A line that is neither data nor an error: a file that was written, a count."""
    print(clean(text), file=sys.stderr)


@contextmanager
def notes() -> Iterator[list[str]]:
    """Every warning of ours as one line `note: ...`, once, at the end; the texts are collected for `--json`.

    At the end, because a line of progress may be on the terminal before; and not at all after an interrupt, which
    leaves nothing that a note could be about.
    """
    seen: list[str] = []

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if not isinstance(message, ThalwegWarning):
            return  # of NumPy or PyTorch about a step that was tried: nothing that the user could act on
        text = clean(in_options(str(message)))
        if text not in seen:
            seen.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ThalwegWarning)
        warnings.showwarning = show
        try:
            yield seen
        except KeyboardInterrupt:
            seen.clear()
            raise
        finally:
            for text in seen:
                print(f"note: {text}", file=sys.stderr)
