"""What a loss is called and how it is scaled, because that changes what a learning rate means.

The house's objective is J = sum_i w_i loss_i with the loss half the unit deviance (`docs/objective.md`). Textbooks and
PyTorch use other multiples of it, and a descent solver takes one by name:

    name          squared errors e_i = y_i - mu_i          other families (-log L, up to a constant)
    "mean"        sum w e^2 / sum w      = 2 J / sum w     J / sum w
    "sum"         sum w e^2              = 2 J             J
    "half mean"   sum w e^2 / (2 sum w)  =   J / sum w     refused: there is no square to halve
    "half sum"    sum w e^2 / 2          =   J             refused

"mean" is `torch.nn.functional.mse_loss` and `binary_cross_entropy_with_logits`.
"""

from __future__ import annotations

from thalweg.errors import OptionError
from thalweg.losses.base import Loss

CONVENTIONS = ("mean", "sum", "half mean", "half sum")


def check_convention(name: str, loss: Loss) -> None:
    """Refuse a convention that does not exist, or halves of what is no square.

    Raises
    ------
    OptionError
    """
    if name not in CONVENTIONS:
        raise OptionError(f"loss={name!r} is no convention", advice=f"Use one of {', '.join(map(repr, CONVENTIONS))}.")
    if name.startswith("half") and not is_squared(loss):
        raise OptionError(
            f"loss={name!r} halves squared errors, and this loss has none",
            advice=f"Use {name.removeprefix('half ')!r}: of the negative log-likelihood.",
        )


def is_squared(loss: Loss) -> bool:
    """Whether the loss is half a squared error of the mean: the gaussian family with any link."""
    return loss.name == "gaussian"


def per_unit(name: str, loss: Loss) -> float:
    """The multiple of loss_i that the convention adds up: 2 for whole squares, else 1."""
    return 2.0 if is_squared(loss) and not name.startswith("half") else 1.0


def is_mean(name: str) -> bool:
    """Whether the convention divides by the sum of weights."""
    return name.endswith("mean")
