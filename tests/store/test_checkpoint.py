"""Checkpoint files: what they hold, when they are written, what is refused."""

from __future__ import annotations

import errno
import math
import os
import random
import re
import warnings
from functools import cached_property, partial
from pathlib import Path

import pytest
import torch

import thalweg as tw
from thalweg.errors import IncompatibleError, ModelFileError, OptionError, OutputError, ThalwegWarning
from thalweg.losses import family
from thalweg.observers import History
from thalweg.predictors import Linear
from thalweg.problem import MemoryProblem
from thalweg.solvers.base import Status
from thalweg.solvers.iterate import solve
from thalweg.store import atomic, checkpoint
from thalweg.store.checkpoint import Checkpoint, read_checkpoint
from thalweg.store.checkpoint_file import pack_checkpoint, unpack_checkpoint
from thalweg.store.fingerprint import described, fingerprint

DESCRIPTION = {"fingerprint": {"solver": "S"}, "step": 3, "loss": 0.1, "status": None, "rule": None}


def made(rows=20, seed=1, loss="binomial", names=("a", "b")):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 2, generator=generator, dtype=torch.float64)
    y = (x.sum(1) + torch.randn(rows, generator=generator, dtype=torch.float64) > 0).double()
    return MemoryProblem(Linear(names), x, y, family(loss))


@pytest.fixture
def problem():
    return made()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


# --- the bytes ------------------------------------------------------------------------------------------------------


def test_what_goes_in_comes_out():
    numbers = {
        "nan": math.nan,
        "inf": -math.inf,
        "third": 1 / 3,
        "none": None,
        "text": "a/b$",
        "flag": True,
        "n": 2**60,
    }
    tensors = {
        "optimizer/0": torch.tensor([0.1, math.nan], dtype=torch.float32),
        "bytes": torch.arange(256, dtype=torch.uint8),
        "empty": torch.zeros(0, 3, dtype=torch.float64),
        "scalar": torch.tensor(7),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
    }
    tensors["shared"] = tensors["bytes"]
    tree = {"state": {**numbers, **tensors}, "a b": {"deep": {"x=state": {"%2F": 1.0}}}}
    description, found = unpack_checkpoint(pack_checkpoint(DESCRIPTION, tree))
    assert {key: description[key] for key in DESCRIPTION} == DESCRIPTION
    assert found["a b"] == tree["a b"]
    assert repr({name: found["state"][name] for name in numbers}) == repr(numbers)
    for name, tensor in tensors.items():
        assert found["state"][name].dtype == tensor.dtype
        assert torch.equal(found["state"][name].nan_to_num(7.0), tensor.nan_to_num(7.0))


def test_no_flipped_bit_and_no_cut_is_overlooked():
    data = pack_checkpoint(DESCRIPTION, {"state": {"theta": torch.rand(5)}, "best": {"value": 0.25}})
    unpack_checkpoint(data)
    draw = random.Random(0)
    for at in draw.sample(range(8 * len(data)), 400):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(ModelFileError):
            unpack_checkpoint(bytes(flipped))
    for end in draw.sample(range(len(data)), 50):
        with pytest.raises(ModelFileError):
            unpack_checkpoint(data[:end])


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"x,y\n1,2\n", "text"), (b"\x80\x04\x95abcdefgh", "pickle"), (b"", "empty"), (b"PK\x03\x04" + b"0" * 20, "zip")],
)
def test_other_files_are_named_for_what_they_are(data, words, path):
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=words):
        read_checkpoint(path)


def test_a_model_is_no_checkpoint_and_a_later_schema_is_named(path, monkeypatch):
    path = path.with_suffix(".safetensors")
    tw.fit("progression ~ bmi", "diabetes").save(path)
    with pytest.raises(ModelFileError, match="not a checkpoint"):
        read_checkpoint(path)
    monkeypatch.setattr("thalweg.store.checkpoint_file.SCHEMA", 2)
    path.write_bytes(pack_checkpoint(DESCRIPTION, {"state": {"theta": torch.rand(5)}}))
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"later version.*Update"):
        read_checkpoint(path)


