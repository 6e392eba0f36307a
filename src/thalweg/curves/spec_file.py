"""A curve as JSON, and back: the text of its equation, parsed again through the allow-list; of a function, its name.

| key | holds |
|---|---|
| `curve` | "expression", or "function" |
| `text` | the equation; of a function what a summary calls it, as "model(x, amplitude, tau)" |
| `response` | the left side |
| `parameters`, `inputs` | their names, of one group; of an equation they follow from the text, and must agree with it |
| `groups` | null, or `by` and `shared`: the column of groups, and the parameters that all of them have together |
| `at` | the fitted parameters, of all groups |
| `base` | `Spec.to_json()` of the linear formula that reads the columns |
| `check` | of a function: `inputs`, twelve places in the training range of each, and its `values` there |

A function is code, and code is not stored. Who loads the model passes the function, and what it gives at `check` tells
whether it is the one that was fitted. The ranges of the columns are all that this holds of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.curves.curve import Curve, Expression
from thalweg.curves.groups import Grouped
from thalweg.curves.language import read_equation
from thalweg.curves.spec import CurveSpec, _linear
from thalweg.data.expression import quote
from thalweg.data.nodes import column_names
from thalweg.data.spec import Spec
from thalweg.errors import ModelFileError, OptionError, ThalwegError

AGREEMENT = 1e-6  # of the largest checked value: other versions of a library may round otherwise, other models differ
CHECKED = 12  # places at which a function is compared
LONGEST = 100_000  # letters of an equation; a longer one is refused before it is parsed
_KEYS = frozenset({"curve", "text", "response", "parameters", "inputs", "groups", "at", "base", "check"})


def to_json(spec: CurveSpec) -> dict[str, Any]:
    """The curve and its reading as plain lists, dictionaries, texts and numbers."""
    curve, at = _of_one_group(spec.curve, spec.at)
    by_text = curve.equation is not None
    return {
        "curve": "expression" if by_text else "function",
        "text": spec.text,
        "response": spec.base.parsed.response.text,
        "parameters": list(curve.parameters),
        "inputs": list(curve.inputs),
        "groups": _groups(spec.curve),
        "at": list(spec.at),
        "base": spec.base.to_json(),
        "check": None if by_text else _checked_values(curve, spec.ranges, at),
    }


def _groups(curve: Curve) -> dict[str, Any] | None:
    return {"by": curve.by, "shared": list(curve.shared)} if isinstance(curve, Grouped) else None


def _of_one_group(curve: Curve, at: Sequence[float]) -> tuple[Curve, list[float]]:
    """The curve itself with its parameters; of groups, what stands inside, with those of the first group."""
    if not isinstance(curve, Grouped):
        return curve, list(at)
    return curve.inner, [at[place] for place in curve.places.values()] if at else []


def from_json(content: object, function: Callable[..., Any] | Curve | None = None) -> CurveSpec:
    """A curve from what `to_json` wrote.

    Parameters
    ----------
    content : object
    function : callable, optional
        The function of a model of one.

    Raises
    ------
    ModelFileError
        Anything that `to_json` cannot have written; a function that is not the one that was fitted.
    OptionError
        No function for a model of one, or one for a model that needs none.
    """
    _check_function(content, function)
    try:
        return _read(content, function)
    except ModelFileError:
        raise
    except (ThalwegError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(f"the curve in the model file is not valid: {error}") from None


def _check_function(content: object, function: object) -> None:
    """Refuse a function that is missing, that nothing asks for, or that is none.

    Raises
    ------
    OptionError
    """
    kind, text = (content.get("curve"), content.get("text")) if isinstance(content, dict) else (None, None)
    if kind == "function" and function is None:
        name = str(text).rpartition("=")[2].partition("(")[0].strip()
        raise OptionError(
            f"this model is of the function {text!r:.200}: pass it as function=",
            advice=f"In Python: thalweg.load(path, function={name if name.isidentifier() else 'model'}).",
        )
    if function is None or isinstance(function, Curve):
        return
    if kind == "expression":
        raise OptionError(
            f"this model is of the equation {text!r:.80}, not of a function", advice="Leave out function=."
        )
    if not callable(function):
        raise OptionError(f"function is {function!r:.60}, which is no function", advice="Pass the one that was fitted.")


def _read(content: object, function: Callable[..., Any] | Curve | None) -> CurveSpec:
    _require(isinstance(content, dict) and set(content) == _KEYS, "its entries are not those of a curve")
    assert isinstance(content, dict)
    text, response = _text(content["text"], "text"), _text(content["response"], "response")
    parameters, inputs = _texts(content["parameters"], "parameters"), _texts(content["inputs"], "inputs")
    base, groups = Spec.from_json(content["base"]), _read_groups(content["groups"])
    _check_base(base, response, inputs, groups)
    match content["curve"]:
        case "expression":
            _require(content["check"] is None, "an equation needs no values to check")
            curve = _expression(text, response, base)
        case "function":
            curve = _of_function(text, parameters, inputs, function)
        case _:
            raise ModelFileError("the curve in the model file is neither an expression nor a function")
    _require(list(curve.parameters) == parameters, "the parameters are not those of the curve")
    _require(list(curve.inputs) == inputs, "the columns are not those of the curve")
    whole = curve if groups is None else Grouped(curve, *groups, base.levels[groups[0]])
    at = tuple(_number(value) for value in _list(content["at"], "at"))
    _require(len(at) == len(whole.parameters), "there is not one value for each parameter")
    if content["curve"] == "function":
        _check_values(*_of_one_group(whole, at), text, content["check"])
    return CurveSpec(whole, base, text, at)


def _read_groups(content: object) -> tuple[str, list[str]] | None:
    if content is None:
        return None
    _require(isinstance(content, dict) and set(content) == {"by", "shared"}, "the groups are none")
    assert isinstance(content, dict)
    return _text(content["by"], "by"), _texts(content["shared"], "shared")


def _check_base(base: Spec, response: str, inputs: Sequence[str], groups: tuple[str, list[str]] | None) -> None:
    """The columns are read one by one, in the order in which the curve asks for them, and then the groups."""
    _require(base.parsed.response.text == response, "the response is not that of the columns' formula")
    category = [] if groups is None else [f"C({quote(groups[0])})"]
    _require(base.formula == _linear(response, tuple(inputs), *category), "the columns' formula is not the curve's")
    count = len(inputs) + (0 if groups is None else len(base.levels[groups[0]]))
    _require(len(base.names) == max(count, 1), "a column of the curve is not one of numbers")


# ---------------------------------------------------------------------------------------------------------- expressions


def _expression(text: str, response: str, base: Spec) -> Curve:
    """The text, parsed through the same allow-list as a user's."""
    columns = [*column_names(base.parsed.response.node), *base.parsed.predictor_columns]
    equation = read_equation(text, list(dict.fromkeys(columns)))
    _require(equation.text == text, "the equation is not spelled as it is saved")
    _require(equation.response == response, "the equation has another left side")
    return Expression.of(equation)


