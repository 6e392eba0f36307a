"""`thalweg show`: what a saved model says is what its fit said."""

from __future__ import annotations

import pytest

import thalweg as tw


def test_the_table(call, model):
    ended = call("show", model)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == tw.load(model).summary() + "\n"


@pytest.mark.parametrize("dialect", ["text", "latex", "python", "sql"])
def test_the_equation_alone(call, model, dialect):
    ended = call("show", model, "--equation", dialect, "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == tw.load(model).equation(dialect) + "\n"


def test_json_has_the_keys_and_numbers_of_the_fit(call, model, diabetes):
    fitted = call("fit", diabetes, "progression ~ bmi + bp + C(sex) + poly(s5, 2)", "--json").json
    shown = call("show", model, "--json").json
    assert list(shown) == list(fitted)
    for key in ("formula", "family", "level", "covariance", "df", "coefficients", "statistics"):
        assert shown[key] == fitted[key]
    assert shown["data"] is None  # a model file holds no data, and does not say where they were


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"", "empty"), (b"not a model" * 9, "model"), (b"\x80\x04\x95\x00pickle", "pickle"), (None, "no such file")],
)
def test_what_is_no_model_file_is_refused(call, tmp_path, content, word):
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    ended = call("show", path)
    assert (ended.code, ended.out) == (2, "")
    assert word in ended.err
    assert 1 <= ended.err.count("\n") <= 2
