"""Callbacks of scikit-learn 1.9 as observers of a solve.

The protocol (`sklearn.callback.FitCallback`) knows an estimator and a tree of tasks. Here the estimator is a small one
that stands for the fit, named like its solver; the root task is the solve, and its children are the steps:

    setup, on_fit_task_begin(root)
        on_fit_task_begin(step)            at the state before the step
        on_fit_task_end(step)              at the state after it; True stops the solve
    on_fit_task_end(root), teardown

A callback that asks for `X`, `y`, `metadata` or `fitted_estimator` gets the matrix and the response of the problem, its
weights as `sample_weight`, and an estimator that predicts with the parameters of that state; they are made only then.
scikit-learn keeps an object for each task: a million steps take a gigabyte.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, final

from thalweg.errors import NotAvailableError
from thalweg.observers.stopping import Stop

if TYPE_CHECKING:
    import numpy as np

    from thalweg.solvers.base import Solution, State


@final
class CallbackObserver:
    """One callback of scikit-learn as an observer.

    Parameters
    ----------
    callback : sklearn.callback.FitCallback

    Raises
    ------
    NotAvailableError
        scikit-learn is older than 1.9, which has callbacks.

    Examples
    --------
    >>> import thalweg as tw
    >>> from sklearn.callback import ScoringMonitor
    >>> monitor = ScoringMonitor(scoring="r2")
    >>> data, solver = {"x": [0, 1, 2, 3], "y": [1, 3, 5, 7]}, tw.GradientDescent(lr=0.1, steps=3)
    >>> fit = tw.fit("y ~ x", data, solver=solver, observers=[monitor], stop=tw.MaxSteps(3))
    >>> [round(row["r2"], 2) for row in monitor.get_logs().data if row["task_name"] == "step"]
    [0.89, 1.0, 1.0]
    """

    def __init__(self, callback: Any) -> None:
        try:
            import sklearn.callback  # noqa: F401
        except ImportError:
            raise NotAvailableError(
                f"{type(callback).__name__} is a callback of scikit-learn, which has them from version 1.9 on",
                advice="Install it: pip install 'scikit-learn>=1.9'.",
            ) from None
        self.callback = callback
        self._estimator: Any = None
        self._root: Any = None
        self._step: Any = None
        self._begun = 0
        self._given: dict[str, Any] = {}

    def begin(self, solver: Any, problem: Any) -> None:
        """Set the callback up, and begin the task of the whole solve."""
        self._step, self._begun = None, 0
        self._estimator = estimator_for(type(solver).__name__, problem).set_callbacks(self.callback)
        limit = getattr(solver, "limit", None)
        most = None if limit is None else limit(problem)
        self._root = self._estimator._init_callback_context(max_subtasks=most)
        self._given = {"estimator": self._estimator, **_rows(problem)}
        self._root.call_on_fit_task_begin(**self._given)

    def __call__(self, state: State) -> None:
        """End the step that led here, and begin the next."""
        fitted = {"reconstruction_attributes": lambda: {"theta_": state.theta.detach().clone()}}
        if self._step is not None:
            step, self._step = self._step, None
            if step.call_on_fit_task_end(**self._given, **fitted):
                raise Stop(type(self.callback).__name__)
        if self._root.max_subtasks is None or self._begun < self._root.max_subtasks:
            self._begun += 1
            self._step = self._root.subcontext(task_name="step")
            self._step.call_on_fit_task_begin(**self._given, **fitted)

    def end(self, solution: Solution) -> None:
        """End what was begun, and tear the callback down."""
        try:
            if self._step is not None:  # a step that was never taken: ended as an empty task
                self._step.call_on_fit_task_end(estimator=self._estimator)
            fitted = {"reconstruction_attributes": lambda: {"theta_": solution.theta.detach().clone()}}
            self._root.call_on_fit_task_end(**self._given, **fitted)
        finally:
            self.failed(None)

    def failed(self, error: BaseException | None) -> None:
        """Tear the callback down."""
        if self._root is not None:
            root, self._root, self._step = self._root, None, None
            self.callback.teardown(estimator=self._estimator, context=root)


def _rows(problem: Any) -> dict[str, Any]:
    """What a callback may ask for, each made when it does."""
    if getattr(problem, "y", None) is None:
        return {}
    weight = getattr(problem, "weight", None)
    metadata = {} if weight is None else {"sample_weight": _array(weight)}
    return {"X": lambda: _array(problem.x), "y": lambda: _array(problem.y), "metadata": metadata}


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def estimator_for(name: str, problem: Any) -> Any:
    """An estimator of this name that predicts with `theta_`: a classifier for a binomial family, else a regressor."""
    regressor, classifier = _estimators()
    base = classifier if getattr(getattr(problem, "loss", None), "name", "") == "binomial" else regressor
    estimator = type(name, (base,), {})()
    estimator._problem = problem
    return estimator


@cache
def _estimators() -> tuple[type, type]:
    """The two classes, made when scikit-learn is first needed."""
    import numpy as np
    import torch
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.callback import CallbackSupportMixin

    class Estimator(CallbackSupportMixin, BaseEstimator):
        """A state of a solve as an estimator."""

        def fit(self, x: Any, y: Any) -> Any:
            raise NotAvailableError("this estimator is a state of a fit that is running", advice="Use thalweg.fit.")

        def _mean(self, x: Any) -> np.ndarray:
            problem = self._problem
            theta = self.theta_.to(problem.device, problem.dtype)
            eta = problem.predictor(theta, torch.as_tensor(np.asarray(x), dtype=problem.dtype, device=problem.device))
            mean = getattr(problem.loss, "mean", None)
            return _array(eta if mean is None else mean(eta))

    class Regressor(RegressorMixin, Estimator):
        def predict(self, x: Any) -> np.ndarray:
            return self._mean(x)

    class Classifier(ClassifierMixin, Estimator):
        classes_ = np.array([0.0, 1.0])

        def predict_proba(self, x: Any) -> np.ndarray:
            one = self._mean(x)
            return np.stack([1 - one, one], axis=1)

        def predict(self, x: Any) -> np.ndarray:
            return (self._mean(x) > 0.5).astype(float)

    return Regressor, Classifier