# ------------------------------------------------------------------------------------------------------------ functions


def _of_function(
    text: str, parameters: Sequence[str], inputs: Sequence[str], function: Callable[..., Any] | Curve | None
) -> Curve:
    """The curve of the function that was passed, where its parameters have the names of the file's."""
    assert function is not None
    if isinstance(function, Curve):  # of the fit itself, which is read back before it is written
        return _of_one_group(function, ())[0]
    curve = _made(function, inputs)
    if list(curve.parameters) != list(parameters) or _arguments(curve.title) != _arguments(text):
        raise ModelFileError(
            f"this model is of the function {text!r:.200}, and the one that was passed is {curve.title!r:.200}",
            advice="Pass the function that was fitted; its parameters are known by their names.",
        )
    return curve


def _arguments(title: str) -> str:
    """What stands in the brackets of a title; the function's own name may be another."""
    return title[title.rfind("(") :]


def _made(function: Callable[..., Any], inputs: Sequence[str]) -> Curve:
    from thalweg.curves.function import curve_of_function

    sample = {name: np.linspace(0.5, 1.5, CHECKED) for name in inputs}
    return curve_of_function(function, list(inputs), sample)[0]


def _checked_values(
    curve: Curve, ranges: Mapping[str, tuple[float, float]], at: Sequence[float]
) -> dict[str, Any] | None:
    """What the curve gives within the columns' ranges; None where it cannot be asked there."""
    inputs = {name: _places(*ranges.get(name, (0.0, 1.0)), shift=j) for j, name in enumerate(curve.inputs)}
    values = _values(curve, inputs, at)
    return None if values is None else {"inputs": inputs, "values": values}


