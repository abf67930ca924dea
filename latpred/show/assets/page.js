"use strict";
// Everything here is looked up in tables that latpred computed; times of stages and operators are only added up.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

const decoded = new Map();
/** Numbers at every tabulated rate: one for all of them, or base64 of little-endian 32-bit floats. */
function values(code) {
  if (typeof code === "number") return code;
  if (!decoded.has(code)) {
    const bytes = Uint8Array.from(atob(code), (letter) => letter.charCodeAt(0));
    decoded.set(code, new Float32Array(bytes.buffer));
  }
  return decoded.get(code);
}

/** A curve at a place between the tabulated rates, on the line between its neighbours. */
function at(code, place) {
  const curve = values(code);
  if (typeof curve === "number") return curve;
  const below = Math.min(Math.floor(place), curve.length - 1), above = Math.min(below + 1, curve.length - 1);
  return curve[below] + (place - below) * (curve[above] - curve[below]);
}

const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

/** As latpred writes durations: three digits and a prefix. */
function seconds(value, factor = 0, decimals = 0) {
  if (!value) return "0 s";
  const rounded = Number(value.toPrecision(3));
  const exponent = factor || Math.max(3 * Math.floor(Math.log10(Math.abs(rounded)) / 3 + 1e-12), -9);
  const scaled = rounded / 10 ** exponent;
  const digits = Math.max(2 - Math.floor(Math.log10(Math.abs(scaled)) + 1e-12), 0);
  return `${scaled.toFixed(digits)} ${{ "-9": "n", "-6": "µ", "-3": "m", 0: "", 3: "k" }[exponent]}s`;
}

/** The ends of a band in the unit of the figure beside them. */
function ends(value, low, high) {
  const [number, unit] = seconds(value).split(" ");
  const scale = 10 ** { ns: -9, "µs": -6, ms: -3, s: 0, ks: 3 }[unit];
  const decimals = (number.split(".")[1] || "").length;
  return `(${(low / scale).toFixed(decimals)}–${(high / scale).toFixed(decimals)})`;
}

const state = { device: 0, paradigm: 0, granularity: [], rate: 0.5, budget: null };
const device = () => data.devices[state.device];
const paradigm = () => device().paradigms[state.paradigm];

/** The place of a rate among the tabulated ones. */
const place = (rate) => {
  const { first, step, count } = paradigm();
  return Math.min(Math.max((rate - first) / step, 0), count - 1);
};

/** The chosen curve of every stage. */
const chosen = () => paradigm().stages.map((options, stage) => options[state.granularity[stage]]);

/** Latency, multiply-adds and the band at a rate. */
function predict(rate) {
  const where = place(rate), curves = chosen(), around = device().around;
  const stages = curves.map((curve) => sum(curve.parts.map((part) => at(part.latency_s, where))));
  const outside = sum(around.map((part) => part.latency_s));
  const latency = sum(stages) + outside;
  const macs = sum(curves.map((curve) => at(curve.macs, where))) + sum(around.map((part) => part.macs));
  let low = null, high = null;
  if (paradigm().band) {
    // Errors of different shapes are independent: half-widths shrink around the middle (latpred's band of a sum).
    const squares = sum(curves.map((curve) => at(curve.squares_s2, where))) +
      sum(around.map((part) => part.latency_s ** 2));
    const [least, most] = paradigm().band, middle = Math.sqrt(least * most);
    const share = latency ? Math.sqrt(squares) / latency : 0;
    low = latency * middle * (least / middle) ** share;
    high = latency * middle * (most / middle) ** share;
  }
  return { latency, macs, low, high, stages };
}

function text(id, content) { $(id).textContent = content; }

function row(cells, kind = "td") {
  const line = document.createElement("tr");
  for (const cell of cells) {
    const made = document.createElement(kind);
    if (typeof cell === "object") {
      made.className = "bar";
      const bar = document.createElement("span");
      bar.style.width = `${Math.min(100 * cell.share, 100).toFixed(2)}%`;
      made.append(bar);
    } else made.textContent = cell;
    line.append(made);
  }
  return line;
}

function table(id, head, lines, foot) {
  const parts = [["thead", [row(head, "th")]], ["tbody", lines], ["tfoot", foot ? [row(foot)] : []]];
  $(id).replaceChildren(...parts.map(([name, rows]) => {
    const part = document.createElement(name);
    part.append(...rows);
    return part;
  }));
}

