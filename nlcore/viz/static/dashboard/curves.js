// Curves of one or more runs over the shared axis: plotly draws them, and what is read off them stands beside them.

const PANELS = { // what is drawn of a run's metrics: figures, a title, how a value is said, and what may be done to it
  loss: { title: "Bits per byte", figures: { loss: "training", validation_bits_per_byte: "validation" }, say: (v) => v.toFixed(3), height: 210, jumps: true, logs: true },
  gradient_norm: { title: "Gradient norm", say: show, height: 74, jumps: true, logs: true },
  lr: { title: "Learning rate", say: show, height: 74, logs: true },
  tokens_per_second: { title: "Tokens per second", say: whole, height: 74, jumps: true },
  memory: { title: "Memory held", say: memorySize, height: 74 },
};
const FEET = 22; // pixels below the last panel of a group, for the axis

function swatch(parent, look, marked) {
  const drawn = svg("svg", parent, { width: 24, height: 10, "aria-hidden": "true" });
  svg("line", drawn, { x1: 0, x2: 24, y1: 5, y2: 5, stroke: look.ink, "stroke-width": marked ? 2.2 : 1.4, "stroke-dasharray": STROKES[look.dash], opacity: look.faint ?? 1 });
  if (marked && look.marker) svg("circle", drawn, { cx: 12, cy: 5, r: 3, fill: look.ink });
}

