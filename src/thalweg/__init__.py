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
    "Armijo": "thalweg.solvers.armijo",
    "Checkpoint": "thalweg.store.checkpoint",
    "compare_gradients": "thalweg.compare",
    "CosineDecay": "thalweg.solvers.schedules",
    "curve_fit": "thalweg.curves.drop_in",
    "CurveRegressor": "thalweg.estimators.curve",
    "datasets": "thalweg.data.datasets",
    "Descent": "thalweg.descent",
    "diagnose": "thalweg.diagnose.diagnosis",
    "Elementwise": "thalweg.predictors.elementwise",
    "errors": "thalweg.errors",
    "ExponentialDecay": "thalweg.solvers.schedules",
    "Fit": "thalweg.result",
    "Fits": "thalweg.curves.fits",
    "fit": "thalweg.fit",
    "GradientBelow": "thalweg.observers.rules",
    "GradientDescent": "thalweg.solvers.gradient_descent",
    "InverseDecay": "thalweg.solvers.schedules",
    "LBFGS": "thalweg.solvers.lbfgs",
    "LevenbergMarquardt": "thalweg.solvers.levenberg_marquardt",
    "LinearDecay": "thalweg.solvers.schedules",
    "load": "thalweg.store",
    "load_dataset": "thalweg.data.datasets",
    "load_into": "thalweg.store.state_dict",
    "LossBelow": "thalweg.observers.rules",
    "MaxSteps": "thalweg.observers.rules",
    "observers": "thalweg.observers",
    "Patience": "thalweg.observers.patience",
    "Positive": "thalweg.curves.arguments",
    "race": "thalweg.show.race",
    "read_state_dict": "thalweg.store.state_dict",
    "RelativeChange": "thalweg.observers.rules",
    "SGD": "thalweg.solvers.minibatch",
    "simulate": "thalweg.data.simulate",
    "StepDecay": "thalweg.solvers.schedules",
    "StopWhen": "thalweg.observers.stopping",
    "TimeLimit": "thalweg.observers.stopping",
    "TorchOptimizer": "thalweg.solvers.torch_optimizer",
    "Warmup": "thalweg.solvers.schedules",
}

if TYPE_CHECKING:
    from thalweg import errors as errors
    from thalweg import observers as observers
    from thalweg.compare import compare_gradients as compare_gradients
    from thalweg.curves.arguments import Positive as Positive
    from thalweg.curves.drop_in import curve_fit as curve_fit
    from thalweg.curves.fits import Fits as Fits
    from thalweg.data.datasets import datasets as datasets
    from thalweg.data.datasets import load_dataset as load_dataset
    from thalweg.data.simulate import simulate as simulate
    from thalweg.descent import Descent as Descent
    from thalweg.diagnose.diagnosis import diagnose as diagnose
    from thalweg.estimators.curve import CurveRegressor as CurveRegressor
    from thalweg.fit import fit as fit
    from thalweg.observers.patience import Patience as Patience
    from thalweg.observers.rules import GradientBelow as GradientBelow
    from thalweg.observers.rules import LossBelow as LossBelow
    from thalweg.observers.rules import MaxSteps as MaxSteps
    from thalweg.observers.rules import RelativeChange as RelativeChange
    from thalweg.observers.stopping import StopWhen as StopWhen
    from thalweg.observers.stopping import TimeLimit as TimeLimit
    from thalweg.predictors.elementwise import Elementwise as Elementwise
    from thalweg.result import Fit as Fit
    from thalweg.show.race import race as race
    from thalweg.solvers.armijo import Armijo as Armijo
    from thalweg.solvers.gradient_descent import GradientDescent as GradientDescent
    from thalweg.solvers.lbfgs import LBFGS as LBFGS
    from thalweg.solvers.levenberg_marquardt import LevenbergMarquardt as LevenbergMarquardt
    from thalweg.solvers.minibatch import SGD as SGD
    from thalweg.solvers.schedules import CosineDecay as CosineDecay
    from thalweg.solvers.schedules import ExponentialDecay as ExponentialDecay
    from thalweg.solvers.schedules import InverseDecay as InverseDecay
    from thalweg.solvers.schedules import LinearDecay as LinearDecay
    from thalweg.solvers.schedules import StepDecay as StepDecay
    from thalweg.solvers.schedules import Warmup as Warmup
    from thalweg.solvers.torch_optimizer import TorchOptimizer as TorchOptimizer
    from thalweg.store import load as load
    from thalweg.store.checkpoint import Checkpoint as Checkpoint
    from thalweg.store.state_dict import load_into as load_into
    from thalweg.store.state_dict import read_state_dict as read_state_dict

__all__ = [
    "LBFGS",
    "SGD",
    "Armijo",
    "Checkpoint",
    "CosineDecay",
    "CurveRegressor",
    "Descent",
    "Elementwise",
    "ExponentialDecay",
    "Fit",
    "Fits",
    "GradientBelow",
    "GradientDescent",
    "InverseDecay",
    "LevenbergMarquardt",
    "LinearDecay",
    "LossBelow",
    "MaxSteps",
    "Patience",
    "Positive",
    "RelativeChange",
    "StepDecay",
    "StopWhen",
    "TimeLimit",
    "TorchOptimizer",
    "Warmup",
    "__version__",
    "compare_gradients",
    "curve_fit",
    "datasets",
    "diagnose",
    "errors",
    "fit",
    "load",
    "load_dataset",
    "load_into",
    "observers",
    "race",
    "read_state_dict",
    "simulate",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    module = importlib.import_module(home)
    value = module if name in ("errors", "observers") else getattr(module, name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """The package, whose `fit` and `diagnose` stay functions when the modules of these names are imported.

    Importing `thalweg.fit` sets the module as an attribute of the package, over the function that users call.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in ("fit", "diagnose") and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)