# --- when it is written ---------------------------------------------------------------------------------------------


def steps_written(monkeypatch, problem, kept, steps, observers=()):
    written = []
    whole = checkpoint.atomic_write

    def noted(path, data):
        whole(path, data)
        written.append(read_checkpoint(path)[0]["step"])

    monkeypatch.setattr(checkpoint, "atomic_write", noted)
    solve(tw.GradientDescent(lr=0.1, steps=steps), problem, None, list(observers), checkpoint=kept)
    return written


def test_it_is_written_at_the_start_every_so_many_steps_and_at_the_end(monkeypatch, problem, path):
    assert steps_written(monkeypatch, problem, Checkpoint(path, every=4), 10) == [0, 4, 8, 10]


def test_every_hundred_steps_by_default(monkeypatch, problem, path):
    assert steps_written(monkeypatch, problem, str(path), 250) == [0, 100, 200, 250]


def test_by_the_clock(monkeypatch, problem, path):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "perf_counter", lambda: now[0])

    def tick(state):
        now[0] += 1.0

    both = Checkpoint(path, every=5, seconds=2.5)
    assert steps_written(monkeypatch, problem, both, 9, [tick]) == [0, 3, 5, 8, 9]
    path.unlink()
    assert steps_written(monkeypatch, problem, Checkpoint(path, seconds=4.0), 9, [tick]) == [0, 4, 8, 9]


def test_among_the_observers_it_is_the_same(problem, path):
    solve(tw.GradientDescent(lr=0.1, steps=10), problem, None, [Checkpoint(path, every=4)])
    assert read_checkpoint(path)[0]["status"] is not None


def test_a_fit_with_a_checkpoint_takes_its_steps(path):
    """Although they are known in closed form: a checkpoint holds a state of the loop."""
    data, solver = {"x": [0, 1, 2], "y": [1.0, 3.0, 5.5]}, tw.GradientDescent(lr=0.1, steps=200)
    fit = tw.fit("y ~ x", data, solver=solver, checkpoint=path)
    twin = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.1, steps=200, replay=False))
    assert torch.equal(fit.trace.path, twin.trace.path)
    assert read_checkpoint(path)[0]["step"] == 200


@pytest.mark.parametrize(
    "make",
    [
        lambda: Checkpoint(""),
        lambda: Checkpoint(3),
        lambda: Checkpoint("a", every=0),
        lambda: Checkpoint("a", every=2.5),
        lambda: Checkpoint("a", seconds=0),
        lambda: Checkpoint("a", seconds="1"),
    ],
)
def test_bad_options_are_refused(make):
    with pytest.raises(OptionError):
        make()


# --- a file that is there already -----------------------------------------------------------------------------------


def test_an_unfinished_fit_asks_what_to_do(problem, path):
    def interrupt(state):
        if state.step == 7:
            raise KeyboardInterrupt

    solve(tw.GradientDescent(lr=0.1, steps=10), problem, None, [interrupt], checkpoint=Checkpoint(path, every=3))
    with pytest.raises(OptionError, match=r"unfinished fit, at step 6, loss 0\.\d+.*resume=True.*resume=False"):
        solve(tw.GradientDescent(lr=0.1, steps=10), problem, checkpoint=path)
    assert read_checkpoint(path)[0]["step"] == 6


def test_a_finished_fit_says_so_goes_on_further_or_is_begun_anew(problem, path):
    solver = tw.GradientDescent(lr=0.1, steps=10)
    first = solve(solver, problem, checkpoint=path)
    with pytest.raises(OptionError, match=r"finished fit \(.*at step 10"):
        solve(solver, problem, checkpoint=path)
    again = solve(solver, problem, checkpoint=path, resume=True)
    assert (again.steps, torch.equal(again.theta, first.theta)) == (10, True)
    further = solve(tw.GradientDescent(lr=0.1, steps=25), problem, checkpoint=path, resume=True)
    assert torch.equal(further.theta, solve(tw.GradientDescent(lr=0.1, steps=25), problem).theta)
    anew = solve(tw.GradientDescent(lr=0.2, steps=5), problem, checkpoint=path, resume=False)
    assert (anew.steps, read_checkpoint(path)[0]["step"]) == (5, 5)


