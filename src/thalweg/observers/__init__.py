"""What watches a solve: callables that are given each state. One that raises `Stop` ends it there."""

from thalweg.observers.history import History
from thalweg.observers.progress import Progress
from thalweg.observers.stopping import Stop, StopWhen, TimeLimit

__all__ = ["History", "Progress", "Stop", "StopWhen", "TimeLimit"]
