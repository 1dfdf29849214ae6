// Draws a chart from its description (nlcore.viz.chart.data) with plotly: the same in a notebook and in the book.

const MODES = { line: "lines", points: "markers", both: "lines+markers" };
const MARGIN = { l: 58, r: 18, t: 8, b: 44 };
const ASLANT = 16; // pixels from a word aslant to the next
const HIGH = 270; // pixels of the axes
const BAR = 70; // pixels that a colour bar takes at the right
const CONFIG = { displayModeBar: false, showTips: false, doubleClick: false };
const BLUE_RED = [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]];

// `draw(chart)` draws or redraws, and says on each frame in words what is drawn; `home()` lets go of what the reader
// zoomed to, at the next redraw; `clear()` takes all away.
function charts(parent, Plotly) {
  const root = node("div", parent, { class: "nl-plots" });
  const together = node("div", root, { class: "nl-chart-legend nl-together" });
  const made = [];
  let home = 1, last = [];
  const letGo = () => { home += 1; };
  function draw(chart) {
    last = chart;
    const ink = inks(root);
    const shared = sharesLegend(chart);
    together.hidden = !shared;
    if (shared) legend(together, chart[0].lines, ink);
    while (made.length < chart.length) made.push(plotPlace(root, chart[made.length].width, chart.length > 2 ? 240 : 280)); // all, so that each has its width
    const low = Math.max(...chart.map((plot, i) => under(plot, ink, made[i].frame.clientWidth))); // the same, so that axes stand in one row
    chart.forEach((plot, i) => {
      made[i].title.textContent = plot.title;
      made[i].legend.hidden = shared || !plot.lines.some((line) => line.name);
      if (!shared) legend(made[i].legend, plot.lines, ink);
      made[i].frame.setAttribute("aria-label", inWords(plot));
      const wide = made[i].frame.clientWidth;
      if (!wide) return;
      Plotly.react(made[i].frame, traces(plot, ink), { ...layout(plot, ink, wide, low), uirevision: home }, CONFIG);
      made[i].back ??= made[i].frame.on("plotly_doubleclick", () => { letGo(); draw(last); }); // plotly's own way leads to the first frame of all
    });
  }
  return { root, draw, home: letGo, clear: () => { for (const one of made) Plotly.purge(one.frame); } };
}

function plotPlace(root, share, least) {
  const figure = node("figure", root, { class: "nl-chart", style: `flex: ${share} 1 ${Math.round(least * Math.min(share, 1.3))}px` });
  return {
    title: node("figcaption", figure),
    legend: node("div", figure, { class: "nl-chart-legend" }),
    frame: node("div", figure, { class: "nl-frame", role: "img" }),
  };
}

// One legend serves all plots when the first one names all that the others name.
function sharesLegend(chart) {
  const [first, ...others] = chart.map((plot) => plot.lines.map((line) => line.name).filter(Boolean));
  return others.length > 0 && others.flat().every((name) => first.includes(name));
}

function legend(place, lines, ink) {
  const entries = lines.filter((line) => line.name);
  place.replaceChildren(...entries.map((line) => {
    const entry = node("span", null, { class: "nl-entry" });
    entry.innerHTML = swatch(line, css(readable(line.colour, ink, 3)));
    entry.append(line.name);
    return entry;
  }));
}

const GLYPHS = { o: "M4 0A4 4 0 1 0-4 0A4 4 0 1 0 4 0", s: "M-3.5-3.5h7v7h-7z", "^": "M0-4.5 4 3.5H-4z", D: "M0-5 4.5 0 0 5-4.5 0z",
  v: "M0 4.5 4-3.5H-4z", P: "M-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z", X: "M-4-2.5-2.5-4 0-1.5 2.5-4 4-2.5 1.5 0 4 2.5 2.5 4 0 1.5-2.5 4-4 2.5-1.5 0z", "*": "M0-5 1.3-1.6 5-1.5 2 .7 3.1 4.3 0 2.2-3.1 4.3-2 .7-5-1.5-1.3-1.6z" };

