"""Simulated data: the streams of the lessons, the truth that a fit finds, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.data.simulate import KINDS
from thalweg.errors import FormulaError, OptionError


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_line_has_the_stream_of_the_lessons() -> None:
    data, generator = (
        tw.simulate("line", n=8, seed=10, slope=2, intercept=3, noise=3, low=0, high=20),
        stream(10),
    )
    x = torch.rand(8, generator=generator) * 20
    y = 2 * x + 3 * (1 + torch.randn(8, generator=generator))
    assert np.abs(data["x"] - x.numpy()).max() <= 1e-6
    assert np.abs(data["y"] - y.numpy()).max() <= 4e-6
    # The stream goes on where the data ended: a start that a program draws after its data.
    assert torch.equal(torch.rand(1, generator=data.generator), torch.rand(1, generator=generator))


def test_the_seed_is_that_of_a_program_with_a_global_one() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(10)
        x = torch.rand(20) * 10
        y = 2 * x + 5 + torch.randn(20)
        w = torch.randn(1)
    data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1)
    assert np.abs(data["x"] - x.numpy()).max() <= 1e-6
    assert np.abs(data["y"] - y.numpy()).max() <= 4e-6
    assert torch.equal(torch.randn(1, generator=data.generator), w)
    assert w.item() == pytest.approx(2.2843969)


def test_clouds_have_the_stream_of_the_lesson() -> None:
    data, generator = tw.simulate("clouds", n=100, seed=0), stream(0)
    first = torch.normal(2 * torch.ones(100, 2), 1, generator=generator)
    second = torch.normal(-2 * torch.ones(100, 2), 1, generator=generator)
    points = torch.cat([first, second]).double().numpy()
    assert np.abs(np.column_stack([data["x1"], data["x2"]]) - points).max() <= 5e-7
    assert data["label"].tolist() == [0.0] * 100 + [1.0] * 100


def test_no_global_seed_is_touched() -> None:
    before = torch.random.get_rng_state()
    for kind in KINDS:
        tw.simulate(kind, outliers=2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_cubic_is_evenly_spaced() -> None:
    data = tw.simulate("sine", n=2000, spacing="even", low=-math.pi, high=math.pi, noise=0)
    np.testing.assert_allclose(data["x"], np.linspace(-math.pi, math.pi, 2000), rtol=0, atol=1e-15)
    np.testing.assert_allclose(data["y"], np.sin(data["x"]), rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("line", {"slope": -2.5, "intercept": 7}),
        ("polynomial", {"coefficients": (1, -2, 0.5, 0.25)}),
        ("polynomial", {"coefficients": [4.0]}),
    ],
)
def test_a_fit_finds_the_truth(kind: str, options: dict) -> None:
    exact = tw.simulate(kind, n=50, noise=0, **options)
    fit = tw.fit(exact.formula, exact)
    assert fit.names == tuple(exact.truth)
    assert list(fit.coefficients.values()) == pytest.approx(list(exact.truth.values()), rel=1e-9)
    noisy = tw.simulate(kind, n=4000, noise=0.5, seed=3, **options)
    fit = tw.fit(noisy.formula, noisy)
    far = [abs(fit.coefficients[name] - value) / fit.std_errors[name] for name, value in noisy.truth.items()]
    assert max(far) < 4
    assert fit.statistics.sigma == pytest.approx(0.5, rel=0.05)


def test_the_truth_of_clouds_is_their_log_odds() -> None:
    data = tw.simulate("clouds", n=4000, seed=1, centers=((1, 0), (0, 2)), spread=2)
    fit = tw.fit(data.formula, data, family="binomial")
    assert data.truth == {"Intercept": -0.375, "x1": -0.25, "x2": 0.5}
    assert max(abs(fit.coefficients[name] - value) / fit.std_errors[name] for name, value in data.truth.items()) < 4


def test_pictures_are_related_pixel_by_pixel() -> None:
    data = tw.simulate("pictures", height=5, width=7, seed=2)
    assert {name: values.shape for name, values in data.items()} == {"x": (5, 7), "y": (5, 7)}
    np.testing.assert_allclose(data["y"], data.truth["w"] * data["x"] + data.truth["b"], rtol=1e-14)
    assert data["x"].min() > 0.2
    noisy = tw.simulate("pictures", height=40, width=50, seed=2, noise=0.3)
    assert (noisy["y"] - noisy.truth["w"] * noisy["x"]).std() == pytest.approx(0.3, rel=0.05)


def test_an_expression_is_computed_and_never_run() -> None:
    data = tw.simulate("expression", n=11, expression="exp(-x) * sin(3*x) + (x > 5)", noise=0, spacing="even")
    x = data["x"]
    np.testing.assert_allclose(data["y"], np.exp(-x) * np.sin(3 * x) + (x > 5), rtol=1e-14)
    same = tw.simulate("exp(-x) * sin(3*x) + (x > 5)", n=11, noise=0, spacing="even")
    np.testing.assert_array_equal(data["y"], same["y"])
    assert tw.simulate("expression", n=3, expression="2", noise=0)["y"].tolist() == [2.0, 2.0, 2.0]
    for text in ("__import__('os').system('true')", "x.real", "[x for x in (1,)]", "open('x')"):
        with pytest.raises(FormulaError):
            tw.simulate("expression", expression=text)


@pytest.mark.parametrize("kind", ["line", "expression", "clouds", "pictures"])
def test_outliers_are_the_rows_that_were_moved(kind: str) -> None:
    plain, moved = tw.simulate(kind, seed=4), tw.simulate(kind, seed=4, outliers=3)
    assert len(moved.outliers) == 3
    assert plain.outliers == ()
    columns = {"clouds": ("x1", "x2")}.get(kind, ("y",))
    scale = {"expression": 0.1, "pictures": 0.1}.get(kind, 1.0)
    for name in plain:
        change = np.abs(moved[name] - plain[name]).reshape(-1)
        expected = moved.outliers if name in columns else ()
        assert tuple(np.flatnonzero(change)) == tuple(expected)
        assert all(8 * scale - 1e-9 <= change[row] <= 12 * scale + 1e-9 for row in expected)
    assert f"Outliers, counted from row 0: {', '.join(map(str, moved.outliers))}." in moved.about


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_data_and_another_gives_others(kind: str) -> None:
    first, again, other = tw.simulate(kind, seed=5), tw.simulate(kind, seed=5), tw.simulate(kind, seed=6)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    assert {values.dtype for values in first.values()} == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("lines", {}, "there is no kind 'lines' of simulated data. Did you mean 'line'?"),
        ("spiral", {}, "There are: line, polynomial, sine, expression, clouds, pictures."),
        (3, {}, "there is no kind 3"),
        ("line", {"slop": 2}, "line has no option 'slop'. Did you mean 'slope'?"),
        ("line", {"coefficients": (1, 2)}, "line has no option 'coefficients'. There are: slope"),
        ("line", {"slope": "steep"}, "slope is 'steep'. Give a finite number."),
        ("line", {"slope": math.inf}, "slope is inf"),
        ("line", {"slope": True}, "slope is True"),
        ("line", {"low": 3, "high": 3}, "low is 3 and high is 3"),
        ("line", {"n": 0}, "n is 0. Give a whole number from 1"),
        ("line", {"n": 2.5}, "n is 2.5"),
        ("line", {"n": "many"}, "n is 'many'"),
        ("line", {"n": math.nan}, "n is nan"),
        ("line", {"seed": -1}, "seed is -1"),
        ("line", {"noise": -1}, "noise is -1. Give a number that is 0 or more."),
        ("line", {"noise": math.nan}, "noise is nan"),
        ("line", {"n": 5, "outliers": 6}, "outliers is 6. Give a whole number from 0 to 5."),
        ("line", {"spacing": "log"}, "spacing is 'log'. Use one of 'random', 'even'."),
        ("polynomial", {"coefficients": ()}, "coefficients is ()"),
        ("polynomial", {"coefficients": "1,2"}, "coefficients is '1,2'"),
        ("polynomial", {"coefficients": (1, None)}, "coefficients is None"),
        ("clouds", {"noise": 1.0}, "clouds have no noise. Give a spread"),
        ("clouds", {"spread": 0}, "spread is 0. Give a number above 0."),
        ("clouds", {"centers": (1, 2)}, "centers is (1, 2). Give two points"),
        ("pictures", {"n": 5}, "pictures have no n. Give a height and a width."),
        ("pictures", {"height": 0}, "height is 0"),
        ("expression", {"expression": " "}, "expression is ' '"),
        ("expression", {"expression": "2 * z"}, "has the name 'z'. Only x stands for numbers."),
        ("expression", {"expression": "sin(pi * x)"}, "Write pi as 3.14159"),
        ("expression", {"expression": "scale(x)"}, "no plain function of x"),
        ("expression", {"expression": "C(x)"}, "no plain function of x"),
        ("expression", {"expression": "log(x - 5)", "spacing": "even"}, "is no finite number at x = 0"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, options: dict, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        tw.simulate(kind, **options)
    assert words in str(caught.value)


def test_about_says_what_there_is() -> None:
    about = tw.simulate("polynomial", n=7, coefficients=(1, -2, 0.5), noise=0.25, low=-1, high=1, seed=3).about
    assert about == "7 rows, y = 1 - 2 x + 0.5 x^2 + noise of standard deviation 0.25, x random in [-1, 1), seed 3."
    about = tw.simulate("sine", n=7, amplitude=2, frequency=3, phase=1, intercept=4, noise=0, spacing="even").about
    assert about == "7 rows, y = 4 + 2 sin(3 x + 1), x evenly spaced in [-3.14159, 3.14159], seed 0."
    about = tw.simulate("clouds", n=3).about
    assert about.startswith("6 rows, a cloud of 3 around (2, 2) labelled 0 and one around (-2, -2) labelled 1")
