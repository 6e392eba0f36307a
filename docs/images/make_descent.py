"""Draw the pictures of descents that the documentation shows: python docs/images/make_descent.py [folder]."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path

import torch

import thalweg as tw
from thalweg.errors import ThalwegWarning


def line(folder: Path) -> None:
    """A line whose gradients were never cleared, which is momentum 1; its loss surface; and a race on it."""
    generator = torch.Generator().manual_seed(10)
    x = torch.rand(20, generator=generator) * 10
    y = 2 * x + 5 + torch.randn(20, generator=generator)
    data = {"x": x.double(), "y": y.double()}
    start = {"x": float(torch.randn(1, generator=generator)), "Intercept": 0.0}
    uncleared = tw.GradientDescent(lr=0.1, momentum=1.0, loss="half mean")
    fit = tw.fit("y ~ x", data, solver=uncleared, start=start, stop=tw.LossBelow(1.0))
    fit.animate(folder / "descent_line.gif", fps=3)
    fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.049, loss="half mean", steps=300), start=start)
    fit.descent.plot("surface", folder / "descent_surface.png")
    solvers = {
        "plain": tw.GradientDescent(lr=0.049),
        "momentum 0.8": tw.GradientDescent(lr=0.049, momentum=0.8),
        "Nesterov 0.8": tw.GradientDescent(lr=0.03, momentum=0.8, nesterov=True),
        "too fast": tw.GradientDescent(lr=0.07),
    }
    for solver in solvers.values():
        solver.loss = "half mean"
    tw.race("y ~ x", data, solvers, start=start, steps=250).plot(folder / "descent_race.png")


def cubic(folder: Path) -> None:
    """A third-degree polynomial that learns to imitate the sine."""
    x = torch.linspace(-math.pi, math.pi, 2000, dtype=torch.float64)
    start = torch.randn(4, generator=torch.Generator().manual_seed(3)).tolist()
    solver = tw.GradientDescent(lr=1e-6, steps=2000, loss="sum")
    fit = tw.fit("y ~ x + I(x**2) + I(x**3)", {"x": x, "y": x.sin()}, solver=solver, start=start)
    fit.animate(folder / "descent_cubic.gif", frames=80)


def boundary(folder: Path) -> None:
    """A boundary y = w x + b that turns between two clouds."""
    generator = torch.Generator().manual_seed(0)
    low = torch.normal(2.0, 1.0, (100, 2), generator=generator)
    points = torch.cat([low, torch.normal(-2.0, 1.0, (100, 2), generator=generator)]).double()
    label = torch.cat([torch.zeros(100), torch.ones(100)])
    data = {"x1": points[:, 0], "x2": points[:, 1], "label": label}
    solver = tw.GradientDescent(lr=0.02, momentum=1.0)  # these gradients were not cleared either
    start = {"x1": 1.0, "Intercept": 0.0}
    fit = tw.fit(
        "label ~ x1 + offset(-x2)", data, link="logit", solver=solver, start=start, stop=tw.LossBelow(0.01)
    )  # fmt: skip
    fit.animate(folder / "descent_boundary.gif", fps=6)


def main() -> None:
    """Draw all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", ThalwegWarning)  # of descents that are meant to end early
    line(folder)
    cubic(folder)
    boundary(folder)


if __name__ == "__main__":
    main()
