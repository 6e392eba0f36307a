"""A line as a network of one layer: trained, saved, loaded into a fresh one, and predicting."""

import sys
import warnings
from pathlib import Path

import torch
from torch import nn

import thalweg as tw


def main(folder: str | Path = ".", device: str = "cpu") -> None:
    """Train a linear layer on y = 2 x + 1 for 1,000 epochs."""
    folder = Path(folder)
    warnings.simplefilter("ignore", tw.errors.ConvergenceWarning)  # it ends at its limit of steps
    data = tw.simulate("line", n=11, slope=2, intercept=1, noise=0, low=0, high=10, spacing="even")
    with torch.random.fork_rng(devices=[]):  # a layer draws its start from the global generator
        torch.manual_seed(0)
        model = nn.Linear(in_features=1, out_features=1)

    # Mean squared error; every step reads all eleven rows, so that an epoch is one step.
    solver = tw.TorchOptimizer("SGD", lr=0.01, steps=1000, dtype="float32", device=device)
    fit = tw.fit(model, data, x="x", y="y", solver=solver, observers=[tw.observers.Log(every=50, to=sys.stdout)])
    print(f"weight {fit.parameters['weight'].item():.5f}, bias {fit.parameters['bias'].item():.5f}; in truth 2 and 1")

    # What was learned is numbers with names, the state dict. It goes to a file, and into a model that never trained.
    torch.save(fit.module().state_dict(), folder / "line.pt")
    fresh = nn.Linear(1, 1)
    fresh.load_state_dict(tw.read_state_dict(folder / "line.pt"))
    predictions = fresh(torch.tensor(data["x"], dtype=torch.float32)[:, None])[:, 0].tolist()
    print("\ninput  target  prediction of the loaded model")
    for x, y, prediction in zip(data["x"], data["y"], predictions, strict=True):
        print(f"{x:5g} {y:7g} {prediction:11.5f}")

    # A file from elsewhere may hold anything. Only tensors are read from it (weights_only=True); nothing in it is run.
    torch.save({"weight": torch.tensor([[2.0]]), "bias": torch.tensor([1.0])}, folder / "model.pkl")
    fresh.load_state_dict(tw.read_state_dict(folder / "model.pkl"))
    print("\nWith the weights of a foreign model.pkl: f(20) =", fresh(torch.tensor([[20.0]])).item())

    fit.animate(folder / "line.gif", frames=60)
    fit.plot("loss", folder / "loss.png")
    print("\nWhat to see: line.gif, the line turns up to the points at once; then its start creeps to 1.")
    print("loss.png: on a logarithmic axis a straight fall, the same factor at every epoch.")


if __name__ == "__main__":
    main()
