"""A solver in words, a class of one, or an optimizer of PyTorch: what to write instead."""

from __future__ import annotations

import difflib
from typing import Any

GRADIENT_DESCENT = 'thalweg.GradientDescent(lr="auto")'
SGD = 'thalweg.SGD("auto", epochs=10, batch_size=32)'
LBFGS = "thalweg.LBFGS()"
NEWTON = "thalweg.solvers.newton.Newton(max_iter=50)"
EXACT = ("ols", "lstsq", "least_squares", "leastsquares", "qr", "svd", "cholesky", "exact", "auto")
LEAST_SQUARES_OF_CURVES = ("lm", "leastsq", "levenberg-marquardt", "levenberg_marquardt", "trf", "dogbox", "curve_fit")

# The names that `thalweg fit --solver` has too, those of classes, and what other programs call them.
WORDS = {
    **dict.fromkeys(["gd", "gradientdescent", "gradient_descent", "gradient descent"], GRADIENT_DESCENT),
    "momentum": 'thalweg.GradientDescent(lr="auto", momentum=0.9)',
    "nesterov": 'thalweg.GradientDescent(lr="auto", momentum=0.9, nesterov=True)',
    "sgd": SGD,
    **dict.fromkeys(["lbfgs", "l-bfgs", "l-bfgs-b", "bfgs"], LBFGS),
    **dict.fromkeys(["newton", "irls", "newton-cg", "newton-cholesky"], NEWTON),
    "torchoptimizer": 'thalweg.TorchOptimizer("Adam", lr=0.01)',
}


def solver_advice(given: Any, *, descent: bool = False) -> str:
    """What to write where solver= was given something that is no solver.

    Parameters
    ----------
    given : Any
    descent : bool
        Whether only a descent will do.

    Examples
    --------
    >>> solver_advice("adam")
    'Write solver=thalweg.TorchOptimizer("Adam", lr=0.01).'
    >>> import torch
    >>> solver_advice(torch.optim.AdamW)
    'Write solver=thalweg.TorchOptimizer("AdamW", lr=0.01).'
    """
    from torch.optim import Optimizer

    if isinstance(given, Optimizer):
        return f"Write solver={_optimizer(type(given), given.param_groups[0].get('lr', 0.01))}."
    if isinstance(given, type) and issubclass(given, Optimizer):
        return f"Write solver={_optimizer(given)}."
    word = given if isinstance(given, str) else given.__name__ if isinstance(given, type) else None
    if word is None:
        return "Give a solver as solver=thalweg.GradientDescent(lr=0.1), or none: one is chosen."
    if word.lower() in EXACT:
        return "Leave it out: least squares are solved exactly."
    if word.lower() in LEAST_SQUARES_OF_CURVES:
        return "Leave it out: a curve is fitted by Levenberg-Marquardt, a line exactly."
    found = _written(word)
    if found is not None:
        return f"Write solver={LBFGS if descent and found == NEWTON else found}."
    if isinstance(given, type):
        return f"Give an object: {word}(...)."
    return _nearest(word)


def _written(word: str) -> str | None:
    """The solver of this name, in any case of letters."""
    from thalweg.solvers.torch_optimizer import optimizers

    lower = {name.lower(): kind for name, kind in optimizers().items()}
    if word.lower() in WORDS:
        return WORDS[word.lower()]
    return _optimizer(lower[word.lower()]) if word.lower() in lower else None


def _optimizer(kind: Any, lr: Any = 0.01) -> str:
    from thalweg.solvers.torch_optimizer import optimizers

    known = optimizers().get(kind.__name__) is kind
    name = f'"{kind.__name__}"' if known else kind.__name__
    rate = f"{float(lr):g}" if isinstance(lr, int | float) else "0.01"
    return f"thalweg.TorchOptimizer({name}, lr={rate})"


def _nearest(word: str) -> str:
    from thalweg.solvers.torch_optimizer import optimizers

    known = {name.lower(): name for name in (*WORDS, *optimizers())}
    near = difflib.get_close_matches(word.lower(), known, n=1)
    if near:
        return f"Did you mean {known[near[0]]!r}? Write solver={_written(near[0])}."
    return f"Give a solver as solver={GRADIENT_DESCENT}, or none: one is chosen."
