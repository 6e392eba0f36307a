"""Pictures of a descent hold its own numbers; surfaces are the loss itself."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import NotAvailableError, OptionError, ThalwegWarning
from thalweg.show.plots.descent import EVERY, KINDS, plot_descent
from thalweg.show.plots.loss_curve import decades, spans_decades
from thalweg.show.plots.optimum import optimum_of
from thalweg.show.plots.run import run_of, solver_title
from thalweg.show.plots.style import new_figure
from thalweg.show.plots.surface import surface_of
from thalweg.show.plots.traces import in_sight
from thalweg.show.plots.valley import way


def quietly(*args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        return tw.fit(*args, **options)


def columns(rows: int = 60) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, generator=generator, dtype=torch.float64)
    y = 1 + x @ torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64) + noise
    return {"a": x[:, 0], "b": x[:, 1] + 0.8 * x[:, 0], "c": x[:, 2], "y": y, "z": (y > 1).double()}


@pytest.fixture(scope="module")
def plain() -> tw.Fit:
    return quietly("y ~ a", columns(), solver=tw.GradientDescent(lr=0.1, steps=80))


@pytest.fixture(scope="module")
def several() -> tw.Fit:
    return quietly("y ~ a + b + c", columns(), solver=tw.GradientDescent(lr=0.1, steps=80))


@pytest.fixture(scope="module")
def logistic() -> tw.Fit:
    return quietly("z ~ a + b + c", columns(), family="binomial", solver=tw.GradientDescent(lr=0.5, steps=80))


@pytest.fixture(scope="module")
def diverging() -> tw.Fit:
    solver = tw.GradientDescent(lr=2.0, steps=1000, allow_divergence=True)
    return quietly("y ~ a", columns(), solver=solver)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("name", ["plain", "several", "logistic", "diverging"])
def test_every_kind_draws(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    figure = plot_descent(request.getfixturevalue(name), kind)
    figure.draw_without_rendering()


def test_the_loss_curve_is_the_trace_and_its_floor_the_least_value(plain: tw.Fit) -> None:
    axes = plot_descent(plain, "loss").axes[0]
    assert plain.trace is not None
    x, y = axes.lines[0].get_data()
    np.testing.assert_array_equal(x, plain.trace.step)
    np.testing.assert_array_equal(y, plain.trace.value)
    assert axes.get_ylabel() == "mean squared error"
    exact = tw.fit("y ~ a", columns())
    (floor,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert floor.get_ydata()[0] == pytest.approx((exact.residuals() ** 2).mean(), rel=1e-10)


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("mean", "mean squared error"), ("sum", "sum of squared errors"), ("half mean", "half the mean squared error"),
        ("half sum", "half the sum of squared errors"),
    ],
)  # fmt: skip
def test_the_axis_names_the_convention(loss: str, name: str) -> None:
    fit = quietly("y ~ a", columns(), solver=tw.GradientDescent(lr=1e-3, steps=3, loss=loss))
    assert plot_descent(fit, "loss").axes[0].get_ylabel() == name


def test_the_loss_of_a_binomial_fit_is_a_likelihood(logistic: tw.Fit) -> None:
    run = run_of(logistic)
    assert run.loss_name == "mean negative log-likelihood"
    assert run.value[0] == pytest.approx(np.log(2), rel=1e-12)  # at zeros, by hand


def test_titles_name_the_solver_its_rate_and_momentum() -> None:
    assert solver_title(tw.GradientDescent(lr=0.1, momentum=0.9)) == "GradientDescent, lr 0.1, momentum 0.9"
    assert solver_title(tw.GradientDescent(lr=0.1, momentum=0.5, nesterov=True)).endswith("Nesterov momentum 0.5")
    assert solver_title(tw.GradientDescent(lr="auto"), [0.0491, 0.0491]).endswith("lr 0.0491 (found)")


def test_the_excess_is_the_loss_minus_the_least(plain: tw.Fit) -> None:
    run = run_of(plain)
    best = optimum_of(run)
    assert best is not None
    y = plot_descent(plain, "loss", excess=True).axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(y[:40], run.value[:40] - best.value, rtol=1e-12)


def test_the_optimum_of_a_logistic_loss_is_newton_s(logistic: tw.Fit) -> None:
    best = optimum_of(run_of(logistic))
    assert best is not None
    wanted = tw.fit("z ~ a + b + c", columns(), family="binomial").theta.numpy()
    np.testing.assert_allclose(best.theta, wanted, rtol=1e-4)


def test_separated_data_have_no_optimum_to_mark() -> None:
    data = {"x": [-2.0, -1.0, 1.0, 2.0], "y": [0.0, 0.0, 1.0, 1.0]}
    fit = quietly("y ~ x", data, family="binomial", solver=tw.GradientDescent(lr=0.5, steps=50))
    best = optimum_of(run_of(fit))
    assert best is None or best.value < 1e-6
    plot_descent(fit, "surface").draw_without_rendering()


def test_the_surface_of_two_parameters_is_the_loss(plain: tw.Fit) -> None:
    assert plain.descent is not None
    surface = surface_of(run_of(plain), ("a", "Intercept"))
    assert surface.pair == (1, 0)
    for i, j in ((0, 0), (30, 99), (160, 5)):
        theta = torch.tensor([surface.y[i], surface.x[j]], dtype=torch.float64)
        assert surface.z[i, j] == pytest.approx(float(plain.descent.problem.value(theta)), rel=1e-9)


def test_the_surface_of_a_quadratic_is_minimized_over_the_rest(several: tw.Fit) -> None:
    """Against least squares of the rest, with the two parameters as an offset."""
    surface = surface_of(run_of(several), ("a", "b"))
    data = columns()
    for i, j in ((0, 0), (80, 20), (160, 160)):
        fixed = data["y"] - surface.x[j] * data["a"] - surface.y[i] * data["b"]
        rest = tw.fit("f ~ c", {"f": fixed, "c": data["c"]})
        assert surface.z[i, j] == pytest.approx((rest.residuals() ** 2).mean(), rel=1e-9)


def test_the_surface_of_another_loss_holds_the_rest_at_the_optimum(logistic: tw.Fit) -> None:
    surface = surface_of(run_of(logistic), ("a", "b"))
    assert logistic.descent is not None
    assert surface.best is not None
    assert surface.rest == "the others held at their optimum"
    theta = torch.from_numpy(surface.best.theta.copy())
    theta[1], theta[2] = surface.x[3], surface.y[17]
    assert surface.z[17, 3] == pytest.approx(float(logistic.descent.problem.value(theta)), rel=1e-12)


@pytest.mark.parametrize("name", ["plain", "several", "logistic"])
def test_the_window_holds_path_and_optimum(name: str, request: pytest.FixtureRequest) -> None:
    run = run_of(request.getfixturevalue(name))
    surface = surface_of(run)
    assert surface.best is not None
    for j, window in zip(surface.pair, (surface.x, surface.y), strict=True):
        held = np.append(run.path[:, j], surface.best.theta[j])
        assert window[0] < held.min()
        assert held.max() < window[-1]


def test_a_diverging_path_is_seen_leaving_in_its_own_direction(diverging: tw.Fit) -> None:
    run = run_of(diverging).finite()
    surface = surface_of(run)
    across, up = way(surface, run)
    drawn = np.isfinite(across)
    last = int(drawn.sum()) - 1
    assert 1 <= last < len(run) - 1
    assert not drawn[last + 1 :].any()
    step = run.path[last, list(surface.pair)] - run.path[last - 1, list(surface.pair)]
    seen = np.array([across[last] - across[last - 1], up[last] - up[last - 1]])
    assert np.cross([*seen, 0], [*step, 0])[2] == pytest.approx(0, abs=1e-9 * np.abs(seen).max() * np.abs(step).max())
    assert surface.x[0] < run.path[0, surface.pair[0]] < surface.x[-1]


def test_traces_are_the_parameters(several: tw.Fit) -> None:
    axes = plot_descent(several, "traces", parameters=["b", "c"]).axes[0]
    run = run_of(several)
    drawn = [line for line in axes.lines if line.get_linestyle() == "-"]
    for line, name in zip(drawn, ("b", "c"), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), run.path[:, run.names.index(name)])


def test_only_the_beginning_of_a_path_that_runs_away_is_drawn() -> None:
    path = np.array([[0.0], [1.0], [-30.0], [100.0]])
    assert in_sight(path, -1.0, 1.0) == 2
    assert in_sight(path[:2], -1.0, 1.0) == 2


def test_a_logarithmic_axis_is_for_decades() -> None:
    assert spans_decades(np.array([1.0, 100.0]))
    assert not spans_decades(np.array([1.0, 2.0]))
    assert not spans_decades(np.array([0.0, 100.0]))


@pytest.mark.parametrize("top", [1e2, 1e12, 1e199])
def test_a_logarithmic_axis_has_few_ticks_with_labels(top: float) -> None:
    figure = new_figure(4, 3)
    axes = figure.subplots()
    axes.plot([0, 1], [1.0, top])
    decades(axes, np.array([1.0, top]))
    figure.draw_without_rendering()
    low, high = axes.get_ylim()
    labels = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert 3 <= len(labels) <= 9


def test_wrong_kinds_and_options_are_refused(plain: tw.Fit, tmp_path: Path) -> None:
    for wrong in (
        {"kind": "losses"}, {"kind": "loss", "parameters": ("a", "b")}, {"kind": "surface", "parameters": ("a",)},
        {"kind": "surface", "parameters": ("a", "q")}, {"kind": "traces", "parameters": ["q"]},
        {"path": tmp_path / "a.gif"},
    ):  # fmt: skip
        with pytest.raises(OptionError):
            plot_descent(plain, **wrong)
    assert not list(tmp_path.iterdir())


def test_what_a_fit_does_not_have_is_not_available() -> None:
    newton = tw.fit("z ~ a", columns(), family="binomial")
    plot_descent(newton, "loss").draw_without_rendering()
    for kind in ("surface", "rate"):
        with pytest.raises(NotAvailableError):
            plot_descent(newton, kind)
    alone = quietly("y ~ a - 1", columns(), solver=tw.GradientDescent(lr=0.1, steps=3))
    with pytest.raises(NotAvailableError, match="two parameters"):
        plot_descent(alone, "surface")


def test_the_fit_of_any_predictor_is_drawn_where_it_ended() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    x = torch.linspace(-1, 1, 30, dtype=torch.float64)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descent = tw.fit(network, {"x": x, "y": x**2}, solver=tw.TorchOptimizer("Adam", lr=0.01, steps=50))
    (axes,) = descent.plot("fit").axes
    at, means = axes.lines[0].get_data()
    wanted = descent.predict(torch.as_tensor(at)[:, None]).detach()
    np.testing.assert_allclose(means, wanted, rtol=1e-12)


def test_a_picture_is_written(plain: tw.Fit, tmp_path: Path) -> None:
    plot_descent(plain, "surface3d", tmp_path / "surface.png")
    assert (tmp_path / "surface.png").read_bytes()[:4] == b"\x89PNG"


def test_a_picture_that_there_is_not_is_answered_with_all_that_there_are(plain: tw.Fit) -> None:
    from thalweg.show.plots import KINDS as OF_FITS

    with pytest.raises(OptionError) as error:
        plain.plot("nope")
    for kind in (*OF_FITS, *KINDS):
        assert f" {kind}" in str(error.value)
    with pytest.raises(OptionError, match="Did you mean 'surface3d'"):
        plain.plot("surfase3d")


def test_the_places_of_a_surface_are_bounded_by_what_they_cost() -> None:
    from thalweg.show.plots.surface import places_along

    sides = [places_along(rows, 25) for rows in (10, 1_000, 100_000, 1_000_000, 10**9)]
    assert sides == sorted(sides, reverse=True)
    assert sides[:2] == [41, 41]
    assert sides[-1] == 15


def test_a_surface_of_few_rows_is_reckoned_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait longer for each other than such a loss takes: eight seconds instead of a tenth."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    adam = tw.TorchOptimizer("Adam", lr=0.02, steps=20)
    trained = quietly(network, tw.simulate("sine", n=300, seed=0), x="x", y="y", solver=adam)
    value, threads = type(trained.problem).value, set()

    def watched(self: Any, theta: Any, batch: Any = None) -> Any:
        threads.add(torch.get_num_threads())
        return value(self, theta, batch)

    monkeypatch.setattr(type(trained.problem), "value", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        surface_of(run_of(trained))
    finally:
        torch.set_num_threads(before)
    assert threads == {1}
