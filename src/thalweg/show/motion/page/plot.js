// What the pictures of a page are drawn with: numbers as text, links, axes, marks, shades. No library, no network.
"use strict";

const content = JSON.parse(document.getElementById("content").textContent);
const last = content.steps.length - 1;
const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// --- numbers ---

function text(value, digits = 6) {
  if (value === null || value === undefined) return "not finite";
  if (value !== 0 && (Math.abs(value) >= 1e7 || Math.abs(value) < 1e-4)) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${Number(mantissa)}e${exponent.replace("+", "")}`.replace("-", "\u2212").replace("e-", "e\u2212");
  }
  return String(Number(value.toPrecision(digits))).replace("-", "\u2212");
}

// From eta to the mean, for every link of the library.
const MEANS = {
  identity: (eta) => eta,
  log: Math.exp,
  logit: (eta) => (eta >= 0 ? 1 / (1 + Math.exp(-eta)) : Math.exp(eta) / (1 + Math.exp(eta))),
  probit: (eta) => normal(eta),
  cloglog: (eta) => -Math.expm1(-Math.exp(eta)),
  loglog: (eta) => Math.exp(-Math.exp(-eta)),
  cauchit: (eta) => 0.5 + Math.atan(eta) / Math.PI,
  inverse: (eta) => 1 / eta,
  inverse_squared: (eta) => 1 / Math.sqrt(eta),
  sqrt: (eta) => eta * eta,
  power: (eta) => Math.pow(eta, 1 / content.scene.exponent),
};

// The normal distribution function by the continued fraction and series of Abramowitz & Stegun 26.2.10 and 26.2.14.
function normal(z) {
  const density = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(z) > 3) {
    let tail = 0;
    for (let k = 40; k > 0; k--) tail = k / (Math.abs(z) + tail);
    const upper = density / (Math.abs(z) + tail);
    return z > 0 ? 1 - upper : upper;
  }
  let term = z, sum = z;
  for (let k = 1; k < 60; k++) sum += (term *= z * z / (2 * k + 1));
  return 0.5 + sum * density;
}

// The values at a frame: eta = weights . basis + shift, or null where they are not finite.
function etaAt(model, frame) {
  const weights = model.weights[frame];
  if (weights === null) return null;
  const eta = model.shift ? Float64Array.from(model.shift) : new Float64Array(model.basis[0].length);
  weights.forEach((weight, r) => {
    const row = model.basis[r];
    for (let i = 0; i < row.length; i++) eta[i] += weight * row[i];
  });
  return eta;
}

function meanAt(model, frame) {
  const eta = etaAt(model, frame);
  return eta && eta.map(MEANS[content.scene.link]);
}

function range(values, pad = 0.05) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v !== null && isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  if (low > high) return [0, 1];
  const room = high > low ? (high - low) * pad : Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function ticks([low, high], most) {
  const raw = (high - low) / most, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) || 10 * power;
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step);
  return found.map((v) => [v, text(Math.abs(v) < step / 1e6 ? 0 : v, 4)]);
}

function logTicks([low, high], most) {
  const first = Math.ceil(low - 1e-9), final = Math.floor(high + 1e-9);
  if (final - first < 1) return ticks([Math.pow(10, low), Math.pow(10, high)], most).filter(([v]) => v > 0).map(([v, t]) => [Math.log10(v), t]);
  const stride = Math.max(1, Math.ceil((final - first) / most)), found = [];
  for (let k = first; k <= final; k += stride) found.push([k, Math.abs(k) < 4 ? text(Math.pow(10, k)) : `1e${k}`.replace("-", "\u2212")]);
  return found;
}

// --- a canvas with axes ---

class Plot {
  constructor(id, { x, y, xLabel = "", yLabel = "", log = false, integers = false }) {
    const canvas = $(id), scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    Object.assign(this, { canvas, x, y, log, width, height });
    this.pen = canvas.getContext("2d");
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.pen.clearRect(0, 0, width, height);
    this.pen.font = "12px system-ui, sans-serif";
    const across = ticks(x, Math.max(2, width / 75)).filter(([v]) => !integers || Number.isInteger(v));
    const up = (log ? logTicks : ticks)(y, Math.max(2, height / 50));
    const wide = Math.max(10, ...up.map(([, t]) => this.pen.measureText(t).width));
    this.box = { left: wide + (yLabel ? 30 : 14), right: width - 12, top: 8, bottom: height - (xLabel ? 40 : 24) };
    this.axes(across, up, xLabel, yLabel);
  }

  px(v) { return this.box.left + (v - this.x[0]) / (this.x[1] - this.x[0]) * (this.box.right - this.box.left); }
  py(v) { return this.box.bottom - (v - this.y[0]) / (this.y[1] - this.y[0]) * (this.box.bottom - this.box.top); }

  axes(across, up, xLabel, yLabel) {
    const { pen, box } = this;
    pen.strokeStyle = colour("grid");
    pen.fillStyle = colour("quiet");
    pen.lineWidth = 1;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const [v, t] of across) { this.stroke([[this.px(v), box.top], [this.px(v), box.bottom]]); pen.fillText(t, this.px(v), box.bottom + 6); }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [v, t] of up) { this.stroke([[box.left, this.py(v)], [box.right, this.py(v)]]); pen.fillText(t, box.left - 6, this.py(v)); }
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText(fitted(pen, xLabel, box.right - box.left), (box.left + box.right) / 2, this.height - 3);
    pen.save();
    pen.translate(4, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textBaseline = "top";
    pen.fillText(fitted(pen, yLabel, box.bottom - box.top), 0, 0);
    pen.restore();
  }

  stroke(points) {
    this.pen.beginPath();
    points.forEach(([x, y], i) => (i ? this.pen.lineTo(x, y) : this.pen.moveTo(x, y)));
    this.pen.stroke();
  }

  // Draws within the axes only.
  inside(draw) {
    const { pen, box } = this;
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    pen.clip();
    draw();
    pen.restore();
  }

  // A line through data points; missing ones are gaps. Far beyond the axes it is held, as canvases have limits.
  line(xs, ys, { ink, width = 2, dash = [] }) {
    this.inside(() => {
      const { pen } = this, held = (v) => Math.max(-1e4, Math.min(1e4, v));
      Object.assign(pen, { strokeStyle: ink, lineWidth: width, lineJoin: "round" });
      pen.setLineDash(dash);
      pen.beginPath();
      let down = false;
      for (let i = 0; i < xs.length; i++) {
        if (ys[i] === null || !isFinite(ys[i]) || xs[i] === null) { down = false; continue; }
        const x = held(this.px(xs[i])), y = held(this.py(ys[i]));
        if (down) pen.lineTo(x, y); else pen.moveTo(x, y);
        down = true;
      }
      pen.stroke();
    });
  }

  // A word in the middle of the picture, near its top.
  say(words) {
    Object.assign(this.pen, { fillStyle: colour("fit"), textAlign: "center", textBaseline: "top", font: "600 13px system-ui, sans-serif" });
    this.pen.fillText(words, (this.box.left + this.box.right) / 2, this.box.top + 8);
  }

  // Marks: "o", "^" (a triangle), "x", "+" or "()" (a ring).
  marks(xs, ys, { ink, size = 3.5, shape = "o", alpha = 1, edge = null }) {
    this.inside(() => {
      const { pen } = this;
      Object.assign(pen, { fillStyle: ink, strokeStyle: shape === "o" || shape === "^" ? edge || ink : ink, globalAlpha: alpha, lineWidth: edge ? 1 : 2 });
      for (let i = 0; i < xs.length; i++) {
        if (xs[i] === null || ys[i] === null) continue;
        mark(pen, this.px(xs[i]), this.py(ys[i]), size, shape, edge);
      }
    });
  }
}

function mark(pen, x, y, size, shape, edge) {
  pen.beginPath();
  if (shape === "o" || shape === "()") pen.arc(x, y, size, 0, 7);
  if (shape === "^") { pen.moveTo(x, y - size * 1.25); pen.lineTo(x + size * 1.15, y + size); pen.lineTo(x - size * 1.15, y + size); pen.closePath(); }
  if (shape === "x") { pen.moveTo(x - size, y - size); pen.lineTo(x + size, y + size); pen.moveTo(x + size, y - size); pen.lineTo(x - size, y + size); }
  if (shape === "o" || shape === "^") pen.fill();
  if (edge || shape === "x" || shape === "()") pen.stroke();
}

function fitted(pen, label, room) {
  if (pen.measureText(label).width <= room) return label;
  while (label.length > 1 && pen.measureText(label + "\u2026").width > room) label = label.slice(0, -1);
  return label + "\u2026";
}

// A picture of nx x ny values, each given a colour, stretched over a rectangle.
function shade(pen, values, nx, ny, [x, y, width, height], pick, smooth = true) {
  const small = document.createElement("canvas");
  small.width = nx; small.height = ny;
  const ink = small.getContext("2d"), image = ink.createImageData(nx, ny);
  for (let i = 0; i < nx * ny; i++) image.data.set(pick(values[i]), 4 * i);
  ink.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = smooth;
  pen.drawImage(small, x, y, width, height);
}

function channels(name) {
  const hex = colour(name);
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

// From 0 to 1 through these colours.
function ramp(...names) {
  const stops = names.map(channels);
  return (t) => {
    if (t === null || !isFinite(t)) return [0, 0, 0, 0];
    const place = Math.max(0, Math.min(1, t)) * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2);
    return [...stops[k].map((c, i) => Math.round(c + (stops[k + 1][i] - c) * (place - k))), 255];
  };
}

// Pieces of the line on which a grid of values (rows of x, one for each y) has a level: marching squares.
function contour(plot, xs, ys, values, level) {
  const { pen } = plot, n = xs.length;
  pen.beginPath();
  for (let j = 0; j + 1 < ys.length; j++) {
    for (let i = 0; i + 1 < n; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]], found = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [corners[k], corners[(k + 1) % 4]];
        const va = values[a[1] * n + a[0]] - level, vb = values[b[1] * n + b[0]] - level;
        if (va < 0 === vb < 0) continue;
        const t = va / (va - vb);
        found.push([plot.px(xs[a[0]] + t * (xs[b[0]] - xs[a[0]])), plot.py(ys[a[1]] + t * (ys[b[1]] - ys[a[1]]))]);
      }
      for (let k = 0; k + 1 < found.length; k += 2) { pen.moveTo(...found[k]); pen.lineTo(...found[k + 1]); }
    }
  }
  pen.stroke();
}
