// The clock of levels: a row of words for each level, as bright as the level recalls them now.
// Python sends a tape (recall of every word after every word, by level); the browser plays it.

const WORDS_A_SECOND = 2.5;
const LINE = 18;
const GLYPHS = { o: "●", s: "■", "^": "▲", D: "◆", v: "▼", P: "✚", X: "✖", "*": "★" };
const BORDERS = { solid: "solid", dashed: "dashed", dotted: "dotted", dashdot: "double" };

function node(tag, parent, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  // On each control itself: from above it does not keep the lab from taking its arrow keys.
  if (tag === "input" || tag === "button") made.dataset.lmSuppressShortcuts = "true";
  parent.append(made);
  return made;
}

const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const clean = (word) => word.replace(/[.,:]/g, "").toLowerCase();
const every = (period) => (period === 0 ? "never" : period === 1 ? "every word" : `every ${period} words`);
// On a dark page a level's colour is lifted towards white, and black is the page's own ink.
const lift = (hex) => `rgb(${hex.slice(1).match(/../g).map((c) => Math.round(0.7 * parseInt(c, 16) + 76)).join(",")})`;
const isLight = (ink) => +ink.match(/\d+/)[0] > 127;
const speed = ([, period]) => (period === 0 ? Infinity : period);

function render({ model, el }) {
  const words = model.get("words");
  const periods = model.get("periods");
  const T = words.length;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const root = node("div", el, { class: "nl-clock", role: "group", "aria-label": "The clock of levels" });
  const bar = node("div", root, { class: "nl-clock-bar" });
  const play = node("button", bar, { class: "nl-clock-play", type: "button" });
  const time = node("input", bar, { type: "range", min: 0, max: T, step: 1, "aria-label": "Words read" });
  const where = node("output", bar, { class: "nl-clock-where" });
  const list = node("div", root, { class: "nl-clock-rows" });

  const rows = new Map();
  let tape = new Map();
  let places = [];
  let now = 0;
  let playing = false;
  let last = 0;
  let frame = 0;

  // ---- levels: the model's `value` is the truth; rows follow it ----

  const levels = () => model.get("value");

  function send(next) {
    model.set("value", next);
    model.save_changes();
  }

  function setPeriod(name, period) {
    send(levels().map(([other, old]) => [other, other === name ? period : old]));
  }

  function sort() {
    const sorted = [...levels()].sort((a, b) => speed(a) - speed(b) || 0);
    if (sorted.some(([name], i) => name !== levels()[i][0])) send(sorted);
  }

  // A level's place is its frequency: two that change places exchange their periods.
  function move(name, by) {
    const next = levels().map((level) => [...level]);
    const from = next.findIndex(([other]) => other === name);
    const to = from + by;
    if (to < 0 || to >= next.length) return;
    [next[from][0], next[to][0]] = [next[to][0], next[from][0]];
    send(next);
  }

  function makeRow(name) {
    const look = model.get("looks")[name];
    const row = node("div", list, { class: "nl-clock-row" });
    const side = node("div", row, { class: "nl-clock-side" });
    const title = node("div", side, { class: "nl-clock-title" });
    const glyph = node("span", title, { text: GLYPHS[look.marker], "aria-hidden": "true" });
    node("span", title, { class: "nl-clock-name", text: name });
    const buttons = [["▲", -1, "faster"], ["▼", 1, "slower"]].map(([text, by, way]) => {
      const label = `Move ${name} one place ${way}`;
      const button = node("button", title, { type: "button", text, title: label, "aria-label": label });
      button.onclick = () => { move(name, by); button.focus(); };
      return button;
    });
    const control = node("div", side, { class: "nl-clock-control" });
    const slider = node("input", control, {
      type: "range", min: 0, max: periods.length - 1, step: 1, "aria-label": `How often ${name} is updated`,
    });
    slider.oninput = () => setPeriod(name, periods[+slider.value]);
    slider.onchange = () => { sort(); slider.focus(); };
    const period = node("output", control);
    const known = node("div", side, { class: "nl-clock-known" });
    const canvas = node("canvas", row, { role: "img" });
    return { row, glyph, title, buttons, slider, period, known, canvas, look };
  }

  function syncRows() {
    levels().forEach(([name, period], i) => {
      if (!rows.has(name)) rows.set(name, makeRow(name));
      const { row, slider, period: label, buttons } = rows.get(name);
      if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null);
      slider.value = periods.indexOf(period);
      slider.setAttribute("aria-valuetext", every(period));
      label.textContent = every(period);
      buttons[0].disabled = i === 0;
      buttons[1].disabled = i === levels().length - 1;
    });
  }

  function readTape() {
    const sent = model.get("tape");
    if (!sent.levels) return;
    const recall = bytes(sent.recall);
    const fired = bytes(sent.fired);
    tape = new Map(sent.levels.map((name, i) => [name, {
      recall: recall.subarray(i * (T + 1) * T, (i + 1) * (T + 1) * T),
      fired: fired.subarray(i * (T + 1), (i + 1) * (T + 1)),
    }]));
    draw();
  }

  // ---- drawing ----

  function layOut() {
    const width = Math.max(list.clientWidth - list.querySelector(".nl-clock-side").offsetWidth - 34, 160);
    const size = getComputedStyle(root).fontFamily;
    const ruler = rows.values().next().value.canvas.getContext("2d");
    ruler.font = `14px ${size}`;
    const space = ruler.measureText(" ").width + 1;
    let x = 4;
    let line = 0;
    places = words.map((word) => {
      const wide = ruler.measureText(word).width;
      if (x + wide > width) [x, line] = [4, line + 1];
      const place = { x, y: 4 + line * LINE, wide };
      x += wide + space;
      return place;
    });
    const height = (line + 1) * LINE + 14;
    const sharp = window.devicePixelRatio || 1;
    for (const { canvas } of rows.values()) {
      canvas.width = width * sharp;
      canvas.height = height * sharp;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      const pen = canvas.getContext("2d");
      pen.setTransform(sharp, 0, 0, sharp, 0, 0);
      pen.font = `14px ${size}`;
      pen.textBaseline = "top";
    }
    draw();
  }

  function drawRow(name, ink) {
    const { canvas, look, glyph, row, known } = rows.get(name);
    const colour = look.colour === "#000000" ? ink : isLight(ink) ? lift(look.colour) : look.colour;
    glyph.style.color = colour;
    row.style.borderLeft = `4px ${BORDERS[look.dash]} ${colour}`;
    const { recall, fired } = tape.get(name);
    const pen = canvas.getContext("2d");
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    const t = Math.floor(now);
    const part = calm ? 0 : now - t;
    const at = (j) => recall[t * T + j] * (1 - part) + (recall[Math.min(t + 1, T) * T + j] ?? 0) * part;
    pen.clearRect(0, 0, width, height);
    if (fired[t]) {
      pen.globalAlpha = 0.12 * (1 - part);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, width, height);
    }
    words.forEach((word, j) => {
      const { x, y } = places[j];
      const r = at(j) / 255;
      pen.globalAlpha = j < t ? Math.min(0.13 + 0.87 * r ** 1.5, 1) : 0.13;
      pen.fillStyle = j < t ? colour : ink;
      pen.fillText(word, x, y);
    });
    if (t > 0) {
      const { x, y, wide } = places[t - 1];
      pen.globalAlpha = 0.8;
      pen.fillStyle = ink;
      pen.fillRect(x, y + 16, wide, 1.5);
    }
    // The score: one tick a word, full where the level was updated.
    const step = (width - 8) / T;
    for (let i = 1; i <= T; i++) {
      pen.globalAlpha = fired[i] ? (i <= t ? 1 : 0.3) : 0.12;
      pen.fillStyle = fired[i] ? colour : ink;
      pen.fillRect(4 + (i - 1) * step, height - (fired[i] ? 8 : 4), Math.max(step - 2, 1), fired[i] ? 6 : 2);
    }
    pen.globalAlpha = 1;
    const seen = new Map(words.slice(0, t).map((word, j) => [clean(word), recall[t * T + j] >= 127.5]));
    const kept = [...seen].filter(([, knows]) => knows).map(([word]) => word);
    const count = `knows ${kept.length} of ${seen.size} words`;
    if (known.textContent !== count) {
      known.textContent = count;
      canvas.setAttribute("aria-label", `${name} after word ${t}: ${count}${kept.length ? ": " : ""}${kept.join(", ")}`);
    }
  }

  function draw() {
    const t = Math.floor(now);
    time.value = t;
    time.setAttribute("aria-valuetext", t ? `after “${words[t - 1]}”` : "before the first word");
    where.textContent = t ? `word ${t} of ${T}: ${clean(words[t - 1])}` : "nothing read yet";
    play.textContent = playing ? "❚❚ Pause" : t === T ? "↻ Play again" : "▶ Play";
    if (!places.length) return;
    const ink = getComputedStyle(root).color;
    for (const [name] of levels()) if (tape.has(name) && rows.has(name)) drawRow(name, ink);
  }

  // ---- time ----

  function tick(stamp) {
    // A frame's stamp may lie before the moment that asked for it.
    now = Math.min(now + (Math.max(stamp - last, 0) / 1000) * WORDS_A_SECOND, T);
    last = stamp;
    playing = playing && now < T && root.isConnected;
    draw();
    frame = playing ? requestAnimationFrame(tick) : 0;
  }

  function setPlaying(on) {
    playing = on;
    cancelAnimationFrame(frame);
    if (on) {
      if (now >= T) now = 0;
      last = performance.now();
      frame = requestAnimationFrame(tick);
    } else {
      now = Math.floor(now);
    }
    draw();
  }

  play.onclick = () => setPlaying(!playing);
  time.oninput = () => { now = +time.value; setPlaying(false); };

  const onValue = () => { syncRows(); draw(); };
  model.on("change:value", onValue);
  model.on("change:tape", readTape);
  syncRows();
  const resized = new ResizeObserver(layOut);
  resized.observe(list);
  const themed = new MutationObserver(draw); // the lab marks its theme on the body
  themed.observe(document.body, { attributes: true });
  readTape();
  return () => {
    setPlaying(false);
    resized.disconnect();
    themed.disconnect();
    model.off("change:value", onValue);
    model.off("change:tape", readTape);
  };
}

export default { render };