function swatch({ style, dash, marker, strong }, colour) {
  const bars = ["bars", "lying"].includes(style) ? `<rect x="8" y="1" width="14" height="12" fill="${colour}"/>` : "";
  const stroke = ["line", "both"].includes(style) ? `<path d="M1 7H29" stroke="${colour}" stroke-width="${strong ? 4 : 2.4}" stroke-dasharray="${STROKES[dash]}"/>` : "";
  const mark = ["points", "both"].includes(style) ? `<path d="${GLYPHS[marker]}" transform="translate(15 7)" fill="${colour}"/>` : "";
  return `<svg width="30" height="14" aria-hidden="true">${bars}${stroke}${mark}</svg>`;
}

// ---- plotly's traces and layout ----

function traces(plot, ink) {
  const found = plot.heat ? [heat(plot.heat, ink)] : [];
  const drawn = plot.lines.filter((line) => line.style === "both");
  if (plot.heat) found.push(...drawn.map((line) => casing(line, ink))); // under all lines, so that none hides another
  for (const line of plot.lines) {
    if (line.band) found.push(band(line, ink));
    found.push(["bars", "lying"].includes(line.style) ? bars(line, ink) : curve(line, ink));
  }
  return found;
}

const quiet = { showlegend: false, hoverinfo: "skip" };

function curve(line, ink) {
  const colour = css(readable(line.colour, ink, 3));
  return {
    type: "scatter", mode: MODES[line.style], x: line.x, y: line.y, showlegend: false, name: line.name,
    line: { color: colour, dash: DASHES[line.dash], width: line.strong ? 4 : 2.2 },
    marker: { symbol: SYMBOLS[line.marker], size: line.size, color: colour },
    hovertemplate: `%{x:.4~g}: %{y:.4~g}<extra>${line.name}</extra>`,
  };
}

const bars = (line, ink) => ({
  type: "bar", x: line.x, y: line.y, orientation: line.style === "lying" ? "h" : "v", showlegend: false,
  marker: { color: css(readable(line.colour, ink, 3)) }, hovertemplate: `%{${line.style === "lying" ? "x" : "y"}:.4~g}<extra>${line.name}</extra>`,
});
const casing = (line, ink) => ({
  type: "scatter", mode: "lines", x: line.x, y: line.y, ...quiet, line: { color: css(ink.ground), width: 6 },
});
const band = (line, ink) => ({
  type: "scatter", mode: "none", fill: "toself", fillcolor: css(readable(line.colour, ink, 3), 0.18), ...quiet,
  x: [...line.x, ...[...line.x].reverse()], y: [...line.band[1], ...[...line.band[0]].reverse()],
});

function heat({ z, x, y, low, high, label, ramp, contours }, ink) {
  const pale = [[0, css(mixed(ink.ground, ink.text, 0.02))], [1, css(mixed(ink.ground, ink.text, 0.24))]];
  const empty = z.every((row) => row.every((value) => value === null)); // plotly would leave out the bar, and the frame's own size
  const kept = {
    x, y, z: empty ? z.map((row) => row.map(() => low)) : z, opacity: empty ? 0 : 1, zmin: low, zmax: high, showscale: Boolean(label), colorscale: { bright: "Cividis", diverging: BLUE_RED, pale }[ramp],
    colorbar: { thickness: 12, len: 1, lenmode: "fraction", x: 1, xpad: 8, ypad: 0, outlinewidth: 0, tickvals: few(low, high), ticks: "outside", ticklen: 4, tickcolor: css(ink.line) },
    ...(empty ? { hoverinfo: "skip" } : { hovertemplate: "%{x:.4~g}, %{y:.4~g}: %{z:.3~g}<extra></extra>" }),
  };
  if (!contours) return { type: "heatmap", ...kept };
  return { type: "contour", autocontour: false, contours: { start: low, end: high, size: (high - low) / contours }, line: { width: 0.3, color: css(ink.soft, 0.5) }, ...kept };
}

// Round numbers from low to high, five or so; plotly's own follow the contours.
function few(low, high) {
  const rough = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(rough)), step = unit * [1, 2, 2.5, 5, 10].find((by) => by * unit >= rough * 0.99);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => +((first + i) * step).toPrecision(6));
}

const pen = document.createElement("canvas").getContext("2d");

// Pixels that the longest of these ticks takes.
function longest(ticks, ink) {
  pen.font = `12px ${ink.font}`;
  return Math.max(0, ...(ticks?.words ?? []).map((word) => pen.measureText(word).width));
}