def test_a_fit_that_its_rule_ended_goes_on_with_another_rule(problem, path):
    solver = tw.GradientDescent(lr=0.1, steps=10**6)
    first = solve(solver, problem, stop=tw.LossBelow(0.6), checkpoint=path)
    same = solve(solver, problem, stop=tw.LossBelow(0.6), checkpoint=path, resume=True)
    assert (same.steps, same.status, same.details["rule"]) == (first.steps, Status.REACHED, "LossBelow(0.6)")
    weaker = solve(solver, problem, stop=tw.LossBelow(0.65), checkpoint=path, resume=True)
    assert weaker.steps == first.steps  # true of the state in hand
    lower = solve(solver, problem, stop=tw.LossBelow(0.5), checkpoint=path, resume=True)
    assert lower.steps == solve(solver, problem, stop=tw.LossBelow(0.5)).steps > first.steps


def test_resume_without_a_file_begins(problem, path):
    assert solve(tw.GradientDescent(lr=0.1, steps=5), problem, checkpoint=path, resume=True).steps == 5


OTHERS = {
    "option lr 0.1 there, 0.2 here": (lambda: tw.GradientDescent(lr=0.2), made, {}),
    "option momentum": (lambda: tw.GradientDescent(lr=0.1, momentum=0.5), made, {}),
    "option lr": (lambda: tw.GradientDescent(lr=tw.CosineDecay(0.1, 50)), made, {}),
    "solver GradientDescent there, SGD here": (lambda: tw.SGD(lr=0.1), made, {}),
    "another data": (lambda: tw.GradientDescent(lr=0.1), lambda: made(seed=2), {}),
    "rows 20 there, 21 here": (lambda: tw.GradientDescent(lr=0.1), lambda: made(rows=21), {}),
    "parameters": (lambda: tw.GradientDescent(lr=0.1), lambda: made(names=("a", "c")), {}),
    "loss": (lambda: tw.GradientDescent(lr=0.1), lambda: made(loss="gaussian"), {}),
    "another start": (lambda: tw.GradientDescent(lr=0.1), made, {"theta": torch.ones(2, dtype=torch.float64)}),
}


@pytest.mark.parametrize("words", OTHERS)
def test_another_fit_is_refused_by_what_differs(words, path):
    solve(tw.GradientDescent(lr=0.1, steps=5), made(), checkpoint=path)
    before = path.read_bytes()
    solver, problem, given = OTHERS[words]
    with pytest.raises(OptionError, match="checkpoint of another fit") as caught:
        solve(solver(), problem(), checkpoint=path, resume=True, **given)
    assert words in str(caught.value)
    assert path.read_bytes() == before


def test_rows_set_aside_differently_are_other_data(problem, path):
    solver = tw.GradientDescent(lr=0.1, steps=5)
    solve(solver, problem, stop=tw.Patience(3, seed=1), checkpoint=path)
    with pytest.raises(OptionError, match="another data"):
        solve(solver, problem, stop=tw.Patience(3, seed=2), checkpoint=path, resume=True)


def test_a_file_that_is_no_checkpoint_is_never_replaced(problem, path):
    path.write_text("my only copy")
    for resume in (None, True, False):
        with pytest.raises(OutputError, match="is no checkpoint"):
            solve(tw.GradientDescent(lr=0.1, steps=5), problem, checkpoint=path, resume=resume)
    assert path.read_text() == "my only copy"


