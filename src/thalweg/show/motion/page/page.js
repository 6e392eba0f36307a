// The page of a descent: its panels and its controls, drawn from the numbers in #content. It follows plot.js.

// --- the panels ---

const SERIES = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const dashOf = (k) => DASHES[Math.floor(k / SERIES.length) % DASHES.length];

const SCENES = {
  curve(frame) {
    const { x, y, at, curves, xLabel, yLabel, view } = content.scene;
    const plot = new Plot("scene", { x: range(at, 0.02), y: view, xLabel, yLabel });
    const alone = curves.length === 1;
    curves.forEach(({ rows }, k) => {
      const ink = alone ? colour("point") : colour(SERIES[k]);
      plot.marks(rows.map((i) => x[i]), rows.map((i) => y[i]), { ink, size: x.length > 150 ? 2.6 : 4, alpha: x.length > 150 ? 0.55 : 0.8 });
    });
    curves.forEach((model, k) => {
      const mean = meanAt(model, frame);
      if (mean) plot.line(at, mean, { ink: alone ? colour("fit") : colour(SERIES[k]), width: 3 });
    });
    const seen = curves.some((model) => (meanAt(model, frame) || []).some((v) => v >= view[0] && v <= view[1]));
    if (!seen) plot.say("the fit is outside the picture");
    return legend(alone ? [["o", colour("point"), "data"], ["-", colour("fit"), "fit"]] : curves.map((c, k) => ["-", colour(SERIES[k]), c.label]));
  },

  plane(frame) {
    const { x, y, label, across, up, model, xLabel, yLabel, labels } = content.scene;
    const plot = new Plot("scene", { x: range(across, 0), y: range(up, 0), xLabel, yLabel });
    const mean = meanAt(model, frame), { box, pen } = plot, n = across.length;
    if (mean) {
      const rows = Array.from({ length: up.length }, (_, j) => Array.from(mean.slice((up.length - 1 - j) * n, (up.length - j) * n))).flat();
      plot.inside(() => {
        shade(pen, rows, n, up.length, [box.left, box.top, box.right - box.left, box.bottom - box.top], ramp("shade-low", "shade-middle", "shade-high"));
        for (const [level, width, dash] of [[0.5, 2.5, []], [0.1, 1.2, [5, 4]], [0.9, 1.2, [5, 4]]]) {
          Object.assign(pen, { strokeStyle: colour("ink"), lineWidth: width });
          pen.setLineDash(dash);
          contour(plot, across, up, mean, level);
        }
        pen.setLineDash([]);
      });
    }
    [["low", "o"], ["high", "^"]].forEach(([ink, shape], k) => {
      const rows = label.map((v, i) => [v, i]).filter(([v]) => (v > 0.5) === (k === 1)).map(([, i]) => i);
      plot.marks(rows.map((i) => x[i]), rows.map((i) => y[i]), { ink: colour(ink), shape, edge: colour("panel"), size: x.length > 250 ? 3 : 4 });
    });
    return legend([["o", colour("low"), labels[0]], ["^", colour("high"), labels[1]], ["-", colour("ink"), "probability 0.5 (dashed: 0.1, 0.9)"]]);
  },

  points(frame) {
    const { y, model, view, yLabel, xLabel } = content.scene, mean = meanAt(model, frame);
    const places = y.map((_, i) => i);
    const plot = new Plot("scene", { x: [-0.6, y.length - 0.4], y: view, xLabel, yLabel, integers: true });
    plot.marks(places, y, { ink: colour("point"), shape: "()", size: 7 });
    if (mean) plot.marks(places, Array.from(mean), { ink: colour("fit"), size: 4.5 });
    return legend([["()", colour("point"), "wanted"], ["o", colour("fit"), "predicted"]]);
  },

  predicted(frame) {
    const { y, model, view, yLabel } = content.scene, mean = meanAt(model, frame);
    const plot = new Plot("scene", { x: view, y: view, xLabel: "predicted " + yLabel, yLabel });
    plot.line(view, view, { ink: colour("quiet"), width: 1.5, dash: [5, 4] });
    if (mean) plot.marks(Array.from(mean), y, { ink: colour("point"), size: 3.2, alpha: 0.7 });
    return legend([["o", colour("point"), "a row"], ["-", colour("quiet"), "predicted = observed"]]);
  },

  pictures(frame) {
    const { x, y, model, rows, columns } = content.scene, mean = meanAt(model, frame);
    const canvas = $("scene"), scale = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = Math.round(width * scale); canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d"), grey = (t) => (t === null || !isFinite(t) ? [0, 0, 0, 0] : [...Array(3).fill(Math.round(255 * Math.max(0, Math.min(1, t)))), 255]), own = (v) => grey(v === null ? NaN : v);
    pen.scale(scale, scale);
    const side = Math.min((width - 24) / 3, (height - 30) * columns / rows), tall = side * rows / columns;
    Object.assign(pen, { font: "12px system-ui, sans-serif", textAlign: "center", fillStyle: colour("quiet"), strokeStyle: colour("rule") });
    const [low, high] = content.scene.view, unit = (v) => (v - low) / (high - low);
    [["x", x.map((v) => v)], ["predicted", mean && Array.from(mean, unit)], ["wanted", y.map(unit)]].forEach(([name, values], k) => {
      const left = 4 + k * (side + 8) + (width - 24 - 3 * side) / 2, top = (height - tall - 20) / 2;
      if (values) shade(pen, values, columns, rows, [left, top, side, tall], own, false);
      pen.strokeRect(left, top, side, tall);
      pen.fillText(name, left + side / 2, top + tall + 15);
    });
    return "";
  },
};

