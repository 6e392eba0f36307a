"""Watch a line fit: an accident that looks like success, a rate that diverges, and one that works."""

import warnings
from pathlib import Path

import torch

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Fit w x + b to 20 points, the loss half the mean of squared errors, the rate 0.1, stopping below a loss of 1."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # what it says is printed below
    data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1, low=0, high=10)
    start = {"x": torch.randn(1, generator=data.generator).item(), "Intercept": 0}

    def descend(steps: int = 1000, stop: tw.LossBelow | None = None, **options: object) -> tw.Fit:
        solver = tw.GradientDescent(steps=steps, loss="half mean", device=device, **{"lr": 0.1, **options})
        return tw.fit("y ~ x", data, solver=solver, start=start, stop=stop)

    def told(fit: tw.Fit) -> str:
        return f"w = {fit.coefficients['x']:.3f}, b = {fit.coefficients['Intercept']:.3f}"

    print("1. What is known before the first step:\n")
    known = tw.diagnose("y ~ x", data, loss="half mean", lr=0.1)
    print(known)

    print("\n2. As the program was first written: gradients never cleared, which is momentum 1.")
    wrong = {"momentum": 1, "allow_divergence": True}
    fit = descend(stop=tw.LossBelow(1), **wrong)
    end = fit.solution.steps
    print(f"   Below 1 at step {end}: loss {fit.trace.value[-1]:.3f} with {told(fit)}.")
    print(f"   (The program updates once more before it prints: {told(descend(steps=end + 1, **wrong))}.)")
    print("   An accident: the ball was crossing the valley. Unstopped it would roll on, as uncleared.gif shows.")

    print("\n3. Mended, the gradient cleared, the same rate is refused:")
    try:
        descend()
    except tw.errors.DivergenceError as error:
        print("  ", error)
    wild = descend(allow_divergence=True, dtype="float32", replay=False)
    losses, end = wild.trace.value, wild.trace.step[-1]
    print(f"   Run all the same: loss {losses[10]:.2g} at step 10, {losses[-1]:.2g} at step {end}, and float32 ends.")

    print("\n4. A rate that the data allow: half of the limit, at which nothing swings.")
    calm = descend(lr=known.limit / 2, steps=2000)
    print(f"   lr = {calm.trace.rate[-1]:.4g}: after {calm.solution.steps:,} steps {calm.equation()}")
    print(f"   Least squares:                        {tw.fit('y ~ x', data).equation()}")

    descend(steps=60, **wrong).animate(folder / "uncleared.gif", every=1, fps=6)
    wild.animate(folder / "divergent.gif", frames=30, fps=5)
    calm.animate(folder / "calm.gif", frames=60)
    print("\nWhat to see: divergent.gif, each step overshoots further than the last; calm.gif, what a fit looks like.")


if __name__ == "__main__":
    main()
