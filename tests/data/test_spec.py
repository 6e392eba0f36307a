"""A spec: what it learns, the blocks it makes, what it refuses, and its JSON."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from thalweg.data.matrix import Categorical, Dense, Ones, SideBySide
from thalweg.data.rows import Rows
from thalweg.data.source import Batch
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.errors import (
    ColumnError,
    DataError,
    FormulaError,
    MissingValueError,
    ModelFileError,
    OptionError,
    UnseenLevelError,
)

NAN = float("nan")
InBatches = Callable[[Any, int], Any]


def learn(formula: str, data: Any, **options: Any) -> tuple[Spec, Batch]:
    source = open_source(data)
    spec = Spec.learn(formula, source, **options)
    (batch,) = source.batches(spec.columns)
    return spec, spec.complete(batch, source)


def new(spec: Spec, data: Any) -> Batch:
    (batch,) = open_source(data).batches(spec.predictor_columns)
    return batch


# The block


def test_a_matrix_column_is_shown_without_a_copy() -> None:
    x = torch.randn(20, 3, dtype=torch.float64)
    spec, batch = learn("y ~ X", {"y": torch.ones(20, dtype=torch.float64), "X": x})
    matrix = spec.block(batch).matrix
    assert isinstance(matrix, SideBySide)
    assert [type(part) for part in matrix.parts] == [Ones, Dense]
    assert isinstance(matrix.parts[1], Dense)
    assert matrix.parts[1].values.data_ptr() == x.data_ptr()
    assert spec.names == ("Intercept", "X[0]", "X[1]", "X[2]")
    assert spec.ranges["X[1]"] == (float(x[:, 1].min()), float(x[:, 1].max()))
    assert isinstance(learn("y ~ 0 + X", {"y": [1.0] * 20, "X": x})[0].block(batch).matrix, Dense)


def test_categories_are_never_expanded(table: pd.DataFrame) -> None:
    spec, batch = learn("y ~ x + z + a*b + a:x + poly(x, 2) + C(a):poly(z, 2)", table)
    matrix = spec.block(batch).matrix
    assert isinstance(matrix, SideBySide)
    kinds = [(type(part), part.shape[1]) for part in matrix.parts]
    assert kinds == [
        *[(Ones, 1), (Dense, 2), (Categorical, 2), (Categorical, 1), (Dense, 2)],
        *[(Categorical, 2), (Categorical, 2), (Categorical, 3), (Categorical, 3)],
    ]


def test_float32_stays_where_all_numbers_are(table: pd.DataFrame) -> None:
    x, y = torch.rand(9), torch.rand(9)
    spec, batch = learn("y ~ x + log(x) + g + g:x", {"y": y, "x": x, "g": list("abc") * 3})
    block = spec.block(batch)
    assert block.y is not None
    assert block.y.dtype == block.matrix.dense().dtype == torch.float32
    assert all(part.dense().dtype == torch.float32 for part in block.matrix.parts)  # type: ignore[attr-defined]
    spec, batch = learn("y ~ x + g", {"y": y.double(), "x": x, "g": list("abc") * 3})
    assert spec.block(batch).matrix.dense().dtype == torch.float64
    assert spec.doubled(batch).high.dtype == torch.float64


def test_blocks_of_batches_are_the_rows_of_the_whole(table: pd.DataFrame, in_batches: InBatches) -> None:
    formula = "y ~ a*x + C(k, Sum) + poly(z, 3) + bs(x, df=5) + scale(z):b + I(x**2) + offset(z)"
    roles = {"weights": "k", "exposure": "x", "cluster": "b"}
    source = open_source(table)
    spec = Spec.learn(formula, source, **roles)
    (batch,) = source.batches(spec.columns)
    whole = spec.block(batch)
    parts_source = in_batches(table, 7)
    parts_spec = Spec.learn(formula, parts_source, **roles)
    assert parts_spec.names == spec.names
    assert parts_spec.levels == spec.levels
    assert parts_spec.ranges == spec.ranges
    assert (parts_spec.rows, parts_spec.dropped) == (60, 0)
    blocks = list(Rows(parts_source, parts_spec).blocks())
    dense = torch.cat([block.matrix.dense() for block in blocks])
    torch.testing.assert_close(dense, whole.matrix.dense(), rtol=1e-11, atol=1e-12)
    for name in ("y", "weight", "offset"):
        joined = torch.cat([getattr(block, name) for block in blocks])
        torch.testing.assert_close(joined, getattr(whole, name), rtol=1e-15, atol=0)
    clusters = torch.cat([parts_spec.cluster(b) for b in parts_source.batches(parts_spec.columns)])
    assert clusters.tolist() == spec.cluster(batch).tolist() == [("p", "q").index(b) for b in table["b"]]


def test_a_part_of_a_batch_gives_a_part_of_the_block(table: pd.DataFrame) -> None:
    spec, batch = learn("y ~ a*x + poly(z, 2)", table)
    torch.testing.assert_close(spec.block(batch[10:25]).matrix.dense(), spec.block(batch).matrix.dense()[10:25])


# The response


def test_labels_are_codes_and_the_second_is_the_success() -> None:
    spec, batch = learn("d ~ x", {"d": ["no", "yes", "no"], "x": [1.0, 2.0, 3.0]})
    assert (spec.response.levels, spec.response.kind, spec.response.name) == (("no", "yes"), "levels", "d")
    assert spec.block(batch).y.tolist() == [0.0, 1.0, 0.0]  # type: ignore[union-attr]
    assert spec.response_label(1.0) == "yes"
    spec, batch = learn("C(d, levels=['yes', 'no']) ~ x", {"d": ["no", "yes", "no"], "x": [1.0, 2.0, 3.0]})
    assert spec.block(batch).y.tolist() == [1.0, 0.0, 1.0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("response", "y"),
    [
        ("log(n)", np.log([2.0, 4.0, 8.0])),
        ("I(n/2)", [1.0, 2.0, 4.0]),
        ("n / t", [0.2, 0.4, 0.8]),
        ('g == "a"', [1.0, 0.0, 1.0]),
        ("g != 'a'", [0.0, 1.0, 0.0]),
        ("n > 3", [0.0, 1.0, 1.0]),
        ("b", [1.0, 0.0, 1.0]),
        ("I(b + n)", [3.0, 4.0, 9.0]),
    ],
)
def test_a_response_may_be_an_expression(response: str, y: Any) -> None:
    data = {"n": [2.0, 4.0, 8.0], "t": [10.0] * 3, "g": ["a", "b", "a"], "b": [True, False, True], "x": [1.0, 2.0, 4.0]}
    spec, batch = learn(f"{response} ~ x", data)
    np.testing.assert_allclose(spec.block(batch).y, y, rtol=1e-15)  # type: ignore[arg-type]
    assert spec.response.kind == ("levels" if response == "b" else "number")


def test_successes_and_failures_are_proportions_with_trials() -> None:
    data = {"s": [1.0, 3.0, 0.0], "n": [4.0, 3.0, 0.0], "x": [1.0, 2.0, 4.0]}
    spec, batch = learn("cbind(s, n - s) ~ x", data)
    block = spec.block(batch)
    assert block.y.tolist() == [0.25, 1.0, 0.0]  # type: ignore[union-attr]
    assert block.trials.tolist() == [4.0, 3.0, 0.0]  # type: ignore[union-attr]
    assert (spec.response.kind, spec.response.name) == ("trials", "cbind(s, n - s)")
    with pytest.raises(DataError, match=r"negative count \(row 2\)"):
        learn("cbind(s, n - 2*s) ~ x", data)


def test_a_text_that_no_row_holds_is_refused() -> None:
    data = {"g": ["a", "b", "a"], "x": [1.0, 2.0, 4.0]}
    with pytest.raises(UnseenLevelError, match=r"no row of column 'g' is 'A'. It holds 'a', 'b'"):
        learn('g == "A" ~ x', data)
    with pytest.raises(ColumnError, match="holds numbers and is compared with the text"):
        learn('x == "A" ~ g', data)


# Roles


def test_offsets_add_up() -> None:
    data = {"y": [1.0, 2.0], "x": [0.0, 1.0], "t": [2.0, 4.0], "o": [0.5, 0.25]}
    spec, batch = learn("y ~ x + offset(o) + offset(log(t))", data, offset="o*2", exposure="t")
    expected = torch.tensor([1.5, 0.75]).double() + 2 * torch.tensor([2.0, 4.0]).double().log()
    torch.testing.assert_close(spec.block(batch).offset, expected, rtol=1e-15, atol=0)
    assert spec.names == ("Intercept", "x")
    assert spec.predictor_columns == ("x", "o", "t")
    torch.testing.assert_close(spec.block(new(spec, data), response=False).offset, expected, rtol=1e-15, atol=0)


def test_weights_and_trials_are_columns_or_expressions() -> None:
    data = {"y": [0.5, 0.25], "x": [0.0, 1.0], "my weights": [2.0, 3.0], "n": [10.0, 20.0]}
    spec, batch = learn("y ~ x", data, weights="my weights", trials="n/2")
    block = spec.block(batch)
    assert block.weight.tolist() == [2.0, 3.0]  # type: ignore[union-attr]
    assert block.trials.tolist() == [5.0, 10.0]  # type: ignore[union-attr]
    assert spec.columns == ("y", "x", "my weights", "n")
    assert spec.predictor_columns == ("x",)
    assert spec.doubled(batch).weight.tolist() == [10.0, 30.0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"weights": "w"}, r"weights w is -1, which is negative \(row 2\)"),
        ({"exposure": "z"}, r"exposure z is 0, which is not positive \(row 1\)"),
        ({"trials": "w"}, r"trials w is -1"),
        ({"offset": "log(z)"}, r"offset log\(z\) is -inf where z = 0 \(row 1\)"),
        ({"weights": "0*x"}, "are zero"),
        ({"weights": "q"}, "no column 'q'"),
        ({"weights": "g"}, "holds text"),
        ({"weights": "m"}, r"column 'm' has a missing value \(row 2\)"),
    ],
)
def test_roles_out_of_range_are_refused(roles: dict[str, str], says: str) -> None:
    data = {"y": [1.0, 2.0], "x": [1.0, 2.0], "w": [1.0, -1.0], "z": [0.0, 1.0], "g": ["a", "b"], "m": [1.0, NAN]}
    with pytest.raises(DataError, match=says):
        learn("y ~ x", data, **roles)


@pytest.mark.parametrize("role", ["weights", "offset", "exposure", "trials", "cluster"])
def test_roles_pass_the_same_guard(role: str) -> None:
    data = {"y": [1.0, 2.0], "x": [1.0, 2.0]}
    for text in ("__import__('os')", "x.real", "poly(x, 2)", "C(x)", "(lambda: 1)()", "1", "cbind(x, y)", ""):
        with pytest.raises(FormulaError):
            learn("y ~ x", data, **{role: text})


def test_clusters_are_numbered_by_label() -> None:
    data = {"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0, 4.0], "id": [30.0, 7.5, 30.0], "g": ["b", "a", "c"]}
    spec, batch = learn("y ~ x", data, cluster="id")
    assert spec.cluster(batch).tolist() == [1, 0, 1]
    spec, batch = learn("y ~ x", data, cluster="g")
    assert spec.cluster(batch).tolist() == [1, 0, 2]
    with pytest.raises(OptionError, match="without clusters"):
        learn("y ~ x", data)[0].cluster(batch)


# Missing values


def test_missing_values_are_counted_and_placed(in_batches: InBatches) -> None:
    data = {"y": [1.0, 2.0, 3.0, NAN], "x": [NAN, 1.0, NAN, 2.0], "g": ["a", None, "b", "a"], "unused": [NAN] * 4}
    for size in (1, 2, 4):
        with pytest.raises(MissingValueError) as caught:
            Spec.learn("y ~ x + g", in_batches(data, size))
        assert re.search(r", and so have '\w' and '\w' \(", str(caught.value))
        assert "missing='drop'" in str(caught.value)
    with pytest.raises(MissingValueError, match=r"'x' has 2 missing values \(the first in test.csv, line 2\)"):
        Spec.learn("1*x ~ 1", in_batches({"x": data["x"]}, 2))


def test_incomplete_rows_are_left_out_before_learning(in_batches: InBatches) -> None:
    data = {"y": [1.0, 2.0, 3.0, NAN, 5.0], "x": [NAN, 1.0, 7.0, 2.0, 3.0], "g": ["z", "a", "b", "a", "b"]}
    for source in (open_source(data), in_batches(data, 2)):
        spec = Spec.learn("y ~ scale(x) + g", source, missing="drop")
        assert (spec.rows, spec.dropped, spec.levels["g"]) == (3, 2, ("a", "b"))
        assert spec.ranges == {"x": (1.0, 7.0)}
        assert spec.learned.states["scale(x)"]["center"] == pytest.approx(11 / 3, rel=1e-15)
        batches = [spec.complete(batch, source) for batch in source.batches(spec.columns)]
        assert [batch.number(i) for batch in batches for i in range(batch.rows)] == [1, 2, 4]
        blocks = list(Rows(source, spec).blocks())
        assert torch.cat([b.y for b in blocks]).tolist() == [2.0, 3.0, 5.0]  # type: ignore[misc]


def test_what_is_infinite_is_always_an_error() -> None:
    data = {"y": [1.0, 2.0, 3.0], "x": [NAN, 1.0, float("-inf")], "X": torch.tensor([[1.0, 2], [3, torch.inf], [5, 6]])}
    for missing in ("error", "drop"):
        with pytest.raises(MissingValueError, match=r"'x' holds an infinite value \(row 3\)"):
            learn("y ~ x", data, missing=missing)
        with pytest.raises(MissingValueError, match=r"'X' holds an infinite value \(row 2\)"):
            learn("y ~ X", data, missing=missing)


def test_no_rows_is_an_error() -> None:
    with pytest.raises(DataError, match="all 2 of them miss a value"):
        learn("y ~ x", {"y": [1.0, NAN], "x": [NAN, 2.0]}, missing="drop")


def test_an_expression_without_a_value_names_row_and_inputs(in_batches: InBatches) -> None:
    data = {"y": [1.0, 2.0, 3.0], "x": [1.0, 2.0, -3.0], "z": [1.0, 2.0, 0.5]}
    with pytest.raises(DataError, match=r"log\(x \* z\) is nan where x = -3 and z = 0.5 \(test.csv, line 4\)"):
        Spec.learn("y ~ log(x*z)", in_batches(data, 2))
    with pytest.raises(DataError, match=r"log\(x\) is nan where x = -3 \(row 3\)"):
        learn("log(x) ~ z", data)
    with pytest.raises(DataError, match=r"1 / \(x - 2\) is inf where x = 2"):
        learn("y ~ offset(1/(x-2))", data)


# Categories


def test_levels_keep_the_order_of_an_ordered_category(in_batches: InBatches) -> None:
    category = pd.Categorical(["low", "high", "mid"] * 3, categories=["low", "mid", "high", "unused"], ordered=True)
    frame = pd.DataFrame({"y": np.arange(9.0), "g": category})
    assert learn("y ~ g", frame)[0].levels["g"] == ("low", "mid", "high")
    assert Spec.learn("y ~ g", in_batches(frame, 3)).names[1:] == ("g[T.mid]", "g[T.high]")
    assert Spec.learn("y ~ g", in_batches(frame, 2)).levels["g"] == ("high", "low", "mid")


def test_truth_values_are_categories_and_count_as_numbers_inside_expressions() -> None:
    spec, batch = learn("y ~ t + I(2*t)", {"y": [1.0, 2.0, 3.0], "t": [True, False, True]})
    assert spec.names == ("Intercept", "t[T.True]", "I(2 * t)")
    assert spec.block(batch).matrix.dense()[:, 1:].tolist() == [[1, 2], [0, 0], [1, 2]]


@pytest.mark.parametrize(
    ("formula", "error", "says"),
    [
        ("y ~ one", ColumnError, "only one level, 'q'"),
        ("y ~ C(c)", ColumnError, "only one level, 5"),
        ("y ~ C(g, Treatment('zz'))", FormulaError, "'zz' is not among the levels. They are 'a', 'b'"),
        ("y ~ C(g, levels=['a', 'c'])", UnseenLevelError, "has the level 'b'"),
        ("y ~ log(g)", ColumnError, r"'g' holds text where a number is needed, for example 'a'. Write C\(g\)"),
        ("y ~ poly(g, 2)", ColumnError, "holds text"),
        ("y ~ log(X)", ColumnError, "holds 2 numbers a row"),
        ("y ~ nosuch", ColumnError, "nosuch"),
    ],
)
def test_columns_that_do_not_fit_are_named(formula: str, error: type[Exception], says: str) -> None:
    data = {"y": [1.0, 2.0], "one": ["q", "q"], "g": ["a", "b"], "c": [5.0, 5.0], "X": torch.ones(2, 2)}
    with pytest.raises(error, match=says):
        learn(formula, data)


# Predictions


@pytest.fixture
def model() -> Spec:
    data = {"y": [1.0, 2.0, 3.0, 5.0], "x": [1.0, 2.0, 4.0, 3.0], "g": list("abca"), "k": [1.0, 2.0, 2.0, 1.0]}
    return learn("y ~ log(x) + g + C(k):x", data)[0]


def test_a_prediction_needs_its_columns_in_any_order(model: Spec) -> None:
    assert model.predictor_columns == ("x", "g", "k")
    rows = {"k": [2.0], "unused": ["?"], "g": ["c"], "x": [2.5]}
    block = model.block(new(model, rows), response=False)
    assert block.y is None
    assert block.weight is None
    np.testing.assert_allclose(block.matrix.dense(), [[1, np.log(2.5), 0, 1, 0, 2.5]], rtol=1e-15)


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ({"g": ["zz"]}, UnseenLevelError, r"g has the level 'zz', which the fit never saw \(row 1\). Known .* a, b, c"),
        ({"k": [7.0]}, UnseenLevelError, r"C\(k\) has the level 7, .*Known levels are 1, 2"),
        ({"g": [3.0]}, ColumnError, "'g' held text in the fit and holds numbers here"),
        ({"x": ["much"]}, ColumnError, "'x' was a number in the fit and holds text here, for example 'much'"),
        ({"x": [NAN]}, MissingValueError, r"column 'x' has a missing value \(row 1\)"),
        ({"g": [None]}, (MissingValueError, ColumnError), "'g'"),
        ({"x": [float("inf")]}, MissingValueError, "infinite"),
        ({"x": [-1.0]}, DataError, r"log\(x\) is nan where x = -1 \(row 1\)"),
        ({"x": torch.ones(1, 2)}, DataError, "2 numbers a row"),
    ],
)
def test_rows_that_cannot_be_predicted_are_named(model: Spec, row: dict[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        model.block(new(model, {"x": [1.0], "g": ["a"], "k": [1.0], **row}), response=False)


def test_a_missing_column_is_named(model: Spec) -> None:
    with pytest.raises(ColumnError, match="'g'"):
        new(model, {"x": [1.0], "k": [1.0]})
    with pytest.raises(ColumnError, match=r"column 'g' is missing from the data. Did you mean 'gg'\?"):
        model.block(Batch({"x": torch.ones(1), "gg": torch.ones(1), "k": torch.ones(1)}, 1), response=False)


def test_unseen_levels_may_be_null_or_the_reference(model: Spec) -> None:
    rows = {"x": [1.0, 2.0, 3.0], "g": ["b", "zz", "a"], "k": [1.0, 1.0, 9.0]}
    eta = model.block(new(model, rows), response=False, unseen="null").matrix.dense().sum(dim=1)
    assert torch.isfinite(eta).tolist() == [True, False, False]
    dense = model.block(new(model, rows), response=False, unseen="reference").matrix.dense()
    assert dense[1].tolist() == [1, pytest.approx(np.log(2)), 0, 0, 2, 0]
    assert dense[2].tolist() == [1, pytest.approx(np.log(3)), 0, 0, 3, 0]
    with pytest.raises(OptionError, match="'error', 'null' or 'reference'"):
        model.block(new(model, rows), response=False, unseen="guess")


def test_rows_that_lack_a_predictor_may_be_null(model: Spec) -> None:
    rows = {"x": [1.0, NAN, 3.0, 2.0], "g": ["b", "a", None, "a"], "k": [1.0, 1.0, 1.0, NAN]}
    eta = model.block(new(model, rows), response=False, missing="null").matrix.dense().sum(dim=1)
    assert torch.isfinite(eta).tolist() == [True, False, False, False]
    seen = {**rows, "g": ["b", "zz", None, "a"]}
    with pytest.raises(UnseenLevelError, match=r"'zz'.*row 2"):
        model.block(new(model, seen), response=False, missing="null")
    with pytest.raises(MissingValueError, match="column 'x' has a missing value"):
        model.block(new(model, seen), response=False, unseen="null")
    eta = model.block(new(model, seen), response=False, unseen="reference", missing="null").matrix.dense().sum(dim=1)
    assert torch.isfinite(eta).tolist() == [True, False, False, False]
    with pytest.raises(DataError, match=r"log\(x\) is nan where x = -1 \(row 1\)"):  # no value is missing there
        model.block(new(model, {**rows, "x": [-1.0, NAN, 3.0, 2.0]}), response=False, missing="null")
    with pytest.raises(OptionError, match="'error' or 'null'"):
        model.block(new(model, rows), response=False, missing="drop")


def test_rows_outside_the_training_range_are_counted(model: Spec) -> None:
    assert model.outside(new(model, {"x": [0.5, 1.0, 4.0, 9.0], "g": ["a"] * 4, "k": [1.0] * 4})) == {"x": 2}
    spec, _ = learn("y ~ X", {"y": [1.0, 2.0], "X": torch.tensor([[0.0, 0.0], [1.0, 2.0]])})
    assert spec.outside(new(spec, {"X": torch.tensor([[0.5, 1.5], [0.5, 2.5]])})) == {"X[1]": 1}


# JSON


@pytest.fixture
def rich(table: pd.DataFrame) -> tuple[Spec, Batch]:
    formula = "b ~ a*poly(x, 2) + bs(z, df=4) + cs(z, df=3, constraints='center') + C(k, Treatment(2)) + offset(x.1)"
    frame = table.rename(columns={"x.1": "t", "mean rad": "mean rad"})
    formula = formula.replace("x.1", "t") + " + scale(`mean rad`) + poly(z, 2, raw=True)"
    return learn(formula, frame, weights="mean rad", cluster="a", exposure="x")


def test_a_spec_survives_json(rich: tuple[Spec, Batch]) -> None:
    spec, batch = rich
    text = json.dumps(spec.to_json(), allow_nan=False)
    loaded = Spec.from_json(json.loads(text))
    assert json.dumps(loaded.to_json()) == text
    assert (loaded.names, loaded.columns, loaded.ranges) == (spec.names, spec.columns, spec.ranges)
    assert loaded.response == spec.response
    for name in ("y", "weight", "offset"):
        assert torch.equal(getattr(loaded.block(batch), name), getattr(spec.block(batch), name))
    assert torch.equal(loaded.block(batch).matrix.dense(), spec.block(batch).matrix.dense())
    assert len(text) < 5000


def test_the_dot_survives_json(table: pd.DataFrame) -> None:
    spec, _batch = learn("y ~ . - a", table)
    assert Spec.from_json(json.loads(json.dumps(spec.to_json()))).names == spec.names


def _change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        *outer, last = path.split("/")
        for key in outer:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("formula", "b ~ __import__('os')"),
        ("formula", "b ~ x"),
        ("formula", 3),
        ("formula", "(" * 100_000),
        ("missing", "guess"),
        ("dot", ["x", 3]),
        ("dot", "x"),
        ("roles/weights", {"text": "eval('1')"}),
        ("roles/weights", {"column": 3}),
        ("roles/weights", {"text": "poly(x, 2)"}),
        ("roles/weights", "x"),
        ("roles/evil", {"text": "x"}),
        ("kinds/x", True),
        ("kinds/x", -3),
        ("kinds/x", 10**12),
        ("kinds/evil", "number"),
        ("kinds", []),
        ("levels/a", ["u", "v"]),
        ("levels/a", ["u", "u", "v"]),
        ("levels/a", ["u", ["v"], "w"]),
        ("levels/a", []),
        ("levels/a", ["u"]),
        ("levels/C(k, Treatment(2))", [1, 3, 4]),
        ("levels/C(k, Treatment(2))", ["1", 2, "3"]),
        ("levels/evil", ["u", "v"]),
        ("response_levels", []),
        ("response_levels", "pq"),
        ("states/poly(x, 2)", {}),
        ("states/poly(x, 2)", 3),
        ("states/poly(x, 2)/a", [1.0]),
        ("states/poly(x, 2)/a", ["1", 2]),
        ("states/poly(x, 2)/b", [1.0, 0.0]),
        ("states/poly(x, 2)/b", [1.0, float("nan")]),
        ("states/poly(x, 2)/count", -1),
        ("states/poly(x, 2)/shift", None),
        ("states/bs(z, df=4)/knots", [1.0, 2.0]),
        ("states/bs(z, df=4)/knots", [0.0] * 200_000),
        ("states/bs(z, df=4)/knots", [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
        ("states/cs(z, df=3, constraints='center')/basis", [[1.0]]),
        ("states/cs(z, df=3, constraints='center')/knots", [0.0, 0.0, 1.0, 2.0]),
        ("states/scale(`mean rad`)/scale", 0),
        ("states/scale(`mean rad`)/center", "1"),
        ("states/evil", {}),
        ("ranges/x", [2.0, 1.0]),
        ("ranges/x", [1.0]),
        ("ranges/x", [float("nan"), 1.0]),
        ("ranges/x", "ab"),
        ("rows", 0),
        ("rows", 1.5),
        ("rows", True),
        ("dropped", -1),
        ("names", ["Intercept"]),
        ("extra", 1),
    ],
)
def test_a_design_from_a_file_is_checked(rich: tuple[Spec, Batch], path: str, value: Any) -> None:
    content = copy.deepcopy(rich[0].to_json())
    _change(path, value)(content)
    with pytest.raises(ModelFileError, match="design in the model file"):
        Spec.from_json(content)


@pytest.mark.parametrize("content", [None, [], "x", {}, {"formula": "y ~ x"}, 3])
def test_what_is_no_design_is_refused(content: Any) -> None:
    with pytest.raises(ModelFileError):
        Spec.from_json(content)