function drawLoss(frame) {
  const positive = content.loss.every((v) => v === null || v > 0), log = $("log").checked && positive;
  const to = (v) => (v === null ? null : log ? Math.log10(v) : v), values = content.loss.map(to);
  const plot = new Plot("loss", { x: range(content.steps, 0.02), y: range(values, 0.06), xLabel: "step", yLabel: "loss", log });
  plot.line(content.steps, values, { ink: colour("rule"), width: 2 });
  plot.line(content.steps.slice(0, frame + 1), values.slice(0, frame + 1), { ink: colour("fit"), width: 2.5 });
  if (content.least !== null && (!log || content.least > 0)) plot.line(plot.x, [to(content.least), to(content.least)], { ink: colour("quiet"), width: 1.5, dash: [5, 4] });
  plot.marks([content.steps[frame]], [values[frame]], { ink: colour("fit"), size: 6, edge: colour("panel") });
  $("log").disabled = !positive;
  return "";
}

function drawTraces(frame) {
  const plot = new Plot("traces", { x: range(content.steps, 0.02), y: range(content.parameters.flatMap((p) => p.values), 0.06), xLabel: "step", yLabel: "parameter" });
  content.parameters.forEach(({ values }, k) => {
    plot.pen.globalAlpha = 0.3;
    plot.line(content.steps, values, { ink: colour(SERIES[k % 8]), width: 1.5, dash: dashOf(k) });
    plot.pen.globalAlpha = 1;
    plot.line(content.steps.slice(0, frame + 1), values.slice(0, frame + 1), { ink: colour(SERIES[k % 8]), width: 2.5, dash: dashOf(k) });
    plot.marks([content.steps[frame]], [values[frame]], { ink: colour(SERIES[k % 8]), size: 5, edge: colour("panel") });
  });
  return legend(content.parameters.map(({ name }, k) => ["-", colour(SERIES[k % 8]), name, dashOf(k)]));
}

function drawSurface(frame) {
  const { x, y, values, least, path, optimum, xLabel, yLabel } = content.surface;
  if (y === null) return drawProfile(frame);
  const plot = new Plot("surface", { x: range(x, 0), y: range(y, 0), xLabel, yLabel }), { pen, box } = plot, n = x.length;
  const heights = values.map((v) => (v === null ? NaN : Math.log(v - least + content.surface.floor)));
  const [low, high] = range(heights, 0), unit = heights.map((v) => (v - low) / (high - low));
  const rows = Array.from({ length: y.length }, (_, j) => unit.slice((y.length - 1 - j) * n, (y.length - j) * n)).flat();
  plot.inside(() => {
    pen.globalAlpha = 0.8;
    shade(pen, rows, n, y.length, [box.left, box.top, box.right - box.left, box.bottom - box.top], ramp("valley", "hill"));
    pen.globalAlpha = 1;
    Object.assign(pen, { strokeStyle: colour("contour"), lineWidth: 1 });
    for (let k = 1; k < 10; k++) contour(plot, x, y, unit, k / 10);
  });
  const taken = path.slice(0, frame + 1).map((p) => p || [null, null]);
  plot.line(taken.map((p) => p[0]), taken.map((p) => p[1]), { ink: colour("fit"), width: 2 });
  if (last < 80) plot.marks(taken.map((p) => p[0]), taken.map((p) => p[1]), { ink: colour("fit"), size: 2.5 });
  plot.marks([optimum[0]], [optimum[1]], { ink: colour("ink"), shape: "x", size: 5 });
  plot.marks([taken[frame][0]], [taken[frame][1]], { ink: colour("fit"), size: 6, edge: colour("panel") });
  return legend([["-", colour("fit"), "path"], ["x", colour("ink"), content.surface.marked]]);
}

// One parameter: its loss as a curve.
function drawProfile(frame) {
  const { x, values, path, optimum, xLabel } = content.surface;
  const plot = new Plot("surface", { x: range(x, 0), y: range(values, 0.04), xLabel, yLabel: "loss" });
  plot.line(x, values, { ink: colour("point") });
  const taken = path.slice(0, frame + 1).map((p) => (p ? p[0] : null)), losses = content.loss.slice(0, frame + 1);
  plot.line(taken, losses, { ink: colour("fit"), width: 1.5 });
  plot.marks(taken, losses, { ink: colour("fit"), size: 2.5 });
  plot.marks([taken[frame]], [losses[frame]], { ink: colour("fit"), size: 6, edge: colour("panel") });
  plot.line([optimum[0], optimum[0]], plot.y, { ink: colour("quiet"), width: 1.5, dash: [5, 4] });
  return legend([["-", colour("fit"), "path"], ["-", colour("quiet"), content.surface.marked, [5, 4]]]);
}