def test_a_damaged_one_is_refused_and_may_be_begun_anew(problem, path):
    solve(tw.GradientDescent(lr=0.1, steps=5), problem, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ModelFileError, match=r"run\.ckpt"):
        solve(tw.GradientDescent(lr=0.1, steps=5), problem, checkpoint=path, resume=True)
    assert solve(tw.GradientDescent(lr=0.1, steps=5), problem, checkpoint=path, resume=False).steps == 5


# --- places that cannot be written to -------------------------------------------------------------------------------


def test_an_unwritable_place_is_refused_before_the_first_step(problem, tmp_path):
    history = History()
    with pytest.raises(OutputError, match="no folder"):
        solve(tw.GradientDescent(lr=0.1), problem, None, [history], checkpoint=tmp_path / "none" / "run.ckpt")
    assert history.step == [0]
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        solve(tw.GradientDescent(lr=0.1), problem, checkpoint=tmp_path / "folder")
    with pytest.raises(OutputError, match="too long"):
        solve(tw.GradientDescent(lr=0.1), problem, checkpoint=tmp_path / ("a" * 300))


def test_two_of_them_are_refused(problem, tmp_path):
    first, second = Checkpoint(tmp_path / "one"), Checkpoint(tmp_path / "two")
    with pytest.raises(OptionError, match="two checkpoints"):
        solve(tw.GradientDescent(lr=0.1), problem, None, [first, second])
    with pytest.raises(OptionError, match="two checkpoints"):
        solve(tw.GradientDescent(lr=0.1), problem, None, [second], checkpoint=first)


