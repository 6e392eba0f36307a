"""`thalweg diagnose` prints what the library says."""

from __future__ import annotations

import json

import pytest

import thalweg as tw
from thalweg.diagnose.diagnosis import diagnose


@pytest.fixture
def points(tmp_path):
    """A line as a CSV file."""
    path = tmp_path / "line.csv"
    rows = [(0.5 * i, 2 * 0.5 * i + 5 + (-1) ** i) for i in range(20)]
    path.write_text("x,y\n" + "\n".join(f"{x},{y}" for x, y in rows) + "\n")
    return path


def test_the_text(call, points):
    ended = call("diagnose", points, "y ~ x")
    assert (ended.code, ended.err) == (0, "")
    found = diagnose("y ~ x", str(points))
    assert f"--lr {found.fastest:g} is the fastest stable rate" in ended.out
    assert ended.out.splitlines()[:5] == str(found).splitlines()[:5]


def test_a_rate_is_judged(call, points):
    ended = call("diagnose", points, "y ~ x", "--lr", "0.1", "--momentum", "0.5", "--loss", "half mean")
    assert ended.code == 0
    assert "lr 0.1 is" in ended.out
    assert '"half mean" over 20 rows' in ended.out


def test_json(call, points):
    ended = call("diagnose", points, "y ~ x", "--lr", "0.1", "--json")
    assert ended.code == 0
    shown, found = ended.json, diagnose("y ~ x", str(points), lr=0.1)
    assert shown["notes"] == []
    assert shown["stable_limit"] == found.limit
    assert shown["told"]["stable"] is False
    assert shown["told"]["steps"] is None  # never
    assert shown["names"] == ["Intercept", "x"]
    assert json.loads(ended.out) == shown


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("y ~ q",), "q"),
        (("y ~ x", "--lr", "-1"), "lr"),
        (("y ~ x", "--loss", "median"), "loss"),
        (("y ~ x", "--family", "binomial"), "binomial"),
    ],
)
def test_what_is_wrong_is_said_on_two_lines(call, points, arguments, word):
    ended = call("diagnose", points, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err
    assert 1 <= ended.err.count("\n") <= 2


def test_a_built_in_data_set(call):
    ended = call("diagnose", "diabetes", "progression ~ bmi")
    assert ended.code == 0
    assert "442 rows, 2 parameters" in ended.out
    assert tw.diagnose("progression ~ bmi", "diabetes").rows == 442
