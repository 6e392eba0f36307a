"""The page that plays offline: what is in it, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg as tw
from thalweg.errors import ConvergenceWarning, DivergenceWarning, NotAvailableError, OptionError
from thalweg.losses.links import LINKS
from thalweg.show.motion.page import harmless_json, page, policy, write_page
from thalweg.show.motion.page_content import model_of, numbers, rounded
from thalweg.show.plots.run import run_of

HOSTILE = "</script><script>document.title='broken'</script>\"'&<b>é\u2028"


def descend(formula: Any, data: Any, *, lr: Any = 0.01, steps: int = 300, **options: Any) -> Any:
    solver = {"allow_divergence": options.pop("allow_divergence", False), "momentum": options.pop("momentum", 0.0)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DivergenceWarning)
        return tw.fit(formula, data, solver=tw.GradientDescent(lr=lr, steps=steps, **solver), **options)


def line(name: str = "x") -> dict[str, Any]:
    generator = torch.Generator().manual_seed(10)
    x = torch.rand(20, generator=generator).double() * 10
    return {name: x, "y": 2 * x + 5 + torch.randn(20, generator=generator).double()}


def clouds() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [torch.randn(60, 2, generator=generator) + 1.2, torch.randn(60, 2, generator=generator) - 1.2]
    ).double()
    return {"a": x[:, 0], "b": x[:, 1], "label": torch.arange(120).double() // 60}


def pictures() -> Any:
    i = torch.arange(48.0, dtype=torch.float64)
    x = ((i[:, None] - 24) ** 2 + (i - 24) ** 2 < 200).double() * 0.7 + 0.15
    y = torch.sin(i[:, None] / 5) * torch.cos(i / 7) * 0.4 + 0.5
    return descend(tw.Elementwise(), {"x": x, "y": y}, lr=0.9)


def network() -> Any:
    generator = torch.Generator().manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    with torch.no_grad():
        for each in module.parameters():
            each.copy_(torch.randn(each.shape, generator=generator))
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)[:, None]
    return descend(module, {"x": x, "y": torch.sin(x[:, 0])}, lr=0.05)


MADE: dict[str, Callable[[], Any]] = {
    "line": lambda: descend("y ~ x", line(), lr=0.015),
    "boundary": lambda: descend("label ~ a + b", clouds(), lr=0.5, family="binomial"),
    "probability": lambda: descend("label ~ a", clouds(), lr=0.5, family="binomial"),
    "species": lambda: descend("petal_length ~ sepal_length * species", "iris", lr=0.005),
    "many": lambda: descend("progression ~ bmi + bp + s5", "diabetes", lr=4e-5),
    "one": lambda: descend("y ~ x - 1", line(), lr=0.005, steps=40),
    "gone": lambda: descend("y ~ x", line(), lr=0.05, allow_divergence=True),
    "entries": lambda: descend(tw.Elementwise(), {"x": torch.tensor([1.0, 2.0]), "y": torch.tensor([115.0, 21.0])}),
    "pictures": pictures,
    "network": network,
}


@pytest.fixture(scope="module")
def made() -> Callable[[str], Any]:
    kept: dict[str, Any] = {}

    def make(name: str) -> Any:
        if name not in kept:
            kept[name] = MADE[name]()
        return kept[name]

    return make


def content(text: str) -> Any:
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)
    return json.loads(found)


# --- what is in it ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text_of(made: Callable[[str], Any]) -> Callable[[str], str]:
    kept: dict[str, str] = {}

    def text(name: str) -> str:
        if name not in kept:
            kept[name] = page(run_of(made(name)), frames=500)
        return kept[name]

    return text


@pytest.mark.parametrize("name", MADE)
def test_a_page_of_any_descent_is_small_and_asks_for_nothing(name, text_of):
    text = text_of(name)
    assert len(text.encode()) < 1_000_000
    assert "http" not in re.sub(r'<meta http-equiv="Content-Security-Policy"', "", text)
    assert not re.search(r"\bsrc=|@import|url\(|fetch\(|XMLHttp|import\(|eval\(|innerHTML", text)
    assert "$" not in text.split("<style>")[0]


def test_five_hundred_frames_of_a_boundary_are_small():
    text = page(run_of(descend("label ~ a + b", clouds(), lr=0.5, steps=499, family="binomial")), frames=500)
    assert len(content(text)["steps"]) == 500
    assert len(text.encode()) < 500_000


def test_the_numbers_are_those_of_the_history(made, text_of):
    fit = made("line")
    found = content(text_of("line"))
    trace = fit.trace
    assert found["steps"] == trace.step
    assert found["loss"] == pytest.approx(trace.value, rel=1e-5)
    assert found["gradient"] == pytest.approx(trace.gradient_size, rel=1e-5)
    for j, parameter in enumerate(found["parameters"]):
        assert parameter["name"] == fit.names[j]
        assert parameter["values"] == pytest.approx(trace.path[:, j].tolist(), rel=1e-5)


def eta(model: Any, frame: int) -> np.ndarray:
    """What the script computes."""
    return np.array(model["weights"][frame]) @ np.array(model["basis"])


@pytest.mark.parametrize("name", ["line", "probability", "boundary", "network"])
def test_the_last_frame_is_the_fit(name, made, text_of):
    fit = made(name)
    scene = content(text_of(name))["scene"]
    mean = LINKS[scene["link"]]().inverse
    if scene["kind"] == "plane":
        across, up = np.meshgrid(scene["across"], scene["up"])
        found, new = eta(scene["model"], -1), {"a": across.ravel(), "b": up.ravel()}
    else:
        found, new = eta(scene["curves"][0], -1), {scene["xLabel"]: np.array(scene["at"])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "network":
            predictor = fit.problem.predictor
            expected = predictor(fit.solution.theta, torch.tensor(new["x"])[:, None]).detach().numpy()
        else:
            expected = fit.predict(new)
    shown = mean(torch.from_numpy(found)).numpy()
    assert np.abs(shown - expected).max() < 2e-5 * np.abs(expected).max()


def test_few_numbers_hold_many_frames():
    """A linear predictor of p parameters needs p curves; frames that run away or are no numbers spoil no others."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 150))
    values[7] *= 1e12
    values[9, 3] = np.nan
    model = model_of(values)
    assert len(model["basis"]) == 3
    assert model["weights"][9] is None
    for frame in (0, 7, 399):
        assert np.abs(eta(model, frame) - values[frame]).max() < 1e-5 * np.abs(values[frame]).max()
    assert np.abs(eta(model_of(np.zeros((3, 4))), 1)).max() == 0


