"""L-BFGS on all families of the registry, against Newton's method and closed forms."""

from __future__ import annotations

import dataclasses
import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

import thalweg as tw
from digits import digits
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.losses.families import FAMILIES, PARAMETERS
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.lbfgs import LBFGS, two_loops

LINKS = [(name, link) for name, kind in FAMILIES.items() for link in kind.links]
VALUES = {"alpha": 0.7, "power": 1.5, "scale": 0.05, "exponent": 0.5}


def data_for(name: str) -> dict[str, np.ndarray]:
    """Responses in the family's domain, whose means are possible under all of its links."""
    rng = np.random.default_rng(8)
    x, z = rng.uniform(-1, 1, 150), rng.uniform(0, 50, 150)
    mean = 0.5 + 0.15 * x + 0.004 * z
    draws = {
        "gaussian": mean + 0.05 * rng.normal(size=150),
        "binomial": (rng.uniform(size=150) < mean - 0.25).astype(float),
        "poisson": rng.poisson(4 * mean).astype(float),
        "negative_binomial": rng.poisson(4 * mean * rng.gamma(2, 0.5, 150)).astype(float),
        "gamma": mean * rng.gamma(8, 1 / 8, 150),
        "inverse_gaussian": rng.wald(mean, 8.0),
        "tweedie": np.where(rng.uniform(size=150) < 0.2, 0.0, mean * rng.gamma(8, 1 / 8, 150)),
        **dict.fromkeys(("huber", "soft_l1", "cauchy"), mean + 0.05 * rng.standard_t(2, size=150)),
    }
    return {"x": x, "z": z, "y": draws[name]}


