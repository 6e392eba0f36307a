"""A spec as JSON, and back: everything that a file says is checked, and what the formula implies is derived anew.

Only the texts of formula and roles and the learned numbers are stored. Reading parses the texts through the same
guard as a user's, checks every learned value, and compares the names of the design that results.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

from thalweg.data.column_roles import Roles
from thalweg.data.expression import Reading, parse_expression
from thalweg.data.formula import parse_formula, require_columns
from thalweg.data.learn import Learned, category_of
from thalweg.data.nodes import Category, Name, column_names
from thalweg.data.spec import Spec
from thalweg.errors import ModelFileError, ThalwegError

_ROLES = ("weights", "offset", "exposure", "trials", "cluster")
_KEYS = frozenset(
    {"formula", "dot", "missing", "roles", "kinds", "levels", "response_levels", "states", "ranges", "rows", "dropped"}
    | {"names"}
)
MAX_ENTRIES = 1_000_000  # of any one list


def to_json(spec: Spec) -> dict[str, Any]:
    """The spec as plain lists, dictionaries, texts and numbers."""
    learned = spec.learned
    roles = {
        role: {"column": reading.node.name} if isinstance(reading.node, Name) else {"text": reading.text}
        for role, reading in spec.roles.items()
    }
    return {
        "formula": spec.formula,
        "dot": None if spec.parsed.dot is None else list(spec.parsed.dot),
        "missing": spec.missing,
        "roles": roles,
        "kinds": dict(learned.kinds),
        "levels": {key: list(levels) for key, levels in learned.levels.items()},
        "response_levels": None if learned.response_levels is None else list(learned.response_levels),
        "states": learned.states,
        "ranges": {name: list(pair) for name, pair in learned.ranges.items()},
        "rows": learned.rows,
        "dropped": learned.dropped,
        "names": list(spec.names),
    }


def from_json(content: object) -> Spec:
    """A spec from what `to_json` wrote.

    Raises
    ------
    ModelFileError
        Anything that it cannot have written.
    """
    try:
        return _read(content)
    except ModelFileError:
        raise
    except (ThalwegError, ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError) as error:
        raise ModelFileError(f"the design in the model file is not valid: {error}") from None


def _read(content: object) -> Spec:
    _require(isinstance(content, dict) and set(content) == _KEYS, "its entries are not those of a design")
    assert isinstance(content, dict)
    missing = content["missing"]
    _require(missing in ("error", "drop"), "missing is neither 'error' nor 'drop'")
    _require(isinstance(content["formula"], str), "formula is not a text")
    dot = None if content["dot"] is None else _texts(content["dot"], "dot")
    parsed = parse_formula(content["formula"], dot or ())
    roles = _read_roles(content["roles"])
    learned = _read_learned(content)
    needed = {*column_names(parsed.response.node), *parsed.predictor_columns, *roles.columns()}
    _require(set(learned.kinds) == needed, "kinds are not those of the formula's columns")
    categories = {key for key, node in parsed.factors.items() if category_of(key, node, learned.kinds) is not None}
    _require(set(learned.levels) == categories, "levels are not those of the formula's categories")
    _check_levels(parsed.factors, learned)
    spec = Spec.assemble(parsed, roles, learned, missing)
    _require(list(spec.names) == content["names"], "names are not those of the formula's columns")
    return spec


def _check_levels(factors: Any, learned: Learned) -> None:
    """A category of computed numbers has numbers for levels."""
    for key, levels in learned.levels.items():
        node = factors[key]
        argument = node.argument if isinstance(node, Category) else node
        numeric = not isinstance(argument, Name) or learned.kinds[argument.name] == "number"
        _require(
            not numeric or all(isinstance(level, int | float) for level in levels), f"levels of {key} are no numbers"
        )
        _require(len(levels) >= 2, f"levels of {key} are too few")


def _read_learned(content: dict[str, Any]) -> Learned:
    response = content["response_levels"]
    response_levels = None if response is None else _levels(response, "response_levels")
    states = _mapping(content["states"], "states")
    _require(all(isinstance(state, dict) for state in states.values()), "states are not dictionaries")
    return Learned(
        {name: _kind(kind) for name, kind in _mapping(content["kinds"], "kinds").items()},
        {key: _levels(levels, "levels") for key, levels in _mapping(content["levels"], "levels").items()},
        response_levels,
        states,
        {name: _range(pair) for name, pair in _mapping(content["ranges"], "ranges").items()},
        _count(content["rows"], "rows", 1),
        _count(content["dropped"], "dropped", 0),
    )


def _read_roles(content: object) -> Roles:
    roles = _mapping(content, "roles")
    _require(set(roles) <= set(_ROLES), "roles hold an unknown role")
    return Roles(**{role: _read_role(role, entry) for role, entry in roles.items()})


def _read_role(role: str, entry: object) -> Reading:
    _require(isinstance(entry, dict) and len(entry) == 1, f"the role {role} is not one entry")
    assert isinstance(entry, dict)
    ((how, text),) = entry.items()
    _require(how in ("column", "text") and isinstance(text, str), f"the role {role} is no text")
    reading = Reading(Name(text), text) if how == "column" else parse_expression(text)
    require_columns(reading, role)
    return reading


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ModelFileError(f"the design in the model file is not valid: {what}")


def _mapping(content: object, name: str) -> dict[str, Any]:
    _require(isinstance(content, dict) and len(content) <= MAX_ENTRIES, f"{name} is not a dictionary")
    assert isinstance(content, dict)
    _require(all(isinstance(key, str) for key in content), f"{name} has a key that is no text")
    return content


def _texts(content: object, name: str) -> list[str]:
    plain = isinstance(content, list) and len(content) <= MAX_ENTRIES and all(isinstance(item, str) for item in content)
    _require(plain, f"{name} is not a list of texts")
    assert isinstance(content, list)
    return content


def _levels(content: object, name: str) -> tuple[Hashable, ...]:
    _require(isinstance(content, list) and 1 <= len(content) <= MAX_ENTRIES, f"{name} is not a list")
    assert isinstance(content, list)
    for level in content:
        plain = isinstance(level, str | bool | int) or (isinstance(level, float) and math.isfinite(level))
        _require(plain, f"{name} holds {type(level).__name__}")
    _require(len(set(content)) == len(content), f"{name} holds a level twice")
    return tuple(content)


def _kind(content: object) -> str | int:
    width = isinstance(content, int) and not isinstance(content, bool) and 1 <= content <= MAX_ENTRIES
    _require(width or content in ("number", "levels"), f"{content!r} is no kind of column")
    assert isinstance(content, str | int)
    return content


def _range(content: object) -> tuple[float, float]:
    plain = isinstance(content, list) and len(content) == 2
    plain = plain and all(isinstance(v, int | float) and not isinstance(v, bool) for v in content)  # type: ignore[attr-defined]
    _require(plain, "a range is not two numbers")
    least, most = (float(v) for v in content)  # type: ignore[attr-defined]
    _require(math.isfinite(least) and math.isfinite(most) and least <= most, "a range is not in order")
    return least, most


def _count(content: object, name: str, least: int) -> int:
    plain = isinstance(content, int) and not isinstance(content, bool) and least <= content < 2**63
    _require(plain, f"{name} is no count")
    assert isinstance(content, int)
    return content