def _places(low: float, high: float, shift: int) -> list[float]:
    """The extrema of a Chebyshev polynomial between the ends: dense where functions that differ differ most.

    Of the first column they ascend, of others they begin elsewhere, so that columns do not go together.
    """
    t = 0.5 - 0.5 * np.cos(np.pi * np.arange(CHECKED) / (CHECKED - 1))
    return np.roll(low * (1 - t) + high * t, 5 * shift).tolist()


def _values(curve: Curve, inputs: Mapping[str, Sequence[float]], at: Sequence[float]) -> list[float] | None:
    columns = {name: np.array(values, dtype=np.float64) for name, values in inputs.items()}
    try:
        return [float(value) for value in curve.over(columns, CHECKED).values(list(at))]
    except Exception:  # the user's code may raise anything on so few rows, and need not have been fitted to so few
        return None


def _check_values(curve: Curve, at: Sequence[float], text: str, check: object) -> None:
    """Compare the function with the values that the fitted one had.

    Raises
    ------
    ModelFileError
    """
    if check is None:
        return
    _require(isinstance(check, dict) and set(check) == {"inputs", "values"}, "the values to check are none")
    assert isinstance(check, dict)
    _require(isinstance(check["inputs"], dict) and list(check["inputs"]) == list(curve.inputs), "no columns to check")
    inputs = {name: [_number(v) for v in _list(given, "inputs")] for name, given in check["inputs"].items()}
    wanted = [_number(value, finite=False) for value in _list(check["values"], "values")]
    _require({len(wanted), *map(len, inputs.values())} == {CHECKED}, f"there are not {CHECKED} values to check")
    found = _values(curve, inputs, at)
    if found is None or not _agree(np.array(wanted), np.array(found)):
        first = 0 if found is None else _first_other(np.array(wanted), np.array(found))
        at_which = ", ".join(f"{name} = {given[first]:.10g}" for name, given in inputs.items())
        raise ModelFileError(
            f"the function is not the {text!r:.200} that was fitted: at {at_which} it gives "
            f"{'no value' if found is None else f'{found[first]:.10g}'} where that gave {wanted[first]:.10g}",
            advice="Pass the function that was fitted.",
        )


def _first_other(wanted: np.ndarray, found: np.ndarray) -> int:
    """Where two functions differ most; where one has no value before all."""
    if found.shape != wanted.shape:
        return 0
    apart = np.where(np.isfinite(wanted) == np.isfinite(found), np.abs(wanted - found), np.inf)
    return int(np.argmax(np.nan_to_num(apart, nan=0.0, posinf=np.inf)))


def _agree(wanted: np.ndarray, found: np.ndarray) -> bool:
    """Equal to rounding, and not finite in the same places."""
    finite = np.isfinite(wanted)
    if found.shape != wanted.shape or not np.array_equal(found[~finite], wanted[~finite], equal_nan=True):
        return False
    largest = np.abs(wanted[finite]).max(initial=0.0)
    return bool((np.abs(found[finite] - wanted[finite]) <= AGREEMENT * largest).all())


# --------------------------------------------------------------------------------------------------------------- pieces


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ModelFileError(f"the curve in the model file is not valid: {what}")


def _text(value: object, name: str) -> str:
    _require(isinstance(value, str) and 0 < len(value) <= LONGEST, f"{name} is no text")
    assert isinstance(value, str)
    return value


def _list(value: object, name: str) -> list[Any]:
    _require(isinstance(value, list), f"{name} is no list")
    assert isinstance(value, list)
    return value


def _texts(value: object, name: str) -> list[str]:
    listed = _list(value, name)
    _require(all(isinstance(each, str) for each in listed), f"{name} are not all text")
    _require(len(set(listed)) == len(listed), f"{name} are not all different")
    return listed


def _number(value: object, *, finite: bool = True) -> float:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    _require(plain and (not finite or math.isfinite(value)), "a value is no number")  # type: ignore[arg-type]
    return float(value)  # type: ignore[arg-type]