@pytest.mark.parametrize(("name", "link"), LINKS)
def test_it_converges_on_every_family_and_link_to_newtons_optimum(name, link):
    options = {PARAMETERS[name]: VALUES[PARAMETERS[name]]} if name in PARAMETERS else {}
    options |= {"exponent": VALUES["exponent"]} if link == "power" else {}
    data = data_for(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        newton = tw.fit("y ~ x + z", data, family=name, link=link, **options)
        fit = tw.fit("y ~ x + z", data, family=name, link=link, solver=LBFGS(), **options)
    assert fit.solution.status is Status.CONVERGED
    assert fit.trace.gradient_size[-1] <= 1e-8 * fit.trace.gradient_size[0] or fit.solution.steps < 1000
    assert digits(fit.theta.tolist(), newton.theta.tolist()) >= 5
    assert digits(list(fit.std_errors.values()), list(newton.std_errors.values())) >= 5


def quadratic(p: int = 6) -> MemoryProblem:
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(40, p, generator=generator, dtype=torch.float64) * torch.logspace(-3, 3, p, dtype=torch.float64)
    y = torch.randn(40, generator=generator, dtype=torch.float64)
    return MemoryProblem(Linear(tuple("abcdef"[:p])), x, y, family("gaussian"))


def test_the_units_of_the_columns_change_nothing():
    """Columns in units that differ by a million: a condition number of 1e12, and as many steps as with one unit."""
    target = quadratic()
    units = torch.logspace(-3, 3, 6, dtype=torch.float64)
    plain = MemoryProblem(target.predictor, target.x / units, target.y, target.loss)
    far, near = solve(LBFGS(), target), solve(LBFGS(), plain)
    assert far.status is near.status is Status.CONVERGED
    assert far.steps == near.steps
    assert torch.allclose(far.theta, target.quadratic.optimum, rtol=1e-6)


def test_two_loops_are_the_inverse_on_a_quadratic_after_p_pairs():
    generator = torch.Generator().manual_seed(2)
    root = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    hessian = root @ root.T + torch.eye(5, dtype=torch.float64)
    _, vectors = torch.linalg.eigh(hessian)
    s = tuple(vectors.T)
    y = tuple(hessian @ each for each in s)
    gradient = torch.randn(5, generator=generator, dtype=torch.float64)
    found = two_loops(gradient, s, y, torch.ones(5, dtype=torch.float64))
    assert torch.allclose(found, torch.linalg.solve(hessian, gradient), rtol=1e-10)


def test_every_step_meets_the_wolfe_conditions():
    data = data_for("poisson")
    x = torch.tensor(np.column_stack([np.ones(150), data["x"], data["z"]]))
    target = MemoryProblem(Linear(("Intercept", "x", "z")), x, torch.tensor(data["y"]), family("poisson"))
    states = list(iterate(LBFGS(), target))
    assert len(states) < 60
    for before, after in pairwise(states[:-3]):
        moved = after.theta - before.theta
        slope = float(before.gradient @ moved)
        assert slope < 0
        assert after.value <= before.value + 1e-4 * slope + 1e-12
        assert abs(float(after.gradient @ moved)) <= 0.9 * abs(slope) + 1e-14
        assert len(after.s) <= 30


def test_a_function_that_curves_downwards_at_the_start():
    """Rosenbrock's, as the squared errors of an nn.Module-like predictor: a valley that bends."""
    from thalweg.derivatives import BY_AUTOGRAD
    from thalweg.predictors.base import Predictor

    class Valley(Predictor):
        shapes = {"a": (), "b": ()}  # noqa: RUF012
        linear = False

        def __call__(self, theta, x):
            return torch.stack([10 * (theta[1] - theta[0] ** 2), 1 - theta[0]])

        def transpose_times(self, theta, x, slope):
            raise NotImplementedError

        def module(self, inverse=None):
            raise NotImplementedError

    y = torch.zeros(2, dtype=torch.float64)
    target = MemoryProblem(Valley(), y, y, family("gaussian"), "sum", derivative=BY_AUTOGRAD)
    solution = solve(LBFGS(200), target, torch.tensor([-1.2, 1.0], dtype=torch.float64))
    assert solution.theta.tolist() == pytest.approx([1.0, 1.0], abs=1e-6)
    assert solution.steps < 60


def test_a_start_at_the_optimum_ends_there():
    target = quadratic(3)
    solution = solve(LBFGS(), target, target.quadratic.optimum)
    assert solution.status in (Status.CONVERGED, Status.STALLED)
    assert torch.allclose(solution.theta, target.quadratic.optimum, rtol=1e-9)


def test_float32_ends_where_its_rounding_does():
    data = data_for("binomial")
    fit = tw.fit("y ~ x + z", data, family="binomial", solver=LBFGS(dtype="float32"))
    exact = tw.fit("y ~ x + z", data, family="binomial")
    assert fit.solution.status is Status.CONVERGED
    assert digits(fit.theta.tolist(), exact.theta.tolist()) >= 3


def test_separated_classes_are_named():
    data = {"x": np.array([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0]), "y": np.array([0, 0, 0, 1, 1, 1.0])}
    with pytest.warns(tw.errors.SeparationWarning):
        fit = tw.fit("y ~ x", data, family="binomial", solver=LBFGS())
    assert fit.solution.status is Status.SEPARATED
    assert math.isnan(fit.coefficients["x"])


def test_a_descent_that_goes_on_from_a_snapshot_is_the_same_bit_for_bit():
    data = data_for("poisson")
    x = torch.tensor(np.column_stack([np.ones(150), data["x"], data["z"]]))
    target = MemoryProblem(Linear(("Intercept", "x", "z")), x, torch.tensor(data["y"]), family("poisson"))
    solver = LBFGS(memory=4)
    states = list(iterate(solver, target))
    for at in (0, 1, 7):
        kept = solver.snapshot(states[at])
        assert all(isinstance(value, torch.Tensor | float | int | str) for value in kept.values())
        again = list(iterate(solver, target, state=solver.restored(target, kept)))
        assert len(again) == len(states) - at
        for one, other in zip(states[at:], again, strict=True):
            assert torch.equal(one.theta, other.theta)
            assert dataclasses.astuple(one)[1:3] == dataclasses.astuple(other)[1:3]


@pytest.mark.parametrize("options", [{"memory": 0}, {"memory": 2.5}, {"tol": -1}, {"tol": 1.0}, {"tol": math.nan}])
def test_options_are_refused_with_what_to_do(options):
    with pytest.raises(OptionError, match="Give"):
        LBFGS(**options)


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_a_curvature_that_falls_on_the_way_ends_it_no_sooner(size):
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=60), rng.normal(size=60)
    y = size * rng.gamma(2, np.exp(0.4 + 0.5 * x - 0.3 * z) / 2)
    data = {"x": x + 10, "z": z, "y": y}
    exact = tw.fit("y ~ x + z", data, family="gamma", link="log")
    found = tw.fit("y ~ x + z", data, family="gamma", link="log", solver=LBFGS())
    assert found.solution.status is Status.CONVERGED
    for name, error in exact.std_errors.items():
        assert abs(found.coefficients[name] - exact.coefficients[name]) < 1e-2 * error
