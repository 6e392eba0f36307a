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
