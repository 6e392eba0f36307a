"""Covariances against statsmodels on real data, and against what weights, blocks and clusters must mean."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from torch import Tensor

from thalweg.errors import OptionError
from thalweg.inference.covariance import count_clusters, covariance, default_kind, degrees_of_freedom

KINDS = ("HC0", "HC1", "HC2", "HC3")
ROBUST = (*KINDS, "cluster", "linearized")


def close(found: Tensor | None, expected: Any, digits: int = 8) -> None:
    """Agreement of two covariance matrices, entry by entry against the standard errors of its row and column."""
    assert found is not None
    expected = np.asarray(expected)
    size = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert np.isfinite(found.numpy()).all()
    assert (np.abs(found.numpy() - expected) / size).max() < 10.0**-digits


def matrix(fitted: Any, kind: str, clusters: Tensor | None = None) -> Tensor:
    found, reason = outcome(fitted, kind, clusters)
    assert reason is None
    assert found is not None
    return found


def outcome(fitted: Any, kind: str, clusters: Tensor | None = None) -> tuple[Tensor | None, str | None]:
    return covariance(
        kind,
        unscaled=fitted.unscaled,
        statistics=fitted.statistics,
        rows=fitted.rows,
        family=fitted.family,
        theta=fitted.theta,
        weights_kind=fitted.weights_kind,
        clusters=clusters,
    )


def ages(n: int) -> Tensor:
    """Fifteen clusters of unequal size, in no order."""
    return torch.tensor(np.random.default_rng(3).integers(0, 15, n) * 7 + 3)


@pytest.mark.parametrize("kind", ["model", *KINDS])
def test_ols(kind: str, diabetes: Any, tools: Any) -> None:
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit(cov_type="nonrobust" if kind == "model" else kind)
    close(matrix(tools.least_squares(diabetes), kind), truth.cov_params())


@pytest.mark.parametrize("kind", ["model", *KINDS])
def test_wls(kind: str, diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442] + 0.5
    truth = sm.WLS(diabetes.y.numpy(), diabetes.x.numpy(), w.numpy()).fit()
    expected = truth.cov_params() if kind == "model" else weighted_sandwich(truth, kind)
    close(matrix(tools.least_squares(diabetes.take(slice(None), weight=w)), kind), expected)


def weighted_sandwich(truth: Any, kind: str) -> np.ndarray:
    """HC of the whitened regression, which is OLS again (statsmodels' own leverages in WLS are the unweighted ones)."""
    return np.asarray(sm.OLS(truth.model.wendog, truth.model.wexog).fit(cov_type=kind).cov_params())


def test_clusters_ols(diabetes: Any, tools: Any) -> None:
    groups = ages(442)
    options = {"groups": groups.numpy()}
    truth = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit(cov_type="cluster", cov_kwds=options)
    fitted = tools.least_squares(diabetes)
    close(matrix(fitted, "cluster", groups), truth.cov_params())
    df = degrees_of_freedom("cluster", fitted.family, fitted.statistics, count_clusters(diabetes, groups))
    assert df == truth.df_resid_inference == 14


@pytest.mark.filterwarnings("ignore:cov_type not fully supported")
@pytest.mark.parametrize("kind", ["model", "HC0", "cluster"])
@pytest.mark.parametrize("name", ["cancer", "wine"])
@pytest.mark.parametrize("weighting", ["none", "freq_weights", "var_weights"])
def test_glm(kind: str, name: str, weighting: str, request: pytest.FixtureRequest, tools: Any, weights: Tensor) -> None:
    rows = request.getfixturevalue(name)
    groups = ages(len(rows.y))
    w = weights[: len(rows.y)] + 1
    if weighting != "none":
        rows = rows.take(slice(None), weight=w)
    options = {} if weighting == "none" else {weighting: w.numpy()}
    fitted, model = tools.glm(rows, weights_kind="frequency" if weighting == "freq_weights" else "precision", **options)
    cov_type = "nonrobust" if kind == "model" else kind
    truth = model.fit(tol=1e-14, cov_type=cov_type, cov_kwds={"groups": groups.numpy()} if kind == "cluster" else None)
    correction = 1.0
    if kind == "cluster" and weighting == "freq_weights":  # statsmodels counts rows there, not repeated rows
        n, repeated, k = len(w), float(w.sum()), 4
        correction = (repeated - 1) / (repeated - k) * (n - k) / (n - 1)
    close(matrix(fitted, kind, groups), truth.cov_params() * correction)


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_frequency_weights_repeat_rows(name: str, request: pytest.FixtureRequest, tools: Any, weights: Tensor) -> None:
    rows = request.getfixturevalue(name)
    n = len(rows.y)
    w, groups = weights[:n], ages(n)
    index = torch.arange(n).repeat_interleave(w.long())
    once, _ = tools.any(rows.take(slice(None), weight=w), weights_kind="frequency")
    often = tools.at(rows.take(index), once)
    for kind in ("model", *ROBUST):
        close(matrix(once, kind, groups), matrix(often, kind, groups[index]), 11)


@pytest.mark.parametrize("weights_kind", ["precision", "sampling", "frequency"])
def test_weight_zero_is_absence(weights_kind: str, wine: Any, tools: Any, weights: Tensor) -> None:
    w, groups = weights[:178], ages(178)
    groups[w == 0] = 99  # clusters of absent rows are absent too
    fitted, _ = tools.any(wine.take(slice(None), weight=w), weights_kind=weights_kind)
    there = w > 0
    fewer = tools.at(wine.take(there, weight=w[there]), fitted, weights_kind=weights_kind)
    for kind in ROBUST if weights_kind == "sampling" else ("model", *ROBUST):
        close(matrix(fitted, kind, groups), matrix(fewer, kind, groups[there]), 12)
    assert count_clusters(fitted.rows, groups) == len(groups[there].unique())


def test_blocks_are_the_whole(cancer: Any, tools: Any) -> None:
    groups = ages(569)
    whole, _ = tools.any(cancer.take(slice(None), size=1000))
    blocked = tools.at(cancer.take(slice(None), size=17), whole)
    for kind in ROBUST:
        close(matrix(blocked, kind, groups), matrix(whole, kind, groups), 12)


def test_clusters_of_one_row_are_hc1(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes)
    # G = n: n/(n-1) * (n-1)/(n-k) = n/(n-k)
    close(matrix(fitted, "cluster", torch.arange(442).flip(0)), matrix(fitted, "HC1"), 13)
    close(matrix(fitted, "linearized"), matrix(fitted, "HC0") * 442 / 441, 13)


def test_sampling_weights_do_not_depend_on_their_unit(diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442] + 1
    one = tools.least_squares(diabetes.take(slice(None), weight=w), weights_kind="sampling")
    other = tools.least_squares(diabetes.take(slice(None), weight=w * 1000), weights_kind="sampling")
    close(matrix(one, "linearized"), matrix(other, "linearized"), 12)
    assert one.statistics.dispersion == pytest.approx(other.statistics.dispersion, rel=1e-12)
    found, reason = outcome(one, "model")
    assert found is None
    assert "sampling weights say how rows were drawn" in str(reason)
    assert default_kind("sampling") == "linearized"


def test_ill_conditioned_against_exact_fractions(reference_json: Any, tools: Any) -> None:
    """HC0 of Longley (condition number 5e9) in rational arithmetic at the same float64 coefficients."""
    longley = next(p for p in reference_json("strd.json") if p["name"] == "Longley")
    names = [*longley["x_names"]] if isinstance(longley["x"], list) else list(longley["x"])
    columns = np.array(longley["x"]) if isinstance(longley["x"], list) else np.array([longley["x"][c] for c in names])
    columns = columns if columns.shape[0] == 6 else columns.T
    x = np.column_stack([np.ones(16), *columns])
    fitted = tools.least_squares(tools.Table(torch.tensor(x), torch.tensor(longley["y"], dtype=torch.float64)))
    xf = [[Fraction(v) for v in row] for row in x.tolist()]
    inverse = invert([[sum(r[i] * r[j] for r in xf) for j in range(7)] for i in range(7)])
    fitted.unscaled = torch.tensor([[float(v) for v in row] for row in inverse], dtype=torch.float64)
    theta = [Fraction(v) for v in fitted.theta.tolist()]
    total = [[Fraction(0)] * 7 for _ in range(7)]
    for row, y in zip(xf, fitted.rows.y.tolist(), strict=True):
        e = Fraction(y) - sum(a * b for a, b in zip(row, theta, strict=True))
        z = [e * sum(a * b for a, b in zip(line, row, strict=True)) for line in inverse]
        total = [[t + a * b for t, b in zip(line, z, strict=True)] for line, a in zip(total, z, strict=True)]
    # Forming U (X'e^2 X) U instead leaves fewer than 2 digits here.
    close(matrix(fitted, "HC0"), [[float(v) for v in row] for row in total], 8)


def invert(a: list[list[Fraction]]) -> list[list[Fraction]]:
    """Gauss-Jordan, exactly."""
    p = len(a)
    full = [[*row, *(Fraction(int(i == j)) for j in range(p))] for i, row in enumerate(a)]
    for i in range(p):
        full[i] = [v / full[i][i] for v in full[i]]
        for j in range(p):
            if j != i:
                full[j] = [v - full[j][i] * w for v, w in zip(full[j], full[i], strict=True)]
    return [row[p:] for row in full]


def test_symmetric_and_positive(cancer: Any, tools: Any) -> None:
    fitted, _ = tools.any(cancer)
    for kind in ("model", *ROBUST):
        found = matrix(fitted, kind, ages(569))
        assert torch.equal(found, found.T)
        assert float(torch.linalg.eigvalsh(found).min()) > 0


def test_aliased_coefficients_have_no_covariance(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes)
    wider = tools.aliased(fitted)
    for kind in ("model", *ROBUST):
        found = matrix(wider, kind, ages(442))
        assert bool(found[4].isnan().all())
        assert bool(found[:, 4].isnan().all())
        close(found[:4, :4], matrix(fitted, kind, ages(442)), 12)


def test_saturated(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes.take(slice(0, 4)))
    for kind in ("model", *ROBUST):
        found, reason = outcome(fitted, kind, torch.arange(4))
        assert found is None
        assert "no residual degrees of freedom" in str(reason)


@pytest.mark.parametrize("kind", ["HC2", "HC3"])
def test_leverage_one(kind: str, diabetes: Any, tools: Any) -> None:
    alone = torch.zeros(442, 1, dtype=torch.float64)
    alone[6] = 1
    rows = diabetes.take(slice(None), x=torch.cat([diabetes.x, alone], 1), names=())
    found, reason = outcome(tools.least_squares(rows), kind)
    assert found is None
    assert "row 7 has leverage 1" in str(reason)
    assert outcome(tools.least_squares(rows), "HC1")[1] is None


def test_one_cluster(diabetes: Any, tools: Any) -> None:
    found, reason = outcome(tools.least_squares(diabetes), "cluster", torch.full((442,), 5))
    assert found is None
    assert "two clusters or more, and there is 1" in str(reason)


def test_no_rows_and_no_curvature(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes)
    fitted.rows = None
    assert "needs the rows" in str(outcome(fitted, "HC3")[1])
    fitted.unscaled = None
    assert "no inverse" in str(outcome(fitted, "model")[1])


def test_unknown_kind(diabetes: Any, tools: Any) -> None:
    with pytest.raises(OptionError, match="'HC4'"):
        outcome(tools.least_squares(diabetes), "HC4")
    with pytest.raises(OptionError, match="without clusters"):
        outcome(tools.least_squares(diabetes), "cluster")
