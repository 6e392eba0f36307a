"""The tree of errors and warnings: what was found, where, and what to do.

Every error that a user can cause is a `ThalwegError`; the command line prints its text and ends with exit
code 2. The text always reads *what happened (where). What to do.*
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def spelled_out(text: str) -> str:
    """A text with its control characters spelled out: a name from a file must not steer a terminal.

    Examples
    --------
    >>> spelled_out("a" + chr(27) + "[31m" + chr(10))
    'a\\\\x1b[31m\\\\n'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def visible(text: str) -> str:
    """The same with its lines kept."""
    return "\n".join(map(spelled_out, text.split("\n")))


class ThalwegError(Exception):
    """Base of every error that Thalweg raises on purpose.

    Parameters
    ----------
    what : str
        What was found, in one sentence without its full stop.
    where : str, optional
        File, row and column, or the place in a formula.
    advice : str, optional
        What to do about it, a whole sentence.

    Examples
    --------
    >>> from thalweg.errors import DataError
    >>> str(DataError("column 'bmi' holds text", where="diabetes.csv, row 3", advice="Write C(bmi) for a category."))
    "column 'bmi' holds text (diabetes.csv, row 3). Write C(bmi) for a category."
    """

    def __init__(self, what: str, *, where: str | None = None, advice: str | None = None) -> None:
        self.what, self.where, self.advice = what, where, advice
        place = f" ({where})" if where else ""
        super().__init__(visible(f"{what}{place}." + (f" {advice}" if advice else "")))


class DataError(ThalwegError, ValueError):
    """The data cannot be used as they are."""


class SourceError(DataError):
    """A file or object cannot be read as a table at all."""


class ColumnError(DataError):
    """A column that the model needs is missing, ambiguous or of the wrong type."""


class MissingValueError(DataError):
    """A value is missing, or is not finite, where the model needs a number."""


class UnseenLevelError(DataError):
    """A category that the fit never saw."""


class DomainError(DataError):
    """A response outside its family's domain."""


class FormulaError(ThalwegError, ValueError):
    """A formula that cannot be read, or that asks for something outside the closed list."""


class OptionError(ThalwegError, ValueError):
    """An option whose value is not one of those that exist, or options that contradict each other."""


class IncompatibleError(ThalwegError, TypeError):
    """A solver asks for something that the objective does not have."""


class DivergenceError(OptionError):
    """A learning rate or momentum with which the descent is known to diverge, refused before the first step."""


class NotFoundError(ThalwegError, RuntimeError):
    """No minimum was found, where the caller wants an error and no warning (`thalweg.curve_fit`)."""


class ModelFileError(ThalwegError, ValueError):
    """A model file that is truncated, altered, from a later version, or no model file."""


class OutputError(ThalwegError, OSError):
    """A file cannot be written: a full disk, a read-only or missing folder, a folder where a file should be."""


class NotAvailableError(ThalwegError, AttributeError):
    """A result that this fit cannot give, with the reason (no data kept, no covariance, ...)."""


class ThalwegWarning(UserWarning):
    """Base of every warning."""

    def __init__(self, text: str) -> None:
        super().__init__(visible(text))


class ConvergenceWarning(ThalwegWarning):
    """The solver stopped before its optimum; the text carries the number to set."""


class DivergenceWarning(ConvergenceWarning):
    """The descent diverged and was stopped; the text says why, and the fit keeps the best state."""


class SeparationWarning(ThalwegWarning):
    """Some coefficients have no finite maximum-likelihood estimate."""


class CollinearityWarning(ThalwegWarning):
    """Columns that the data cannot tell apart."""


class ExtrapolationWarning(ThalwegWarning):
    """Predictions for rows outside the range of the training data."""


_OURS = ("thalweg", "numpy", "torch")  # decorators of the last two stand between our functions


def tell(warning: ThalwegWarning) -> None:
    """Warn, naming as its place the first line outside this package, and what wraps it: the user's own."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