// A key as marks and words, for the caption.
function legend(entries) {
  const key = document.createDocumentFragment();
  for (const [shape, ink, word, dash = []] of entries) {
    const sign = document.createElement("canvas"), scale = window.devicePixelRatio || 1;
    Object.assign(sign, { width: 22 * scale, height: 12 * scale });
    Object.assign(sign.style, { display: "inline-block", width: "22px", height: "12px", aspectRatio: "auto", verticalAlign: "middle", margin: "0 3px 0 8px" });
    sign.setAttribute("aria-hidden", "true");
    const pen = sign.getContext("2d");
    pen.scale(scale, scale);
    Object.assign(pen, { strokeStyle: ink, fillStyle: ink, lineWidth: 2.5 });
    if (shape === "-") { pen.setLineDash(dash); pen.beginPath(); pen.moveTo(1, 6); pen.lineTo(21, 6); pen.stroke(); } else mark(pen, 11, 6, 4, shape, null);
    const entry = document.createElement("span");
    entry.className = "key";
    entry.append(sign, word);
    key.append(entry, " ");
  }
  return key;
}

const PANELS = {
  scene: { draw: (frame) => SCENES[content.scene.kind](frame), there: content.scene !== null, title: content.scene && content.scene.title },
  loss: { draw: drawLoss, there: true, title: content.lossTitle },
  traces: { draw: drawTraces, there: content.parameters.length > 0, title: content.tracesTitle },
  surface: { draw: drawSurface, there: content.surface !== null, title: content.surface && content.surface.title },
};

// --- what is shown ---

let frame = 0, playing = null, keyed = "";

function show(index) {
  frame = Math.max(0, Math.min(last, index));
  const summary = `step ${content.steps[frame]}`;
  $("slider").value = frame;
  $("slider").setAttribute("aria-valuetext", `${summary}, loss ${text(content.loss[frame])}`);
  $("at").textContent = summary;
  numbers();
  for (const [name, panel] of Object.entries(PANELS)) {
    if ($(name + "-panel").hidden) continue;
    const key = panel.draw(frame);
    $(name).setAttribute("aria-label", `${panel.title}, at ${summary}: loss ${text(content.loss[frame])}`);
    if (!keyed.includes(name)) $(name + "-caption").replaceChildren(panel.title, key);
  }
  keyed = Object.keys(PANELS).join();
}

function numbers() {
  const rows = [["step", `${content.steps[frame]}`], ["loss", text(content.loss[frame])], ["|gradient|", text(content.gradient[frame])]];
  if (content.rate[frame] !== null) rows.push(["learning rate", text(content.rate[frame])]);
  for (const { name, values } of content.parameters) rows.push([name, text(values[frame])]);
  if (content.more) rows.push(["and", `${content.more} more parameters`]);
  const list = $("numbers");
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(([name]) => {
      const row = document.createElement("div"), term = document.createElement("dt");
      term.textContent = term.title = name;
      row.append(term, document.createElement("dd"));
      return row;
    }));
  }
  rows.forEach(([, value], k) => { list.children[k].lastChild.textContent = value; });
}

function play() {
  if (playing !== null) return pause();
  if (frame === last) show(0);
  let shown = performance.now(), due = 0;
  const tick = (now) => {
    due += (now - shown) / 1000 * Number($("speed").value);
    shown = now;
    if (due >= 1) { show(frame + Math.floor(due)); due -= Math.floor(due); }
    if (frame === last) return pause();
    playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
  labelled("Pause", "M4 3h4v14H4zM12 3h4v14h-4z");
}

function pause() {
  cancelAnimationFrame(playing);
  playing = null;
  labelled("Play", "M5 3l12 7-12 7z");
}

function labelled(word, icon) {
  $("word").textContent = word;
  $("play").setAttribute("aria-label", word);
  $("icon").setAttribute("d", icon);
}

function step(by) { pause(); show(frame + by); }

function pressed(event) {
  const tag = event.target.tagName, own = tag === "SELECT" || event.ctrlKey || event.metaKey || event.altKey;
  const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, Home: -last, End: last };
  if (own) return;
  if (event.key === " " && tag !== "BUTTON" && event.target.type !== "checkbox") play();
  else if (event.key in ways) step(ways[event.key]);
  else return;
  event.preventDefault();
}

for (const [name, panel] of Object.entries(PANELS)) $(name + "-panel").hidden = !panel.there || (content.only !== null && content.only !== name);
$("panels").classList.toggle("alone", document.querySelectorAll("figure:not([hidden])").length === 1);
$("slider").max = last;
$("log").checked = content.log;
$("slider").addEventListener("input", () => { pause(); show(Number($("slider").value)); });
$("play").addEventListener("click", play);
$("log").addEventListener("change", () => show(frame));
document.addEventListener("keydown", pressed);
const again = () => { keyed = ""; show(frame); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
new ResizeObserver(again).observe($("panels"));
show(0);
