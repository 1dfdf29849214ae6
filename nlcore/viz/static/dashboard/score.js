// The level score: a row for each level, brightness the size of its updates, a notch for each firing; and the traces
// of one row. The score is dark in both themes, since brightness is what it says.

const GROUND = [14, 18, 26];
const FIGURES = {
  change: "update ÷ own norm", weight_norm: "norm", surprise: "surprise", eta: "η, step size of a write", alpha: "α, kept per token",
  lr: "learning rate", gradient_norm: "gradient norm", second_moment_norm: "second moment norm",
};
const CANVAS_DASH = { dashed: [6, 3], dotted: [2, 3], dashdot: [7, 3, 2, 3] };

const own = (hex) => hex === "#000000" ? [190, 190, 190] : channels(hex);
function ramp(hex) { // from the ground through the level's colour to a light tint of it
  const colour = own(hex);
  return Array.from({ length: 65 }, (_, i) => css(i < 52 ? mixed(GROUND, colour, 0.18 + 0.82 * i / 52) : mixed(colour, [255, 255, 255], 0.6 * (i - 52) / 12)));
}

function paper(canvas, height) { // a context in CSS pixels, sharp on any screen
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, context = canvas.getContext("2d");
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width];
}
function stroke(context, xs, ys, colour, width, dash = []) {
  let drawing = false;
  context.beginPath();
  xs.forEach((x, i) => {
    if (ys[i] == null) return;
    context[drawing ? "lineTo" : "moveTo"](x, ys[i]);
    drawing = true;
  });
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineJoin: "round" });
  context.setLineDash(dash); context.stroke(); context.setLineDash([]);
}

