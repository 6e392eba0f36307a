"""Curves learned by descents: where they go, what they are worth at the end, and what is told on the way."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit

import thalweg as tw
from thalweg.errors import ConvergenceWarning, DataError, DivergenceWarning, IncompatibleError, OptionError

TEXT = "y = a * exp(-b * x) + c"
START = {"a": 1.0, "b": 0.3, "c": 0.0}
SOLVERS = {
    "plain": tw.GradientDescent(lr=0.1, steps=4000),
    "autograd": tw.GradientDescent(lr=0.1, steps=4000, derivative="autograd"),
    "module": tw.GradientDescent(lr=0.1, steps=4000, derivative="module"),
    "momentum": tw.GradientDescent(lr=0.1, momentum=0.8, steps=2000),
    "Nesterov": tw.GradientDescent(lr=0.1, momentum=0.8, nesterov=True, steps=2000),
    "searched": tw.GradientDescent(lr=tw.Armijo(), steps=2000),
    "sum": tw.GradientDescent(lr=0.1 / 40, loss="sum", steps=4000),
    "whole batch": tw.SGD(lr=0.1, epochs=4000, batch_size=40, seed=1),
    "Adam": tw.TorchOptimizer("Adam", lr=0.05, steps=2000),
    "L-BFGS": tw.LBFGS(),
}


def data(n: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    x = np.linspace(0, 4, n)
    return {"x": x, "y": 3 * np.exp(-1.2 * x) + 0.5 + 0.05 * rng.normal(size=n)}


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


# --- where it goes ----------------------------------------------------------------------------------------------------


def test_the_way_is_that_of_a_loop_written_by_hand():
    x, y = data().values()
    a, b, c = START.values()
    path = [(a, b, c)]
    for _ in range(200):
        e = np.exp(-b * x)
        r = a * e + c - y
        slope = 2 * np.mean(r * e), 2 * np.mean(-r * a * x * e), 2 * np.mean(r)
        a, b, c = a - 0.1 * slope[0], b - 0.1 * slope[1], c - 0.1 * slope[2]
        path.append((a, b, c))
    fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=200))
    np.testing.assert_allclose(fit.trace.path.numpy(), path, rtol=1e-11)
    np.testing.assert_allclose(fit.history[["a", "b", "c"]].to_numpy(), path, rtol=1e-11)
    assert fit.history["loss"].iloc[0] == pytest.approx(np.mean((decay(x, 1, 0.3, 0) - y) ** 2), rel=1e-13)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_it_ends_where_scipy_does(solver):
    x, y = data().values()
    best, covariance = curve_fit(decay, x, y, (3, 1.2, 0.5), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    fit = tw.fit(TEXT, data(), start=START, solver=solver)
    errors = np.sqrt(np.diag(covariance))
    assert fit.solution.status.value == "converged"
    np.testing.assert_allclose(fit.theta.numpy(), best, atol=0.01 * errors.min())
    np.testing.assert_allclose(list(fit.std_errors.values()), errors, rtol=1e-3)
    assert fit.statistics.rss == pytest.approx(np.sum((decay(x, *best) - y) ** 2), rel=1e-4)


def test_a_line_written_as_a_curve_descends_as_the_line_does():
    solver = tw.GradientDescent(lr=0.05, steps=3000)
    line, curve = tw.fit("y ~ x", data(), solver=solver), tw.fit("y = a + b * x", data(), solver=solver, start=[0, 0])
    torch.testing.assert_close(curve.trace.path, line.trace.path, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(curve.vcov(), line.vcov(), rtol=1e-9, atol=1e-15)
    assert curve.statistics.log_likelihood == pytest.approx(line.statistics.log_likelihood, rel=1e-12)


def test_a_linear_curve_with_a_constant_inside_is_the_quadratic_of_the_line_with_an_offset():
    solver = tw.GradientDescent(lr=0.05, steps=200)
    line = tw.fit("y ~ 0 + x", data() | {"o": np.full(40, 0.5)}, solver=solver, offset="o")
    for replay in (True, False):
        solver = tw.GradientDescent(lr=0.05, steps=200, replay=replay)
        curve = tw.fit("y = a + b * x", data(), solver=solver, fixed={"a": 0.5}, start={"b": 0})
        torch.testing.assert_close(curve.trace.path, line.trace.path, rtol=1e-9, atol=1e-12)
        assert curve.descent.problem.quadratic.least == pytest.approx(line.descent.problem.quadratic.least, rel=1e-12)
    assert curve.diagnose().kind == "exact"


def test_the_curvature_of_a_linear_curve_is_not_that_of_its_columns():
    """Two columns and two parameters, and yet another design: 2 x and 1 / z."""
    rng = np.random.default_rng(6)
    rows = {"x": rng.normal(size=30), "z": rng.uniform(1, 3, 30), "n": rng.poisson(3, 30)}
    solver = tw.GradientDescent(lr=0.02, steps=1)
    line = tw.fit("n ~ 0 + I(2 * x) + I(1 / z)", rows, family="poisson", solver=solver)
    curve = tw.fit("n = 2 * a * x + b / z", rows, family="poisson", link="log", solver=solver, start=[0, 0])
    assert curve.diagnose().limit == pytest.approx(line.diagnose().limit, rel=1e-6)  # by autograd, twice


def test_a_rate_that_a_linear_curve_cannot_bear_is_refused_before_the_first_step():
    for text in ("y ~ x", "y = a + b * x"):
        with pytest.raises(tw.errors.DivergenceError, match=r"0\.3\d* .*stable limit"):
            tw.fit(text, data(), solver=tw.GradientDescent(lr=0.3777, steps=200))


def test_the_cubic_that_imitates_a_sine():
    """The lesson `thalweg.lessons.cubic`, said as a curve."""
    interval = {"low": -math.pi, "high": math.pi, "spacing": "even"}
    rows = tw.simulate("expression", n=2000, seed=12, expression="sin(x)", noise=0, **interval)
    start = torch.randn(4, generator=rows.generator).tolist()
    solver = tw.GradientDescent(lr=1e-6, steps=500, loss="sum")
    formula = tw.fit("y ~ x + I(x**2) + I(x**3)", rows, solver=solver, start=start)
    curve = tw.fit("y = a + b*x + c*x**2 + d*x**3", rows, solver=solver, start=start)
    torch.testing.assert_close(curve.trace.path, formula.trace.path, rtol=1e-10, atol=1e-12)
    assert curve.names == ("a", "b", "c", "d")


def test_float32_is_near_float64():
    there, here = (
        tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=2000, dtype=dtype))
        for dtype in ("float32", "float64")
    )
    assert there.descent.problem.dtype == torch.float32
    assert there.trace.path.dtype == torch.float64
    torch.testing.assert_close(there.theta, here.theta, rtol=3e-5, atol=0)
    assert "float" not in there.solution.advice


def test_weight_2_is_the_row_twice_and_an_offset_is_added():
    rows = data()
    twice = {name: np.concatenate([values, values[:10]]) for name, values in rows.items()}
    weighted = rows | {"w": np.where(np.arange(40) < 10, 2.0, 1.0)}
    solver = tw.LBFGS(steps=200)
    repeated = tw.fit(TEXT, twice, start=START, solver=solver)
    torch.testing.assert_close(tw.fit(TEXT, weighted, start=START, solver=solver, weights="w").theta, repeated.theta)
    shifted = rows | {"o": 0.1 * rows["x"], "y": rows["y"] + 0.1 * rows["x"]}
    offset = tw.fit(TEXT, shifted, start=START, solver=solver, offset="o")
    torch.testing.assert_close(offset.theta, tw.fit(TEXT, rows, start=START, solver=solver).theta, rtol=1e-5, atol=0)


def test_a_poisson_curve_with_a_link_is_the_generalized_linear_model():
    rows = data() | {"n": np.random.default_rng(3).poisson(np.exp(2 - 0.5 * data()["x"]))}
    solver = tw.GradientDescent(lr=0.05, steps=4000)
    curve = tw.fit("n = a - b * x", rows, family="poisson", link="log", solver=solver, start={"a": 0, "b": 0})
    glm = tw.fit("n ~ x", rows, family="poisson")
    torch.testing.assert_close(curve.theta * torch.tensor([1.0, -1.0]), glm.theta, rtol=1e-5, atol=0)
    assert curve.std_errors["b"] == pytest.approx(glm.std_errors["x"], rel=1e-4)


def test_mini_batches_take_rows_in_turn():
    fit = tw.fit(TEXT, data(), start=START, solver=tw.SGD(lr=0.05, epochs=150, batch_size=8, seed=1))
    assert fit.solution.steps == 750
    assert fit.theta.tolist() == pytest.approx([3, 1.2, 0.5], rel=0.1)


def test_a_gradient_of_the_users_own_is_checked():
    def gradient(parameters, x, y):
        a, b, c = parameters.values()
        e = torch.exp(-b * x[:, 0])
        r = a * e + c - y
        return {"a": 2 * (r * e).mean(), "b": -2 * (r * a * x[:, 0] * e).mean(), "c": 2 * r.mean()}

    def wrong(parameters, x, y):
        return gradient(parameters, x, y) | {"b": torch.tensor(1.0)}

    own = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=100, derivative=gradient))
    ours = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=100))
    torch.testing.assert_close(own.theta, ours.theta)
    with pytest.raises(OptionError, match="wrong for b"):
        tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=100, derivative=wrong))


# --- parameters -------------------------------------------------------------------------------------------------------


SAID = [
    {"fixed": {"c": 0.5}, "start": {"a": 1, "b": 0.3}},
    {"tied": {"c": "a / 6"}, "start": {"a": 1, "b": 0.3}},
    {"fixed": {"b": 1}, "tied": {"c": "a / b / 6"}, "start": {"a": 1}},
]


@pytest.mark.parametrize("said", SAID)
def test_held_and_tied_parameters(said):
    descent = tw.fit(TEXT, data(), solver=tw.GradientDescent(lr=0.05, steps=8000), **said)
    exact = tw.fit(TEXT, data(), **said)
    torch.testing.assert_close(descent.theta, exact.theta, rtol=1e-8, atol=0)
    torch.testing.assert_close(descent.vcov(), exact.vcov(), rtol=1e-6, atol=1e-12, equal_nan=True)
    assert descent.names == ("a", "b", "c")
    assert tuple(descent.history.columns[5:]) == descent.descent.names == tuple(said["start"])


def test_bounds_are_refused():
    for said in ({"bounds": {"b": (0, None)}}, {"bounds": {"b": (None, 9)}}, {"positive": ["b"]}):
        with pytest.raises(OptionError, match=r"does not keep to bounds, and b has them\. Leave solver= out"):
            tw.fit(TEXT, data(), start=START, solver=tw.LBFGS(), **said)


def test_what_is_positive_by_its_nature_is_no_bound():
    x = np.linspace(-3, 3, 40)
    rows = {"x": x, "y": 2 * np.exp(-0.5 * (x - 0.4) ** 2)}
    solver = tw.GradientDescent(lr=0.2, steps=3000)
    fit = tw.fit("y = gaussian(x, h, m, s)", rows, start={"h": 1, "m": 0, "s": 1.5}, solver=solver)
    assert fit.theta.tolist() == pytest.approx([2, 0.4, 1], rel=1e-6)
    with pytest.raises(OptionError, match="s has them"):
        tw.fit("y = gaussian(x, h, m, s)", rows, start={"s": 1.5}, solver=solver, bounds={"s": (0.5, None)})


def test_a_curve_of_groups_is_refused():
    rows = data() | {"run": np.repeat(["p", "q"], 20)}
    with pytest.raises(OptionError, match="written as one expression"):
        tw.fit(TEXT, rows, by="run", shared=["b"], solver=tw.GradientDescent(lr=0.1))


def test_without_a_start_all_parameters_begin_at_1():
    fit = tw.fit(TEXT, data(), solver=tw.GradientDescent(lr=0.1, steps=5))
    assert fit.trace.path[0].tolist() == [1.0, 1.0, 1.0]


# --- what it is worth at the end -----------------------------------------------------------------------------------


def begun_beside(distance: float) -> tw.result.Fit:
    """A descent of no step, begun so many standard errors from the minimum, in sigma^2 = rss / n."""
    x, y = data().values()
    best, _ = curve_fit(decay, x, y, (3, 1.2, 0.5), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    e = np.exp(-best[1] * x)
    jacobian = np.column_stack([e, -best[0] * x * e, np.ones_like(x)])
    way = np.array([1.0, -1.0, 0.5])
    sigma = np.sqrt(np.mean((decay(x, *best) - y) ** 2))
    return tw.fit(
        TEXT, data(), start=[*(best + way * distance * sigma / np.linalg.norm(jacobian @ way))],
        solver=tw.GradientDescent(lr=0.01, steps=0),
    )  # fmt: skip


def test_standard_errors_only_within_a_hundredth_of_one_from_the_optimum():
    near, far = begun_beside(0.009), begun_beside(0.011)
    assert near.covariance is not None
    assert far.covariance is None
    assert far.covariance_reason == "the descent ended 0.011 standard errors from the optimum"
    assert begun_beside(0.2).covariance_reason == "the descent ended 0.2 standard errors from the optimum"
    with pytest.raises(tw.errors.NotAvailableError, match=r"0\.011 standard errors"):
        far.vcov()


def test_how_far_it_came_is_told():
    fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=300))
    after = fit.diagnose().after
    least = tw.fit(TEXT, data(), start=START).statistics.rss / 40
    assert after.least == pytest.approx(least, rel=1e-9)
    assert after.excess == pytest.approx(fit.descent.loss - least, rel=1e-6)
    more = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=300 + int(after.more_steps)))
    tolerated = 1e-6 * (fit.trace.value[0] - least)
    assert more.descent.loss - least <= tolerated < more.trace.value[-2] - least
    assert "set steps=" in after.sentence
    assert TEXT in str(fit.diagnose())


def test_a_direction_that_the_data_do_not_feel():
    with pytest.warns(tw.errors.CollinearityWarning, match="Only a combination of b and c"):
        fit = tw.fit("y = a * exp(-(b + c) * x)", data(), start=START, solver=tw.GradientDescent(lr=0.05, steps=4000))
    assert "flat along one direction" in str(fit.diagnose().after)
    assert math.isnan(fit.std_errors["b"])
    assert fit.theta[1] - fit.theta[2] == pytest.approx(0.3)  # where it began


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_rate_above_the_limit():
    with pytest.warns(DivergenceWarning, match=r"lr 5 is above the stable limit 0\.524 at the start"):
        fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=5, steps=100))
    assert fit.theta.tolist() == [1.0, 0.3, 0.0]
    assert fit.covariance_reason == "the descent diverged"
    x, y = data().values()
    e = np.exp(-0.3 * x)  # the Hessian of the mean of squares at the start: 2/n (J'J + sum r f'')
    r, jacobian = e - y, np.column_stack([e, -x * e, np.ones_like(x)])
    second = np.array([[0, -(r @ (x * e)), 0], [-(r @ (x * e)), r @ (x * x * e), 0], [0, 0, 0]])
    largest = np.linalg.eigvalsh(2 / 40 * (jacobian.T @ jacobian + second))[-1]
    assert 2 / largest == pytest.approx(0.524, abs=5e-4)


def test_a_step_to_where_the_curve_has_no_value():
    text, start = "y = a * log(b * x + 1) + c", {"a": 1.0, "b": 0.3, "c": 0.0}
    with pytest.warns(DivergenceWarning, match=r"the curve is nan in row \d+ .*at a = .*no value"):
        tw.fit(text, data(), start=start, solver=tw.GradientDescent(lr=1.0, steps=100))
    searched = tw.fit(text, data(), start=start, solver=tw.GradientDescent(lr=tw.Armijo(), steps=100))
    assert searched.descent.loss < searched.trace.value[0]


def test_a_start_where_the_curve_has_no_value():
    with pytest.raises(
        DataError, match=r"curve is not finite at the starting values.*row 2, whose value of the curve is"
    ):
        tw.fit("y = a * log(b * x + 1)", data(), start=[1, -50.0], solver=tw.LBFGS())
    with pytest.raises(DataError, match="beyond what float32 holds"):
        tw.fit(TEXT, data(), start=[1, -60, 0], solver=tw.GradientDescent(lr=0.1, dtype="float32"))


def test_a_solver_of_linear_models():
    from thalweg.solvers.newton import Newton

    with pytest.raises(IncompatibleError, match="Newton needs curvature"):
        tw.fit(TEXT, data(), start=START, solver=Newton())
    with pytest.raises(OptionError, match=r'solver is .adam.*TorchOptimizer\("Adam"'):
        tw.fit(TEXT, data(), start=START, solver="adam")


def test_a_checkpoint_is_of_a_descent(tmp_path):
    with pytest.raises(IncompatibleError, match="a checkpoint is kept of a descent"):
        tw.fit(TEXT, data(), start=START, checkpoint=tmp_path / "run.ckpt")
    with pytest.raises(OptionError, match="needs the file to go on from"):
        tw.fit(TEXT, data(), start=START, solver=tw.LBFGS(), resume=True)


# --- watching, stopping, going on -------------------------------------------------------------------------------------


def test_a_rule_stops_it():
    fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=5000), stop=tw.LossBelow(0.01))
    assert fit.descent.loss < 0.01 <= fit.trace.value[-2]


def test_a_killed_descent_goes_on(tmp_path):
    file = tmp_path / "run.ckpt"
    keep = {"start": START, "checkpoint": file}
    tw.fit(TEXT, data(), solver=tw.GradientDescent(lr=0.1, steps=120, momentum=0.5), **keep)
    resumed = tw.fit(TEXT, data(), solver=tw.GradientDescent(lr=0.1, steps=300, momentum=0.5), resume=True, **keep)
    whole = tw.fit(TEXT, data(), solver=tw.GradientDescent(lr=0.1, steps=300, momentum=0.5), start=START)
    assert torch.equal(resumed.trace.path, whole.trace.path)
    with pytest.raises(OptionError, match="another fit: another predictor"):
        tw.fit(
            "y = a * exp(-b * x) + 2 * c", data(), solver=tw.GradientDescent(lr=0.1, momentum=0.5), resume=True, **keep
        )


def test_a_step_is_written_out():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.5])
    solver = tw.GradientDescent(lr=0.1, steps=3)
    fit = tw.fit("y = a * exp(-b * x)", {"x": x, "y": y}, start={"a": 1.0, "b": 1.0}, solver=solver)
    text = fit.explain_step(0)
    e = np.exp(-x)
    slope = 2 / 3 * np.sum((e - y) * e)
    assert "yhat_i = a * exp(-b * x)" in text
    assert "d/da" in text
    assert f"{slope:.7g}" in text
    assert f"a <- 1 - 0.1 * ({slope:.7g}) = {1 - 0.1 * slope:.7g}" in text


def test_pictures(tmp_path):
    fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=50))
    fit.animate(tmp_path / "way.gif", frames=3)
    fit.animate(tmp_path / "way.html", frames=3)
    fit.plot("loss", tmp_path / "loss.png")
    fit.descent.plot("traces", tmp_path / "traces.png")
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("way.gif", "way.html", "loss.png", "traces.png"))
    assert TEXT.replace("*", "\\u002a") in (page := (tmp_path / "way.html").read_text()) or TEXT in page


def test_it_predicts_and_becomes_a_module():
    fit = tw.fit(TEXT, data(), start=START, solver=tw.GradientDescent(lr=0.1, steps=50))
    exact = decay(np.array([0.5, 3.9]), *fit.theta.tolist())
    np.testing.assert_allclose(fit.descent.predict({"x": np.array([0.5, 3.9])}), exact, rtol=1e-13)
    np.testing.assert_allclose(fit.predict({"x": np.array([0.5, 3.9])}), exact, rtol=1e-13)
    np.testing.assert_allclose(fit.module()(torch.tensor([[0.5], [3.9]], dtype=torch.float64)).detach(), exact)
