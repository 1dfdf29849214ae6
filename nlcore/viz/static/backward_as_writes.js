// Backpropagation as writes: one layer at one step, laid out as the product it is.
//     loss, surprise, write over time | keys: points x in
//     surprises: out x points         | write: out x in
// The tape holds, for each layer, {name, lines, keys, surprises, write}; a matrix comes as its packed cells, -127
// to 127 of the largest of its step, and these largest.

const LOW = -3, HIGH = 0.5; // powers of ten that the graph spans
const BLUE = [33, 102, 172], RED = [178, 24, 43];
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Always three digits: what plays does not jump.
const steady = (x) => (x === 0 ? "0" : Math.abs(x) < 1e-4 ? x.toExponential(1) : x.toPrecision(3)).replace(/-/g, "−");
const percent = (share) => `${(100 * share).toFixed(3)}%`;

function render({ model, el }) {
  const layers = model.get("tape"), last = layers[0].lines[0].y.length - 1;
  const root = node("div", el, { class: "nl nl-writes", role: "group", "aria-label": "Backpropagation as writes" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), () => panel.reset());
  const body = node("div", root, { class: "nl-body" });
  const panel = controlPanel(body, model.get("controls"), model.get("at"), (at) => model.set("at", at)); // the kernel need not know
  const picture = node("div", body, { class: "nl-writes-picture" });
  const graph = makeGraph(picture, layers[0].lines, last);
  const keys = makeHeat(picture, "keys"), surprises = makeHeat(picture, "surprises"), write = makeHeat(picture, "write");
  const told = node("output", picture, { class: "nl-writes-told nl-soft" });
  let cells = null, ink = null, pointed = null;

  // ---- drawing ----

  function draw() {
    const at = model.get("at"), layer = layers[at.layer];
    panel.put(at);
    graph.draw(layer.lines, at.step, ink);
    if (!cells) return;
    const shown = (part) => frame(layer[part], cells[at.layer][part], at);
    const [x, delta, change] = [shown("keys"), shown("surprises"), shown("write")];
    x.end = 1;
    keys.draw(x, "Keys x, ±1", `${x.rows} points`, `${x.columns} entries of x`);
    surprises.draw(delta, `Surprises δ, turned, ±${steady(delta.end)}`, `${delta.rows} entries of δ`, `${delta.columns} points`);
    write.draw(change, `Write, ±${steady(change.end)}`, `${change.rows} entries of δ`, `${change.columns} entries of x`);
    point(change);
  }

  // A cell of the write is one row of surprises against one column of keys.
  function point(change) {
    const cell = pointed && { row: Math.min(pointed.row, change.rows - 1), column: Math.min(pointed.column, change.columns - 1) };
    write.mark(cell);
    keys.mark(cell && { column: cell.column });
    surprises.mark(cell && { row: cell.row });
    told.textContent = !cell
      ? "Point at a cell of the write, or go there with Tab and the arrow keys, to see which surprises met which keys."
      : `Entry ${cell.row + 1} of δ against entry ${cell.column + 1} of x, summed over all points: the weight changes by ${steady(change.at(cell.row, cell.column))}.`;
  }

  // ---- hands on the write ----

  function aim(cell) {
    pointed = cell;
    draw();
  }

  const field = write.field;
  const size = () => layers[model.get("at").layer].write;
  field.tabIndex = 0;
  field.dataset.lmSuppressShortcuts = "true"; // the lab would take the arrow keys
  field.setAttribute("role", "application");
  field.setAttribute("aria-label", "Cells of the write: the arrow keys go from one to the next");
  field.onpointermove = ({ clientX, clientY }) => {
    const box = field.getBoundingClientRect(), { rows, columns } = size();
    const [row, column] = [Math.floor(((clientY - box.top) / box.height) * rows), Math.floor(((clientX - box.left) / box.width) * columns)];
    if (row !== pointed?.row || column !== pointed?.column) aim({ row: Math.max(row, 0), column: Math.max(column, 0) });
  };
  field.onpointerleave = () => { if (!field.matches(":focus-visible")) aim(null); };
  field.onfocus = () => { if (!pointed) aim({ row: 0, column: 0 }); };
  field.onblur = () => aim(null);
  field.onkeydown = (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { rows, columns } = size(), within = (value, count) => Math.min(Math.max(value, 0), count - 1);
    aim({ row: within(pointed.row + step[0], rows), column: within(pointed.column + step[1], columns) });
  };

  function dressed() {
    ink = inks(root);
    draw();
  }

  model.on("change:at", draw);
  const stop = follow(root, dressed);
  const shown = standIn(el), asking = prediction(before, model, locks(top, body, panel));
  dressed();
  awaited(body, unpackedLayers(layers), (found) => { cells = found; draw(); });
  return () => {
    panel.stop();
    stop();
    shown();
    asking();
    model.off("change:at", draw);
  };
}

// The cells of each layer's matrices.
function unpackedLayers(layers) {
  const one = async (layer) => Object.fromEntries(await Promise.all(["keys", "surprises", "write"].map(
    async (part) => [part, new Int8Array((await unpacked(layer[part].cells)).buffer)])));
  return Promise.all(layers.map(one));
}

