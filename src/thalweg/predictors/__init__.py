"""Predictors: eta = f(x; theta)."""

from thalweg.predictors.base import Predictor
from thalweg.predictors.linear import Linear

__all__ = ["Linear", "Predictor"]
