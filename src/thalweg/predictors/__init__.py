"""Predictors: eta = f(x; theta)."""

from thalweg.predictors.base import Predictor
from thalweg.predictors.elementwise import Elementwise
from thalweg.predictors.linear import Linear
from thalweg.predictors.module import ModulePredictor

__all__ = ["Elementwise", "Linear", "ModulePredictor", "Predictor"]
