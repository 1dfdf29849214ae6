// The one axis under all pictures: its unit, the part of it that is shown, and where the crosshair stands.

const UNITS = { step: "step", tokens: "tokens read", minutes: "minutes of training" };

class Axis {
  constructor(data, changed) {
    Object.assign(this, { data, changed, unit: "step", shown: null, cross: null });
  }
  // Places of a run's reported columns, in the unit of the axis.
  places(table, run) {
    if (this.unit === "tokens") return table.steps.map((step) => step * run.tokens_a_step);
    return this.unit === "minutes" ? (table.data[0].most.elapsed ?? []).map((seconds) => seconds == null ? null : seconds / 60) : table.steps;
  }
  // Where a step of this run is. Between two reports time is taken to pass evenly.
  place(step) {
    const { metrics, runs } = this.data;
    if (this.unit === "tokens") return step * runs[0].tokens_a_step;
    if (this.unit === "step" || !metrics) return step;
    const { steps } = metrics, { elapsed = [] } = metrics.data[0].most;
    if (!steps.length) return 0;
    let i = steps.findIndex((s) => s >= step);
    if (i < 0) i = steps.length - 1;
    const [s0, t0, s1, t1] = [steps[i - 1] ?? 0, elapsed[i - 1] ?? 0, steps[i], elapsed[i] ?? 0];
    return (t0 + (s1 > s0 ? Math.max(0, step - s0) / (s1 - s0) : 0) * (t1 - t0)) / 60;
  }
  full() { // the whole run, halved while less than half of it is there
    const { data } = this, tables = [data.metrics, ...data.others.filter((_, i) => !data.hidden.has(i + 1))].filter((table) => table?.steps.length);
    if (this.unit === "minutes") return [0, 1.01 * Math.max(1 / 60, ...tables.map((table) => (table.data[0].most.elapsed?.at(-1) ?? 0) / 60))];
    const now = Math.max(1, data.levels?.steps.at(-1) ?? 1, ...tables.map((table) => table.steps.at(-1)));
    let wide = data.state.steps ?? 0;
    if (wide < now) for (wide = 64; wide < now;) wide *= 2;
    while (wide / 2 >= now && wide > 16) wide /= 2;
    return [0, this.place(this.unit === "tokens" ? wide : 0) || wide];
  }
  range() { return this.shown ?? this.full(); }
  choose(unit) { Object.assign(this, { unit, shown: null, cross: null }); this.changed(); }
  zoom(a, b) {
    const [low, high] = this.full(), least = (high - low) / 1000;
    const from = Math.max(low, Math.min(a, b, high - least)), to = Math.min(high, Math.max(a, b, from + least));
    this.shown = from <= low && to >= high ? null : [from, to];
    this.changed();
  }
  all() { this.shown = null; this.changed(); }
  scale(factor) { // about the crosshair, if it is in sight
    const [a, b] = this.range(), here = this.cross != null && this.cross >= a && this.cross <= b ? this.cross : (a + b) / 2;
    this.zoom(here - (here - a) * factor, here + (b - here) * factor);
  }
  pan(share) {
    const [low, high] = this.full(), [a, b] = this.range(), move = Math.min(Math.max(share * (b - a), low - a), high - b);
    this.zoom(a + move, b + move);
  }
  // Moves the crosshair by so many of this run's reports; what is shown goes along.
  walk(count) {
    const { metrics, runs } = this.data;
    if (!metrics?.steps.length) return;
    const places = this.places(metrics, runs[0]), [a, b] = this.range();
    const at = this.cross == null ? lastAt(places, b) : reportAt(places, this.cross, places) + count;
    this.point(places[Math.min(Math.max(at, 0), places.length - 1)]);
    if (this.shown && (this.cross < a || this.cross > b)) this.pan((this.cross - (a + b) / 2) / (b - a));
  }
  point(x) {
    if (x === this.cross) return;
    this.cross = x;
    this.changed(true);
  }
  // The unit in words, for a place on it.
  say(x) {
    if (this.unit === "minutes") return `${lasting(60 * x)} of training`;
    return this.unit === "tokens" ? `${whole(x)} tokens` : `step ${whole(x)}`;
  }
}

// Dragging selects a part of the axis, a double click shows the whole run again, and the pointer moves the crosshair.
function pointAt(area, axis, margin, click = () => {}) {
  let began = null;
  const box = node("div", area, { class: "nl-chosen", hidden: "" });
  const inner = () => { const { left, width } = area.getBoundingClientRect(), [l, r] = margin(); return [left + l, Math.max(1, width - l - r), l]; };
  const share = (event) => { const [left, width] = inner(); return Math.min(1, Math.max(0, (event.clientX - left) / width)); };
  const at = (part) => { const [a, b] = axis.range(); return a + part * (b - a); };
  area.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("button")) return;
    began = { share: share(event), x: event.clientX };
    area.setPointerCapture(event.pointerId);
  });
  area.addEventListener("pointermove", (event) => {
    const now = share(event), [, width, left] = inner();
    axis.point(at(now));
    if (!began) return;
    box.hidden = Math.abs(event.clientX - began.x) < 5;
    box.style.left = `${left + Math.min(now, began.share) * width}px`;
    box.style.width = `${Math.abs(now - began.share) * width}px`;
  });
  area.addEventListener("pointerup", (event) => {
    if (!began) return;
    const from = began.share;
    began = null;
    if (box.hidden) return click(event);
    box.hidden = true;
    axis.zoom(at(from), at(share(event)));
  });
  area.addEventListener("pointercancel", () => { began = null; box.hidden = true; });
  area.addEventListener("pointerleave", () => { if (!began) axis.point(null); });
  area.addEventListener("dblclick", () => axis.all());
}

// The same by keyboard, on whatever has the focus.
function walkBy(area, axis) {
  area.dataset.lmSuppressShortcuts = "true";
  area.addEventListener("keydown", (event) => {
    const { key, shiftKey } = event, side = { ArrowLeft: -1, ArrowRight: 1 }[key];
    const does = side ? () => shiftKey ? axis.pan(side / 4) : axis.walk(side)
      : { PageUp: () => axis.walk(-10), PageDown: () => axis.walk(10), "+": () => axis.scale(0.5), "=": () => axis.scale(0.5), "-": () => axis.scale(2),
          0: () => axis.all(), Home: () => axis.all(), Escape: () => axis.point(null) }[key];
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  });
}