class Score {
  // `parts` are the page's elements by name; `settings()` gives margins and whether the page is narrow.
  constructor(parts, data, axis, settings, plan) {
    Object.assign(this, { parts, data, axis, settings, plan, chosen: null, open: new Set(), id: `nl-${Math.random().toString(36).slice(2, 8)}` });
    parts.rows.dataset.lmSuppressShortcuts = "true";
    parts.rows.onkeydown = (event) => this.key(event);
    pointAt(parts.stage, axis, () => [0, settings().right], (event) => this.choose(Math.floor((event.clientY - parts.score.getBoundingClientRect().top) / this.height())));
    parts.stage.addEventListener("pointerleave", () => { this.over = null; });
    parts.stage.addEventListener("pointermove", (event) => { this.over = Math.floor((event.clientY - parts.score.getBoundingClientRect().top) / this.height()); });
  }
  height() { return this.settings().narrow ? 40 : 24; }
  head() { return this.settings().narrow ? 17 : 0; } // where the page is narrow, a row's name stands above its roll
  shown() { return this.data.rows.map((row, i) => ({ ...row, at: i })).filter((row) => row.within == null || this.open.has(row.within)); }
  index() { return Math.max(0, this.shown().findIndex((row) => row.label === this.chosen)); }
  row() { return this.shown()[this.index()]; }
  choose(i) {
    const rows = this.shown(), row = rows[Math.min(Math.max(i, 0), rows.length - 1)];
    this.chosen = row?.label;
    this.over = null;
    this.plan();
  }
  unfold(row, open) {
    if (row?.members > 1) this.open[open ? "add" : "delete"](row.level);
    else if (!open && row?.within) { this.open.delete(row.within); this.chosen = row.within; }
    this.plan();
  }
  key(event) {
    const row = this.row(), move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const does = move ? () => this.choose(this.index() + move) : { Home: () => this.choose(0), End: () => this.choose(Infinity),
      ArrowRight: () => this.unfold(row, true), ArrowLeft: () => this.unfold(row, false), Enter: () => this.unfold(row, !this.open.has(row?.level)) }[event.key];
    if (!does || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    does();
  }
  kept(row) { // how often it was to fire, and how often it did
    if (!row || row.momentum) return "";
    return `${row.every}: ${whole(row.expected)} expected, ${whole(row.seen)} seen${row.unit === "tokens" ? " in the steps reported" : ""}`;
  }
  names(ink) {
    const { rows } = this.parts, shown = this.shown(), height = this.height();
    const now = JSON.stringify([shown.map(({ expected, seen, ...row }) => row), height, [...this.open]]) + css(ink.text);
    if (rows.dataset.now !== now) {
      rows.dataset.now = now;
      rows.replaceChildren(...shown.map((row, i) => {
        const item = node("div", null, { role: "treeitem", id: `${this.id}-${i}`, style: `height:${height}px`, "aria-level": row.within ? 2 : 1 });
        const group = row.members > 1, look = css(readable(row.colour, ink, 3));
        if (group) item.setAttribute("aria-expanded", this.open.has(row.level));
        if (row.late) item.classList.add("nl-late");
        const line = node("div", item, { class: "nl-name" });
        node("i", line, { class: row.momentum ? "nl-hollow" : "", style: `background:${look};border-color:${look}` });
        node("span", line, { text: row.label });
        if (group) node("b", line, { text: this.open.has(row.level) ? "▾" : "▸", "aria-hidden": "true" });
        const says = row.within ? "" : row.momentum ? "average" : row.every;
        node("small", line, { text: [row.late ? "late" : "", says].filter(Boolean).join(" · ") });
        item.onclick = (event) => { this.choose(i); if (group && event.target.closest("b")) this.unfold(row, !this.open.has(row.level)); };
        return item;
      }));
    }
    this.chosen ??= shown[0]?.label;
    [...rows.children].forEach((item, i) => {
      item.setAttribute("aria-selected", i === this.index());
      item.title = this.kept(shown[i]) || "The optimizer's moving average of this level's gradients; it is renewed when the level fires";
    });
    if (shown.length) rows.setAttribute("aria-activedescendant", `${this.id}-${this.index()}`);
  }
  range(lists) { // of the logarithms, in half powers of ten
    const [low, high] = extent(lists.map((list) => list?.map((v) => v || null))).map(Math.log10);
    return low < Infinity ? [Math.max(Math.floor(2 * low), 2 * high - 12) / 2, Math.ceil(2 * high + 1e-9) / 2] : [-4, 0];
  }
  draw(ink) {
    const { parts, data, axis } = this, table = data.levels, rows = this.shown(), ROW = this.height(), head = this.head(), byRow = parts.measure.value === "own";
    this.names(ink);
    const height = Math.max(1, rows.length) * ROW, [a, b] = axis.range(), { right } = this.settings(), ratio = window.devicePixelRatio || 1;
    parts.score.style.height = `${height}px`;
    const [context, width] = paper(parts.score, height), across = width - right;
    const common = this.range(rows.map((row) => table?.data[row.at]?.most.change));
    const edges = (table?.steps ?? []).map((step) => Math.round((axis.place(step) - a) / (b - a) * across * ratio) / ratio);
    const zero = (axis.place(0) - a) / (b - a) * across;
    rows.forEach((row, i) => {
      const { change = [] } = table?.data[row.at]?.most ?? {}, { fired = [] } = table?.data[row.at]?.sum ?? {}, colours = ramp(row.colour);
      const [low, high] = byRow ? this.range([change]) : common, y = i * ROW + head, tall = ROW - head;
      context.fillStyle = css(GROUND); context.fillRect(0, y, width, tall);
      edges.forEach((end, column) => {
        const start = Math.max(0, edges[column - 1] ?? zero), room = Math.min(end, width) - start, wide = room > 4 ? room - 1 : room;
        if (!fired[column] || room <= 0) return;
        const t = change[column] ? Math.min(1, Math.max(0, (Math.log10(change[column]) - low) / (high - low))) : 0;
        context.fillStyle = colours[Math.round(64 * t)]; context.fillRect(start, y + 2, wide, tall - 4);
        if (wide <= 2.5) return;
        const times = Math.max(1, Math.round(fired[column])), gap = wide / times; // a notch for each firing, or a line where they would touch
        context.fillStyle = "#fff";
        for (let n = 0; n < Math.min(times, wide); n++) context.fillRect(Math.round(start + (n + 0.5) * gap) - 1, y + tall - 6, 2, 2);
      });
      if (i === this.index()) { context.strokeStyle = head ? css(ink.text) : "#fff"; context.strokeRect(0.5, y + 0.5, width - 1, tall - 1); }
    });
    parts.low.textContent = byRow ? "smallest" : show(10 ** common[0]); parts.high.textContent = byRow ? "largest" : show(10 ** common[1]);
    parts.meaning.textContent = `update ÷ norm of what it changes, logarithmic${byRow ? ", by row" : ""}; a cell is the largest of ${Math.max(table?.width ?? 1, data.state.report_every)} steps`;
    parts.ramp.style.background = `linear-gradient(90deg, ${ramp(this.row()?.colour ?? "#000000").filter((_, i) => i % 8 === 0).join()})`;
    this.traces(ink);
    this.read();
  }
  column() { // of the score, at the crosshair
    const { axis, data } = this;
    return axis.cross == null || !data.levels ? -1 : data.levels.steps.findIndex((step) => axis.place(step) >= axis.cross - 1e-9);
  }
  read() {
    const { parts, axis, data } = this, [a, b] = axis.range(), { right } = this.settings(), column = this.column(), rows = this.shown();
    parts.hair.hidden = axis.cross == null || axis.cross < a || axis.cross > b;
    parts.hair.style.left = `${(axis.cross - a) / (b - a) * (parts.score.clientWidth - right)}px`;
    parts.readout.textContent = column < 0 ? "" : this.said(rows[this.over] ?? this.row(), column);
    [...parts.traces.children].forEach((figure) => {
      const values = data.levels?.data[this.row()?.at]?.mean[figure.dataset.figure] ?? [], [caption, box] = figure.children, out = caption.lastChild;
      const at = column < 0 ? lastAt(data.levels?.steps ?? [], null, values) : values[column] != null ? column : -1;
      out.textContent = show(at < 0 ? null : values[at]);
      const hair = box.lastChild;
      hair.hidden = parts.hair.hidden;
      hair.style.left = `${(axis.cross - a) / (b - a) * (box.clientWidth - 48)}px`;
    });
  }
  said(row, column) { // one cell in words
    if (!row) return "";
    const { most: { change }, sum: { fired } } = this.data.levels.data[row.at], times = Math.round(fired?.[column] ?? 0);
    const did = times ? `${times > 1 ? `fired ${whole(times)} times, largest update` : "update"} ${show(change?.[column])} of its norm` : "did not fire";
    return `step ${whole(this.data.levels.steps[column])} · ${row.label} · ${did}`;
  }
  traces(ink) {
    const { parts, data, axis } = this, row = this.row(), mean = data.levels?.data[row?.at]?.mean ?? {}, height = 62, [from, to] = axis.range();
    const shown = Object.keys(FIGURES).filter((name) => mean[name]), colour = css(readable(row?.colour ?? "#000000", ink, 3));
    parts.traced.textContent = row?.label ?? "Level"; parts.traced.style.setProperty("--nl-dot", colour);
    parts.kept.textContent = this.kept(row);
    if (parts.traces.dataset.shown !== shown.join()) {
      parts.traces.dataset.shown = shown.join();
      parts.traces.replaceChildren(...shown.map((name) => {
        const figure = node("figure", null, { "data-figure": name }), caption = node("figcaption", figure, { text: FIGURES[name] });
        node("output", caption);
        const box = node("div", figure);
        node("canvas", box, { role: "img", "aria-label": `${FIGURES[name]} over the run` });
        node("div", box, { class: "nl-hair", hidden: "" });
        return figure;
      }));
    }
    const places = (data.levels?.steps ?? []).map((step) => axis.place(step));
    shown.forEach((name, i) => {
      const canvas = parts.traces.children[i].querySelector("canvas"), values = mean[name], [context, width] = paper(canvas, height);
      let [a, b] = extent([values.filter((_, k) => places[k] >= from && places[k] <= to)]);
      if (!(a < Infinity)) return;
      const room = Math.abs(b || 1) / 100; // rounding is not a wave
      if (b - a < room) [a, b] = [a - room, b + room];
      const across = width - 48, y = (v) => 5 + (b - v) / (b - a) * (height - 10);
      Object.assign(context, { font: `11px ${ink.font}`, textBaseline: "middle" });
      for (const v of [a, b]) {
        const level = Math.round(y(v)) + 0.5;
        stroke(context, [0, across], [level, level], css(ink.line), 1);
        context.fillStyle = css(ink.soft); context.fillText(show(v), width - 42, y(v) + (v === a ? -2 : 2));
      }
      context.save(); context.beginPath(); context.rect(0, 0, across, height); context.clip();
      stroke(context, places.map((x) => (x - from) / (to - from) * across), values.map((v) => v == null ? null : y(v)), colour, 1.7, CANVAS_DASH[row.dash]);
      context.restore();
    });
  }
}
