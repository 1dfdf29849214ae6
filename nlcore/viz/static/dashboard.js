// Draws what nlcore.viz.dashboard sends, and sends back what the reader does.
const GROUND = [14, 18, 26]; // the score is dark in both themes: brightness is the size of an update
const GRIDS = {
  lr: Array.from({ length: 25 }, (_, i) => 2 ** ((i - 16) / 4)),
  eta: Array.from({ length: 11 }, (_, i) => i / 10),
  period: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024],
};
const FIGURES = {
  change: "update ÷ own norm", weight_norm: "norm", surprise: "surprise", eta: "η, step size of a write", alpha: "α, kept per token",
  lr: "learning rate", gradient_norm: "gradient norm", second_moment_norm: "second moment norm",
};
const DASHES = { dashed: [6, 3], dotted: [2, 3], dashdot: [7, 3, 2, 3] };
const LIVE = "starting training validating paused";
const ROW = 24, PAD = 204, RIGHT = 10;

function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
}
const whole = (value) => Math.round(value).toLocaleString("en-US");
function show(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  return size >= 1e4 || (size && size < 1e-3) ? value.toExponential(1).replace("+", "") : String(+value.toPrecision(3));
}
function clock(seconds) {
  if (seconds == null) return "–";
  const s = Math.round(seconds), two = (n) => String(n).padStart(2, "0"), minutes = Math.floor(s / 60);
  return s < 3600 ? `${minutes}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(minutes % 60)}:${two(s % 60)}`;
}
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const blend = (a, b, t) => `rgb(${a.map((x, i) => Math.round(x + (b[i] - x) * t)).join()})`;
function ramp(hex) { // from the ground through the level's colour to a light tint of it
  const colour = hex === "#000000" ? [190, 190, 190] : rgb(hex);
  return Array.from({ length: 65 }, (_, i) => i < 52 ? blend(GROUND, colour, 0.18 + 0.82 * i / 52) : blend(colour, [255, 255, 255], 0.6 * (i - 52) / 12));
}
function extent(lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const v of list ?? []) if (v != null) { low = Math.min(low, v); high = Math.max(high, v); }
  return [low, high];
}
function ticks(low, high, count) {
  const rough = (high - low) / count, unit = 10 ** Math.floor(Math.log10(rough)), found = [];
  const step = [1, 2, 5, 10].map((k) => k * unit).find((s) => s >= rough);
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-6; t += step) found.push(+t.toPrecision(8));
  return found;
}

function merge(old, news) { // columns from news.from on replace those of old
  const join = (a = [], b = []) => Array.from({ length: news.from }, (_, i) => a[i] ?? null).concat(b);
  return { width: news.width, steps: join(old?.steps, news.steps), data: news.data.map((row, i) => {
    const now = { mean: {}, most: {}, sum: {} };
    for (const kind in now) for (const name in row[kind]) now[kind][name] = join(old?.data[i]?.[kind][name], row[kind][name]);
    return now;
  }) };
}

function paper(canvas, height) { // a context in CSS pixels, sharp on any screen
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, context = canvas.getContext("2d");
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width];
}
function line(context, steps, values, x, y, colour, width, dash = []) {
  let drawing = false;
  context.beginPath();
  steps.forEach((step, i) => {
    if (values[i] == null) return;
    context[drawing ? "lineTo" : "moveTo"](x(step), y(values[i]));
    drawing = true;
  });
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineJoin: "round" });
  context.setLineDash(dash); context.stroke(); context.setLineDash([]);
}

function slider(name, label, grid, format, apply) {
  const values = [...grid], out = h("output"), input = h("input", { type: "range", min: 0, step: 1, "data-knob": name, "aria-label": label });
  let timer = null, last = null;
  const say = () => { out.textContent = format(values[+input.value]); input.setAttribute("aria-valuetext", out.textContent); };
  input.oninput = () => {
    say(); clearTimeout(timer); // a held arrow key sends one command, not twenty
    timer = setTimeout(() => { timer = null; apply(values[+input.value]); }, 350);
  };
  const put = (value) => {
    if (timer !== null || value === last || value == null) return;
    last = value;
    const at = () => values.findIndex((v) => Math.abs(v - value) < 1e-9);
    if (at() < 0) { values.push(value); values.sort((a, b) => a - b); }
    input.max = values.length - 1; input.value = at(); say();
  };
  return { node: h("label", { class: "nl-knob" }, h("span", {}, label), input, out), input, put };
}

