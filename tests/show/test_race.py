"""A race is its single fits, from one start, measured against the true least loss."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import thalweg as tw
from thalweg.errors import OptionError, ThalwegWarning


def columns() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(10)
    x = torch.rand(20, generator=generator, dtype=torch.float64) * 4
    return {"x": x, "y": 2 * x + 5 + torch.randn(20, generator=generator, dtype=torch.float64)}


@pytest.fixture(scope="module")
def race() -> tw.race:
    solvers = {
        "plain": tw.GradientDescent(lr=0.1),
        "momentum": tw.GradientDescent(lr=0.1, momentum=0.7),
        "too fast": tw.GradientDescent(lr=1.0),
    }
    return tw.race("y ~ x", columns(), solvers, start={"x": 1.0, "Intercept": -3.0}, steps=400)


def test_each_solver_ran_as_it_does_alone_from_the_same_start(race: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)
        start = {"x": 1.0, "Intercept": -3.0}
        alone = tw.fit("y ~ x", columns(), solver=tw.GradientDescent(lr=0.1, steps=400), start=start)
    assert alone.trace is not None
    np.testing.assert_array_equal(race.runs["plain"].path, alone.trace.path)
    for run in race.runs.values():
        np.testing.assert_array_equal(run.path[0], [-3.0, 1.0])


def test_the_excess_is_over_least_squares(race: Any) -> None:
    exact = tw.fit("y ~ x", columns())
    least = (exact.residuals() ** 2).mean()
    value = race.runs["plain"].value
    assert race.least == pytest.approx(least, rel=1e-12)
    np.testing.assert_allclose(race.excess("plain")[:50], ((value - least) / (value[0] - least))[:50], rtol=1e-9)


def test_the_steps_are_the_first_at_the_tolerance(race: Any) -> None:
    for name in ("plain", "momentum"):
        steps = race.steps_to(name)
        assert race.excess(name)[steps] <= 1e-6 < race.excess(name)[steps - 1]
        assert race.seconds_to(name) >= 0
    assert race.steps_to("momentum") < race.steps_to("plain")
    assert race.steps_to("plain", 1e-2) < race.steps_to("plain")


def test_a_solver_that_diverges_takes_part_and_its_warning_is_kept(race: Any) -> None:
    assert race.steps_to("too fast") is None
    assert race.seconds_to("too fast") is None
    assert race.runs["too fast"].value[-1] > 1e6
    assert race.entries["too fast"].warnings


def test_no_warning_is_given_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tw.race("y ~ x", columns(), [tw.GradientDescent(lr=0.01), tw.GradientDescent(lr=2.0)], steps=3)


def test_the_solvers_that_were_given_are_left_as_they_were() -> None:
    solver = tw.GradientDescent(lr=0.1, steps=7)
    tw.race("y ~ x", columns(), [solver], steps=3)
    assert solver.steps == 7
    assert not solver.allow_divergence


def test_the_table_and_the_text_say_the_same(race: Any) -> None:
    table = race.table()
    assert table["solver"].to_list() == ["plain", "momentum", "too fast"]
    assert table["steps_to_tolerance"].to_list()[0] == race.steps_to("plain")
    text = str(race)
    assert f"{race.steps_to('plain'):,}" in text
    assert "never" in text
    assert "mean squared error" in text


def test_conventions_are_made_one() -> None:
    solvers = {"mean": tw.GradientDescent(lr=0.1), "sum": tw.GradientDescent(lr=0.1 / 20, loss="sum")}
    race = tw.race("y ~ x", columns(), solvers, steps=50)
    np.testing.assert_allclose(race.runs["sum"].value, race.runs["mean"].value, rtol=1e-10)


def test_any_predictor_can_race() -> None:
    data = {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}
    solvers = {"slow": tw.GradientDescent(lr=0.01), "quick": tw.GradientDescent(lr=0.1)}
    race = tw.race(tw.Elementwise(), data, solvers, steps=300)
    assert race.runs["quick"].value[-1] < race.runs["slow"].value[-1]
    assert race.steps_to("quick") is not None


def test_it_draws_and_moves(race: Any, tmp_path: Path) -> None:
    figure = race.plot(tmp_path / "race.png")
    assert len(figure.axes) == 2
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    (label,) = [label for label in lines if label.startswith("plain")]
    assert f"{race.steps_to('plain')} steps" in label
    race.animate(tmp_path / "race.gif", frames=8)
    with Image.open(tmp_path / "race.gif") as picture:
        assert picture.n_frames == 8


def test_wrong_races_are_refused(race: Any, tmp_path: Path) -> None:
    solver = tw.GradientDescent(lr=0.1)
    for solvers, options in (
        ({}, {}), ([solver, solver], {}), ({"a": "Adam"}, {}), ([solver], {"loss_tolerance": 2.0}),
    ):  # fmt: skip
        with pytest.raises(OptionError):
            tw.race("y ~ x", columns(), solvers, **options)  # type: ignore[arg-type]
    for name in ("race.html", "race.avi"):
        with pytest.raises(OptionError):
            race.animate(tmp_path / name)


def network() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()


def waves(rows: int = 40) -> dict[str, torch.Tensor]:
    x = torch.linspace(-2, 2, rows, dtype=torch.float64)
    return {"x": x, "y": torch.sin(2 * x) + 0.05 * torch.cos(17 * x)}


def test_a_network_starts_each_solver_from_its_own_values_and_keeps_them() -> None:
    module, data = network(), waves()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    adam = tw.TorchOptimizer("Adam", lr=0.02)
    race = tw.race(module, data, {"first": adam, "second": adam}, steps=30, x="x")
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    np.testing.assert_array_equal(race.runs["first"].path, race.runs["second"].path)
    assert race.runs["first"].value[-1] < race.runs["first"].value[0]
    with torch.no_grad():  # each entry has a module of its own, which holds what it found
        eta = race.entries["first"].descent.module()(data["x"][:, None]).squeeze(1)
    assert float(((eta - data["y"]) ** 2).mean()) == pytest.approx(race.runs["first"].value[-1], rel=1e-12)


def test_a_batch_that_was_lucky_is_not_there() -> None:
    """Steps to the tolerance, the least loss and the last loss are of all rows: reckoned here from the parameters."""
    module, data = network(), waves()
    solvers = {
        "sgd": tw.SGD(0.05, batch_size=4, seed=1),
        "adam": tw.TorchOptimizer("Adam", lr=0.02, batch_size=4, epochs=7),
        "whole": tw.TorchOptimizer("Adam", lr=0.02),
    }
    race = tw.race(module, data, solvers, steps=97, x="x", loss_tolerance=0.3)

    def losses(name: str) -> list[float]:
        found = []
        for theta in race.runs[name].path:
            torch.nn.utils.vector_to_parameters(torch.from_numpy(theta), module.parameters())
            with torch.no_grad():
                found.append(float(((module(data["x"][:, None]).squeeze(1) - data["y"]) ** 2).mean()))
        return found

    for name in solvers:
        true, run, excess = np.array(losses(name)), race.runs[name], race.excess(name)
        assert run.steps[-1] == 97  # in place of epochs, too
        np.testing.assert_allclose(run.value[run.whole], true[run.whole], rtol=1e-10)
        known = np.isfinite(excess)
        np.testing.assert_array_equal(known, run.whole)
        np.testing.assert_allclose(excess[known], ((true - race.least) / (true[0] - race.least))[known], atol=1e-12)
        assert run.whole[[0, -1]].all()
        assert (run.whole.sum() < len(run)) == (name != "whole")
        there = race.steps_to(name)
        assert there is None or excess[there] <= 0.3
    assert race.steps_to("whole") is not None
    assert "nan" not in str(race)


def test_the_last_loss_is_of_all_rows_wherever_a_rule_stopped() -> None:
    sgd, data = tw.SGD(0.02, batch_size=4, epochs=50), columns()
    race = tw.race("y ~ x", data, {"sgd": sgd}, stop=tw.MaxSteps(13))
    intercept, slope = race.runs["sgd"].path[-1]
    truth = float(((intercept + slope * data["x"] - data["y"]) ** 2).mean())
    assert race.columns()["loss"][0] == pytest.approx(truth, rel=1e-10)
    assert race.columns()["excess"][0] == pytest.approx((truth - race.least) / (race.runs["sgd"].value[0] - race.least))


def test_a_race_of_batches_is_drawn_from_losses_of_all_rows(tmp_path: Path) -> None:
    race = tw.race("y ~ x", columns(), {"sgd": tw.SGD(0.02, batch_size=4), "gd": tw.GradientDescent(0.1)}, steps=60)
    figure = race.plot()
    (line,) = [each for each in figure.axes[0].lines if str(each.get_label()).startswith("sgd")]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(0, 61, 5))  # an epoch has five steps
    race.animate(tmp_path / "race.gif", frames=6)
    with Image.open(tmp_path / "race.gif") as picture:
        assert picture.n_frames == 6


def test_steps_takes_the_place_of_epochs() -> None:
    sgd = tw.SGD(0.02, batch_size=4, epochs=50)
    race = tw.race("y ~ x", columns(), {"sgd": sgd}, steps=12)
    assert race.runs["sgd"].steps[-1] == 12
    assert sgd.epochs == 50
    with pytest.raises(OptionError, match=r"steps is 2\.5"):
        tw.race("y ~ x", columns(), {"sgd": sgd}, steps=2.5)  # type: ignore[arg-type]
