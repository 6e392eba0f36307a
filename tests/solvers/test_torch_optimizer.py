"""Every optimizer of torch.optim against the loop that one writes by hand: the same parameters, bit for bit."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor

import thalweg as tw
from thalweg.errors import IncompatibleError, NotAvailableError, OptionError
from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.predictors.base import Predictor
from thalweg.problem import MemoryProblem
from thalweg.solvers.iterate import iterate, solve
from thalweg.solvers.packing import packed, unpacked
from thalweg.solvers.schedules import CosineDecay
from thalweg.solvers.torch_optimizer import TorchOptimizer, optimizers

DENSE = [name for name in optimizers() if name not in ("SparseAdam", "Muon")]
MATRICES = ["Muon"]
STEPS = 16


def problem(dtype: torch.dtype = torch.float64, kind: str = "binomial") -> MemoryProblem:
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = (torch.rand(40, generator=generator, dtype=torch.float64) < torch.sigmoid(x[:, 0] - x[:, 2])).double()
    return MemoryProblem(Linear(("a", "b", "c")), x.to(dtype), y.to(dtype), family(kind))


class Layers(Predictor):
    """eta = tanh(x A) b: a matrix and a vector, or a matrix alone."""

    linear = False

    def __init__(self, *, alone: bool = False) -> None:
        self.shapes = {"A": (3, 2)} if alone else {"A": (3, 2), "b": (2,)}

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        parts = self.split(theta)
        hidden = torch.tanh(x @ parts["A"])
        return hidden @ parts["b"] if "b" in parts else hidden.sum(1)

    def transpose_times(self, theta: Tensor, x: Tensor, slope: Tensor) -> Tensor:
        raise NotImplementedError

    def module(self, inverse=None):
        raise NotImplementedError


def layered(**options) -> MemoryProblem:
    from thalweg.derivatives import BY_AUTOGRAD

    plain = problem()
    return MemoryProblem(Layers(**options), plain.x, plain.y, plain.loss, derivative=BY_AUTOGRAD)


def by_hand(target: MemoryProblem, start: Tensor, make, schedule=None, batches=None) -> list[Tensor]:
    """zero_grad, backward, step: parameters in their own shapes."""
    shapes = target.predictor.shapes.values()
    flat = all(shape == () for shape in shapes)
    parameters = [start.clone()] if flat else [part.clone() for part in target.predictor.split(start).values()]
    for each in parameters:
        each.requires_grad_()
    optimizer = make(parameters)
    scheduler = None if schedule is None else schedule(optimizer)
    path = [start]
    for step in range(STEPS):
        batch = None if batches is None else batches[step]

        def closure(batch=batch):
            optimizer.zero_grad()
            loss = target.value(torch.cat([each.reshape(-1) for each in parameters]), batch)
            loss.backward()
            return loss

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
        path.append(torch.cat([each.detach().reshape(-1) for each in parameters]))
    return path


def same(ours: list[Tensor], theirs: list[Tensor]) -> bool:
    return len(ours) == len(theirs) and all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_list_covers_every_optimizer_of_torch():
    assert {*DENSE, *MATRICES, "SparseAdam"} == set(optimizers())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", DENSE)
def test_an_optimizer_of_a_vector(name, dtype):
    target, kind = problem(dtype), optimizers()[name]
    solver = TorchOptimizer(name.lower(), STEPS, lr=0.05, derivative="autograd")
    target.derivative = solver.derivative
    states = list(iterate(solver, target))
    assert same([s.theta for s in states], by_hand(target, states[0].theta, lambda p: kind(p, lr=0.05)))
    assert states[1].rate == 0.05


@pytest.mark.parametrize("name", DENSE)
def test_an_optimizer_of_parameters_in_their_own_shapes(name):
    target, kind = layered(), optimizers()[name]
    start = torch.linspace(-1, 1, 8, dtype=torch.float64)
    states = list(iterate(TorchOptimizer(kind, STEPS, lr=0.05), target, start))
    assert same([s.theta for s in states], by_hand(target, start, lambda p: kind(p, lr=0.05)))


@pytest.mark.parametrize("name", MATRICES)
def test_an_optimizer_of_matrices_takes_a_matrix_and_refuses_a_vector(name):
    target, kind = layered(alone=True), optimizers()[name]
    start = torch.linspace(-1, 1, 6, dtype=torch.float64)
    states = list(iterate(TorchOptimizer(name, STEPS, lr=0.05), target, start))
    assert same([s.theta for s in states], by_hand(target, start, lambda p: kind(p, lr=0.05)))
    for vectors in (problem(), layered()):
        with pytest.raises(IncompatibleError, match="2D"):
            solve(TorchOptimizer(name, STEPS), vectors, None)


@pytest.mark.parametrize("name", ["SGD", "Adam", "LBFGS"])
def test_mini_batches(name):
    target, kind = problem(), optimizers()[name]
    generator = torch.Generator().manual_seed(2)
    orders = [batch for _ in range(3) for batch in torch.randperm(40, generator=generator).split(6)]
    solver = TorchOptimizer(name, STEPS, lr=0.05, batch_size=6, seed=2, derivative="autograd")
    target.derivative = solver.derivative
    states = list(iterate(solver, target))
    theirs = by_hand(target, states[0].theta, lambda p: kind(p, lr=0.05), batches=orders)
    assert same([s.theta for s in states], theirs)
    assert [s.step for s in states if s.whole] == [0, 7, 14, 16]


SCHEDULERS = [
    ("StepLR", {"step_size": 5, "gamma": 0.3}),
    ("cosineannealinglr", {"T_max": 20}),
    ("OneCycleLR", {"max_lr": 0.2, "total_steps": 40}),
    ("MultiStepLR", {"milestones": [3, 9, 9]}),
    ("CosineAnnealingWarmRestarts", {"T_0": 6}),
    ("ExponentialLR", {"gamma": 0.9}),
]


@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_a_scheduler_by_name(name, options):
    target = problem()
    solver = TorchOptimizer("SGD", STEPS, lr=0.1, momentum=0.9, scheduler=name, scheduler_options=options)
    target.derivative = TorchOptimizer("SGD", derivative="autograd").derivative
    states = list(iterate(solver, target))
    kind = {n.lower(): c for n, c in vars(torch.optim.lr_scheduler).items()}[name.lower()]
    theirs = by_hand(
        target,
        states[0].theta,
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda optimizer: kind(optimizer, **options),
    )
    assert same([s.theta for s in states], theirs)


def test_a_scheduler_that_reads_the_loss_and_one_that_is_made_by_a_function():
    target = problem()
    plateau = TorchOptimizer(
        "SGD", 200, lr=1.0, scheduler="ReduceLROnPlateau", scheduler_options={"patience": 2, "threshold": 0.01}
    )
    assert [*iterate(plateau, target)][-1].rate < 1.0
    made = TorchOptimizer("SGD", 4, lr=1.0, scheduler=lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 0.5**t))
    assert [s.rate for s in iterate(made, target)] == [1.0, 1.0, 0.5, 0.25, 0.125]


def test_a_schedule_of_thalwegs_as_lr():
    rate = CosineDecay(0.3, 20)
    states = list(iterate(TorchOptimizer("Adam", 10, lr=rate), problem()))
    assert [s.rate for s in states[1:]] == [rate(t) for t in range(10)]


def test_states_that_were_handed_out_never_change():
    for name in DENSE:
        copies = [
            (s, s.theta.clone(), s.gradient.clone()) for s in iterate(TorchOptimizer(name, 8, lr=0.05), problem())
        ]
        assert all(torch.equal(s.theta, t) and torch.equal(s.gradient, g) for s, t, g in copies), name


# --- kept for later -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("batch_size", [None, 6])
def test_a_run_that_goes_on_from_a_snapshot_is_the_same_bit_for_bit(name, batch_size):
    target = problem()
    options = {"lr": 0.05, "batch_size": batch_size, "scheduler": "StepLR", "scheduler_options": {"step_size": 4}}
    whole = [state.theta for state in iterate(TorchOptimizer(name, STEPS, **options), target)]
    solver = TorchOptimizer(name, STEPS, **options)
    for state in iterate(solver, target):
        if state.step == 9:
            kept = solver.snapshot(state)
            break
    assert all(isinstance(value, Tensor | float | int | str) for value in kept.values())
    other = TorchOptimizer(name, STEPS, **options)
    again = [state.theta for state in iterate(other, target, state=other.restored(target, kept))]
    assert same(again, whole[9:])


@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_a_scheduler_goes_on_where_it_was(name, options):
    target = problem()
    made = {"lr": 0.1, "scheduler": name, "scheduler_options": options}
    whole = [state.rate for state in iterate(TorchOptimizer("SGD", STEPS, **made), target)]
    solver = TorchOptimizer("SGD", STEPS, **made)
    kept = next(solver.snapshot(state) for state in iterate(solver, target) if state.step == 8)
    assert [state.rate for state in iterate(solver, target, state=solver.restored(target, kept))] == whole[8:]


def test_only_the_latest_state_can_go_on():
    solver, target = TorchOptimizer("Adam", 5), problem()
    first, *_ = iterate(solver, target)
    with pytest.raises(NotAvailableError, match="latest"):
        solver.snapshot(first)
    with pytest.raises(NotAvailableError, match="latest"):
        solver.step(target, first)


def test_packing_gives_back_what_it_was_given():
    tree = {"a": [1, 2.5, None, True, "x"], 3: (torch.arange(3), float("inf")), "nested": {"b": {}}}
    back = unpacked(packed(tree, "t"), "t")
    assert torch.equal(back.pop(3)[0], tree.pop(3)[0])
    assert back == tree
    with pytest.raises(NotAvailableError, match="function"):
        packed({"f": lambda: None}, "t")


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optimizer": "Adm"}, "Did you mean 'Adam'"),
        ({"optimizer": "SparseAdam"}, "dense"),
        ({"optimizer": dict}, "Optimizer"),
        ({"optimizer": 3}, "There are"),
        ({"optimizer": "Adam", "learning_rate": 0.1}, "learning_rate"),
        ({"optimizer": "Adam", "lr": -1.0}, "Invalid learning rate"),
        ({"optimizer": "Adam", "lr": "auto"}, "a number or a schedule"),
        ({"scheduler": "StepLR"}, "step_size"),
        ({"scheduler": "Step"}, "StepLR"),
        ({"scheduler_options": {"step_size": 3}}, "Name it"),
        ({"lr": CosineDecay(0.1, 10), "scheduler": "StepLR", "scheduler_options": {"step_size": 3}}, "one of them"),
        ({"steps": 10, "epochs": 3}, "one of them"),
        ({"steps": -1}, "whole number"),
    ],
)
def test_options_are_refused_at_once_with_what_to_do(options, says):
    with pytest.raises(OptionError, match=says):
        TorchOptimizer(**options)


def test_a_fit_with_adam_tells_how_far_it_came():
    data = {"x": torch.linspace(0, 1, 20), "y": torch.linspace(1, 3, 20)}
    with pytest.warns(tw.errors.ConvergenceWarning, match="loss"):
        fit = tw.fit("y ~ x", data, solver=TorchOptimizer("Adam", 50, lr=0.01))
    assert fit.descent is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = tw.fit("y ~ x", data, solver=TorchOptimizer("Adam", 3000, lr=0.05))
    assert fit.coefficients["x"] == pytest.approx(2.0, rel=1e-5)


def test_options_that_torch_asserts_are_refused() -> None:
    with pytest.raises(OptionError, match="cannot be"):
        TorchOptimizer("Adam", foreach=True, fused=True)
    with pytest.raises(IncompatibleError, match=r"torch\.optim\.Adam refuses this: .*capturable"):
        solve(TorchOptimizer("Adam", steps=3, capturable=True), problem())


@pytest.mark.parametrize("made", [tw.SGD, TorchOptimizer, lambda seed: tw.Patience(3, seed=seed)])
def test_a_seed_has_a_bound(made) -> None:
    with pytest.raises(OptionError, match="seed"):
        made(seed=2**64)
    made(seed=2**63 - 1)


def test_replay_is_a_truth_value() -> None:
    with pytest.raises(OptionError, match="replay is 3"):
        tw.GradientDescent(replay=3)
