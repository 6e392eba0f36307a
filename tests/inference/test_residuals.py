"""Residuals and influence against statsmodels, against fits that leave a row out, and against their identities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from statsmodels.stats.outliers_influence import GLMInfluence
from torch import Tensor

from thalweg.errors import NotAvailableError, OptionError
from thalweg.inference.residuals import KINDS, diagnostics, residuals


def agree(found: np.ndarray, expected: Any, digits: int = 9) -> None:
    np.testing.assert_allclose(found, expected, rtol=10.0**-digits, atol=10.0 ** -(digits + 3))


def test_least_squares(diabetes: Any, tools: Any) -> None:
    influence = sm.OLS(diabetes.y.numpy(), diabetes.x.numpy()).fit().get_influence()
    found = diagnostics(tools.least_squares(diabetes), KINDS)
    agree(found["leverage"], influence.hat_matrix_diag)
    agree(found["studentized"], influence.resid_studentized_external)
    agree(found["cooks"], influence.cooks_distance[0])
    for kind in ("response", "working", "pearson", "deviance"):
        agree(found[kind], influence.resid)
    for kind in ("standardized", "standardized_pearson"):
        agree(found[kind], influence.resid_studentized_internal)


@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
@pytest.mark.parametrize("weighted", [False, True])
def test_glm(name: str, weighted: bool, request: pytest.FixtureRequest, tools: Any, weights: Tensor) -> None:
    rows = request.getfixturevalue(name)
    w = weights[: len(rows.y)] + 1
    options = {"var_weights": w.numpy()} if weighted else {}
    rows = rows.take(slice(None), weight=w) if weighted else rows
    link = "log" if name == "diabetes" else None
    fitted, model = tools.glm(rows, "gamma" if name == "diabetes" else "", link, **options)
    truth = model.fit(tol=1e-14, maxiter=200)
    found = diagnostics(fitted, KINDS)
    for kind in ("response", "pearson", "deviance", "working"):
        agree(found[kind], getattr(truth, f"resid_{kind}"), 8)
    agree(found["fitted"], truth.fittedvalues)
    leverage = truth.get_hat_matrix_diag(observed=False)
    agree(found["leverage"], leverage)
    influence = GLMInfluence(truth, hat_matrix_diag=leverage)
    agree(found["standardized_pearson"], influence.resid_studentized, 8)
    agree(found["cooks"], influence.cooks_distance[0], 8)
    phi = fitted.statistics.dispersion
    agree(found["standardized"], truth.resid_deviance / np.sqrt(phi * (1 - leverage)), 8)


def test_studentized_is_the_distance_from_the_fit_without_the_row(diabetes: Any, tools: Any, weights: Tensor) -> None:
    rows = diabetes.take(slice(0, 30), weight=weights[:30] + 1)
    fitted = tools.least_squares(rows)
    leverage, studentized = (residuals(fitted, kind) for kind in ("leverage", "studentized"))
    for i in (0, 7, 29):
        others = [j for j in range(30) if j != i]
        without = tools.least_squares(rows.take(others))
        gap = float(rows.y[i] - rows.x[i] @ without.theta)
        precision = float(rows.weight[i])
        # Var(y_i - x_i' theta_(i)) = sigma^2 / (w_i (1 - h_i)).
        expected = gap * math.sqrt(precision * (1 - leverage[i])) / without.statistics.sigma
        assert studentized[i] == pytest.approx(expected, rel=1e-9)


def test_studentized_of_counts(wine: Any, tools: Any) -> None:
    """Williams' combination for a fixed dispersion: R's rstudent."""
    fitted, _ = tools.any(wine)
    found = diagnostics(fitted, KINDS)
    h = found["leverage"]
    combined = (1 - h) * found["standardized"] ** 2 + h * found["standardized_pearson"] ** 2
    agree(found["studentized"], np.sign(found["response"]) * np.sqrt(combined))


@pytest.mark.parametrize("weights_kind", ["precision", "frequency"])
@pytest.mark.parametrize("name", ["cancer", "wine", "diabetes"])
def test_leverages_add_up_to_the_rank(
    name: str, weights_kind: str, request: pytest.FixtureRequest, tools: Any, weights: Tensor
) -> None:
    rows = request.getfixturevalue(name)
    w = weights[: len(rows.y)]
    fitted, _ = tools.any(rows.take(slice(None), weight=w), weights_kind=weights_kind)
    repeated = w.numpy() if weights_kind == "frequency" else 1.0
    leverage = residuals(fitted, "leverage")
    assert np.sum(repeated * leverage) == pytest.approx(4, rel=1e-10)
    assert np.sum(repeated * residuals(fitted, "deviance") ** 2) == pytest.approx(fitted.statistics.deviance)
    assert np.sum(repeated * residuals(fitted, "pearson") ** 2) == pytest.approx(fitted.statistics.pearson_chi2)
    assert (leverage[w.numpy() == 0] == 0).all()
    assert len(leverage) == len(w)


def test_frequency_weights_repeat_rows(diabetes: Any, tools: Any, weights: Tensor) -> None:
    w = weights[:442]
    index = torch.arange(442).repeat_interleave(w.long())
    once = tools.least_squares(diabetes.take(slice(None), weight=w), weights_kind="frequency")
    often = diagnostics(tools.at(diabetes.take(index), once), KINDS)
    for kind, values in diagnostics(once, KINDS).items():
        agree(values[index.numpy()], often[kind], 10)


def test_full_leverage_has_no_standardized_residual(diabetes: Any, tools: Any) -> None:
    alone = torch.zeros(442, 1, dtype=torch.float64)
    alone[6] = 1
    rows = diabetes.take(slice(None), x=torch.cat([diabetes.x, alone], 1), names=())
    found = diagnostics(tools.least_squares(rows), ["leverage", "standardized", "studentized", "cooks"])
    assert found["leverage"][6] == pytest.approx(1)
    for kind in ("standardized", "studentized", "cooks"):
        assert math.isnan(found[kind][6])
        assert np.isfinite(np.delete(found[kind], 6)).all()


def test_a_mean_on_the_border_has_no_residual(wine: Any, tools: Any) -> None:
    """A count of zero whose mean underflows to 0: 0 / 0 is 0 here."""
    from thalweg.losses import family

    rows = wine.take(slice(None), y=torch.zeros_like(wine.y))
    theta = torch.tensor([-800.0, 0, 0, 0], dtype=torch.float64)
    fitted = tools.Fitted(rows, family("poisson"), theta, unscaled=torch.eye(4, dtype=torch.float64))
    assert (residuals(fitted, "pearson") == 0).all()


def test_what_is_not_available(diabetes: Any, tools: Any) -> None:
    fitted = tools.least_squares(diabetes)
    with pytest.raises(OptionError, match="kind 'raw'"):
        residuals(fitted, "raw")
    fitted.unscaled = None
    assert len(residuals(fitted)) == 442
    with pytest.raises(NotAvailableError, match="no leverages"):
        residuals(fitted, "cooks")
    fitted.rows = None
    with pytest.raises(NotAvailableError, match="holds no rows"):
        residuals(fitted)
