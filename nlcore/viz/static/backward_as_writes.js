// Backpropagation as writes: one layer at one step, laid out as the product it is.
//     loss, surprise, write over time | keys: points x in
//     surprises: out x points         | write: out x in
// Python sends the whole run as a tape; the browser plays it.

const STEPS_A_SECOND = 12;
const PADS = { left: 52, top: 24, middle: 44, between: 56, right: 10, bottom: 34 };
const KEYS_WIDE = 190; // at most, and a quarter of a narrow page
const KEYS_HIGH = 300;
const WRITE_HIGH = 170;
const BLUE = [33, 102, 172];
const RED = [178, 24, 43];

function node(tag, parent, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  // On each control itself: from above it does not keep the lab from taking its arrow keys.
  if (["input", "button", "select"].includes(tag)) made.dataset.lmSuppressShortcuts = "true";
  parent.append(made);
  return made;
}

const raw = (view, kind) => new kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
const short = (x) => (x === 0 ? "0" : Math.abs(x) < 0.01 ? x.toExponential(1) : x.toFixed(Math.abs(x) < 1 ? 3 : 2));
const dashes = { solid: [], dashed: [7, 4], dotted: [2, 3] };

function colour(share) {
  const [end, size] = [share > 0 ? RED : BLUE, Math.min(Math.abs(share), 1)];
  return `rgb(${end.map((c) => Math.round(247 + (c - 247) * size)).join(",")})`;
}

