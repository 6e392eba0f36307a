"""What must hold for every family and link whatever the data: identities that need no reference values.

The grid is made from the registry, so that a new family or link is tested by existing.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.data import rows as rows_module
from thalweg.data.rows import Rows
from thalweg.data.sources import open_source
from thalweg.data.spec import Spec
from thalweg.losses import family as family_named
from thalweg.losses.families import FAMILIES
from thalweg.objective import Objective

ROBUST = ("huber", "soft_l1", "cauchy")
OWN = {
    "negative_binomial": {"alpha": 0.6},
    "tweedie": {"power": 1.5},
    **{name: {"scale": 0.3} for name in ROBUST},
}
GRID = [(name, link) for name, kind in FAMILIES.items() for link in kind.links]
N = 120


def options(name: str, link: str) -> dict:
    return {"family": name, "link": link, **OWN.get(name, {}), **({"exponent": 0.5} if link == "power" else {})}


def model(name: str, link: str):
    own = {key: value for key, value in options(name, link).items() if key != "family"}
    return family_named(name, **own)


def simulated(name: str, link: str) -> dict[str, np.ndarray]:
    """A response of this family around means that the link gives, with two numbers and three groups to explain it."""
    rng = np.random.default_rng(7)
    x, z, group = rng.uniform(0, 1, N), rng.normal(0, 1, N), rng.integers(0, 3, N)
    part = 0.35 * x - 0.08 * z + 0.15 * (group == 1)
    low, high = (0.25, 0.75) if name == "binomial" or link in ("logit", "probit") else (1.0, 4.0)
    middle = low + (high - low) * (part - part.min()) / np.ptp(part)
    kind = model(name, link)
    ends = kind.link.link(torch.tensor([low, high], dtype=torch.float64)).numpy()
    eta = ends[0] + (ends[1] - ends[0]) * (middle - low) / (high - low)
    mu = kind.mean(torch.from_numpy(eta)).numpy()
    y = {
        "gaussian": lambda: mu + rng.normal(0, 0.2, N),
        "binomial": lambda: (rng.uniform(size=N) < mu).astype(float),
        "gamma": lambda: rng.gamma(4.0, mu / 4.0),
        "inverse_gaussian": lambda: rng.wald(mu, 20.0),
        "poisson": lambda: rng.poisson(mu).astype(float),
        "negative_binomial": lambda: rng.negative_binomial(1 / 0.6, 1 / (1 + 0.6 * mu)).astype(float),
        "tweedie": lambda: np.where(rng.uniform(size=N) < 0.15, 0.0, rng.gamma(3.0, mu / 3.0)),
        **dict.fromkeys(ROBUST, lambda: mu + rng.normal(0, 0.2, N) + 4 * (rng.uniform(size=N) < 0.1)),
    }[name]()
    return {"y": y, "x": x, "z": z, "g": np.array(["a", "b", "c"])[group]}


def fitted(data: dict, name: str, link: str, formula: str = "y ~ x + z + g", **more) -> tw.Fit:
    return tw.fit(formula, data, **options(name, link), **more)


def close(a: tw.Fit, b: tw.Fit, tolerance: float = 1e-9) -> None:
    """The same coefficients, covariance and log-likelihood."""
    torch.testing.assert_close(a.theta, b.theta, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(a.covariance, b.covariance, rtol=1e-8, atol=1e-12)
    assert a.statistics.deviance == pytest.approx(b.statistics.deviance, rel=1e-10)
    assert a.statistics.log_likelihood == pytest.approx(b.statistics.log_likelihood, rel=1e-10, nan_ok=True)


@pytest.mark.parametrize(("name", "link"), GRID)
class TestEveryFamilyAndLink:
    def test_weight_2_is_the_row_twice(self, name, link):
        data = simulated(name, link)
        count = np.arange(N) % 3 + 1.0
        repeated = {key: np.repeat(value, count.astype(int)) for key, value in data.items()}
        close(
            fitted({**data, "count": count}, name, link, weights="count", weights_kind="frequency"),
            fitted(repeated, name, link),
        )

    def test_weight_0_is_the_row_absent(self, name, link):
        data = simulated(name, link)
        present = np.arange(N) % 4 != 0
        fewer = {key: value[present] for key, value in data.items()}
        for kind in ("frequency", "precision"):
            close(fitted(data, name, link, weights=present.astype(float), weights_kind=kind), fitted(fewer, name, link))

    def test_rescaling_and_shifting_a_column(self, name, link):
        data = simulated(name, link)
        plain, moved = fitted(data, name, link), fitted({**data, "z": 5.0 + 1024 * data["z"]}, name, link)
        a, b = plain.coefficients, moved.coefficients
        assert b["z"] * 1024 == pytest.approx(a["z"], rel=1e-9)
        assert b["Intercept"] + 5 * b["z"] == pytest.approx(a["Intercept"], rel=1e-9, abs=1e-10)
        assert moved.std_errors["z"] * 1024 == pytest.approx(plain.std_errors["z"], rel=1e-8)
        assert moved.statistics.deviance == pytest.approx(plain.statistics.deviance, rel=1e-10)

    def test_permuting_columns_and_rows(self, name, link):
        data = simulated(name, link)
        order = np.random.default_rng(1).permutation(N)
        plain = fitted(data, name, link)
        turned = fitted({key: value[order] for key, value in data.items()}, name, link, "y ~ g + z + x")
        for term, value in plain.coefficients.items():
            assert turned.coefficients[term] == pytest.approx(value, rel=1e-9, abs=1e-10)
            assert turned.std_errors[term] == pytest.approx(plain.std_errors[term], rel=1e-8)

    def test_blocked_is_whole(self, name, link, monkeypatch):
        data = simulated(name, link)
        whole = fitted(data, name, link)
        monkeypatch.setattr(rows_module, "BLOCK_ROWS", (7, 7))
        close(whole, fitted(data, name, link), 1e-12)

    def test_an_offset_is_a_known_coefficient(self, name, link):
        data = simulated(name, link)
        free = fitted(data, name, link)
        known = {**data, "known": free.coefficients["x"] * data["x"]}
        for fixed in (
            fitted(known, name, link, "y ~ z + g", offset="known", start=without(free, "x")),
            fitted(known, name, link, "y ~ z + g + offset(known)", start=without(free, "x")),
        ):
            for term, value in fixed.coefficients.items():
                assert value == pytest.approx(free.coefficients[term], rel=1e-8, abs=1e-10)

    def test_gradient_and_curvature_are_those_of_the_value(self, name, link):
        objective = objective_of(name, link)
        theta = fitted(simulated(name, link), name, link).theta * 1.01
        sums = objective(theta, 2)
        block = next(objective.rows.blocks())
        x, offset = block.matrix.dense(), block.offset

        def value(t):
            eta = x @ t if offset is None else x @ t + offset
            return objective.loss.value(block.y, eta).sum()

        assert sums.value == pytest.approx(float(value(theta)), rel=1e-12)
        auto = torch.autograd.functional.jacobian(value, theta)
        torch.testing.assert_close(sums.gradient, auto, rtol=1e-9, atol=1e-8)
        torch.testing.assert_close(
            sums.curvature, torch.autograd.functional.hessian(value, theta), rtol=1e-7, atol=1e-7
        )
        for j in range(len(theta)):
            step = torch.zeros_like(theta)
            step[j] = 1e-5
            difference = (objective(theta + step, 0).value - objective(theta - step, 0).value) / 2e-5
            assert float(sums.gradient[j]) == pytest.approx(difference, rel=1e-5, abs=1e-5)


def without(fit: tw.Fit, name: str) -> dict[str, float]:
    return {key: value for key, value in fit.coefficients.items() if key != name}


def objective_of(name: str, link: str) -> Objective:
    source = open_source(simulated(name, link))
    return Objective(Rows(source, Spec.learn("y ~ x + z + g", source)), model(name, link))


@pytest.mark.parametrize(("link", "mirror"), [("logit", "logit"), ("probit", "probit"), ("cloglog", "loglog")])
def test_swapped_labels_turn_the_signs(link, mirror):
    data = simulated("binomial", link)
    a = fitted(data, "binomial", link)
    b = fitted({**data, "y": 1 - data["y"]}, "binomial", mirror)
    torch.testing.assert_close(a.theta, -b.theta, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(a.covariance, b.covariance, rtol=1e-9, atol=1e-12)


def test_threads_add_up_to_the_plain_pass(monkeypatch):
    import thalweg.objective as module

    for name, link in (("binomial", "logit"), ("poisson", "log"), ("gamma", "inverse")):
        objective = objective_of(name, link)
        theta = fitted(simulated(name, link), name, link).theta
        plain = objective(theta, 2)
        monkeypatch.setattr(module, "LARGE", 0)
        monkeypatch.setattr(rows_module, "BLOCK_ROWS", (5, 5))
        torch.set_num_threads(2)
        threaded = objective(theta, 2)
        torch.set_num_threads(1)
        assert threaded.rows == plain.rows
        assert threaded.value == pytest.approx(plain.value, rel=1e-13)
        torch.testing.assert_close(threaded.gradient, plain.gradient, rtol=0, atol=1e-11)
        torch.testing.assert_close(threaded.curvature, plain.curvature, rtol=1e-12, atol=0)
        monkeypatch.undo()
