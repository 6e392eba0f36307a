"""Watch a boundary turn: with squared errors as first written, then properly, then where no answer exists."""

import warnings
from pathlib import Path

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Tell two clouds of 100 points apart."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ThalwegWarning)  # what they say is printed below
    clouds = {"n": 100, "seed": 0, "centers": ((2, 2), (-2, -2))}
    data = tw.simulate("clouds", **clouds)

    print("1. As first written: probability = sigmoid(w x1 + b - x2), squared errors of it, gradients never cleared.")
    written = {"family": "gaussian", "link": "logit", "start": {"x1": 1, "Intercept": 0}}
    ball = {"lr": 0.02, "momentum": 1, "loss": "mean", "allow_divergence": True, "device": device}

    def turn(steps: int, stop: tw.LossBelow | None = None) -> tw.Fit:
        solver = tw.GradientDescent(steps=steps, **ball)
        return tw.fit("label ~ x1 + offset(-x2)", data, solver=solver, stop=stop, **written)

    first = turn(1000, tw.LossBelow(0.01))
    end = first.solution.steps
    print(f"   Loss {first.trace.value[-1]:.4f} at step {end}: {told(first)}.")
    print(f"   (The program updates once more before it prints: {told(turn(end + 1))}.)")
    first.animate(folder / "boundary.gif", every=1, fps=6)

    print("\n2. Properly: the binomial loss, a coefficient for each direction and an intercept. Clouds that overlap:")
    near = tw.simulate("clouds", spread=2, **clouds)
    exact = tw.fit("label ~ x1 + x2", near, family="binomial")
    fit = tw.fit("label ~ x1 + x2", near, family="binomial", solver=tw.GradientDescent(lr="auto", device=device))
    print("              descent     exact     truth")
    for name, true in near.truth.items():
        print(f"   {name:9} {fit.coefficients[name]:9.4f} {exact.coefficients[name]:9.4f} {true:9.4f}")
    print(f"   {fit.descent.diagnose().after}")
    print("   The probability of label 1 at (0, 0):", fit.predict({"x1": [0.0], "x2": [0.0]}).round(3)[0])
    fit.animate(folder / "probability.gif", frames=60)

    print("\n3. Clouds that a straight line separates. There is no best line: a steeper one is always better.")
    apart = tw.simulate("clouds", spread=0.5, **clouds)
    for steps in (100, 1000, 10_000):
        run = tw.fit("label ~ x1 + x2", apart, family="binomial", solver=tw.GradientDescent(lr=0.5, steps=steps))
        print(
            f"   {steps:6,} steps: length of the coefficients {run.theta.norm():5.2f}, loss {run.trace.value[-1]:.6f}"
        )
    print("  ", tw.fit("label ~ x1 + x2", apart, family="binomial").separation.sentence)

    print("\nWhat to see: boundary.gif, the line swings round between the clouds, and was stopped in mid-swing;")
    print("probability.gif, the line comes to rest, and the shading says how sure the model is on either side.")


def told(fit: tw.Fit) -> str:
    """The boundary x2 = w x1 + b."""
    b, w = fit.theta.tolist()
    return f"w = {w:.3f}, b = {b:.3f}"


if __name__ == "__main__":
    main()