function render({ model, el }) {
  const root = node("div", el, { class: "nl-writes", role: "group", "aria-label": "Backpropagation as writes" });
  const bar = node("div", root, { class: "nl-writes-bar" });
  const play = node("button", bar, { class: "nl-writes-play", type: "button" });
  const time = node("input", bar, { type: "range", min: 0, step: 1, "aria-label": "Step" });
  const where = node("output", bar, { class: "nl-writes-where" });
  const choices = node("div", root, { class: "nl-writes-bar" });
  node("label", choices, { text: "Layer" });
  const layer = node("input", choices, { type: "range", min: 0, step: 1, class: "nl-writes-layer", "aria-label": "Layer" });
  const name = node("output", choices, { class: "nl-writes-name" });
  node("label", choices, { text: "Full colour is the largest of" });
  const colours = node("select", choices, { "aria-label": "Full colour is the largest of" });
  for (const text of model.get("choices")) node("option", colours, { value: text, text });
  const canvas = node("canvas", root, { role: "img" });
  const told = node("output", root, { class: "nl-writes-told" });
  const pen = canvas.getContext("2d");

  let tape = null;
  let now = 0; // may lie between two steps while it plays
  let playing = false;
  let frame = 0;
  let last = 0;
  let pointed = null;

  // ---- state: the model's `value` is what the reader chose; playing tells it only where it stopped ----

  const value = () => model.get("value");
  const step = () => Math.floor(now);

  function choose(change) {
    model.set("value", { ...value(), ...change });
    model.save_changes();
  }

  function readTape() {
    const sent = model.get("tape");
    if (!sent.layers) return;
    const matrix = ({ cells, largest, rows, columns }) => ({ cells: raw(cells, Int8Array), largest: raw(largest, Float32Array), rows, columns });
    tape = {
      last: sent.last,
      right: sent.right,
      layers: sent.layers.map((one) => ({
        name: one.name, keys: matrix(one.keys), surprises: matrix(one.surprises), write: matrix(one.write),
        lines: one.lines.map((line) => ({ ...line, y: raw(line.y, Float32Array) })),
      })),
    };
    time.max = tape.last;
    layer.max = tape.layers.length - 1;
    follow();
  }

  function follow() {
    setPlaying(false, false);
    now = value().step;
    layer.value = value().layer;
    colours.value = value().colours;
    draw();
  }

  // ---- drawing ----

  // The four panels, in CSS pixels.
  function panels() {
    const narrow = Math.min(KEYS_WIDE, canvas.clientWidth / 4);
    const wide = canvas.clientWidth - PADS.left - PADS.between - narrow - PADS.right;
    const x = [PADS.left, PADS.left + wide + PADS.between];
    const y = [PADS.top, PADS.top + KEYS_HIGH + PADS.middle];
    return {
      lines: { x: x[0], y: y[0], w: wide, h: KEYS_HIGH - 22 },
      keys: { x: x[1], y: y[0], w: narrow, h: KEYS_HIGH },
      surprises: { x: x[0], y: y[1], w: wide, h: WRITE_HIGH },
      write: { x: x[1], y: y[1], w: narrow, h: WRITE_HIGH },
    };
  }

  function limit(matrix) {
    return value().colours === model.get("choices")[0] ? matrix.largest[step()] : Math.max(...matrix.largest);
  }

  const entry = (matrix, row, column) =>
    (matrix.cells[(step() * matrix.rows + row) * matrix.columns + column] / 127) * matrix.largest[step()];

  function heat(box, matrix, end, title, ink) {
    const [w, h] = [box.w / matrix.columns, box.h / matrix.rows];
    for (let r = 0; r < matrix.rows; r++) {
      for (let c = 0; c < matrix.columns; c++) {
        pen.fillStyle = colour(entry(matrix, r, c) / (end || 1));
        pen.fillRect(box.x + c * w, box.y + r * h, w + 0.5, h + 0.5);
      }
    }
    write(title, box.x, box.y - 8, ink, "left", 14);
  }

  function write(text, x, y, ink, align = "left", size = 12) {
    pen.font = `${size}px ${getComputedStyle(root).fontFamily}`;
    pen.fillStyle = ink;
    pen.textAlign = align;
    pen.fillText(text, x, y);
  }

  function sideways(text, x, y, ink) {
    pen.save();
    pen.translate(x, y);
    pen.rotate(-Math.PI / 2);
    write(text, 0, 0, ink, "center");
    pen.restore();
  }

  function frameOf(box, ink) {
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(box.x, box.y, box.w, box.h);
  }

  function graph(box, lines, ink) {
    const low = -3;
    const high = 0.5;
    const place = (t, y) => [box.x + (t / tape.last) * box.w, box.y + box.h * (1 - (Math.log10(y) - low) / (high - low))];
    for (const power of [-3, -2, -1, 0]) {
      const [, y] = place(0, 10 ** power);
      pen.globalAlpha = 0.18;
      pen.fillStyle = ink;
      pen.fillRect(box.x, y, box.w, 1);
      pen.globalAlpha = 1;
      write(String(10 ** power), box.x - 6, y + 4, ink, "right");
    }
    const every = box.w > 260 ? 50 : 100;
    for (let t = 0; t <= tape.last; t += every) write(String(t), place(t, 1)[0], box.y + box.h + 16, ink, "center");
    lines.forEach((line, i) => {
      pen.strokeStyle = pen.fillStyle = line.colour;
      pen.lineWidth = 2.2;
      pen.setLineDash(dashes[line.dash]);
      pen.beginPath();
      line.y.forEach((y, t) => pen.lineTo(...place(t, y)));
      pen.stroke();
      pen.beginPath();
      const key = box.y + 14 + 20 * i;
      pen.moveTo(box.x + box.w - 236, key - 4);
      pen.lineTo(box.x + box.w - 206, key - 4);
      pen.stroke();
      pen.setLineDash([]);
      pen.beginPath();
      pen.arc(...place(step(), line.y[step()]), 6, 0, 7);
      pen.fill();
      write(`${line.name}: ${short(line.y[step()])}`, box.x + box.w - 198, key, ink, "left", 13);
    });
    write("step", box.x + box.w * (1 - every / 400), box.y + box.h + 16, ink, "center");
  }

  function draw() {
    if (!tape || !canvas.clientWidth) return;
    const sharp = window.devicePixelRatio || 1;
    const high = PADS.top + KEYS_HIGH + PADS.middle + WRITE_HIGH + PADS.bottom;
    canvas.style.height = `${high}px`;
    canvas.width = canvas.clientWidth * sharp;
    canvas.height = high * sharp;
    pen.setTransform(sharp, 0, 0, sharp, 0, 0);
    const ink = getComputedStyle(root).color;
    const one = tape.layers[value().layer];
    const box = panels();
    const [most, change] = [limit(one.surprises), limit(one.write)];
    graph(box.lines, one.lines, ink);
    heat(box.keys, one.keys, 1, "Keys x, ±1", ink);
    heat(box.surprises, one.surprises, most, `Surprises δ, turned, ±${short(most)}`, ink);
    heat(box.write, one.write, change, `Write, ±${short(change)}`, ink);
    sideways(`${one.keys.rows} points`, box.keys.x - 8, box.keys.y + box.keys.h / 2, ink);
    sideways(`${one.write.rows} entries of δ`, box.surprises.x - 8, box.surprises.y + box.surprises.h / 2, ink);
    write(`${one.keys.rows} points`, box.surprises.x + box.surprises.w / 2, box.surprises.y + box.surprises.h + 18, ink, "center");
    write(`${one.keys.columns} entries of x`, box.write.x + box.write.w / 2, box.write.y + box.write.h + 18, ink, "center");
    if (pointed) mark(box, one, ink);
    say(one);
  }

  function say(one) {
    const t = step();
    const state = `step ${t}: loss ${short(one.lines[0].y[t])}, ${tape.right[t]} of ${tape.layers[0].keys.rows} right`;
    time.value = t;
    time.setAttribute("aria-valuetext", state);
    where.textContent = state;
    name.textContent = one.name;
    layer.setAttribute("aria-valuetext", one.name);
    play.textContent = playing ? "❚❚ Pause" : t === tape.last ? "↻ Play again" : "▶ Play";
    canvas.setAttribute("aria-label", `Layer ${one.name}, ${state}. Largest surprise ${short(one.surprises.largest[t])}, largest change ${short(one.write.largest[t])}.`);
    if (!pointed) told.textContent = "Point at a cell of the write to see which surprises met which keys.";
  }

  // A cell of the write is one row of surprises against one column of keys.
  function mark(box, one, ink) {
    const [w, h] = [box.write.w / one.write.columns, box.write.h / one.write.rows];
    const column = Math.floor((pointed[0] - box.write.x) / w);
    const row = Math.floor((pointed[1] - box.write.y) / h);
    frameOf({ x: box.write.x + column * w, y: box.write.y + row * h, w, h }, ink);
    frameOf({ x: box.keys.x + column * w, y: box.keys.y, w, h: box.keys.h }, ink);
    frameOf({ x: box.surprises.x, y: box.surprises.y + row * h, w: box.surprises.w, h }, ink);
    told.textContent = `Entry ${row + 1} of δ against entry ${column + 1} of x, summed over all points: the weight changes by ${short(entry(one.write, row, column))}.`;
  }

  // ---- time and hands ----

  function tick(stamp) {
    // A frame's stamp may lie before the moment that asked for it.
    now = Math.min(now + (Math.max(stamp - last, 0) / 1000) * STEPS_A_SECOND, tape.last);
    last = stamp;
    if (now >= tape.last || !root.isConnected) setPlaying(false);
    draw();
    if (playing) frame = requestAnimationFrame(tick);
  }

  function setPlaying(on, tell = true) {
    const stopped = playing && !on;
    playing = on;
    cancelAnimationFrame(frame);
    if (on) {
      if (now >= tape.last) now = 0;
      last = performance.now();
      frame = requestAnimationFrame(tick);
    } else {
      now = step();
      if (stopped && tell) choose({ step: now });
    }
    draw();
  }

  play.onclick = () => setPlaying(!playing);
  time.oninput = () => { const to = +time.value; setPlaying(false, false); now = to; draw(); }; // drawing sets the slider
  time.onchange = () => choose({ step: +time.value });
  layer.oninput = () => choose({ step: step(), layer: +layer.value });
  colours.onchange = () => choose({ step: step(), colours: colours.value });
  canvas.onmousemove = (event) => {
    const { x, y, w, h } = panels().write;
    const [right, down] = [event.offsetX - x, event.offsetY - y];
    pointed = right >= 0 && down >= 0 && right < w && down < h ? [event.offsetX, event.offsetY] : null;
    draw();
  };
  canvas.onmouseleave = () => { pointed = null; draw(); };

  model.on("change:value", follow);
  model.on("change:tape", readTape);
  const resized = new ResizeObserver(draw);
  resized.observe(root);
  const themed = new MutationObserver(draw); // the lab marks its theme on the body
  themed.observe(document.body, { attributes: true });
  readTape();
  return () => {
    setPlaying(false, false);
    resized.disconnect();
    themed.disconnect();
    model.off("change:value", follow);
    model.off("change:tape", readTape);
  };
}

export default { render };
