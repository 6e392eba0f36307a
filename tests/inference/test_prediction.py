"""Predictions and their intervals against statsmodels, batch by batch, and what is refused or warned of."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch

from thalweg.data.block import Block
from thalweg.data.column_roles import Roles
from thalweg.data.matrix import Dense
from thalweg.data.source import Batch, Source
from thalweg.errors import CollinearityWarning, ExtrapolationWarning, NotAvailableError, OptionError
from thalweg.inference import prediction
from thalweg.inference.covariance import covariance, degrees_of_freedom
from thalweg.inference.prediction import Prediction, predict


@dataclass
class Batches(Source):
    """A table in memory that is read some rows at a time."""

    columns: dict[str, torch.Tensor]
    size: int = 50

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def description(self) -> str:
        return "a table"

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        whole = Batch({name: self.columns[name] for name in columns}, self.rows)
        for first in range(0, self.rows, self.size):
            yield whole[first : first + self.size]


@dataclass
class Design:
    """A spec whose columns are the source's."""

    predictor_columns: tuple[str, ...]
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    offset: str | None = None
    roles: Roles = field(default_factory=Roles)

    def block(self, batch: Batch, response: bool = True, unseen: str = "error", missing: str = "error") -> Block:
        assert not response
        x = torch.stack([batch.columns[name] for name in self.predictor_columns if name != self.offset], 1)
        return Block(Dense(x), offset=batch.columns[self.offset] if self.offset else None)

    def outside(self, batch: Batch) -> dict[str, int]:
        return {
            name: int(((batch.columns[name] < low) | (batch.columns[name] > high)).sum())
            for name, (low, high) in self.ranges.items()
        }


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources are given as such here."""
    monkeypatch.setattr("thalweg.data.sources.open_source", lambda data, **options: data)


def with_spec(fitted: Any, **options: Any) -> Any:
    """The fit with its model covariance and a design, so that it can predict."""
    covered, reason = covariance(
        "model",
        unscaled=fitted.unscaled,
        statistics=fitted.statistics,
        rows=fitted.rows,
        family=fitted.family,
        theta=fitted.theta,
    )
    names = fitted.names + ((options["offset"],) if "offset" in options else ())
    return SimpleNamespace(
        spec=Design(names, **options),
        names=fitted.names,
        family=fitted.family,
        theta=fitted.theta,
        covariance=covered,
        covariance_reason=reason,
        df=degrees_of_freedom("model", fitted.family, fitted.statistics),
        level=0.95,
        statistics=fitted.statistics,
        aliased=fitted.aliased,
        held={},
        separation=None,
        options={},
    )


def table(rows: Any, **more: torch.Tensor) -> Batches:
    return Batches({**dict(zip(rows.names, rows.x.T, strict=True)), **more})


def agree(found: Prediction, frame: Any, **columns: str) -> None:
    for ours, theirs in columns.items():
        np.testing.assert_allclose(found.columns[ours], frame[theirs], rtol=1e-9, err_msg=ours)


def test_least_squares(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes))
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit().get_prediction(diabetes.x.numpy())
    mean = predict(fit, table(diabetes), interval="mean", level=0.9)
    names = {"prediction": "mean", "standard_error": "mean_se"}
    agree(mean, truth.summary_frame(0.1), **names, lower="mean_ci_lower", upper="mean_ci_upper")
    assert (mean.interval_kind, mean.level) == ("mean", 0.9)
    new = predict(fit, table(diabetes), interval=0.99)
    agree(new, truth.summary_frame(0.01), **names, lower="obs_ci_lower", upper="obs_ci_upper")
    assert (new.interval_kind, new.level) == ("prediction", 0.99)
    assert predict(fit, table(diabetes), interval="prediction").level == 0.95


@pytest.mark.parametrize(("name", "family"), [("cancer", ""), ("wine", ""), ("diabetes", "gamma")])
def test_glm(name: str, family: str, request: pytest.FixtureRequest, tools: Any) -> None:
    rows = request.getfixturevalue(name)
    fitted, model = tools.glm(rows, family, "log" if family else None)
    fit = with_spec(fitted)
    truth = model.fit(tol=1e-14, use_t=bool(family)).get_prediction(rows.x.numpy()).summary_frame(0.1)
    found = predict(fit, table(rows), interval=0.9)
    agree(found, truth, prediction="mean", standard_error="mean_se", lower="mean_ci_lower", upper="mean_ci_upper")
    assert found.interval_kind == "mean"
    assert (found.columns["lower"] > 0).all()


def test_link_scale_and_offset(wine: Any, tools: Any) -> None:
    offset = wine.x[:, 1].cos()
    fitted, _ = tools.glm(wine.take(slice(None), offset=offset))
    fit = with_spec(fitted, offset="t")
    eta = (wine.x @ fitted.theta + offset).numpy()
    found = predict(fit, table(wine, t=offset), interval=0.95, kind="link")
    np.testing.assert_allclose(found.columns["prediction"], eta, rtol=1e-12)
    half = 1.959963984540054 * found.columns["standard_error"]
    np.testing.assert_allclose(found.columns["lower"], eta - half, rtol=1e-12)
    mean = predict(fit, table(wine, t=offset), interval=0.95)
    np.testing.assert_allclose(mean.columns["upper"], np.exp(eta + half), rtol=1e-12)
    np.testing.assert_allclose(
        mean.columns["standard_error"], np.exp(eta) * found.columns["standard_error"], rtol=1e-12
    )


def test_a_decreasing_link_keeps_the_ends_in_order(diabetes: Any, tools: Any) -> None:
    fitted, _ = tools.glm(diabetes, "gamma", "inverse")
    columns = predict(with_spec(fitted), table(diabetes), interval=0.95).columns
    assert (columns["lower"] < columns["prediction"]).all()
    assert (columns["prediction"] < columns["upper"]).all()
    assert (columns["standard_error"] > 0).all()
    wide = predict(with_spec(fitted), table(diabetes), interval=1 - 1e-15).columns
    ends = np.isnan(wide["lower"]) | np.isnan(wide["upper"])
    assert ends.any()  # eta - half is negative there, where this link has no mean: never a number


def test_batches_are_the_whole(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes))
    few, all_at_once = table(diabetes), table(diabetes)
    few.size, all_at_once.size = 7, 1000
    one, other = (predict(fit, source, interval=0.95).columns for source in (few, all_at_once))
    for name, column in one.items():
        np.testing.assert_allclose(column, other[name], rtol=1e-13)


def test_no_rows(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes))
    columns = predict(fit, table(diabetes.take(slice(0, 0))), interval=0.95).columns
    assert list(columns) == ["prediction", "lower", "upper", "standard_error"]
    assert {len(column) for column in columns.values()} == {0}


def test_rows_outside_the_training_range_are_counted(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes), ranges={"bmi": (20.0, 40.0), "bp": (0.0, 1e3)})
    low = int(((diabetes.x[:, 1] < 20) | (diabetes.x[:, 1] > 40)).sum())
    with pytest.warns(ExtrapolationWarning, match=f"of 442 rows, outside .*: {low} in bmi$"):
        found = predict(fit, table(diabetes))
    assert found.outside == {"bmi": low}


def test_aliased_columns_add_no_variance_and_a_warning(diabetes: Any, tools: Any) -> None:
    plain, wider = tools.least_squares(diabetes), tools.aliased(tools.least_squares(diabetes))
    expected = predict(with_spec(plain), table(diabetes), interval=0.95).columns
    with pytest.warns(CollinearityWarning, match="double = 2 \\* bmi"):
        found = predict(with_spec(wider), table(wider.rows), interval=0.95).columns
    for name, column in found.items():
        np.testing.assert_allclose(column, expected[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"interval": "both"}, "interval is 'both'"),
        ({"interval": 1.5}, "confidence level is 1.5"),
        ({"interval": 95}, "confidence level is 95"),
        ({"interval": "mean", "level": 2}, "confidence level is 2"),
        ({"interval": 0.9, "level": 0.8}, "two levels"),
        ({"level": 0.8}, "a level without an interval"),
        ({"kind": "odds"}, "kind is 'odds'"),
        ({"unseen": "missing"}, "unseen is 'missing'. It is 'error', 'null' or 'reference'"),
        ({"missing": "drop"}, "missing is 'drop'. It is 'error' or 'null'"),
        ({"interval": "prediction"}, "Only least squares has one"),
    ],
)
def test_options_that_do_not_exist(options: dict[str, Any], what: str, cancer: Any, tools: Any) -> None:
    fit = with_spec(tools.any(cancer)[0])
    with pytest.raises(OptionError, match=what):
        predict(fit, table(cancer), **options)


def test_a_new_value_has_no_eta(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes))
    with pytest.raises(OptionError, match="A new value has no eta"):
        predict(fit, table(diabetes), interval="prediction", kind="link")
    assert predict(fit, table(diabetes), interval=0.95, kind="link").interval_kind == "mean"


def test_no_interval_where_there_is_no_covariance(diabetes: Any, tools: Any) -> None:
    fit = with_spec(tools.least_squares(diabetes.take(slice(0, 4))))
    assert not np.isnan(predict(fit, table(diabetes)).columns["prediction"]).any()
    with pytest.raises(NotAvailableError, match="no interval: no residual degrees of freedom"):
        predict(fit, table(diabetes), interval=0.95)
    fit.separation = SimpleNamespace(sentence="The data are separated.")
    with pytest.raises(NotAvailableError, match="no interval: The data are separated"):
        predict(fit, table(diabetes), interval=0.95)


def test_nothing_is_said_where_there_is_nothing_to_say(diabetes: Any, tools: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = predict(with_spec(tools.least_squares(diabetes)), table(diabetes))
    assert found.outside == {}
    assert found.interval_kind is None
    assert not math.isnan(found.columns["prediction"][0])
    assert prediction.INTERVALS == ("mean", "prediction")
