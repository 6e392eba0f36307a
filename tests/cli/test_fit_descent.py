"""`thalweg fit --solver`: thin choices of the library's descents, told, watched, recorded, interrupted."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time

import pytest

import thalweg as tw
from thalweg.cli.descent import OURS, optimizer_named

LR = 0.02  # stable: the limit is 0.0289


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "line.csv"
    data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5)
    rows = zip(data["x"].tolist(), data["y"].tolist(), strict=True)
    path.write_text("x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in rows))
    return path


def coefficients(ended) -> dict[str, float]:
    return {row["name"]: row["estimate"] for row in ended.json["coefficients"]}


@pytest.mark.filterwarnings("ignore::thalweg.errors.ConvergenceWarning")
@pytest.mark.parametrize(
    ("arguments", "solver"),
    [
        (["gd", "--lr", "0.02"], lambda: tw.GradientDescent(lr=0.02, steps=50)),
        (["gd"], lambda: tw.GradientDescent(lr="auto", steps=50)),
        (["GD", "--loss", "half mean"], lambda: tw.GradientDescent(lr="auto", steps=50, loss="half mean")),
        (["gd", "--lr", "0.02", "--momentum", "0.5"], lambda: tw.GradientDescent(lr=0.02, steps=50, momentum=0.5)),
        (["momentum", "--lr", "0.01"], lambda: tw.GradientDescent(lr=0.01, steps=50, momentum=0.9)),
        (
            ["nesterov", "--lr", "0.01", "--momentum", "0.5"],
            lambda: tw.GradientDescent(lr=0.01, steps=50, momentum=0.5, nesterov=True),
        ),
        (
            ["gd", "--lr", "0.02", "--derivative", "autograd", "--dtype", "float32"],
            lambda: tw.GradientDescent(lr=0.02, steps=50, derivative="autograd", dtype="float32"),
        ),
        (
            ["sgd", "--lr", "0.01", "--batch-size", "4", "--seed", "3"],
            lambda: tw.SGD(lr=0.01, steps=50, batch_size=4, seed=3),
        ),
        (["adam", "--lr", "0.1"], lambda: tw.TorchOptimizer("Adam", lr=0.1, steps=50)),
        (["rmsprop", "--lr", "0.1"], lambda: tw.TorchOptimizer("RMSprop", lr=0.1, steps=50)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_solver_is_the_library_s(call, line, arguments, solver):
    ended = call("fit", line, "y ~ x", "--solver", *arguments, "--steps", "50", "--json")
    assert ended.code == 0, ended.err
    fit = tw.fit("y ~ x", line, solver=solver())
    assert coefficients(ended) == fit.coefficients
    told = ended.json["descent"]
    assert told["solver"] == {"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}.get(arguments[0], "GradientDescent")
    assert told["learning_rate"] == fit.trace.rate[-1]
    assert told["steps"] == fit.solution.steps
    assert told["value"] == pytest.approx(fit.trace.value[-1], rel=1e-6)
    assert told["ended"] == fit.solution.status.value


def test_lbfgs_and_newton_converge(call, line):
    exact = tw.fit("y ~ x", line).coefficients
    for name in ("lbfgs", "newton"):
        assert coefficients(call("fit", line, "y ~ x", "--solver", name, "--json")) == pytest.approx(exact, rel=1e-6)


def test_a_summary_says_how_the_descent_ended(call, line):
    ended = call("fit", line, "y ~ x", "--solver", "gd", "--lr", LR, "--steps", "100")
    assert ended.code == 0
    fit_lines = ended.out.splitlines()
    (at,) = [i for i, text in enumerate(fit_lines) if text.startswith("Descent:")]
    assert fit_lines[at] == "Descent: GradientDescent, lr 0.02, loss 'mean'"
    assert "stopped at the limit of steps, after 100 of at most 100 steps: loss" in fit_lines[at + 1]
    said = " ".join((ended.out + ended.err).split())
    assert "above its least value" in said
    assert "--steps" in said


def test_a_log_line_every_so_many_steps(call, line):
    ended = call("fit", line, "y ~ x", "--solver", "gd", "--lr", LR, "--steps", "400", "--every", "100", "--quiet")
    assert ended.out == ""
    steps = [int(text.split()[1]) for text in ended.err.splitlines() if text.startswith("step")]
    assert steps == [0, 100, 200, 300, 400]


def test_a_history_is_every_step(call, line, tmp_path):
    path = tmp_path / "history.csv"
    ended = call("fit", line, "y ~ x", "--solver", "gd", "--lr", LR, "--steps", "30", "--history", path, "--json")
    assert ended.json["files"] == {"history": str(path)}
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(31))
    assert list(rows[0]) == ["step", "loss", "gradient_norm", "learning_rate", "seconds", "Intercept", "x"]
    assert float(rows[-1]["x"]) == pytest.approx(coefficients(ended)["x"], rel=1e-12)


@pytest.mark.parametrize(("spacing", "second"), [("auto", 1), ("log", 1), ("equal", 21), (None, 1)])
def test_the_frames_are_spaced_as_told(call, line, tmp_path, spacing, second):
    path = tmp_path / "descent.html"
    arguments = ["--solver", "gd", "--lr", LR, "--steps", "400", "--animate", path, "--frames", "20", "--quiet"]
    ended = call("fit", line, "y ~ x", *arguments, *(["--spacing", spacing] if spacing else []))
    assert ended.code == 0, ended.err
    assert f'"steps":[0,{second},' in path.read_text()


@pytest.mark.parametrize(("suffix", "start"), [(".gif", b"GIF8"), (".html", b"<!")])
def test_an_animation_is_written(call, line, tmp_path, suffix, start):
    path = tmp_path / f"descent{suffix}"
    arguments = ("--solver", "gd", "--lr", LR, "--steps", "40", "--animate", path, "--frames", "4")
    ended = call("fit", line, "y ~ x", *arguments, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["files"] == {"animation": str(path)}
    assert path.read_bytes().lstrip()[: len(start)] == start


def test_a_loss_to_stop_below(call, line):
    ended = call("fit", line, "y ~ x", "--solver", "gd", "--lr", LR, "--stop-below", "2", "--json", "--steps", "5000")
    told = ended.json["descent"]
    assert (told["ended"], told["value"] < 2) == ("stopped by its rule", True)
    assert not [note for note in ended.json["notes"] if "limit" in note]


def test_a_rate_that_diverges_is_refused_and_run_where_told(call, line):
    arguments = ("fit", line, "y ~ x", "--solver", "gd", "--lr", "0.1", "--loss", "mean")
    ended = call(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "is above the stable limit 0.0289" in ended.err
    assert "--lr 0.0287" in ended.err
    assert "--allow-divergence runs it all the same" in ended.err
    ended = call(*arguments, "--allow-divergence", "--json")
    assert ended.json["descent"]["ended"] == "diverged"
    assert ended.err.startswith("note: ")


def test_a_checkpoint_is_resumed(call, line, tmp_path):
    path = tmp_path / "run.ckpt"
    arguments = ("fit", line, "y ~ x", "--solver", "adam", "--lr", "0.1", "--checkpoint", path, "--json")
    assert call(*arguments, "--steps", "40").code == 0
    assert path.exists()
    refused = call(*arguments, "--steps", "80")
    assert refused.code == 2
    assert "Pass --resume to go on from there" in refused.err
    assert "--no-resume to begin anew" in refused.err
    resumed = call(*arguments, "--steps", "80", "--resume")
    assert resumed.code == 0, resumed.err
    path.unlink()
    assert coefficients(resumed) == coefficients(call(*arguments, "--steps", "80"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lr", "0.1"], "--lr is for a descent, and the exact solver is none.\n  Add --solver gd."),
        (["--momentum", "0"], "--momentum is for a descent"),
        (["--every", "10"], "--every is for a descent"),
        (["--animate", "a.gif"], "--animate is for a descent"),
        (["--resume"], "--resume is for a descent"),
        (["--allow-divergence"], "--allow-divergence is for a descent"),
        (["--solver", "newton", "--steps", "3"], "--steps is for a descent, and --solver newton is none"),
        (["--solver", "adm"], "there is no solver 'adm'.\n  Did you mean 'adam'?"),
        (["--solver", "zzz"], "There are: gd, momentum, nesterov, sgd, lbfgs, newton, adadelta,"),
        (["--solver", "gd", "--lr", "fast"], "--lr 'fast' is no number.\n  Give one, as 0.01, or auto."),
        (["--solver", "gd", "--lr", "-1"], "lr"),
        (["--solver", "gd", "--batch-size", "4"], "--solver gd has no --batch-size"),
        (["--solver", "gd", "--max-iter", "4"], "--max-iter is for Newton's method.\n  Use --steps with --solver gd."),
        (["--solver", "gd", "--tol", "4"], "--tol is for Newton's method"),
        (["--solver", "gd", "--loss", "huge"], "loss is 'huge'"),
        (["--solver", "gd", "--dtype", "int8"], "dtype is 'int8'"),
        (["--solver", "gd", "--derivative", "guess"], "'guess'"),
        (["--solver", "gd", "--every", "0"], "--every is 0"),
        (["--solver", "gd", "--resume"], "--resume needs the file to go on from"),
        (["--solver", "gd", "--frames", "3"], "--frames is for an animation"),
        (["--solver", "gd", "--spacing", "log"], "--spacing is for an animation"),
        (["--solver", "gd", "--spacing", "cubic"], "Use auto, equal or log."),
        (["--spacing", "log"], "--spacing is for a descent"),
        (["--solver", "gd", "--animate", "a.txt"], "--animate a.txt has '.txt'"),
        (["--history", "a.txt"], "--history a.txt has '.txt'"),
        (["--solver", "gd", "--family", "poisson", "--loss", "half mean"], "halves squared errors"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_in_two_lines(call, line, arguments, words):
    ended = call("fit", line, "y ~ x", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") <= 2


def test_the_history_never_replaces_the_data(call, line):
    before = line.read_bytes()
    ended = call("fit", line, "y ~ x", "--solver", "gd", "--steps", "3", "--history", line)
    assert (ended.code, ended.out) == (2, "")
    assert "is the file of the data" in ended.err
    assert line.read_bytes() == before


def test_names_of_optimizers():
    assert optimizer_named("ADAMW") == "AdamW"
    assert not {name.lower() for name in OURS} & {"adam", "rmsprop"}


def test_an_interrupt_of_a_descent_leaves_its_checkpoint_and_nothing_else(line, tmp_path):
    command = [sys.executable, "-m", "thalweg", "fit", str(line), "y ~ x", "--solver", "adam", "--lr", "1e-9"]
    command += ["--steps", "100000000", "--every", "1", "--out", "m.safetensors", "--checkpoint", "run.ckpt"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        try:
            deadline = time.monotonic() + 100
            while process.poll() is None and not (tmp_path / "run.ckpt").exists() and time.monotonic() < deadline:
                assert process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "thalweg: interrupted; written before that, and whole: run.ckpt."
    assert [path.name for path in tmp_path.iterdir()] == ["run.ckpt"]


def test_the_json_of_an_exact_fit_has_no_descent(call, line):
    assert json.loads(call("fit", line, "y ~ x", "--json").out)["descent"] is None


def test_the_help_says_that_lines_that_are_asked_for_are_printed_with_quiet_too(call):
    said = " ".join(call("fit", "--help").out.replace("│", " ").split())
    assert "A line on standard error every so many steps, also with --quiet." in said
