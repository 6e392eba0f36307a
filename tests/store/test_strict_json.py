"""JSON for model files: exact round trips, and refusals before anything large is built."""

from __future__ import annotations

import json
import math
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import ModelFileError
from thalweg.store.strict_json import dumps, loads, shown

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "$float", "$$", "", "é"]), inner),
    max_leaves=8,
)


@given(VALUES)
def test_what_goes_out_comes_back(value):
    again = loads(dumps(value))
    assert again == value
    assert repr(again) == repr(value)  # 1 and 1.0 and True, 0.0 and -0.0 and the order of keys kept apart


@given(st.floats())
def test_floats_return_to_the_last_bit(number):
    again = loads(dumps([number]))[0]
    assert struct.pack("<d", again) == struct.pack("<d", number) or (math.isnan(number) and math.isnan(again))


def test_it_is_strict_json_for_every_other_reader():
    text = dumps({"a": [math.nan, math.inf, -math.inf, 1e308], "é": "\ud800"})
    assert text.isascii()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse)["a"][0] == {"$float": "nan"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"b": {"a": 1, "\\u0061": 2}}', "twice"),
        ('{"$$a": 1, "$$a": 2}', "twice"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e400]", "too large"),
        ("[" * 65 + "]" * 65, "nests deeper"),
        ('{"a":' * 100_000, "nests deeper"),
        ("[" + "[],[],[],[]," * 300_000 + "0]", "more than 1,000,000"),
        ("[1,]", "not valid JSON"),
        ("", "not valid JSON"),
        ('{"a": 1} {}', "not valid JSON"),
        ('["\x00"]', "not valid JSON"),
        ("[" + "9" * 5000 + "]", "number"),
        ('{"$float": "NaN"}', "nan"),
        ('{"$float": ["nan"]}', "nan"),
        ('{"$float": "nan", "b": 1}', "unknown key"),
        ('{"$other": 1}', "unknown key"),
    ],
)
def test_refused(text, reason):
    with pytest.raises(ModelFileError, match=reason) as caught:
        loads(text)
    assert len(str(caught.value)) < 300


def test_brackets_inside_strings_are_not_depth():
    value = ["[" * 1000 + '\\"{' * 1000]
    assert loads(dumps(value)) == value
    deepest = "[" * 64 + "]" * 64
    assert dumps(loads(deepest)) == deepest


def test_an_unclosed_string_of_quotes_is_scanned_once():
    start = time.perf_counter()
    with pytest.raises(ModelFileError):
        loads('["' + '\\"' * 50_000)
    assert time.perf_counter() - start < 1  # a quadratic scan takes many seconds


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, b"bytes", 1j, object()])
def test_what_json_has_no_words_for_is_never_written(value):
    with pytest.raises(TypeError, match="cannot hold"):
        dumps([value])


def test_text_of_a_file_is_escaped_and_cut_in_messages():
    assert shown("\x1b[31mred") == "'\\x1b[31mred'"
    assert len(shown("x" * 10_000)) == 60