def test_numbers_are_rounded_and_written_short():
    assert numbers(np.array([1.0, 1 / 3, 2e10, np.nan, np.inf])) == [1, 0.333333, 2e10, None, None]
    assert rounded(123456789.0) == 123457000.0


@pytest.mark.parametrize("name", [HOSTILE, "x\\", "${title}", "$content", "]]>", "<!--"])
def test_no_name_breaks_out_of_its_place(name):
    run = run_of(descend("y ~ x", line(), steps=20))
    object.__setattr__(run, "names", (name, "b"))
    text = page(run)
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert content(text)["parameters"][0]["name"] == name


def test_json_holds_no_markup():
    text = harmless_json({"a": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": HOSTILE}


def test_the_policy_allows_nothing_but_what_is_inside():
    rules = dict(rule.split(" ", 1) for rule in policy("a", "b").split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].startswith("'sha256-")
    assert "unsafe" not in policy("a", "b")


@pytest.mark.parametrize("options", [{"kind": "film"}, {"frames": 0}])
def test_options_that_do_not_exist_are_refused(options, made, tmp_path):
    with pytest.raises(OptionError):
        write_page(made("line"), tmp_path / "a.html", **options)
    with pytest.raises(OptionError, match=r"\.html"):
        write_page(made("line"), tmp_path / "a.gif")


def test_a_panel_that_a_fit_does_not_have(tmp_path):
    newton = tw.fit("label ~ a", clouds(), family="binomial")
    write_page(newton, tmp_path / "a.html")
    assert content((tmp_path / "a.html").read_text())["surface"] is None
    with pytest.raises(NotAvailableError):
        write_page(newton, tmp_path / "b.html", kind="surface")


# --- what a browser makes of it ---------------------------------------------------------------------------------------

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium to show a page in: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page without a network; whatever it complains of or asks for fails the test."""
    said: list[str] = []
    contexts = []

    def open_page(fit: Any, *, width: int = 1200, dark: bool = False, **options: Any) -> Any:
        path = tmp_path / "descent.html"
        if isinstance(fit, str):
            path.write_text(fit, encoding="utf-8")
        else:
            write_page(fit, path, **options)
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light", offline=True
        )
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
        shown.goto(path.as_uri())
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def slide(shown: Any, frame: int) -> None:
    move = "const s = document.getElementById('slider'); s.value = frame; s.dispatchEvent(new Event('input'));"
    shown.evaluate(f"frame => {{ {move} }}", frame)


def told(shown: Any) -> dict[str, str]:
    """The numbers as they are shown."""
    pairs = shown.eval_on_selector_all(
        "#numbers div", "rows => rows.map(r => [r.children[0].textContent, r.children[1].textContent])"
    )
    return {name: value.replace("\u2212", "-") for name, value in pairs}


def until(true: Callable[[], bool]) -> None:
    """Wait for something to be so; the page's policy lets no test wait inside of it."""
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


INK = """id => { const c = document.getElementById(id);
const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"""


@pytest.mark.parametrize("name", MADE)
def test_every_page_draws_without_complaint(name, text_of, opened):
    shown = opened(text_of(name))
    for panel in ("scene", "loss", "traces", "surface"):
        assert shown.evaluate(INK, panel) > 500, panel
        assert shown.get_attribute(f"#{panel}", "aria-label")


def test_the_slider_moves_the_numbers_to_their_step(made, text_of, opened):
    fit = made("line")
    shown = opened(text_of("line"))
    for frame in (0, 7, 150, 300):
        slide(shown, frame)
        numbers_shown = told(shown)
        assert numbers_shown["step"] == str(fit.trace.step[frame])
        assert float(numbers_shown["loss"]) == pytest.approx(fit.trace.value[frame], rel=1e-5)
        assert float(numbers_shown["x"]) == pytest.approx(fit.trace.path[frame, 1].item(), rel=1e-5)
        assert shown.text_content("#at") == f"step {frame}"
        assert shown.get_attribute("#slider", "aria-valuetext").startswith(f"step {frame}, loss ")
    assert float(numbers_shown["Intercept"]) == pytest.approx(fit.coefficients["Intercept"], rel=1e-5)


def test_it_plays_pauses_and_stops_at_the_end(text_of, opened):
    shown = opened(text_of("one"))
    assert told(shown)["step"] == "0"
    shown.select_option("#speed", "60")
    shown.click("#play")
    assert shown.get_attribute("#play", "aria-label") == "Pause"
    until(lambda: int(shown.input_value("#slider")) > 3)
    shown.click("#play")
    paused = told(shown)["step"]
    shown.wait_for_timeout(150)
    assert told(shown)["step"] == paused
    shown.click("#play")
    until(lambda: shown.input_value("#slider") == "40" and shown.text_content("#word") == "Play")
    assert told(shown)["step"] == "40"


def test_the_keyboard_does_all_of_it(text_of, opened):
    shown = opened(text_of("one"))
    for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 40), ("Home", 0)):
        shown.keyboard.press(key)
        assert told(shown)["step"] == str(step)
    shown.keyboard.press("Space")
    until(lambda: int(shown.input_value("#slider")) > 1)
    shown.keyboard.press("Space")
    assert shown.text_content("#word") == "Play"