class Curves {
  // `data` is the dashboard's, `settings()` gives log, smoothing and margins; `parent` gets one panel for each name.
  constructor(parent, names, data, axis, settings) {
    Object.assign(this, { data, axis, settings, names });
    this.panels = names.map((name) => {
      const box = node("div", parent, { class: "nl-panel" }), legend = node("div", box, { class: "nl-values" });
      const area = node("div", box, { class: "nl-plot", "data-plot": name }), plot = node("div", area), hair = node("div", area, { class: "nl-hair", hidden: "" });
      pointAt(area, axis, () => [settings().left, settings().right]);
      return { name, box, legend, area, plot, hair, ...PANELS[name] };
    });
  }
  // Lines of one panel: places, values as told, values as drawn, and how they look.
  lines(panel, ink) {
    const { data, axis } = this, { smoothing } = this.settings(), found = [];
    [data.metrics, ...data.others].forEach((table, i) => {
      const run = data.runs[i];
      if (!table?.data.length || !run || data.hidden.has(i)) return;
      const places = axis.places(table, run), colour = css(readable(run.colour, ink, 3)), mean = table.data[0].mean;
      for (const [figure, name] of Object.entries(panel.figures ?? { [panel.name]: "" })) {
        const values = mean[figure];
        if (!values?.some((v) => v != null)) continue;
        const marked = figure === "validation_bits_per_byte", soft = panel.jumps && !marked && smoothing > 0;
        found.push({ figure, name, run: i, places, values, steps: table.steps, drawn: soft ? smoothed(values, smoothing) : values, raw: soft ? values : null,
          look: { ink: colour, dash: run.dash, marker: marked ? run.marker : "", faint: panel.name === "loss" && !marked ? 0.75 : 1 } });
      }
    });
    return found;
  }
  draw(Plotly, ink) {
    this.panels.forEach((panel, at) => {
      const lines = panel.lines = this.lines(panel, ink);
      panel.box.hidden = !lines.length && panel.name !== "loss";
      if (panel.box.hidden) return;
      panel.tall = this.settings().narrow ? panel.height : Math.max(panel.height, 26 + 19 * new Set(lines.map((line) => line.run)).size);
      const feet = at === this.panels.length - 1 ? FEET : 4;
      const [traces, layout] = this.described(panel, lines, ink, feet);
      panel.plot.style.height = `${layout.height}px`;
      Plotly.react(panel.plot, traces, layout, { displayModeBar: false, staticPlot: true });
      panel.area.setAttribute("aria-label", this.words(panel, lines));
    });
    this.read(ink);
  }
  described(panel, lines, ink, feet) {
    const { axis, data } = this, { log, left, right, narrow } = this.settings(), [a, b] = axis.range(), isLoss = panel.name === "loss";
    const inside = lines.map((line) => line.values.filter((_, i) => line.places[i] >= a && line.places[i] <= b));
    const pairs = isLoss ? data.runs[0]?.order1 : null, best = isLoss && !data.hidden.has(0) ? data.runs[0]?.best : null;
    let [low, high] = extent(lines.length ? [...inside, pairs == null ? [] : [pairs]] : []);
    if (!(low < Infinity)) [low, high] = [0, 1];
    const isLog = log && panel.logs && low > 0, from = isLog ? Math.log10(low) : low, to = isLog ? Math.log10(high) : high, room = (isLoss ? 0.12 : 0.07) * Math.max(to - from, Math.abs(to) / 50 || 0.01);
    const line = (soft, colour) => ({ color: colour, width: 1, dash: soft });
    const events = data.events.map(({ step }) => axis.place(Math.max(0, step - 1))).map((x) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: line("1px 3px", css(ink.soft)) }));
    const trace = (one, y, look) => ({ type: "scatter", x: one.places, y, mode: look.marker ? "lines+markers" : "lines", connectgaps: true, hoverinfo: "skip", opacity: look.faint,
      line: { color: look.ink, dash: DASHES[look.dash], width: look.marker ? 2 : 1.4 }, marker: { symbol: SYMBOLS[look.marker], size: 6, color: look.ink } });
    const traces = lines.flatMap((one) => [...(one.raw ? [trace(one, one.raw, { ...one.look, faint: 0.3 })] : []), trace(one, one.drawn, one.look)]);
    const shapes = [...events], annotations = [];
    const note = (more) => annotations.push({ showarrow: false, font: { color: css(ink.text), size: 11.5 }, bgcolor: css(ink.ground, 0.8), borderpad: 1, ...more });
    const y = (v) => isLog ? Math.log10(v) : v;
    if (pairs != null) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: pairs, y1: pairs, line: { color: css(ink.soft), width: 1.5, dash: DASHES.reference } });
      note({ xref: "paper", x: 1, xanchor: "right", y: y(pairs), yanchor: "bottom", text: `order-1 entropy ${pairs.toFixed(3)}${narrow ? "" : ": letter pairs alone know as much"}` });
    }
    if (best) {
      const x = axis.place(best.step);
      traces.push({ type: "scatter", x: [x], y: [best.value], mode: "markers", hoverinfo: "skip", marker: { symbol: "star", size: 13, color: css(ink.text), line: { color: css(ink.ground), width: 1 } } });
      const beside = (b - x) / (b - a) * (panel.area.clientWidth - left - right) > 170; // a loss falls: above it is room on the right, below on the left
      const near = pairs != null && Math.abs(y(pairs) - y(best.value)) / (to - from + 2 * room) * panel.tall < 20; // the entropy's words lie there
      if (x >= a && x <= b) note({ x, y: y(best.value), xanchor: beside ? "left" : "right", yanchor: beside ? "bottom" : "top", yshift: beside ? 6 : near ? -24 : -6, text: `best ${best.value.toFixed(3)} at step ${whole(best.step)}` });
    }
    const font = { color: css(ink.soft), family: ink.font, size: 11.5 }, grid = { gridcolor: css(ink.line), zeroline: false, linecolor: css(ink.line) };
    const ticks = panel.name === "memory" ? { tickformat: "~s", ticksuffix: "B" } : isLoss ? { tickformat: ".3~g" } : { tickformat: "~s" };
    if (panel.name === "lr") ticks.tickformat = ".1~e";
    return [traces, {
      width: Math.max(120, panel.area.clientWidth), height: panel.tall + feet, margin: { l: left, r: right, t: 6, b: feet, pad: 0 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font, showlegend: false, hovermode: false, dragmode: false, shapes, annotations,
      xaxis: { ...grid, range: [a, b], fixedrange: true, showticklabels: feet === FEET, nticks: Math.max(3, Math.floor((panel.area.clientWidth - left) / 80)), tickformat: this.axis.unit === "tokens" ? "~s" : ",~g" },
      yaxis: { ...grid, ...ticks, type: isLog ? "log" : "linear", range: [from - room, to + room], fixedrange: true, nticks: isLoss ? 7 : 3, ...(isLog && to - from < 1 ? { dtick: isLoss ? "D1" : "D2" } : {}) },
    }];
  }
  // Values at the crosshair, or the last ones in sight.
  read(ink) {
    const { data, axis } = this, { left, right } = this.settings(), [a, b] = axis.range();
    for (const panel of this.panels) {
      const { legend, hair, area } = panel;
      hair.hidden = axis.cross == null || axis.cross < a || axis.cross > b;
      hair.style.left = `${left + (axis.cross - a) / (b - a) * (area.clientWidth - left - right)}px`;
      const told = (panel.lines ?? []).map((line) => {
        const i = axis.cross == null ? lastAt(line.places, b, line.values) : reportAt(line.places, axis.cross, line.values);
        return { ...line, at: i, value: i < 0 ? null : line.drawn[i] };
      });
      panel.told = told;
      const now = JSON.stringify(told.map(({ name, run, look, figure }) => [name, run, look, figure, data.runs[run].name])) + css(ink.text);
      if (legend.dataset.now !== now) {
        legend.dataset.now = now;
        this.explain(panel, told);
      }
      for (const line of told) {
        const out = legend.querySelector(`[data-value="${line.figure}-${line.run}"]`), said = line.value == null ? "–" : panel.say(line.value);
        if (out.textContent !== said) out.textContent = said;
      }
    }
  }
  // What is drawn how: a line for each curve or, of several runs, a line for each run.
  explain(panel, told) {
    const { legend } = panel, several = told.some((line) => line.run), rows = several ? Object.values(Object.groupBy(told, (line) => line.run)) : told.map((line) => [line]);
    legend.replaceChildren();
    const title = node("strong", legend, { text: panel.title });
    if (several && panel.figures) node("small", title, { text: Object.values(panel.figures).join(", ") });
    for (const lines of rows) {
      const row = node("div", legend), last = lines.at(-1), name = several ? this.data.runs[last.run].name : last.name;
      swatch(row, last.look, !!last.look.marker);
      node("span", row, { text: name, title: name });
      for (const line of lines) node("output", row, { "data-value": `${line.figure}-${line.run}` });
    }
  }
  // One panel in a sentence, for whoever cannot see it.
  words(panel, lines) {
    const parts = lines.map((line) => {
      const there = line.values.filter((v) => v != null);
      return `${[this.data.runs[line.run].name, line.name].filter(Boolean).join(", ")}, from ${panel.say(there[0])} to ${panel.say(there.at(-1))}`;
    });
    return `${panel.title} over ${UNITS[this.axis.unit]}: ${parts.join("; ") || "nothing yet"}.`;
  }
  // What stands at the crosshair, in words.
  told() {
    return this.panels.flatMap((panel) => (panel.told ?? []).filter((line) => line.value != null).map((line) =>
      `${[line.run ? this.data.runs[line.run].name : "", line.name || panel.title.toLowerCase()].filter(Boolean).join(" ")} ${panel.say(line.value)}`));
  }
}
