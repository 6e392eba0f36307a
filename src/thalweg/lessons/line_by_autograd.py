"""The same line with gradients by autograd, and what happens when they are not cleared."""

import warnings
from pathlib import Path

import torch

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Fit w x + b by 8,000 steps, the gradient from the backward pass of PyTorch."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # the descents end at their limits of steps
    data = tw.simulate("line", n=8, seed=10, slope=2, intercept=3, noise=3, low=0, high=20)
    w, b = torch.rand(1, generator=data.generator).item(), torch.rand(1, generator=data.generator).item()
    start = {"x": w, "Intercept": b}

    options = {"loss": "half sum", "dtype": "float32", "replay": False, "device": device}
    solver = tw.GradientDescent(lr=0.001, steps=8000, derivative="autograd", **options)
    fit = tw.fit("y ~ x", data, solver=solver, start=start)
    print(f"After 8,000 steps: w = {fit.coefficients['x']:.5f}, b = {fit.coefficients['Intercept']:.5f}.")
    print("By hand, by autograd or by a module, it is the same gradient:\n")
    print(tw.compare_gradients("y ~ x", data, loss="half sum", lr=0.001, start=start, steps=3))

    # PyTorch adds each backward pass to what is already in .grad. This program never clears it:
    x, y = (torch.tensor(data[name], dtype=torch.float32) for name in ("x", "y"))
    theta = torch.tensor([b, w], requires_grad=True)
    for _ in range(5):
        loss = ((theta[1] * x + theta[0] - y) ** 2).sum() / 2
        loss.backward()  # and no theta.grad.zero_() after the update
        with torch.no_grad():
            theta -= 1e-4 * theta.grad

    ball = tw.GradientDescent(lr=1e-4, steps=5, momentum=1, **options)
    five = tw.fit("y ~ x", data, solver=ball, start=start)
    print("\nFive steps with the gradient never cleared, and five of a ball that rolls without friction (momentum 1):")
    print(f"  uncleared   w = {theta[1].item():.5f}, b = {theta[0].item():.5f}")
    print(f"  momentum 1  w = {five.coefficients['x']:.5f}, b = {five.coefficients['Intercept']:.5f}")

    fit.animate(folder / "cleared.gif", frames=60)
    long = tw.GradientDescent(lr=1e-4, steps=60, momentum=1, **options)
    rolling = tw.fit("y ~ x", data, solver=long, start=start)
    rolling.animate(folder / "uncleared.gif", every=1, fps=6)
    rolling.descent.plot("loss", folder / "uncleared.png")
    print("It is one and the same thing. Such a ball swings from side to side for ever:")
    print(" ", rolling.diagnose().after)
    print("\nWhat to see: cleared.gif settles; uncleared.gif swings, and its loss (uncleared.png) never stays down.")


if __name__ == "__main__":
    main()