function render({ model, el }) {
  const data = { rows: [], sentences: [], samples: [], events: [], text: {}, state: {} }, sliders = {};
  const root = h("div", { class: "nl-dashboard", role: "group", "aria-label": "Training dashboard" }), id = `nl-${Math.random().toString(36).slice(2, 8)}`;
  let chosen = null, sampleAt = null, asked = false, draws = 0, theme = {};
  root.innerHTML = model.get("page");
  const $ = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((node) => [node.dataset.part, node]));
  const buttons = [...root.querySelectorAll("[data-command]")];
  const command = (name, value, level) => model.send({ command: name, value, level });
  const put = (name, words) => { if ($[name].textContent !== words) $[name].textContent = words; };
  const ink = (colour) => !colour || colour === "#000000" ? theme.text : colour;

  // --- choosing a level ---
  const index = () => Math.max(0, data.rows.findIndex((row) => row.label === chosen));
  function choose(i) { chosen = data.rows[Math.min(Math.max(i, 0), data.rows.length - 1)]?.label; plan(); }
  const rowAt = (event) => Math.floor((event.clientY - $.score.getBoundingClientRect().top) / ROW);
  $.rows.onkeydown = (event) => {
    const move = { ArrowDown: index() + 1, ArrowUp: index() - 1, Home: 0, End: data.rows.length - 1 }[event.key];
    if (move !== undefined) { event.preventDefault(); choose(move); }
  };
  $.stage.onclick = (event) => choose(rowAt(event));
  $.stage.onpointerleave = () => { $.hair.hidden = true; put("readout", ""); };
  $.stage.onpointermove = (event) => {
    const box = $.score.getBoundingClientRect(), x = event.clientX - box.left, row = data.rows[rowAt(event)], table = data.levels;
    const column = row && table ? table.steps.findIndex((step) => step >= x / (box.width - RIGHT) * span()) : -1;
    if (column < 0) return $.stage.onpointerleave();
    const { most: { change }, sum: { fired } } = table.data[rowAt(event)], times = fired?.[column];
    $.hair.hidden = false; $.hair.style.left = `${x}px`;
    put("readout", `step ${whole(table.steps[column])} · ${row.label} · ${times ? `${times > 1 ? `fired ${whole(times)} times, largest update` : "update"} ${show(change?.[column])} of its norm` : "did not fire"}`);
  };

  // --- controls ---
  for (const button of buttons) button.onclick = () => command(button.dataset.command);
  $.measure.onchange = $.shade.onchange = () => plan();
  root.onkeydown = (event) => { if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); }; // not for JupyterLab
  $.scrub.oninput = () => { sampleAt = +$.scrub.value < data.samples.length - 1 ? +$.scrub.value : null; samples(); };
  function settings(on) {
    const { memories, settings: set = { period: {} } } = data.state, times = (v) => `× ${show(v)}`;
    const wanted = { lr_scale: ["Learning rate scale", GRIDS.lr, times, (v) => command("lr_scale", v)] };
    if (memories?.length) wanted.eta_scale = ["η scale, memories", GRIDS.eta, times, (v) => command("level_lr", v, memories[0])];
    for (const name in set.period) wanted[name] = [`Period of ${name}`, GRIDS.period, (v) => v === 1 ? "1 step" : `${v} steps`, (v) => command("period", v, name)];
    for (const name in wanted) {
      if (!sliders[name]) $.knobs.append((sliders[name] = slider(name, ...wanted[name])).node);
      sliders[name].put(set[name] ?? set.period[name]);
      sliders[name].input.disabled = !on;
    }
  }
  function header() {
    const s = data.state, on = LIVE.includes(s.state) && !data.closed, share = Math.round(100 * (s.done ?? 0));
    const validation = s.result ?? data.metrics?.data[0].mean.validation_bits_per_byte?.findLast((v) => v != null);
    put("name", s.name ?? "No run"); put("about", s.about ? `${s.about}, on ${s.corpus}` : "");
    put("chip", data.closed ? "closed" : s.state ?? "waiting"); $.chip.dataset.state = $.chip.textContent;
    put("step", s.step == null ? "–" : whole(s.step) + (s.steps ? ` / ${whole(s.steps)}` : ""));
    put("loss", s.loss == null ? "–" : (s.bytes ? s.loss / Math.LN2 : s.loss).toFixed(3)); put("unit", s.bytes === false ? "nats per token" : "bits per byte");
    put("validation", validation == null ? "–" : validation.toFixed(3));
    put("speed", s.tokens_per_second ? whole(s.tokens_per_second) : "–"); put("left", on ? clock(s.seconds_left) : "–");
    $.progress.firstChild.style.width = `${share}%`; $.progress.setAttribute("aria-valuenow", share);
    const open = { pause: on && s.state !== "paused", resume: !data.closed && ["paused", "stopped", "lost", "failed"].includes(s.state) };
    for (const button of buttons) button.setAttribute("aria-disabled", !(open[button.dataset.command] ?? on));
    const said = data.events.map(({ step, sentence }) => `step ${whole(step)}: ${sentence}`);
    put("events", said.at(-1) ?? ""); $.events.title = said.slice(-12).join("\n");
    put("status", data.sentences.join("  "));
    settings(on);
  }
  function names() {
    const now = JSON.stringify(data.rows.map(({ lut, ...row }) => row)) + theme.text;
    if ($.rows.dataset.now !== now) {
      $.rows.dataset.now = now;
      $.rows.replaceChildren(...data.rows.map((row, i) => {
        const node = h("div", { role: "option", id: `${id}-${i}`, style: `height:${ROW}px` }, h("i", { style: `background:${ink(row.colour)}`, class: row.momentum ? "nl-hollow" : "" }), h("span", {}, row.label));
        if (!row.momentum) node.append(h("small", {}, `${row.period} ${row.period === 1 ? row.unit.slice(0, -1) : row.unit}`));
        node.onclick = () => choose(i);
        return node;
      }));
    }
    chosen ??= data.rows[0]?.label;
    [...$.rows.children].forEach((node, i) => node.setAttribute("aria-selected", i === index()));
    if (data.rows.length) $.rows.setAttribute("aria-activedescendant", `${id}-${index()}`);
  }

  // --- pictures ---
  function span() { // steps across: the whole run, halved while less than half of it is there
    const now = Math.max(1, ...[data.levels, data.metrics, data.other?.metrics].map((table) => table?.steps.at(-1) ?? 1));
    let wide = data.state.steps ?? 0;
    if (wide < now) for (wide = 64; wide < now;) wide *= 2;
    while (wide / 2 >= now && wide > 16) wide /= 2;
    return wide;
  }
  function curves() {
    const height = 150, [context, width] = paper($.curves, height), wide = span(), rival = data.other?.metrics;
    const of = (table) => table?.data[0]?.mean ?? {}, mine = of(data.metrics), theirs = of(rival);
    let [a, b] = extent([mine, theirs].flatMap((m) => [m.loss, m.validation_bits_per_byte]));
    if (!(a < Infinity)) return;
    const room = Math.max(b - a, 0.1); [a, b] = [a - 0.06 * room, b + 0.04 * room];
    const x = (step) => PAD + step / wide * (width - PAD - RIGHT), y = (v) => 6 + (b - v) / (b - a) * (height - 28);
    const write = (words, left, top, align = "left", colour = theme.soft) => { context.textAlign = align; context.fillStyle = colour; context.fillText(words, left, top); };
    context.font = theme.font; context.textBaseline = "middle";
    for (const t of ticks(a, b, 4)) {
      line(context, [0, wide], [t, t], x, y, theme.grid, 1);
      write(show(t), PAD - 8, y(t), "right");
    }
    for (const t of ticks(0, wide, Math.min(10, Math.floor(width / 130)))) write(t ? whole(t) : "step 0", x(t), height - 8, !t ? "left" : x(t) > width - 30 ? "right" : "center");
    for (const { step } of data.events) line(context, [step, step], [a, b], x, y, theme.soft, 1, [2, 3]);
    let place = 34;
    const curve = (table, values, colour, weight, dash, name, dots) => {
      if (!values?.some((v) => v != null)) return;
      line(context, table.steps, values, x, y, colour, weight, dash);
      context.fillStyle = colour;
      if (dots) table.steps.forEach((step, i) => { if (values[i] != null) context.fillRect(x(step) - 2, y(values[i]) - 2, 4, 4); });
      line(context, [0, 1], [0, 0], (s) => 4 + 18 * s, () => place, colour, weight, dash);
      write(name, 28, place); place += 18;
    };
    write("bits per byte", 4, 12, "left", theme.text);
    curve(data.metrics, mine.loss, theme.mine + "99", 1.2, [], "training");
    curve(data.metrics, mine.validation_bits_per_byte, theme.mine, 1.9, [], "validation", true);
    curve(rival, theirs.loss, theme.other + "99", 1.2, [], `${data.other?.name}, training`);
    curve(rival, theirs.validation_bits_per_byte, theme.other, 1.9, [6, 3], `${data.other?.name}, validation`);
  }
  function score() {
    const table = data.levels, height = Math.max(1, data.rows.length) * ROW, wide = span(), own = $.measure.value === "own";
    $.score.style.height = `${height}px`;
    const [context, width] = paper($.score, height), ratio = window.devicePixelRatio || 1;
    const range = (lists) => { // of the logarithms, in half powers of ten
      const [low, high] = extent(lists.map((list) => list?.map((v) => v || null))).map(Math.log10);
      return low < Infinity ? [Math.max(Math.floor(2 * low), 2 * high - 12) / 2, Math.ceil(2 * high + 1e-9) / 2] : [-4, 0];
    };
    const common = range((table?.data ?? []).map((row) => row.most.change));
    const edges = (table?.steps ?? []).map((step) => Math.round(step / wide * (width - RIGHT) * ratio) / ratio);
    data.rows.forEach((row, i) => {
      const { change = [] } = table?.data[i]?.most ?? {}, { fired = [] } = table?.data[i]?.sum ?? {}, colours = row.lut ??= ramp(row.colour ?? "#000000");
      const [a, b] = own ? range([change]) : common, y = i * ROW;
      edges.forEach((right, column) => {
        const left = edges[column - 1] ?? 0, room = right - left, wide = room > 4 ? room - 1 : room;
        if (!fired[column]) return;
        const t = change[column] ? Math.min(1, Math.max(0, (Math.log10(change[column]) - a) / (b - a))) : 0;
        context.fillStyle = colours[Math.round(64 * t)]; context.fillRect(left, y + 2, wide, ROW - 4);
        if (wide <= 2.5) return;
        const times = fired[column], gap = wide / times; // a notch for each firing, or a line where they would touch
        context.fillStyle = "#fff";
        for (let n = 0; n < Math.min(times, wide); n++) context.fillRect(Math.round(left + (n + 0.5) * gap) - 1, y + ROW - 6, 2, 2);
      });
    });
    if (data.rows.length) { context.strokeStyle = "#fff"; context.strokeRect(0.5, index() * ROW + 0.5, width - 1, ROW - 1); }
    put("low", own ? "smallest" : show(10 ** common[0])); put("high", own ? "largest" : show(10 ** common[1]));
    put("meaning", `update ÷ norm of what it changes, logarithmic${own ? ", by row" : ""}; a cell is the largest of ${(table?.width ?? 1) * data.state.report_every} steps`);
    $.ramp.style.background = `linear-gradient(90deg, ${(data.rows[index()]?.lut ?? ramp("#000000")).filter((_, i) => i % 8 === 0).join()})`;
  }
  function traces() {
    const row = data.rows[index()], mean = data.levels?.data[index()]?.mean ?? {}, height = 62, wide = span(), shown = Object.keys(FIGURES).filter((name) => mean[name]);
    put("traced", row?.label ?? "Level"); $.traced.style.setProperty("--nl-dot", ink(row?.colour));
    if ($.traces.dataset.shown !== shown.join()) {
      $.traces.dataset.shown = shown.join();
      $.traces.replaceChildren(...shown.map((name) => h("figure", {}, h("figcaption", {}, FIGURES[name], h("output")), h("canvas", { role: "img", "aria-label": `${FIGURES[name]} over steps` }))));
    }
    shown.forEach((name, i) => {
      const [caption, canvas] = $.traces.children[i].children, values = mean[name], [context, width] = paper(canvas, height);
      let [a, b] = extent([values]);
      caption.lastChild.textContent = show(values.findLast((v) => v != null));
      const room = Math.abs(b || 1) / 100; // rounding is not a wave
      if (b - a < room) [a, b] = [a - room, b + room];
      const x = (step) => step / wide * (width - 48), y = (v) => 5 + (b - v) / (b - a) * (height - 10);
      Object.assign(context, { font: theme.small, textBaseline: "middle" });
      for (const v of [a, b]) {
        line(context, [0, wide], [v, v], x, () => Math.round(y(v)) + 0.5, theme.grid, 1);
        context.fillStyle = theme.soft; context.fillText(show(v), width - 42, y(v) + (v === a ? -2 : 2));
      }
      line(context, data.levels.steps, values, x, y, ink(row.colour), 1.7, DASHES[row.dash]);
    });
  }
  function felt() {
    const { tokens = [], step } = data.text, name = $.shade.value, values = data.text[name] ?? [], [a, b] = extent([values.map((v) => v || null)]);
    $.felt.hidden = !(data.state.memories?.length ?? 1);
    const colour = rgb(data.rows.find((row) => row.level === "memory")?.colour ?? "#0072B2").join();
    $.text.replaceChildren(...tokens.map((token, i) => {
      const t = values[i] && b > a ? (values[i] - a) / (b - a) : 0;
      return h("span", { style: `background:rgba(${colour},${(0.8 * t).toFixed(3)})`, title: `${name} ${show(values[i])}` }, token === "\n" ? "⏎\n" : token);
    }));
    put("range", step ? `${name} from ${show(a)} (blank) to ${show(b)} (full) at step ${whole(step)}` : "The first report brings it.");
  }
  function samples() {
    const last = data.samples.length - 1, at = Math.min(sampleAt ?? last, last), found = data.samples[at];
    $.scrub.max = Math.max(last, 0); $.scrub.value = Math.max(at, 0); $.scrub.disabled = last < 1;
    put("when", found ? `step ${whole(found.step)} ` : "");
    $.sample.replaceChildren(...(found ? [h("em", {}, found.prompt), found.text] : ["The first validation brings it."]));
  }

  // --- when something changes: at most one picture a frame ---
  function draw() {
    asked = false;
    if (!root.clientWidth) return;
    const began = performance.now(), style = getComputedStyle(root), get = (name) => style.getPropertyValue(`--nl-${name}`).trim();
    theme = { text: get("text"), soft: get("soft"), grid: get("grid"), mine: get("mine"), other: get("other"), font: `12px ${style.fontFamily}`, small: `10.5px ${style.fontFamily}` };
    header(); names(); score(); curves(); traces();
    if (data.fresh !== $.shade.value) { felt(); samples(); data.fresh = $.shade.value; }
    root.dataset.draws = ++draws; root.dataset.milliseconds = (performance.now() - began).toFixed(1);
  }
  function plan() { if (!asked) { asked = true; requestAnimationFrame(draw); } }
  function take(message) {
    const { levels, metrics, other, ...small } = message;
    Object.assign(data, small);
    if ("text" in small || "rows" in small) data.fresh = null;
    const gap = (old, news) => news && news.from > (old?.steps.length ?? 0);
    if (gap(data.levels, levels) || gap(data.metrics, metrics) || gap(data.other?.metrics, other?.metrics)) return model.send({ whole: true });
    if (levels) data.levels = merge(data.levels, levels);
    if (metrics) data.metrics = merge(data.metrics, metrics);
    if (other) data.other = { name: other.name, metrics: merge(data.other?.metrics, other.metrics) };
    plan();
  }
  const sizes = new ResizeObserver(plan), themes = new MutationObserver(plan);
  sizes.observe(root);
  themes.observe(document.body, { attributes: true });
  model.on("msg:custom", take);
  el.append(root);
  model.send({ whole: true });
  return () => { model.off("msg:custom", take); sizes.disconnect(); themes.disconnect(); };
}
export default { render };