function answer() {
  const found = predict(state.rate), still = device().static_latency_s, where = place(state.rate);
  const ratio = found.latency / still, less = (100 * Math.abs(1 - ratio)).toFixed(1);
  const paper = device().static_macs ? (found.macs / device().static_macs).toFixed(3) : "–";
  $("latency").dataset.seconds = found.latency;
  text("latency", `ℓ = ${seconds(found.latency)}`);
  text("band", found.low === null ? "" : `80 % band ${ends(found.latency, found.low, found.high)}`);
  text("verdict", `rℓ = ${ratio.toFixed(3)}: ${less} % ${ratio <= 1 ? "less" : "more"} time than static ` +
    `(${seconds(still)}); on paper (multiply-adds) ${paper}`);
  const over = state.budget !== null && found.latency > state.budget / 1e3;
  $("fits").className = over ? "over" : "";
  text("fits", state.budget === null ? "" : over
    ? `Over the budget of ${seconds(state.budget / 1e3)} by ${seconds(found.latency - state.budget / 1e3)}`
    : `Fits into ${seconds(state.budget / 1e3)}; ${seconds(state.budget / 1e3 - found.latency)} are left`);
  text("rate-text", state.rate.toFixed(2));

  const longest = Math.max(...found.stages);
  table("stages", ["stage", "map", "blocks", "dynamic", "static", "rℓ", ""],
    found.stages.map((latency, stage) => {
      const { map, blocks } = data.stages[stage], static_s = device().static_stages_s[stage];
      return row([String(stage + 1), map, String(blocks), seconds(latency), seconds(static_s),
        (latency / static_s).toFixed(3), { share: latency / longest }]);
    }).concat(device().around.map((part) =>
      row([part.name, "", "", seconds(part.latency_s), seconds(part.latency_s), "1.000",
        { share: part.latency_s / longest }]))),
    ["total", "", "", seconds(found.latency), seconds(still), ratio.toFixed(3), ""]);

  const byName = new Map();
  for (const curve of chosen()) {
    for (const part of curve.parts) byName.set(part.name, (byName.get(part.name) || 0) + at(part.latency_s, where));
  }
  for (const part of device().around) byName.set(part.name, (byName.get(part.name) || 0) + part.latency_s);
  const most = Math.max(...byName.values());
  table("operators", ["operator, in all blocks", "time", "share", ""],
    [...byName].map(([name, latency]) =>
      row([name, seconds(latency), `${(100 * latency / found.latency).toFixed(1)} %`, { share: latency / most }])));
}

let chart = null;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function series() {
  const { first, step, count } = paradigm();
  const rates = Array.from({ length: count }, (_, number) => first + number * step);
  const found = rates.map(predict), still = rates.map(() => device().static_latency_s * 1e3);
  const budget = rates.map(() => state.budget);
  const lines = [rates, found.map((each) => each.latency * 1e3), still, budget];
  if (paradigm().band) lines.push(found.map((each) => each.low * 1e3), found.map((each) => each.high * 1e3));
  return lines;
}

function draw() {
  const banded = Boolean(paradigm().band), lines = series();
  const marker = (plot) => {
    const x = plot.valToPos(state.rate, "x", true), { top, height } = plot.bbox, ink = plot.ctx;
    ink.save();
    ink.strokeStyle = colour("dynamic");
    ink.setLineDash([4, 4]);
    ink.beginPath();
    ink.moveTo(x, top);
    ink.lineTo(x, top + height);
    ink.stroke();
    ink.restore();
  };
  const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
  const hidden = { label: "", stroke: "transparent", points: { show: false } };
  const options = {
    width: $("chart").clientWidth,
    height: Math.min(Math.max(260, $("chart").clientWidth * 0.45), 400),
    scales: { x: { time: false, range: [0, 1] }, y: { range: (_, low, high) => [0, high * 1.05 || 1] } },
    axes: [{ ...axis, label: "activation rate r" }, { ...axis, label: "latency [ms]", size: 64 }],
    cursor: { drag: { x: false, y: false } },
    legend: { show: false },
    hooks: { draw: [marker] },
    bands: banded ? [{ series: [5, 4], fill: colour("shade") }] : [],
    series: [
      {},
      { label: "dynamic", stroke: colour("dynamic"), width: 2, points: { show: false } },
      { label: "static", stroke: colour("static"), width: 2, dash: [8, 4], points: { show: false } },
      { label: "budget", stroke: colour("budget"), width: 2, show: state.budget !== null, points: { show: false } },
      ...(banded ? [{ ...hidden }, { ...hidden }] : []),
    ],
  };
  if (chart) chart.destroy();
  chart = new uPlot(options, lines, $("chart"));
  const names = ["dynamic", "static", ...(state.budget === null ? [] : ["budget"]), ...(banded ? ["shade"] : [])];
  $("legend").replaceChildren(...names.map((name) => Object.assign(document.createElement("li"),
    { className: name, textContent: name === "shade" ? "80 % band" : name })));
}

