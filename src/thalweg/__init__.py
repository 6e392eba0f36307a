"""Thalweg fits lines, curves and class boundaries to data, and shows how the fit got there.

The public names load on first use, so that `import thalweg` and `thalweg --help` are quick.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

_HOME = {
    "fit": "thalweg.fit",
    "Fit": "thalweg.result",
    "Descent": "thalweg.descent",
    "GradientDescent": "thalweg.solvers.gradient_descent",
    "load": "thalweg.store",
    "load_dataset": "thalweg.data.datasets",
    "datasets": "thalweg.data.datasets",
    "errors": "thalweg.errors",
}

if TYPE_CHECKING:
    from thalweg import errors as errors
    from thalweg.data.datasets import datasets as datasets
    from thalweg.data.datasets import load_dataset as load_dataset
    from thalweg.descent import Descent as Descent
    from thalweg.fit import fit as fit
    from thalweg.result import Fit as Fit
    from thalweg.solvers.gradient_descent import GradientDescent as GradientDescent
    from thalweg.store import load as load

__all__ = ["Descent", "Fit", "GradientDescent", "__version__", "datasets", "errors", "fit", "load", "load_dataset"]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    module = importlib.import_module(home)
    value = module if name == "errors" else getattr(module, name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """The package, whose `fit` stays the function when the module of that name is imported.

    Importing `thalweg.fit` sets the module as an attribute of the package, over the function that users call.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name == "fit" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