def full_from(monkeypatch, nth, until=10**9):
    """The disk is full from the n-th write on: a part goes through, as at the end of a real one."""
    write, count = os.write, [0]

    def limited(handle, data):
        count[0] += 1
        if nth <= count[0] < until:
            write(handle, bytes(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(atomic.os, "write", limited)


def test_a_full_disk_costs_the_checkpoint_and_not_the_fit(monkeypatch, problem, path):
    full_from(monkeypatch, 3)
    with pytest.warns(ThalwegWarning, match=r"No checkpoint at step 20, the fit goes on: .*disk is full") as caught:
        solution = solve(tw.GradientDescent(lr=0.1, steps=55), problem, checkpoint=Checkpoint(path, every=10))
    assert len(caught) == 1  # once, not at each write
    monkeypatch.undo()
    assert torch.equal(solution.theta, solve(tw.GradientDescent(lr=0.1, steps=55), problem).theta)
    assert read_checkpoint(path)[0]["step"] == 10
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_disk_with_room_again_is_written_to_again(monkeypatch, problem, path):
    full_from(monkeypatch, 3, until=5)
    with pytest.warns(ThalwegWarning, match="step 20"):
        solve(tw.GradientDescent(lr=0.1, steps=55), problem, checkpoint=Checkpoint(path, every=10))
    assert read_checkpoint(path)[0]["step"] == 55


def test_a_disk_that_is_full_from_the_start_is_refused(monkeypatch, problem, path):
    full_from(monkeypatch, 1)
    with pytest.raises(OutputError, match="disk is full"):
        solve(tw.GradientDescent(lr=0.1, steps=55), problem, checkpoint=path)


def test_a_failing_write_does_not_hide_an_observers_error(monkeypatch, problem, path):
    def fail(state):
        if state.step == 5:
            raise RuntimeError("broken")

    full_from(monkeypatch, 2)
    with pytest.warns(ThalwegWarning, match="step 5"), pytest.raises(RuntimeError, match="broken") as caught:
        solve(tw.GradientDescent(lr=0.1), problem, None, [fail], checkpoint=path)
    assert "holds step 0" in caught.value.__notes__[1]


def test_solvers_of_a_few_steps_have_no_checkpoints(path):
    with pytest.raises(IncompatibleError, match="descent"):
        tw.fit("progression ~ bmi", "diabetes", family="poisson", checkpoint=path)
    assert not path.exists()


# --- fingerprints ---------------------------------------------------------------------------------------------------


def test_equal_options_have_equal_descriptions():
    def slope(step):
        return 0.1 / (1 + step)

    class Own:
        def __init__(self, a):
            self.a, self._cache = a, object()

        @cached_property
        def late(self):
            return object()

    own = Own(1)
    before, _ = described(own), own.late
    assert described(own) == before  # what it has worked out since is no option
    assert described(slope) == described(slope) != described(lambda step: 0.1)
    assert described(Own(1)) == described(Own(1)) != described(Own(2))

    def decay(rate, power=1):
        return lambda step: rate / (1 + step) ** power

    assert described(decay(0.1)) == described(decay(0.1))
    assert len({described(f) for f in (decay(0.1), decay(0.2), decay(0.1, 2), partial(decay, 0.1), Own(1).late)}) == 5
    assert described(Own(1).__init__) != described(Own(2).__init__)
    assert described(partial(decay, 0.1)) != described(partial(decay, 0.2))
    assert described({"a": [1, (2.5, None)]}) == "{'a': (1, (2.5, None))}"
    assert described({3, 1, 2}) == described({2, 3, 1})
    assert described(torch.optim.Adam) == "Adam"
    assert "0x" not in described(Own(object()))


def test_the_number_of_steps_is_free(problem):
    one = fingerprint(tw.GradientDescent(lr=0.1, steps=5), problem, None)
    assert one == fingerprint(tw.GradientDescent(lr=0.1, steps=50, allow_divergence=True), problem, None)


def test_many_parameters_make_a_short_fingerprint():
    names = tuple(f"x{i}" for i in range(2000))
    x, y = torch.zeros(3, 2000, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    found = fingerprint(tw.GradientDescent(lr=0.1), MemoryProblem(Linear(names), x, y, family("gaussian")), None)
    assert max(len(text) for text in found.values()) < 400


def test_rows_that_are_read_in_blocks_are_known_by_their_sums(monkeypatch, path, tmp_path):
    """Sums differ in their last digits where they are added in another order, and are the same data."""
    monkeypatch.setattr("thalweg.problem.KEEP_BYTES", 0)
    solver = tw.GradientDescent(lr=1e-4, steps=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tw.fit("progression ~ bmi", "diabetes", solver=solver, checkpoint=path)
        stored, tree = read_checkpoint(path)
        words = stored["fingerprint"]["data"].split()
        assert words[0] == "sums"
        nearly = " ".join([words[0], *(repr(float(word) * (1 + 1e-14)) for word in words[1:])])
        kept = {key: stored[key] for key in DESCRIPTION}
        path.write_bytes(pack_checkpoint({**kept, "fingerprint": {**stored["fingerprint"], "data": nearly}}, tree))
        tw.fit("progression ~ bmi", "diabetes", solver=solver, checkpoint=path, resume=True)
        with pytest.raises(OptionError, match="another data"):
            tw.fit("progression ~ bp", "diabetes", solver=solver, checkpoint=path, resume=True)


def test_nothing_is_pickled():
    for module in ("checkpoint", "checkpoint_file", "journal", "fingerprint", "seal"):
        text = Path(checkpoint.__file__).with_name(f"{module}.py").read_text()
        assert "pickle" not in text.replace("pickled", "")
        assert "torch.load" not in text.replace("safetensors.torch.load", "")


def test_of_many_differences_the_telling_ones_are_named(path):
    solve(tw.GradientDescent(lr=0.1, steps=5), made(), checkpoint=path)
    with pytest.raises(OptionError) as caught:
        solve(tw.SGD(lr=0.2, seed=3), made(rows=21, loss="gaussian", names=("a", "c")), checkpoint=path, resume=True)
    first, *rest = caught.value.what.partition(": ")[2].split("; ")
    assert first == "solver GradientDescent there, SGD here"
    assert rest[0] == "option lr 0.1 there, 0.2 here"
    assert re.fullmatch(r"another data, and \d+ more", rest[1])
    assert len(rest) == 2