// Pixels at the left and the right of the axes.
const sides = (plot, ink) => [Math.max(MARGIN.l, 14 + longest(plot.yTicks, ink) + (plot.y ? 20 : 0)), plot.heat?.label ? MARGIN.r + BAR : MARGIN.r];

// Pixels from one tick across to the next, where they are nearest.
function room(plot, ink, wide) {
  const [left, right] = sides(plot, ink), [from, to] = (plot.xRange ?? [0, plot.xTicks.at.length]).map((end) => onLog(end, plot.xLog));
  const at = plot.xTicks.at.map((place) => onLog(place, plot.xLog)), gaps = at.slice(1).map((place, i) => place - at[i]);
  return (Math.min(...gaps) / (to - from)) * (wide - left - right);
}

// Whether the words at the ticks across would run into each other, and so have to stand aslant.
const slanted = (plot, ink, wide) => Boolean(plot.xTicks) && longest(plot.xTicks, ink) + 8 > room(plot, ink, wide);

// The ticks across: where even words aslant would run into each other, every second, or third, and so on.
function ticksAcross(plot, ink, wide) {
  const every = slanted(plot, ink, wide) ? Math.ceil(ASLANT / room(plot, ink, wide)) : 1;
  const kept = (of) => of.filter((_, i) => i % every === 0);
  return plot.xTicks && { at: kept(plot.xTicks.at), words: kept(plot.xTicks.words) };
}

// Pixels below the axes.
const under = (plot, ink, wide) => (slanted(plot, ink, wide) ? Math.max(MARGIN.b, 24 + longest(plot.xTicks, ink) * Math.SQRT1_2 + (plot.x ? 20 : 0)) : MARGIN.b);

function layout(plot, ink, wide, low) {
  const [left, right] = sides(plot, ink);
  const high = plot.square ? Math.min(HIGH, wide - left - right) : HIGH;
  return {
    width: wide, height: high + MARGIN.t + low, margin: { ...MARGIN, l: left, r: right, b: low }, bargap: 0.2, barmode: "overlay",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: css(ink.text), size: 12, family: ink.font },
    hovermode: "closest", hoverlabel: { bgcolor: css(ink.raised), font: { color: css(ink.text) } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
    xaxis: { ...axis(plot.x, plot.xRange, plot.xLog, ticksAcross(plot, ink, wide), plot, ink), ...(plot.xTicks ? { tickangle: slanted(plot, ink, wide) ? -45 : 0 } : {}) },
    yaxis: { ...axis(plot.y, plot.yRange, plot.yLog, plot.yTicks, plot, ink), ...(plot.square ? { scaleanchor: "x" } : {}), ...(plot.heat?.down && !plot.yRange ? { autorange: "reversed" } : {}) },
    shapes: plot.references.map(({ at }) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: at, y1: at, line: { color: css(ink.soft), width: 1, dash: DASHES.reference } })),
    annotations: [...plot.references.map((one) => named(one, plot, ink)), ...outside(plot, ink), ...note(plot, ink), ...barTitle(plot, ink)],
  };
}

const onLog = (value, log) => (log ? Math.log10(value) : value);

function axis(title, range, log, ticks, plot, ink) {
  return {
    title: { text: title, standoff: 6 }, type: log ? "log" : "linear", gridcolor: css(ink.line), showgrid: !plot.heat, zeroline: !ticks && plot.lines.some((line) => line.style === "lying"), zerolinecolor: css(ink.soft),
    linecolor: css(ink.soft), showline: !plot.heat, ticks: "outside", tickcolor: css(ink.line), ticklen: 4, exponentformat: "power",
    ...(range ? { range: range.map((end) => onLog(end, log)) } : { autorange: true }),
    ...(ticks ? { tickvals: ticks.at, ticktext: ticks.words } : {}),
  };
}

