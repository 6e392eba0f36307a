"""Moving pictures of a curve: what is drawn in each frame is the curve at that state."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import thalweg as tw
from show import curve_cases as cases
from thalweg.errors import NotAvailableError
from thalweg.show.motion.kinds import fit_scene
from thalweg.show.motion.page import page
from thalweg.show.motion.subject import subject_of
from thalweg.show.plots.run import run_of


def test_each_frame_is_the_curve_at_its_state() -> None:
    fit = cases.decay()
    run = run_of(fit)
    scene: Any = fit_scene(subject_of(run), run.path)
    for (a, b, c), values in zip(run.path, scene.means[0], strict=True):
        np.testing.assert_allclose(values, a * np.exp(-b * scene.at) + c, rtol=1e-13)
    inside = (scene.at >= 0.05) & (scene.at <= 4.0)
    np.testing.assert_allclose(scene.means[0][-1][inside], fit.predict({"x": scene.at[inside]}), rtol=1e-12)


def test_held_and_tied_parameters_are_part_of_the_curve() -> None:
    run = run_of(cases.tied())
    assert run.names == ("b",)
    scene: Any = fit_scene(subject_of(run), run.path)
    b = float(run.path[2, 0])
    np.testing.assert_allclose(scene.means[0][2], (2 * b + 1) * np.exp(-b * scene.at) + 0.5, rtol=1e-13)


def test_fitted_values_of_the_rows() -> None:
    for name in ("two_columns", "grouped", "counts"):
        fit = cases.ALL[name]()
        run = run_of(fit)
        subject = subject_of(run)
        np.testing.assert_allclose(subject.mean(subject.fitted(run.path[-1:]))[0], fit.predict(), rtol=1e-12)
        np.testing.assert_allclose(subject.some(run.path[-1:], 5)[0, [0, -1]], fit.predict()[[0, -1]], rtol=1e-12)


def test_a_line_for_each_group() -> None:
    fit = cases.grouped()
    run = run_of(fit)
    scene: Any = fit_scene(subject_of(run), run.path)
    assert scene.levels == (1, 2, 7)
    inside = (scene.at >= 0.0) & (scene.at <= 4.0)
    for level, means in zip(scene.levels, scene.means, strict=True):
        at = {"x": scene.at[inside], "run": np.full(inside.sum(), level)}
        np.testing.assert_allclose(means[-1][inside], fit.predict(at), rtol=1e-12)


def test_a_dose_is_drawn_along_its_logarithm() -> None:
    fit = cases.dose()
    run = run_of(fit)
    scene: Any = fit_scene(subject_of(run), run.path)
    assert scene.logarithmic
    np.testing.assert_allclose(np.diff(np.log(scene.at)), np.log(scene.at[1] / scene.at[0]), rtol=1e-9)


def content(text: str) -> dict[str, Any]:
    """The numbers of a page."""
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, flags=re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.mark.parametrize("name", ["decay", "dose", "counts"])
def test_the_page_holds_the_curve_of_every_state(name: str) -> None:
    fit = cases.ALL[name]()
    run = run_of(fit)
    shown = content(page(run))
    scene = shown["scene"]
    assert shown["heading"] == fit.formula
    model = scene["curves"][0]
    values = np.array(model["weights"]) @ np.array(model["basis"])
    x = np.array(scene["at"])
    x = 10**x if name == "dose" else x
    assert scene["xLabel"] == ("log10(x)" if name == "dose" else "x")
    curve = fit.spec.curve  # type: ignore[attr-defined]
    for theta, got in zip(run.path[np.isin(run.steps, shown["steps"])], values, strict=True):
        wanted = curve.over({"x": x}, len(x)).values(theta.tolist())
        np.testing.assert_allclose(got, wanted, atol=1e-4 * max(1.0, np.abs(wanted).max()))
    assert shown["surface"] is not None


@pytest.mark.parametrize("name", ["decay", "two_columns", "grouped"])
def test_a_file(name: str, tmp_path: Path) -> None:
    fit = cases.ALL[name]()
    fit.animate(tmp_path / "way.gif", frames=4)
    with Image.open(tmp_path / "way.gif") as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]
    fit.animate(tmp_path / "way.html", kind="fit")
    assert (tmp_path / "way.html").stat().st_size < 1_000_000


@pytest.mark.parametrize("kind", ["loss", "traces", "surface", "all"])
def test_the_kinds(kind: str, tmp_path: Path) -> None:
    cases.decay().animate(tmp_path / "frames", kind=kind, frames=2)
    assert len(list((tmp_path / "frames").iterdir())) == 2


def test_more_rows_than_are_drawn() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 4, 3000)
    fit = tw.fit("y = a * exp(-b * x)", {"x": x, "y": 3 * np.exp(-x) + 0.1 * rng.normal(size=3000)}, start=[1, 0.5])
    subject = subject_of(run_of(fit))
    assert (len(subject.y), subject.total) == (2000, 3000)
    assert np.isin(subject.column("x"), x).all()


def test_a_loaded_curve_has_no_way(tmp_path: Path) -> None:
    cases.decay().save(tmp_path / "m.safetensors")
    with pytest.raises(NotAvailableError, match="loaded"):
        tw.load(tmp_path / "m.safetensors").animate(tmp_path / "way.gif")


def test_a_descent_of_a_curve_moves_too(tmp_path: Path) -> None:
    with pytest.warns(tw.errors.ConvergenceWarning):
        fit = tw.fit(cases.DECAY, cases.decaying(), start=cases.START, solver=tw.GradientDescent(lr=0.1, steps=50))
    fit.animate(tmp_path / "way.gif", frames=3)
    run = run_of(fit)
    scene: Any = fit_scene(subject_of(run), run.path)
    a, b, c = run.path[7]
    np.testing.assert_allclose(scene.means[0][7], a * np.exp(-b * scene.at) + c, rtol=1e-6)


def test_what_only_a_descent_can_say() -> None:
    for ask in (cases.decay().diagnose, cases.decay().explain_step):
        with pytest.raises(NotAvailableError, match=r"not made by a descent.*GradientDescent"):
            ask()
