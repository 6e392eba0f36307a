"""Schedules against PyTorch's own, searches against their conditions, chosen rates against the spectrum."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim import lr_scheduler

import thalweg.solvers.schedules as schedules
from thalweg.errors import OptionError
from thalweg.losses import family
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.armijo import Armijo
from thalweg.solvers.line_search import Point, strong_wolfe
from thalweg.solvers.rates import choose_batch_rate, choose_rate, power_method
from thalweg.solvers.schedules import (
    CosineDecay,
    ExponentialDecay,
    InverseDecay,
    LinearDecay,
    Schedule,
    StepDecay,
    Warmup,
)

TWINS = [
    (StepDecay(0.3, 7, 0.4), lambda o: lr_scheduler.StepLR(o, 7, 0.4)),
    (ExponentialDecay(0.3, 0.9), lambda o: lr_scheduler.ExponentialLR(o, 0.9)),
    (InverseDecay(0.3, 0.2), lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + 0.2 * t))),
    (CosineDecay(0.3, 30, 0.01), lambda o: lr_scheduler.CosineAnnealingLR(o, 30, 0.01)),
    (LinearDecay(0.3, 25, 0.0), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 25)),
    (
        Warmup(5, then=ExponentialDecay(0.3, 0.9)),
        lambda o: lr_scheduler.LambdaLR(o, lambda t: (t + 1) / 5 if t < 5 else 0.9 ** (t - 5)),
    ),
    (Warmup(4, then=0.3), lambda o: lr_scheduler.LambdaLR(o, lambda t: min((t + 1) / 4, 1.0))),
]


@pytest.mark.parametrize(("ours", "theirs"), TWINS, ids=lambda each: type(each).__name__)
def test_a_schedule_is_that_of_pytorch(ours, theirs):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    twin = theirs(optimizer)
    for step in range(30):
        assert ours(step) == pytest.approx(twin.get_last_lr()[0], rel=1e-9, abs=1e-12)
        optimizer.step()
        twin.step()


def test_every_schedule_has_a_twin():
    made = {each for each in vars(schedules).values() if isinstance(each, type) and issubclass(each, Schedule)}
    assert made - {Schedule} == {type(ours) for ours, _ in TWINS}


def test_after_its_end_a_schedule_stays_at_its_final_rate():
    assert CosineDecay(0.3, 30, 0.01)(31) == CosineDecay(0.3, 30, 0.01)(10**9) == 0.01
    assert LinearDecay(0.3, 30, 0.01)(10**9) == pytest.approx(0.01, rel=1e-15)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StepDecay(0.0, 10),
        lambda: StepDecay("0.1", 10),
        lambda: StepDecay(0.1, 0),
        lambda: StepDecay(0.1, 10, 1.5),
        lambda: ExponentialDecay(0.1, 0.0),
        lambda: InverseDecay(0.1, -1.0),
        lambda: CosineDecay(0.1, 2.5),
        lambda: LinearDecay(0.1, 10, -0.1),
        lambda: Warmup(0, then=0.1),
        lambda: Warmup(3, then=math.nan),
        lambda: Armijo(initial=0.0),
        lambda: Armijo(shrink=1.0),
        lambda: Armijo(c=0.0),
        lambda: Armijo(grow=0.5),
    ],
)
def test_schedules_and_searches_refuse_what_makes_no_sense(make):
    with pytest.raises(OptionError, match="Give"):
        make()


# --- line searches --------------------------------------------------------------------------------------------------

FUNCTIONS = {
    "quadratic": (lambda a: (a - 3) ** 2, lambda a: 2 * (a - 3)),
    "flat far out": (
        lambda a: -a / (a * a + 2),
        lambda a: (a * a - 2) / (a * a + 2) ** 2,
    ),  # More & Thuente (1994), 5.1
    "steep": (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3),
    "with a wall": (lambda a: math.inf if a >= 2 else -math.log(2 - a) - 3 * a, lambda a: 1 / (2 - a) - 3),
}


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_line_search_meets_the_strong_wolfe_conditions(name, first):
    f, slope = FUNCTIONS[name]
    start = Point(0.0, f(0.0), slope(0.0))
    found, count = strong_wolfe(lambda a: Point(a, f(a), slope(a) if f(a) < math.inf else math.nan), start, first, 0.0)
    assert found.value <= start.value + 1e-4 * found.at * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)
    assert count <= 20


def test_a_line_search_that_finds_nothing_gives_the_start():
    found, _ = strong_wolfe(lambda a: Point(a, 1.0 + a, 1.0), Point(0.0, 1.0, -1.0), 1.0, 0.0)
    assert found.at == 0


# --- chosen rates ---------------------------------------------------------------------------------------------------


def rows(n: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n, 3, generator=generator, dtype=torch.float64) * torch.tensor([1.0, 5.0, 0.2])
    return x, (torch.rand(n, generator=generator, dtype=torch.float64) < 0.5).double()


def test_the_power_method_finds_the_largest_curvature():
    x, _ = rows()
    gram = x.T @ x
    largest = float(torch.linalg.eigvalsh(gram)[-1])
    assert power_method(lambda v: gram @ v, x[0]) == pytest.approx(largest, rel=1e-3)


def test_the_rate_of_a_logistic_loss_is_the_inverse_of_its_bound():
    x, y = rows()
    target = MemoryProblem(Linear(("a", "b", "c")), x, y, family("binomial"))
    chosen = choose_rate(target, torch.zeros(3, dtype=torch.float64), "auto", 0.0, False)
    assert chosen.rate == pytest.approx(4 * 50 / float(torch.linalg.eigvalsh(x.T @ x)[-1]), rel=1e-9)
    assert "a bound" in chosen.how


@pytest.mark.parametrize("convention", ["mean", "sum"])
@pytest.mark.parametrize("kind", ["gaussian", "binomial"])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_no_batch_curves_more_than_the_rate_allows(kind, size, convention):
    """Equation (5) lies between the mean curvature and that of the worst batch."""
    x, y = rows()
    target = MemoryProblem(Linear(("a", "b", "c")), x, y, family(kind), convention)
    zero = torch.zeros(3, dtype=torch.float64)
    chosen = choose_batch_rate(target, zero, size, 0.0)
    bend = (2.0 if kind == "gaussian" else 0.25) * (1 if convention == "mean" else size)
    whole = bend * float(torch.linalg.eigvalsh(x.T @ x)[-1]) / 50
    worst = bend * float(x.square().sum(1).max())
    assert whole * (1 - 1e-9) <= 1 / (2 * chosen.rate) <= worst * (1 + 1e-9)
    assert "a bound" in chosen.how


def test_the_rate_of_batches_of_another_loss_is_called_an_estimate():
    x, y = rows()
    target = MemoryProblem(Linear(("a", "b", "c")), x, y + 1, family("poisson"))
    chosen = choose_batch_rate(target, torch.zeros(3, dtype=torch.float64), 10, 0.5)
    assert 0 < chosen.rate < 1
    assert "an estimate" in chosen.how
