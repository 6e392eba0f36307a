"""Names, parameters and what a model file stores."""

from __future__ import annotations

import json
from typing import Any

import pytest

from thalweg.errors import OptionError
from thalweg.losses import Family, family, link_of
from thalweg.losses.families import FAMILIES, PARAMETERS
from thalweg.losses.links import LINKS


def test_json_there_and_back(pair: Family) -> None:
    stored = json.loads(json.dumps(pair.to_json()))
    again = family(stored)
    assert again == pair
    assert hash(again) == hash(pair)
    assert type(again) is type(pair)
    assert repr(again) == repr(pair)
    assert again.to_json() == stored


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("gaussian", "identity"),
        ("binomial", "logit"),
        ("poisson", "log"),
        ("gamma", "inverse"),
        ("inverse_gaussian", "inverse_squared"),
        ("negative_binomial", "log"),
        ("tweedie", "log"),
        ("huber", "identity"),
        ("soft_l1", "identity"),
        ("cauchy", "identity"),
    ],
)
def test_default_links_are_those_of_r(name: str, link: str) -> None:
    parameters = {PARAMETERS[name]: 1.5} if name in PARAMETERS else {}
    assert family(name, **parameters).link.name == link


def test_every_name_is_in_the_table_of_the_docstring() -> None:
    text = str(family.__doc__)
    for name, kind in FAMILIES.items():
        row = next(line for line in text.splitlines() if line.strip().startswith(name + " "))
        assert set(kind.links) <= set(row.replace(",", " ").split())


def test_spelling_and_aliases() -> None:
    assert family("Inverse-Gaussian") == family("inverse gaussian") == family("inverse_gaussian")
    assert family("logistic") == family("bernoulli") == family("binomial")
    assert family("Soft-L1", scale=2) == family("softl1", scale=2) == family("pseudo-huber", scale=2)
    assert family("lorentz", scale=2) == family("Lorentzian", scale=2) == family("cauchy", scale=2)
    one = family("poisson", "sqrt")
    assert family(one) is one
    assert link_of(one.link) is one.link


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    ("posson", {}, "Did you mean 'poisson'"),
    ("", {}, "there is no family ''"),
    (None, {}, "there is no family None"),
    ("x" * 100_000, {}, "xxx..."),
    ({"name": ["poisson"]}, {}, "there is no family"),
    ({"link": "log"}, {}, "there is no family None"),
    ({"name": "poisson", "weights": 1}, {}, "no parameter 'weights'"),
    ({"name": "poisson", "link": {"name": "log", "base": 2}}, {}, "link 'log' has no parameter 'base'"),
    ({"name": "poisson", "link": {}}, {}, "there is no link None"),
    ({"name": "poisson", "link": 3}, {}, "there is no link 3"),
    ("poisson", {"link": ""}, "there is no link ''"),
    ("poisson", {"link": "lgo"}, "Did you mean 'log'"),
    ("poisson", {"link": "logit"}, "a Poisson model has no link 'logit'"),
    ("binomial", {"link": "sqrt"}, "Its links are logit, probit"),
    ("gaussian", {"link": "cloglog"}, "no link 'cloglog'"),
    ("poisson", {"alpha": 1.0}, "no parameter 'alpha'"),
    ("gamma", {"link": "log", "exponent": 2}, "link 'log' has no parameter 'exponent'"),
    ("gamma", {"link": "power"}, "needs the parameter 'exponent'"),
    ("gamma", {"link": "power", "exponent": 0}, "other than 0"),
    ("gamma", {"link": "power", "exponent": float("nan")}, "other than 0"),
    ("negative_binomial", {}, "needs the parameter 'alpha'"),
    ("negative_binomial", {"alpha": 0}, "above 0"),
    ("negative_binomial", {"alpha": float("inf")}, "must be a number"),
    ("negative_binomial", {"alpha": float("nan")}, "above 0"),
    ("negative_binomial", {"alpha": "1"}, "must be a number"),
    ("negative_binomial", {"alpha": True}, "must be a number"),
    ("negative_binomial", {"alpha": 10**400}, "must be a number"),
    ("tweedie", {}, "needs the parameter 'power'"),
    ("tweedie", {"power": 0.5}, "0 or below, or 1 or above"),
    ("tweedie", {"power": float("nan")}, "0 or below"),
    ("huber", {}, "needs the parameter 'scale'"),
    ("huber", {"scale": 0}, "scale of a Huber loss is 0.0"),
    ("soft_l1", {"scale": -1}, "above 0"),
    ("cauchy", {"scale": float("nan")}, "above 0"),
    ("cauchy", {"scale": float("inf")}, "must be a number"),
    ("cauchy", {"scale": 1e200}, "from 1e-100 to 1e100"),
    ("cauchy", {"scale": 1.0, "link": "log"}, "a Cauchy model has no link 'log'"),
    (family("poisson"), {"link": "log"}, "already has its link"),
]


@pytest.mark.parametrize(("name", "options", "text"), WRONG, ids=range(len(WRONG)))
def test_nothing_else_is_accepted(name: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError) as error:
        family(name, **options)
    assert text in str(error.value)
    assert len(str(error.value)) < 400


def test_every_link_has_a_family() -> None:
    used = {link for kind in FAMILIES.values() for link in kind.links}
    assert used == set(LINKS)
    assert all(link.name == name for name, link in LINKS.items())
    assert all(kind.name == name and kind.default_link in kind.links for name, kind in FAMILIES.items())
