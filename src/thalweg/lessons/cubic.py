"""A cubic that imitates a curve: by hand, by autograd and by a module, with the same numbers."""

import math
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

import thalweg as tw

FORMULA = "y ~ x + I(x**2) + I(x**3)"


def main(folder: str | Path = ".", device: str = "cpu", target: str = "sin(x)") -> None:
    """Fit a + b x + c x^2 + d x^3 to any function of x on [-pi, pi] by 2,000 steps."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # what it says is printed below
    interval = {"low": -math.pi, "high": math.pi, "spacing": "even"}
    data = tw.simulate("expression", n=2000, seed=12, expression=target, noise=0, **interval)
    start = torch.randn(4, generator=data.generator)
    options = {"lr": 1e-6, "steps": 2000, "loss": "sum", "device": device}

    # 1. Gradients by hand: da = 2 sum(e), db = 2 sum(e x), ...   2. By autograd.
    hand = tw.fit(FORMULA, data, solver=tw.GradientDescent(derivative="hand", **options), start=start.tolist())
    auto = tw.fit(FORMULA, data, solver=tw.GradientDescent(derivative="autograd", **options), start=start.tolist())
    # 3. A linear layer over the columns x, x^2, x^3, its output flattened.
    x = torch.tensor(data["x"])
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0, 1)).double()
    model.load_state_dict({"0.weight": start[None, 1:], "0.bias": start[:1]})
    columns = {"x": torch.stack([x, x**2, x**3], dim=1), "y": torch.tensor(data["y"])}
    layer = tw.fit(model, columns, x="x", y="y", solver=tw.GradientDescent(derivative="module", **options))

    print(f"y = {target} at 2,000 points, a cubic from a random start:")
    for step in range(0, 2001, 200):
        print(f"  step {step:4}  sum of squared errors {hand.trace.value[hand.trace.step.index(step)]:12.4f}")
    print("Three ways to the gradient, one descent:")
    for name, theta in (("hand", hand.theta), ("autograd", auto.theta), ("module", layer.solution.theta.roll(1))):
        print(f"  {name:9}", "  ".join(f"{value:9.5f}" for value in theta.tolist()))
    print("\nIn words:", hand.equation())
    print("The best cubic:", tw.fit(FORMULA, data).equation())
    print(hand.diagnose().after)

    hand.animate(folder / "cubic.gif", "fit", frames=60)
    hand.descent.plot("loss", folder / "loss.png")
    print(
        "\nWhat to see: cubic.gif. In the first steps the ends, where x^3 is largest, come in from far outside of the"
    )
    print("picture; the middle turns over late: the loss is steep along x^3 and almost level along x. loss.png shows")
    print("both: a drop, a slope.")


if __name__ == "__main__":
    main(target=sys.argv[1] if len(sys.argv) > 1 else "sin(x)")
