// Boxes in boxes: each is a part that learns, inside the next slower one; the tape holds everything that happens, an event a stop.
// An event: {said, ticks (a box or ""), token (its place in the text, or null), text, step, over, counts and shown by box}.

const EDGES = { solid: "solid", dashed: "dashed", dotted: "dotted", dashdot: "double" };
const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function render({ model, el }) {
  const events = model.get("tape"), boxes = model.get("boxes"), sides = model.get("sides");
  const root = node("div", el, { class: "nl nl-boxes", role: "group", "aria-label": "Boxes in boxes" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), () => panel.reset());
  const body = node("div", root, { class: "nl-body" });
  const panel = controlPanel(body, model.get("controls"), model.get("at"), (at) => model.set("at", at)); // the kernel need not know
  const said = node("output", body, { class: "nl-boxes-said", "aria-live": "off" });
  const text = node("div", body, { class: "nl-boxes-text" });
  let within = body, ink = null, shown = null;
  const made = boxes.map((box) => {
    const one = makeBox(within, box, sides[box.name]);
    within = one.inside;
    return one;
  });
  const score = makeScore(body, events, boxes);

  function draw() {
    const { event: at } = model.get("at"), event = events[at];
    panel.put({ event: at });
    said.textContent = event.said;
    text.replaceChildren(...event.text.map((words, i) => node("span", null, { text: words, class: i === event.token ? "nl-boxes-now" : "" })));
    for (const box of made) box.draw(event, ink, at !== shown && panel.playing());
    score.draw(at, ink);
    shown = at;
  }

  function dressed() {
    ink = inks(root);
    draw();
  }

  model.on("change:at", draw);
  const stop = follow(root, dressed);
  const stands = standIn(el), asking = prediction(before, model, locks(top, body, panel));
  dressed();
  awaited(body, Promise.resolve([]), () => {}); // nothing to unpack, but a page without a kernel waits for the line that this hides
  return () => {
    panel.stop();
    stop();
    stands();
    asking();
    model.off("change:at", draw);
  };
}

// One box: its name and its count, its squares, and room for the next box.
function makeBox(parent, box, side) {
  const root = node("div", parent, { class: "nl-box", role: "group", "aria-label": box.name });
  const own = node("div", root, { class: "nl-box-own" });
  const title = node("div", own, { class: "nl-box-title" });
  const glyph = node("span", title, { text: LETTERS[box.marker], "aria-hidden": "true" });
  node("b", title, { text: ` ${box.name} ` });
  const count = node("span", title);
  node("div", own, { class: "nl-soft", text: `level ${box.level}, ${box.often}` });
  const table = node("div", own, { class: "nl-box-squares", role: "img" });
  node("span", table);
  for (const words of side.columns) node("span", table, { class: "nl-box-column", text: words });
  const squares = side.rows.map((words) => {
    node("span", table, { class: "nl-box-row", text: words });
    return side.columns.map(() => node("i", table));
  });
  node("div", own, { class: "nl-soft nl-box-shows", text: box.shows });
  const inside = node("div", root, { class: "nl-box-inside" });

  function draw(event, ink, flashes) {
    const ticks = event.ticks === box.name, gone = event.over && box.name !== "memory";
    const strong = channels(box.colour), line = readable(box.colour, ink, 3);
    glyph.style.color = css(line);
    root.style.border = `${ticks ? 4 : 2}px ${EDGES[box.dash]} ${css(line)}`;
    root.style.padding = ticks ? "6px 8px" : "8px 10px";
    root.style.background = css(mixed(ink.ground, strong, ticks ? 0.12 : 0));
    const times = event.counts[box.name];
    count.textContent = `${times} ${times === 1 ? "tick" : "ticks"}${gone ? (box.name === "momentum" ? "; thrown away" : "; stands still") : ""}`;
    event.shown[box.name].forEach((row, i) => row.forEach((value, j) => {
      squares[i][j].style.background = css(mixed(ink.ground, strong, Math.min(Math.abs(value), 1)));
    }));
    table.setAttribute("aria-label", `${box.shows}: ${event.shown[box.name].map((row, i) => `${side.rows[i] || `row ${i + 1}`} ${row.map((value) => short(value, 2)).join(", ")}`).join("; ")}`);
    if (ticks && flashes && !still()) table.animate([{ transform: "scale(1.06)" }, { transform: "none" }], 300);
  }

  return { inside, draw };
}

// A row a box, fastest on top; a bar where it has ticked, half a bar where it will.
function makeScore(parent, events, boxes) {
  const figure = node("div", parent, { class: "nl-boxes-score" }), rows = [...boxes].reverse();
  const ends = events.findIndex((event) => event.over);
  const made = rows.map((box) => {
    node("span", figure, { text: box.name });
    return svg("svg", figure, { viewBox: `0 0 ${events.length} 10`, preserveAspectRatio: "none", role: "img" });
  });
  node("span", figure);
  const foot = node("div", figure, { class: "nl-boxes-foot nl-soft" });
  node("span", foot, { text: "training" });
  node("span", foot, { text: "in use", style: `left: ${(100 * ends) / events.length}%` });

  function draw(at, ink) {
    rows.forEach((box, row) => {
      const bars = events.map((event, i) => (event.ticks === box.name ? `M${i + 0.1} ${i <= at ? 0 : 6}h.8V10h-.8z` : "")).join("");
      const ticked = events.slice(0, at + 1).filter((event) => event.ticks === box.name).length;
      made[row].innerHTML = `<path d="${bars}" fill="${css(readable(box.colour, ink, 3))}"/>`
        + `<path d="M${ends} 0V10M${at + 0.5} 0V10" stroke="${css(ink.soft)}" fill="none" vector-effect="non-scaling-stroke"/>`;
      made[row].setAttribute("aria-label", `${box.name}: ${ticked} ticks so far`);
    });
  }

  return { draw };
}

export default { render };
