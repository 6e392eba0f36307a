"""Callbacks of scikit-learn 1.9: the protocol is kept, and its own callbacks work."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import NotAvailableError, OptionError, ThalwegWarning
from thalweg.losses import family
from thalweg.observers import History, Stop, StopWhen, adapted
from thalweg.observers.stopping import Stopper
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import solve

callback = pytest.importorskip("sklearn.callback")


class Recorder:
    """Writes down what it is told."""

    def __init__(self, stop_at=None, fail_at=None):
        self.events, self.stop_at, self.fail_at = [], stop_at, fail_at

    def setup(self, estimator, context):
        self.events.append(("setup", type(estimator).__name__, context.max_subtasks))

    def teardown(self, estimator, context):
        self.events.append(("teardown",))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.task_name, context.task_id))
        if context.task_name == "step" and context.task_id == self.fail_at:
            raise RuntimeError("broken")
        return context.task_name == "step" and context.task_id == self.stop_at


def test_each_task_begins_and_ends_in_its_turn(problem):
    recorder = Recorder()
    assert isinstance(recorder, callback.FitCallback)
    solve(tw.GradientDescent(lr=0.5, steps=2), problem, None, [recorder])
    steps = [(what, "step", i) for i in range(2) for what in ("begin", "end")]
    assert recorder.events == [
        ("setup", "GradientDescent", 2),
        ("begin", "fit", 0),
        *steps,
        ("end", "fit", 0),
        ("teardown",),
    ]


@pytest.mark.parametrize("solver", [tw.GradientDescent(lr=0.5, steps=50), tw.SGD(lr=0.1, steps=50)])
def test_a_true_stops_the_fit(problem, solver):
    recorder = Recorder(stop_at=4)
    solution = solve(solver, problem, None, [recorder])
    assert (solution.status, solution.steps) == (Status.STOPPED, 5)
    assert solution.details["rule"] == "Recorder"
    assert recorder.events[-2:] == [("end", "fit", 0), ("teardown",)]


def test_a_step_that_was_begun_and_never_taken_is_ended(problem):
    recorder = Recorder()
    solve(tw.GradientDescent(lr=0.5, steps=50), problem, None, [recorder], stop=tw.MaxSteps(1))
    assert recorder.events[-4:] == [("begin", "step", 1), ("end", "step", 1), ("end", "fit", 0), ("teardown",)]


def test_it_is_torn_down_where_it_or_another_observer_fails(problem):
    recorder, other = Recorder(fail_at=2), Recorder()
    with pytest.raises(RuntimeError, match="broken"):
        solve(tw.GradientDescent(lr=0.5, steps=50), problem, None, [recorder, other])
    assert recorder.events[-1] == other.events[-1] == ("teardown",)


@pytest.mark.parametrize("loss", ["gaussian", "binomial"])
def test_the_scoring_monitor_scores_each_step(problem, loss):
    problem = MemoryProblem(problem.predictor, problem.x, problem.y, family(loss), weight=problem.y + 0.5)
    scoring = {"gaussian": "r2", "binomial": "neg_log_loss"}[loss]
    monitor, history = callback.ScoringMonitor(scoring=scoring), History()
    solve(tw.GradientDescent(lr=0.1, steps=6), problem, None, [monitor, history])
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "step"]
    y, w = problem.y.numpy(), problem.weight.numpy()
    for row, theta in zip(rows, history.path[1:], strict=True):
        eta = (problem.x @ theta).numpy()
        if loss == "gaussian":
            truth = 1 - (w * (y - eta) ** 2).sum() / (w * (y - np.average(y, weights=w)) ** 2).sum()
        else:
            truth = -(w * (np.log1p(np.exp(eta)) - y * eta)).sum() / w.sum()
        assert row[scoring] == pytest.approx(truth, rel=1e-10)


def test_accuracy_of_a_classifier(problem):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    solution = solve(tw.GradientDescent(lr=0.5, steps=5), problem, None, [monitor])
    truth = float(((problem.x @ solution.theta > 0).double() == problem.y).double().mean())
    assert monitor.get_logs().data[-1]["accuracy"] == truth


def test_the_progress_bar_draws_itself(problem, capsys):
    solve(tw.GradientDescent(lr=0.5, steps=5), problem, None, [callback.ProgressBar()])
    assert "GradientDescent - fit" in capsys.readouterr().out


def test_a_solver_without_a_limit_and_a_problem_without_rows(capsys):
    recorder = Recorder()
    tw.fit("progression ~ bmi", "diabetes", family="poisson", observers=[recorder])
    assert recorder.events[0] == ("setup", "Newton", None)
    assert recorder.events[-2:] == [("end", "fit", 0), ("teardown",)]


def test_older_versions_have_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    with pytest.raises(NotAvailableError, match=r"1\.9"):
        adapted(Recorder())


def test_what_may_stand_among_observers():
    assert adapted(print) is print
    stopper = adapted(StopWhen(lambda state: True))
    assert isinstance(stopper, Stopper)
    assert adapted(stopper) is stopper
    with pytest.raises(Stop):
        stopper(None)
    with pytest.raises(OptionError, match="observer"):
        adapted(3)


def _context():
    """What scikit-learn hands to a callback, which is no callback itself."""
    from sklearn.base import BaseEstimator

    class Estimator(callback.CallbackSupportMixin, BaseEstimator):
        def fit(self, x=None, y=None):
            return self

    return Estimator()._init_callback_context()


@pytest.mark.parametrize(
    ("observers", "said"),
    [
        (lambda: [_context()], "CallbackContext.*callback itself"),
        (_context, "CallbackContext.*callback itself"),
        (lambda: [callback.CallbackContext], "(the class CallbackContext|CallbackContext is a class)"),
        (lambda: [callback.ProgressBar], r"(the class ProgressBar|ProgressBar is a class).* ProgressBar\("),
        (lambda: [tw.observers.Log], r"(the class Log|Log is a class).* Log\("),
        (lambda: [tw.observers.Progress], "(the class Progress|Progress is a class)"),
        (lambda: 3, "observer is 3"),
    ],
)
def test_what_is_no_observer_is_answered_with_what_to_write(observers, said):
    data, solver = {"x": [0.0, 1, 2, 3], "y": [1, 3, 5, 7.5]}, tw.GradientDescent(lr=0.1, steps=3)
    for model in ("y ~ x", tw.Elementwise()):
        with pytest.raises(OptionError, match=said):
            tw.fit(model, data, solver=solver, observers=observers())


def test_observers_may_stand_in_any_sequence_or_alone():
    data, solver, seen = {"x": [0.0, 1, 2, 3], "y": [1, 3, 5, 7.5]}, tw.GradientDescent(lr=0.1, steps=3), []
    for observers in ([seen.append], (seen.append,), seen.append, (), None):
        for model in ("y ~ x", tw.Elementwise()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ThalwegWarning)
                tw.fit(model, data, solver=solver, observers=observers)
    assert len(seen) == 24
