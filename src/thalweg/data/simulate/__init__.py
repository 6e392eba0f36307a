"""Simulated data: known truth, from a seed."""

from thalweg.data.simulate.base import Simulated
from thalweg.data.simulate.draw import KINDS, kind_named, simulate

__all__ = ["KINDS", "Simulated", "kind_named", "simulate"]