/** The settings as the address has them. */
function address() {
  const of = paradigm(), parts = { device: device().name, paradigm: of.name };
  if (of.symbol) {
    parts[of.symbol] = chosen().map((curve) => curve.granularity).join("-");
  }
  parts.r = state.rate.toFixed(2);
  if (state.budget !== null) parts.budget = `${state.budget}ms`;
  return `#${new URLSearchParams(parts)}`;
}

/** Takes over what the address says, as far as there is such a thing. */
function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const named = (list, name) => Math.max(list.findIndex((each) => each.name === name), 0);
  state.device = named(data.devices, given.get("device"));
  state.paradigm = named(device().paradigms, given.get("paradigm"));
  const wanted = (given.get(paradigm().symbol || "") || "").split("-").map(Number);
  state.granularity = paradigm().stages.map((options, stage) => {
    const found = options.findIndex((curve) => curve.granularity === (wanted[stage] || wanted[0]));
    return found < 0 ? startOf(options) : found;
  });
  const rate = Number.parseFloat(given.get("r"));
  state.rate = clamp(Number.isFinite(rate) ? rate : 0.5);
  const budget = Number.parseFloat(given.get("budget"));
  state.budget = budget > 0 ? budget : data.budget_ms;
}

/** Of the granularities of a stage the recommended one. */
const startOf = (options) => Math.max(options.findIndex((curve) => curve.recommended), 0);

/** A rate that the slider has. */
function clamp(rate) {
  const { first, slider } = paradigm(), lowest = Math.ceil(first / slider - 1e-9) * slider;
  return Math.min(Math.max(Math.round(rate / slider) * slider, lowest), 1);
}

function choices(id, legend, made) {
  const group = $(id), title = document.createElement("legend");
  title.textContent = legend;
  group.replaceChildren(title, ...made);
  group.hidden = !made.length;
}

function labelled(before, element) {
  const label = document.createElement("label");
  label.append(before, element);
  return label;
}

/** The controls as the state has them. */
function controls() {
  $("device").replaceChildren(...data.devices.map((each, number) => new Option(each.title, number)));
  $("device").value = state.device;
  choices("paradigms", "Skip", device().paradigms.map((each, number) => {
    const radio = Object.assign(document.createElement("input"),
      { type: "radio", name: "paradigm", value: number, checked: number === state.paradigm });
    const label = document.createElement("label");
    label.append(radio, ` ${each.words}`);
    return label;
  }));
  const symbol = paradigm().symbol;
  choices("granularities", symbol === "S" ? "Patch edge S per stage [pixels]" : "Channels per group G, per stage",
    !symbol ? [] : paradigm().stages.map((options, stage) => {
      const select = document.createElement("select");
      select.dataset.stage = stage;
      select.setAttribute("aria-label", `${symbol} of stage ${stage + 1}`);
      select.append(...options.map((curve, number) => new Option(curve.granularity || "–", number)));
      select.value = state.granularity[stage];
      select.disabled = options.length === 1;
      return labelled(`${stage + 1}: `, select);
    }));
  const { slider, first } = paradigm();
  Object.assign($("rate"), { min: Math.ceil(first / slider - 1e-9) * slider, max: 1, step: slider });
  $("rate").value = state.rate;
  $("budget").value = state.budget === null ? "" : state.budget;
  $("notes").replaceChildren(...[device().about, ...device().notes, ...data.notes].map((note) =>
    Object.assign(document.createElement("li"), { textContent: note })));
}

function show({ lines = true, keep = true } = {}) {
  answer();
  if (lines) draw(); else chart.redraw(false, false);
  if (keep) history.replaceState(null, "", address());
}

function start() {
  read();
  controls();
  show();
}

$("rate").addEventListener("input", (event) => {
  state.rate = clamp(Number(event.target.value));
  show({ lines: false });
});
$("budget").addEventListener("input", (event) => {
  const given = Number.parseFloat(event.target.value);
  state.budget = given > 0 ? given : null;
  show();
});
$("controls").addEventListener("change", (event) => {
  const { id, name, dataset, value } = event.target;
  if (id === "device") {
    const symbols = chosen().map((curve) => curve.granularity), kept = paradigm().name;
    state.device = Number(value);
    state.paradigm = Math.max(device().paradigms.findIndex((each) => each.name === kept), 0);
    state.granularity = paradigm().stages.map((options, stage) => {
      const found = options.findIndex((curve) => curve.granularity === symbols[stage]);
      return found < 0 ? startOf(options) : found;
    });
  } else if (name === "paradigm") {
    state.paradigm = Number(value);
    state.granularity = paradigm().stages.map(startOf);
  } else if (dataset.stage !== undefined) {
    state.granularity[Number(dataset.stage)] = Number(value);
  } else return;
  state.rate = clamp(state.rate);
  controls();
  show();
});
$("controls").addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", start);
window.addEventListener("resize", draw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
start();