// A matrix at one step: its size, its entries, its largest, and what full colour stands for.
function frame({ rows, columns, largest }, cells, { step, colours }) {
  const at = (row, column) => (cells[(step * rows + row) * columns + column] / 127) * largest[step];
  return { rows, columns, at, largest: largest[step], end: colours === 0 ? largest[step] : Math.max(...largest) };
}

// ---- one matrix: a pixel for each cell, its title and its sides ----

function makeHeat(parent, part) {
  const figure = node("figure", parent, { class: `nl-figure nl-writes-${part}` });
  const title = node("figcaption", figure);
  const down = node("div", figure, { class: "nl-down nl-soft" });
  const field = node("div", figure, { class: "nl-writes-field" });
  const canvas = node("canvas", field, { role: "img" });
  const across = node("div", figure, { class: "nl-across nl-soft" });
  const frame = node("i", field, { class: "nl-mark", hidden: "" });
  let size = null;

  function draw(matrix, text, rows, columns) {
    size = matrix;
    [title.textContent, down.textContent, across.textContent] = [text, rows, columns];
    canvas.setAttribute("aria-label", `${text}: ${matrix.rows} by ${matrix.columns}, the largest now ${steady(matrix.largest)}`);
    [canvas.width, canvas.height] = [matrix.columns, matrix.rows];
    const pen = canvas.getContext("2d"), image = pen.createImageData(matrix.columns, matrix.rows);
    for (let i = 0; i < matrix.rows * matrix.columns; i++) {
      const share = matrix.at(Math.floor(i / matrix.columns), i % matrix.columns) / (matrix.end || 1);
      image.data.set([...mixed([247, 247, 247], share > 0 ? RED : BLUE, Math.min(Math.abs(share), 1)), 255], 4 * i);
    }
    pen.putImageData(image, 0, 0);
  }

  // Frames a cell, or a whole row or column.
  function mark(cell) {
    frame.hidden = !cell;
    if (!cell) return;
    const { row, column } = cell;
    frame.style.top = row === undefined ? 0 : percent(row / size.rows);
    frame.style.height = row === undefined ? "100%" : percent(1 / size.rows);
    frame.style.left = column === undefined ? 0 : percent(column / size.columns);
    frame.style.width = column === undefined ? "100%" : percent(1 / size.columns);
  }

  return { field, draw, mark };
}

// ---- the lines over time, on a logarithmic axis, with their names and numbers above ----

function makeGraph(parent, lines, last) {
  const figure = node("figure", parent, { class: "nl-figure nl-writes-graph" });
  const legend = node("figcaption", figure, { class: "nl-writes-legend" });
  const down = node("div", figure, { class: "nl-down nl-soft" });
  const field = node("div", figure, { class: "nl-writes-field", role: "img" });
  const across = node("div", figure, { class: "nl-across nl-soft" });
  const x = (step) => percent(step / last), y = (value) => percent((HIGH - Math.log10(value)) / (HIGH - LOW));
  const plot = node("div", field);
  const names = lines.map((line) => {
    const entry = node("span", legend, { class: "nl-entry" });
    return { swatch: node("span", entry), text: node("span", entry), dot: node("i", field, { class: "nl-writes-dot", text: LETTERS[line.marker] }) };
  });
  for (let power = LOW; power <= HIGH; power++) node("span", down, { text: String(10 ** power), style: `top: ${y(10 ** power)}` });
  for (let step = 0; step <= last; step += 50) node("span", across, { text: String(step), style: `left: ${x(step)}` });
  node("span", across, { text: "step", style: `left: ${x(0.875 * last)}` });

  const stroke = (line, ink) => `fill="none" stroke="${css(readable(line.colour, ink, 3))}" stroke-width="2.2" stroke-dasharray="${STROKES[line.dash]}" vector-effect="non-scaling-stroke"`;
  const path = (line) => line.y.map((value, step) => `${step ? "L" : "M"}${step} ${(HIGH - Math.log10(value)).toFixed(4)}`).join("");

  function draw(lines, step, ink) {
    const grid = [0, 1, 2, 3].map((power) => `M0 ${power + HIGH}H${last}`).join("");
    plot.innerHTML = `<svg viewBox="0 0 ${last} ${HIGH - LOW}" preserveAspectRatio="none"><g fill="none" vector-effect="non-scaling-stroke">`
      + `<path d="${grid}" stroke="${css(ink.line)}" vector-effect="non-scaling-stroke"/>`
      + `<path d="M${step} 0V${HIGH - LOW}" stroke="${css(ink.soft)}" vector-effect="non-scaling-stroke"/></g>`
      + lines.map((line) => `<path d="${path(line)}" ${stroke(line, ink)}/>`).join("") + "</svg>";
    lines.forEach((line, i) => {
      const { swatch, text, dot } = names[i];
      swatch.innerHTML = `<svg width="28" height="8" aria-hidden="true"><path d="M0 4H28" ${stroke(line, ink)}/></svg>`;
      text.textContent = `${line.name}: ${steady(line.y[step])}`;
      Object.assign(dot.style, { left: x(step), top: y(line.y[step]), color: css(readable(line.colour, ink, 3)) });
    });
    field.setAttribute("aria-label", `Over ${last} steps, at step ${step}: ${lines.map((line) => `${line.name} ${steady(line.y[step])}`).join(", ")}`);
  }

  return { draw };
}

export default { render };
