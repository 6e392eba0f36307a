"""save and load: a fit as one file."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from thalweg.errors import ModelFileError, OptionError, ThalwegError
from thalweg.store.atomic import atomic_write

if TYPE_CHECKING:
    from thalweg.inference.statistics import Statistics
    from thalweg.result import Fit

# Names under which a later reader would expect something else; the commonest slip is the data's own name.
_OTHER_FORMATS = re.compile(
    r"\.(pkl|pickle|joblib|pt|pth|ckpt|npy|npz|h5|hdf5|onnx|zip|gz|html|png|pdf|svg|py"
    r"|csv|tsv|txt|dat|json|jsonl|ndjson|parquet|arrow|feather|ipc|xlsx)"
)


def save(fit: Fit, path: str | os.PathLike[str]) -> None:
    """Write a fit to a model file, all or nothing.

    The file is a safetensors file of the coefficients and their covariance, with a description in its header; it holds
    no rows of the data. The same fit gives the same bytes. An existing file is replaced.

    Parameters
    ----------
    fit : Fit
    path : str or path
        Used as given; `.safetensors` is the usual suffix.

    Raises
    ------
    OptionError
        A suffix that promises another format.
    OutputError
        The file cannot be written; one that was there is unchanged.
    ModelFileError
        A fit that cannot be read back, such as one whose coefficients are not finite.

    Examples
    --------
    >>> import tempfile
    >>> import thalweg as tw
    >>> fit = tw.fit("progression ~ bmi", "diabetes")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(f"{folder}/m.safetensors")
    ...     tw.load(f"{folder}/m.safetensors").names
    ('Intercept', 'bmi')
    """
    suffix = Path(os.fsdecode(path)).suffix.lower()
    if _OTHER_FORMATS.fullmatch(suffix):
        raise OptionError(f"a model file is a safetensors file, not {suffix}", advice="Name it model.safetensors.")
    atomic_write(path, _bytes(fit))


def load(path: str | os.PathLike[str], *, function: Callable[..., Any] | None = None) -> Fit:
    """Read a fit from a model file.

    Nothing that the file names is imported or run. What the rows would be needed for (residuals, other covariances) is
    not available on a loaded fit.

    Parameters
    ----------
    path : str or path
    function : callable, optional
        For a model of a Python function, which a file cannot hold: the function that was fitted. The names of its
        parameters are compared with those in the file, and its values with those that it had. A curve that was written
        as text, "y = a * exp(-b * x)", needs none.

    Returns
    -------
    Fit

    Raises
    ------
    ModelFileError
        With the reason: no model file, truncated, altered in any bit, or written by a later version; or a function that
        is not the one that was fitted.
    OptionError
        No function for a model of one, or one for a model that needs none.

    Examples
    --------
    >>> load("no_such_file.safetensors")
    Traceback (most recent call last):
    thalweg.errors.ModelFileError: the model file cannot be read: there is no such file (no_such_file.safetensors). ...
    """
    name = os.fsdecode(path)
    try:
        with _opened(name) as stream:
            return _fit(stream, os.fstat(stream.fileno()).st_size, function)
    except ModelFileError as problem:
        what = f"the model file cannot be read: {problem.what}"
        raise ModelFileError(what, where=name, advice=problem.advice) from problem.__cause__


def _bytes(fit: Fit) -> bytes:
    """The file, which is proved to be readable before anything is replaced by it."""
    from thalweg.store.header import to_parts
    from thalweg.store.safetensors import pack

    try:
        data = pack(*to_parts(fit))
        _fit(io.BytesIO(data), len(data), getattr(fit.spec, "curve", None))  # a curve has its function with it
    except ModelFileError as problem:
        what = problem.what.removeprefix("its ")
        advice = problem.advice or "Nothing was written; fit.summary() may say what went wrong."
        raise ModelFileError(f"this fit cannot be saved: {what}", advice=advice) from problem.__cause__
    return data


def _opened(name: str) -> BinaryIO:
    """An ordinary file, open for reading; never waits for a pipe."""
    advice = "Give the path of a file that `save` wrote."
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise ModelFileError("it is a folder", advice=advice)
        if not stat.S_ISREG(mode):
            raise ModelFileError("it is a device or a pipe, not a file", advice=advice)
        return open(name, "rb")
    except FileNotFoundError:
        raise ModelFileError("there is no such file", advice=advice) from None
    except (OSError, ValueError) as problem:  # ValueError: a NUL character in the name
        if isinstance(problem, ModelFileError):
            raise
        raise ModelFileError(
            f"the system says {getattr(problem, 'strerror', None) or problem}", advice=advice
        ) from None


def _fit(stream: BinaryIO, size: int, function: Any = None) -> Fit:
    """Bytes to a fit, through every check."""
    from thalweg.result import Fit
    from thalweg.store.header import CURVES, check_schema, from_parts
    from thalweg.store.safetensors import unpack

    description, tensors = unpack(stream, size, check_schema)
    arguments = from_parts(description, tensors)
    theta = tuple(arguments["theta"].tolist())
    arguments |= _restored(arguments)
    arguments["spec"] = _spec(arguments["spec"], description["schema"] == CURVES, function)
    if list(arguments["spec"].names) != description["names"]:
        raise ModelFileError("its names are not those of its formula")
    if getattr(arguments["spec"], "at", theta) != theta:
        raise ModelFileError("its curve is not at its coefficients")
    return Fit(**arguments)


def _restored(arguments: dict[str, Any]) -> dict[str, Any]:
    """The objects behind the JSON, made by their own strict readers; but for the spec."""
    from thalweg.losses import family
    from thalweg.result import Separation

    readers: dict[str, Callable[[Any], Any]] = {
        "family": family,
        "statistics": _statistics,
        "separation": lambda kept: None if kept is None else Separation(**kept),
    }
    return {key: _read(key, reader, arguments[key]) for key, reader in readers.items()}


def _spec(kept: Any, curve: bool, function: Any) -> Any:
    """The design of a formula, or the curve, which may need the user's function.

    Raises
    ------
    OptionError
        A function that is missing, or that nothing asks for.
    """
    if curve:
        from thalweg.curves.spec_file import from_json

        return from_json(kept, function)
    from thalweg.data.spec import Spec

    spec = _read("spec", Spec.from_json, kept)
    if function is not None:
        raise OptionError(
            f"this model is of the formula {spec.formula!r:.80}, not of a function", advice="Leave out function=."
        )
    return spec


def _statistics(kept: dict[str, Any]) -> Statistics:
    """Numbers where numbers belong: a text in their place would only be noticed in the middle of a table."""
    from thalweg.inference.statistics import Statistics

    made = Statistics(**kept)
    for entry in fields(made):
        value = getattr(made, entry.name)
        expected = {"float": (int, float), "int": (int,), "str": (str,)}.get(str(entry.type), (dict,))
        if type(value) not in expected or (type(value) is int and not -(2**63) <= value < 2**63):
            raise TypeError(f"{entry.name} cannot be {value!r:.60}")
    if not all(isinstance(reason, str) for reason in made.reasons.values()):
        raise TypeError("the reasons are not all text")
    return made


def _read(key: str, reader: Callable[[Any], Any], kept: Any) -> Any:
    try:
        return reader(kept)
    except (ThalwegError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as problem:
        raise ModelFileError(f"its {key!r} is refused: {problem}") from problem
