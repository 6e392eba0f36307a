"""What watches a solve: callables that are given each state."""

from thalweg.observers.history import History

__all__ = ["History"]