@pytest.mark.parametrize("name", ["line", "boundary"])
def test_the_pictures_move(name, text_of, opened):
    shown = opened(text_of(name))
    pixels = "id => document.getElementById(id).toDataURL()"
    before = {panel: shown.evaluate(pixels, panel) for panel in ("scene", "loss", "traces", "surface")}
    slide(shown, 40)
    assert all(shown.evaluate(pixels, panel) != picture for panel, picture in before.items())


def test_the_scale_of_the_loss_can_be_changed(text_of, opened):
    shown = opened(text_of("line"))
    pixels = "document.getElementById('loss').toDataURL()"
    before = shown.evaluate(pixels)
    assert shown.is_checked("#log")
    shown.uncheck("#log")
    assert shown.evaluate(pixels) != before


def test_the_script_knows_every_link(text_of, opened):
    shown = opened(text_of("one"))
    anywhere, above = [-6.0, -2.9, -1.0, 0.0, 0.4, 3.5], [0.2, 0.5, 1.7, 4.0]
    for name, make in LINKS.items():
        link = make(2.0) if name == "power" else make()  # type: ignore[call-arg]
        points = above if link.exponent else anywhere
        expected = link.inverse(torch.tensor(points, dtype=torch.float64)).tolist()
        script = "([n, p, e]) => { content.scene.exponent = e; return p.map(MEANS[n]); }"
        found = shown.evaluate(script, [name, points, link.exponent or 1.0])
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize(("name", "width"), [("boundary", 320), ("species", 375), ("species", 1200)])
def test_nothing_is_wider_than_the_screen(name, width, text_of, opened):
    shown = opened(text_of(name), width=width)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    sizes = shown.eval_on_selector_all(
        "figure canvas[role=img]", "all => all.map(c => [c.clientWidth, c.clientHeight])"
    )
    assert all(w > 0.6 * min(width, 400) and h > 150 for w, h in sizes)


def test_dark_is_dark_and_readable(text_of, opened):
    def brightness(shown: Any, what: str) -> float:
        colour = shown.evaluate(f"getComputedStyle(document.body).{what}")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765

    light, dark = opened(text_of("one")), opened(text_of("one"), dark=True)
    assert brightness(light, "backgroundColor") > 0.9
    assert brightness(light, "color") < 0.2
    assert brightness(dark, "backgroundColor") < 0.15
    assert brightness(dark, "color") > 0.8


def test_one_panel_stands_alone(made, opened):
    shown = opened(made("line"), kind="surface")
    assert shown.eval_on_selector_all("figure:not([hidden])", "all => all.map(f => f.id)") == ["surface-panel"]


def test_a_hostile_name_is_text(opened):
    run = run_of(descend("y ~ x", line(), steps=20))
    object.__setattr__(run, "names", (HOSTILE, "b"))
    shown = opened(page(run))
    assert HOSTILE in told(shown)
    assert HOSTILE in shown.text_content("#traces-caption")
    assert shown.title() == "y ~ x"
