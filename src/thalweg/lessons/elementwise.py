"""One weight for each place, for vectors, matrices and pictures; and what a gradient needs."""

import warnings
from pathlib import Path

import torch

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Fit y = w * x + b, with w of the shape of x and b one number."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # the descents end at their limits of steps
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([115.0, 21.0])
    for steps in (100, 2000):
        solver = tw.GradientDescent(lr=0.01, steps=steps, dtype="float32", replay=False, device=device)
        fit = tw.fit(tw.Elementwise(), {"x": x, "y": y}, solver=solver, start={"w": [1.0, 2.0], "b": 0.0})
        w, b = fit.parameters["w"].cpu(), fit.parameters["b"].item()
        print(f"After {steps:,} steps: w = ({w[0]:.4f}, {w[1]:.4f}), b = {b:.4f}, loss {fit.trace.value[-1]:.3g},")
        print(f"  predictions ({w[0] * x[0] + b:.4f}, {w[1] * x[1] + b:.4f}) for (115, 21)")
    print("Three numbers fit two in many ways; which way is found depends on the start.")

    pictures = tw.simulate("pictures", height=32, width=32, seed=1)
    adam = tw.TorchOptimizer("Adam", lr=0.02, steps=150, device=device)  # a rate of its own for each weight
    fit = tw.fit(tw.Elementwise(), pictures, solver=adam)
    print("\nTwo pictures of 32 x 32, a weight for each pixel:", end=" ")
    print(f"loss {fit.trace.value[0]:.2g} at the start, {fit.trace.value[-1]:.2g} after {fit.solution.steps} steps.")
    fit.animate(folder / "pictures.gif", frames=40)
    what_a_gradient_needs()
    print("\nWhat to see: pictures.gif, the second picture appears out of the first, pixel by pixel at its own pace.")


def what_a_gradient_needs() -> None:
    """Tracking, a region without it, and a loss that is one number: shown by running."""
    print("\nWhat a gradient needs, in PyTorch:")
    w = torch.tensor([1.0, 2.0])
    print("  a tensor is not tracked until it is asked to be:", w.requires_grad, end=", ")
    print("after requires_grad_()", w.requires_grad_().requires_grad)
    print("  what is computed from it is tracked too:", (w * 3).requires_grad, end=", ")
    print("after detach()", (w * 3).detach().requires_grad, end=", ")
    with torch.no_grad():
        print("within no_grad()", (w * 3).requires_grad)
    print("  switched off again:", w.requires_grad_(False).requires_grad)

    losses = (w.requires_grad_() * 3) ** 2
    try:
        losses.backward()
    except RuntimeError as error:
        print(f"  backward() from two losses at once is refused: {error}.")
        print("  That is: a gradient says how one number changes, so make one of them first, by sum() or mean().")
    losses.sum().backward()
    print("  backward() from their sum:", w.grad.tolist(), "which is 18 w")


if __name__ == "__main__":
    main()
