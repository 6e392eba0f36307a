"""JSON that comes back as it went out, and nothing else.

Writing: floats by `repr`, so that they return to the last bit; NaN and infinities, which JSON has no words for, as
`{"$float": "nan"}`; keys that begin with "$" doubled, so that the two cannot be confused.
Reading: refuses what Python's `json` lets pass (duplicate keys, bare NaN, numbers that overflow) or dies of (deep
nesting), before any of it is built.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from thalweg.errors import ModelFileError

DEPTH = 64  # a model's description nests to about 8
TOKENS = 1_000_000  # brackets and commas: bounds the memory that a small text can ask for

# A string (to the end of the text where it is not closed: no second look at it, so the scan is linear) or a token.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
_NONFINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dumps(value: Any) -> str:
    """Compact ASCII JSON of dicts with text keys, lists, tuples (which return as lists), text, numbers, booleans, None.

    Examples
    --------
    >>> dumps({"a": 0.1, "b": float("nan")})
    '{"a":0.1,"b":{"$float":"nan"}}'
    """
    return json.dumps(_encoded(value), allow_nan=False, separators=(",", ":"))


def loads(text: str) -> Any:
    """What `dumps` was given.

    Raises
    ------
    ModelFileError
        Text that is not JSON, is nested deeper than `DEPTH`, has more than `TOKENS` values, repeats a key, or holds a
        number that is not finite.

    Examples
    --------
    >>> loads('{"a":0.1,"b":{"$float":"nan"}}')
    {'a': 0.1, 'b': nan}
    """
    _scan(text)
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise ModelFileError(f"its header is not valid JSON: {problem}") from None
    except ValueError as problem:  # an integer of thousands of digits
        if isinstance(problem, ModelFileError):
            raise
        raise ModelFileError(f"its header holds a number that cannot be read: {problem}") from None


def _encoded(value: Any) -> Any:
    if isinstance(value, dict):
        return {_encoded_key(key): _encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(float(value))}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"a model file cannot hold a {type(value).__name__}: {value!r}")


def _encoded_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a model file cannot hold the key {key!r}: it is not text")
    return "$" + key if key.startswith("$") else key


def _object(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] == "$float":
        return _nonfinite(pairs[0][1])
    decoded: dict[str, Any] = {}
    for key, value in pairs:
        name = _decoded_key(key)
        if name in decoded:
            raise ModelFileError(f"its header has the key {shown(name)} twice")
        decoded[name] = value
    return decoded


def _decoded_key(key: str) -> str:
    if not key.startswith("$"):
        return key
    if not key.startswith("$$"):
        raise ModelFileError(f"its header has the unknown key {shown(key)}")
    return key[1:]


def _nonfinite(word: Any) -> float:
    if not isinstance(word, str) or word not in _NONFINITE:
        raise ModelFileError(f"its header has {shown(word)} where 'nan', 'inf' or '-inf' belongs")
    return _NONFINITE[word]


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ModelFileError(f"its header holds the number {shown(text)}, which is too large")
    return number


def _refuse_constant(word: str) -> NoReturn:
    raise ModelFileError(f"its header holds {word}, which is not JSON")


def _scan(text: str) -> None:
    """Depth and size, before a recursive parser sees the text."""
    depth = count = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first == '"':
            continue
        count += 1
        depth += (first in "[{") - (first in "]}")
        if depth > DEPTH:
            raise ModelFileError(f"its header nests deeper than {DEPTH} levels, which no model does")
        if count > TOKENS:
            raise ModelFileError(f"its header holds more than {TOKENS:,} values, which no model does")


def shown(value: Any, most: int = 60) -> str:
    """A value of the file as it may stand in a message: escaped, and cut where it is long."""
    text = ascii(value)
    return text if len(text) <= most else text[: most - 3] + "..."
