// The clock of levels: a row of words for each level, each word marked as strongly as the level recalls it now.
// The tape holds how well each level, at each period there is, recalls each word after each word.

const BORDERS = { solid: "solid", dashed: "dashed", dotted: "dotted", dashdot: "double" };

const clean = (word) => word.replace(/[.,:]/g, "").toLowerCase();
const every = (period) => (period === 0 ? "never" : period === 1 ? "every word" : `every ${period} words`);
const pace = ([, period]) => period || Infinity;
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const fires = (period, t) => period > 0 && t > 0 && t % period === 0;

// The look of a level on this page: of its marks in ink, and of the strongest mark behind a word.
function dress(look, ink) {
  const colour = look.colour === "#000000" ? ink.text : channels(look.colour);
  return { line: css(readable(look.colour, ink, 3)), colour, share: deepest(colour, ink) };
}

function render({ model, el }) {
  const words = model.get("words"), periods = model.get("periods"), start = model.get("levels"), needed = model.get("needed");
  const T = words.length;
  const root = node("div", el, { class: "nl nl-clock", role: "group", "aria-label": "The clock of levels" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), reset);
  const body = node("div", root, { class: "nl-body" });
  const panel = controlPanel(body, model.get("controls"), model.get("at"), choose);
  const list = node("div", body);
  const rows = new Map(start.map(([name]) => [name, makeRow(name)]));
  let recall = null, ink = null, shownWord = null;

  // ---- what the reader chose: the model's `at` is the truth; the page follows it, and the kernel need not know ----

  const levels = () => model.get("at").levels;

  function choose(change) {
    model.set("at", { ...model.get("at"), ...change });
  }

  function reset() {
    panel.stop();
    choose({ word: model.get("controls").word.first, levels: start });
  }

  // A part that another one needs at each of its updates keeps that one's clock, and stands directly above it.
  const tied = (name) => needed[name] ?? Object.keys(needed).find((first) => needed[first] === name);
  const paced = (list, name, period) => list.map(([other, old]) => [other, other === name || other === tied(name) ? period : old]);

  function ordered(list) {
    const sorted = [...list].sort((one, other) => pace(one) - pace(other) || 0);
    for (const [first, then] of Object.entries(needed)) {
      const at = (name) => sorted.findIndex(([other]) => other === name);
      const [level] = sorted.splice(at(first), 1);
      sorted.splice(at(then), 0, level);
    }
    return sorted;
  }

  function setPeriod(name, period) {
    choose({ levels: paced(levels(), name, period) });
  }

  function sort() {
    const sorted = ordered(levels());
    if (sorted.some(([name], i) => name !== levels()[i][0])) choose({ levels: sorted });
  }

  // The row that a level changes places with: the next, but for the one it is tied to.
  function neighbour(name, by) {
    let to = levels().findIndex(([other]) => other === name) + by;
    if (levels()[to]?.[0] === tied(name)) to += by;
    return to;
  }

  // A level's place is its frequency: two that change places exchange their periods.
  function move(name, by) {
    const next = levels().map((level) => [...level]);
    const from = next.findIndex(([other]) => other === name), to = neighbour(name, by), [one, other] = [next[from], next[to]];
    [next[from], next[to]] = [other, one];
    choose({ levels: ordered(paced(paced(next, other[0], one[1]), name, other[1])) });
  }

  // ---- rows ----

  function makeRow(name) {
    const look = model.get("looks")[name];
    const row = node("div", list, { class: "nl-clock-row" });
    const side = node("div", row, { class: "nl-clock-side" });
    const title = node("div", side, { class: "nl-clock-title" });
    const glyph = node("span", title, { text: LETTERS[look.marker], "aria-hidden": "true" });
    node("span", title, { class: "nl-clock-name", text: name });
    const buttons = [["▲", -1, "faster"], ["▼", 1, "slower"]].map(([text, by, way]) => {
      const label = `Move ${name} one place ${way}`;
      const button = node("button", title, { type: "button", text, title: label, "aria-label": label });
      button.onclick = () => move(name, by);
      return button;
    });
    const known = node("div", side, { class: "nl-clock-known nl-soft" });
    const slider = { label: `How often ${name} is updated`, kind: "slider", words: periods.map(every) };
    const period = control(side, slider, () => setPeriod(name, periods[period.at()]));
    const text = node("div", row, { class: "nl-clock-text", role: "img" });
    const spans = words.map((word) => {
      const span = node("span", text, { class: "nl-clock-word", text: word });
      text.append(" ");
      return span;
    });
    const score = svg("svg", text, { viewBox: `0 0 ${T} 8`, preserveAspectRatio: "none" });
    return { row, look, glyph, buttons, known, period, text, spans, score };
  }

  // Puts the rows in the order of their levels; they slide there, and what has the focus keeps it.
  function arrange() {
    const wanted = levels().map(([name]) => rows.get(name).row);
    if (wanted.every((row, i) => list.children[i] === row)) return;
    const tops = new Map(wanted.map((row) => [row, row.offsetTop]));
    const focused = el.getRootNode().activeElement;
    list.append(...wanted);
    if (list.contains(focused)) focused.focus({ preventScroll: true });
    if (calm()) return;
    for (const [row, top] of tops) {
      const way = top - row.offsetTop;
      if (way) row.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], { duration: 250, easing: "ease-out" });
    }
  }

  // ---- drawing ----

  // How well a level recalls each word after word t, 0 to 1.
  function recalled(name, period, t) {
    if (!recall) return new Array(T).fill(0);
    const place = start.findIndex(([other]) => other === name) * periods.length + periods.indexOf(period);
    const from = (place * (T + 1) + t) * T;
    return Array.from(recall.subarray(from, from + T), (value) => value / 255);
  }

  function drawRow([name, period], t) {
    const { look, glyph, row, known, text, spans, score } = rows.get(name);
    const { line, colour, share } = dress(look, ink);
    const r = recalled(name, period, t);
    glyph.style.color = line;
    row.style.borderLeft = `4px ${BORDERS[look.dash]} ${line}`;
    spans.forEach((span, j) => {
      const now = j < t ? r[j] : 0;
      span.style.background = css(colour, +(share * now ** 1.5).toFixed(3));
      span.style.color = css(mixed(ink.soft, ink.text, Math.min(2 * now, 1)));
      span.classList.toggle("nl-known", now >= 0.5);
      span.classList.toggle("nl-now", j === t - 1);
    });
    drawScore(score, period, t, line);
    if (!recall) return;
    const seen = new Map(words.slice(0, t).map((word, j) => [clean(word), r[j] >= 0.5]));
    const kept = [...seen].filter(([, knows]) => knows).map(([word]) => word);
    known.textContent = `knows ${kept.length} of ${seen.size} words`;
    text.setAttribute("aria-label", `${name} after word ${t}: ${kept.join(", ") || "no word known"}`);
  }

  // A place for each word: a bar where the level was updated, half a bar where it will be, a dot where not.
  function drawScore(score, period, t, colour) {
    const bars = { was: "", will: "", not: "" };
    for (let i = 1; i <= T; i++) {
      const [kind, top] = !fires(period, i) ? ["not", 7] : i <= t ? ["was", 0] : ["will", 4];
      bars[kind] += `M${i - 0.85} ${top}h.7V8h-.7z`;
    }
    score.innerHTML = `<path d="${bars.not}" fill="${css(ink.line)}"/><path d="${bars.was + bars.will}" fill="${colour}"/>`;
  }

  function draw() {
    const { word, levels } = model.get("at");
    root.classList.toggle("nl-playing", panel.playing());
    panel.put({ word });
    levels.forEach(([name, period]) => {
      const { row, buttons, period: slider } = rows.get(name);
      slider.put(periods.indexOf(period));
      buttons[0].disabled = !levels[neighbour(name, -1)];
      buttons[1].disabled = !levels[neighbour(name, 1)];
      drawRow([name, period], word);
      if (panel.playing() && word !== shownWord && fires(period, word)) flash(row, dress(rows.get(name).look, ink).colour);
    });
    shownWord = word;
    arrange();
  }

  function flash(row, colour) {
    if (!calm()) row.animate([{ background: css(colour, 0.14) }, { background: css(colour, 0) }], 380);
  }

  function dressed() {
    ink = inks(root);
    draw();
  }

  // Rows change places only when no hand is on a slider: after the pointer's release, or when the keys go elsewhere.
  const released = ({ type, target }) => { if (type === "pointerup" || !list.contains(target) || target.type !== "range") setTimeout(sort); };
  for (const type of ["pointerup", "keyup"]) document.addEventListener(type, released);
  model.on("change:at", draw);
  const stop = follow(root, dressed);
  const shown = standIn(el), asking = prediction(before, model, locks(top, body, panel));
  dressed();
  awaited(root, unpacked(model.get("tape")), (bytes) => { recall = bytes; draw(); });
  return () => {
    panel.stop();
    stop();
    shown();
    asking();
    for (const type of ["pointerup", "keyup"]) document.removeEventListener(type, released);
    model.off("change:at", draw);
  };
}

export default { render };
