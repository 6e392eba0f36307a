"""A line through eight points: gradient descent with the gradients written by hand."""

import sys
import warnings
from pathlib import Path

import torch
from matplotlib.figure import Figure

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Fit w x + b by 10,000 steps against the gradient of half the sum of squared errors."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # what it says is printed below
    data = tw.simulate("line", n=8, seed=10, slope=2, intercept=3, noise=3, low=0, high=20)
    start = {"x": torch.rand(1, generator=data.generator).item(), "Intercept": 0}  # w random in [0, 1), b = 0
    print(data.about)
    scatter = Figure()
    axes = scatter.subplots()
    axes.scatter(data["x"], data["y"])
    axes.set(xlabel="x", ylabel="y", title="Eight points around y = 3 + 2 x")
    scatter.savefig(folder / "data.png")

    # With e = w x + b - y the loss is sum(e^2) / 2, so dw = sum(e x) and db = sum(e): derivative="hand" adds up these.
    options = {"lr": 0.001, "steps": 10_000, "loss": "half sum", "derivative": "hand", "device": device}
    solver = tw.GradientDescent(dtype="float32", replay=False, **options)
    fit = tw.fit("y ~ x", data, solver=solver, start=start, observers=[tw.observers.Log(every=1000, to=sys.stdout)])
    print("\nThe first step, with the numbers put in:")
    print(fit.explain_step(0))

    best, fine = tw.fit("y ~ x", data), tw.fit("y ~ x", data, solver=tw.GradientDescent(**options), start=start)
    print("\n                                      w         b")
    for name, found in (("descent, 8 digits (float32)", fit), ("descent, 16 digits", fine), ("least squares", best)):
        print(f"{name:30} {found.coefficients['x']:9.5f} {found.coefficients['Intercept']:9.5f}")
    print("With 8 digits it stops early: a step then moves b by less than half of its last digit, and b stays.")
    print(fit.diagnose().after)

    fit.animate(folder / "frames", "fit", every=1000)
    fit.animate(folder / "line.gif", frames=60)
    fit.descent.plot("surface", folder / "valley.png", parameters=("x", "Intercept"))
    print("\nWhat to see: data.png, the points; frames/, the line every 1,000 steps; line.gif, the same moving.")
    print("The line tilts at once, and then rises slowly. In valley.png that is the way down a steep side, where w")
    print("changes, and then along an almost level floor, where w and b trade: the thalweg.")


if __name__ == "__main__":
    main()