const CLEAR = 5; // pixels between a reference and its name, for a line that lies on it
const said = { showarrow: false, font: { size: 11 } };
const named = ({ at, name, right, above }, plot, ink) => ({
  ...said, xref: "paper", x: right ? 1 : 0, y: onLog(at, plot.yLog), xanchor: right ? "right" : "left", yanchor: above ? "bottom" : "top", yshift: above ? CLEAR : -CLEAR,
  text: name, bgcolor: css(ink.ground, 0.7), borderpad: 0, font: { size: 11, color: css(ink.soft) },
});
function outside(plot, ink) {
  const rows = { top: 0, middle: 0, bottom: 0 }, apart = { top: -15, middle: 0, bottom: 15 };
  return plot.lines.flatMap((line) => line.exits.map(({ x, y, words, across, up }) => ({
    ...said, x: onLog(x, plot.xLog), y: onLog(y, plot.yLog), xanchor: across, yanchor: up, yshift: apart[up] * rows[up]++,
    text: words, bgcolor: css(ink.ground, 0.7), borderpad: 0, font: { size: 12, color: css(readable(line.colour, ink)) },
  })));
}
const barTitle = ({ heat: field }, ink) => (field?.label // plotly's own one lies on the bar's numbers
  ? [{ ...said, xref: "paper", yref: "paper", x: 1, xanchor: "center", xshift: BAR, y: 0.5, textangle: -90, text: field.label, font: { size: 12, color: css(ink.text) } }] : []);
const note = ({ note: text }, ink) => (text
  ? [{ ...said, xref: "paper", yref: "paper", x: 0.5, y: 0.5, text, font: { size: 13, color: css(ink.soft) } }] : []);

// ---- what is drawn, in words ----

function inWords(plot) {
  const about = [`${plot.title}.`, plot.x && plot.y ? `${plot.y} by ${plot.x}.` : plot.x ? `Across, ${plot.x}.` : plot.y ? `Up, ${plot.y}.` : ""];
  if (plot.heat) about.push(`A field of ${plot.heat.z.length} by ${plot.heat.z[0].length} cells, ${plot.heat.label || "values"} from ${short(plot.heat.low)} to ${short(plot.heat.high)}.`);
  return [...about, ...plot.lines.map((line) => lineInWords(line, plot)), plot.note].filter(Boolean).join(" ");
}

const MOST = 16; // points that are named one by one

function lineInWords(line, plot) {
  const there = line.y.map((value, i) => [line.x[i], value]).filter((point) => !point.includes(null));
  const twin = plot.lines.find((other) => other.name && other.colour === line.colour);
  const name = line.name || (twin ? `The line of ${twin.name.split(":")[0]}` : "A line");
  if (!there.length) return `${name}: nothing to show.`;
  const points = line.style === "points", at = (point, axis) => tick(point[axis], [plot.xTicks, plot.yTicks][axis]);
  const named = (axis) => there.every((point) => [plot.xTicks, plot.yTicks][axis]?.at.includes(point[axis]));
  const each = (say) => `${name}: ${there.slice(0, MOST).map(say).join(", ")}${there.length > MOST ? ", and so on" : ""}.`;
  if (line.style === "lying") return each((point) => `${at(point, 1)} ${short(point[0])}`);
  if (line.style === "bars" || there.length === 1 || (points && named(0))) return each((point) => `${at(point, 1)} at ${at(point, 0)}`);
  const row = there[0][1];
  if (points && named(1) && there.every((point) => point[1] === row)) return `${name}: ${there.length} points at ${at(there[0], 1)}, ${at(there[0], 0)} to ${at(there.at(-1), 0)}.`;
  if (points && named(1)) return each((point) => `${short(point[0])} at ${at(point, 1)}`);
  const values = there.map(([, value]) => value), [low, high] = [Math.min(...values), Math.max(...values)];
  const [from, to] = [there[0], there.at(-1)];
  const range = low < Math.min(from[1], to[1]) || high > Math.max(from[1], to[1]) ? `, between ${short(low)} and ${short(high)}` : "";
  if (points) return `${name}: ${there.length} points${range || `, ${short(low)} to ${short(high)}`}.`;
  return `${name}: from ${short(from[1])} at ${tick(from[0], plot.xTicks)} to ${short(to[1])} at ${tick(to[0], plot.xTicks)}${range}${line.exits.length ? "; part of it outside the frame" : ""}.`;
}

function tick(value, ticks) {
  const place = ticks?.at.indexOf(value) ?? -1;
  return place >= 0 ? ticks.words[place] : short(value);
}
