// A prediction before a view: the question, the reader's answer, and what became of it.

// `hooks.lock(locked, hidden)` holds the view's controls, and hides its picture where that is the answer.
// `hooks.overlay(guess, stops)` lays the guess over the chart ({} for none); `stops` are where the controls go,
// and undefined when an answer of another day is brought back.
function prediction(parent, model, hooks) {
  const root = node("section", parent, { class: "nl-ask", "aria-label": "Prediction" });
  const body = node("div", root), told = node("div", root, { role: "status" });
  const late = node("p", null, { class: "nl-ask-trouble", text: SILENT });
  let answered = false, wait = null; // on this page, just now
  const send = (what, answer) => {
    if (body.ariaBusy === "true") return; // its buttons stay enabled, since a disabled one loses the focus
    answered = what !== "again";
    body.ariaBusy = "true";
    late.remove();
    wait = setTimeout(() => {
      body.ariaBusy = "false";
      told.append(late);
    }, LOST);
    if (answered) hooks.lock(false, false); // a busy kernel must not keep the reader waiting
    model.send(answer === undefined ? { predict: what } : { predict: what, answer });
  };
  let stop = () => {};
  const draw = () => {
    const asked = model.get("prediction"), held = root.contains(root.getRootNode().activeElement);
    stop();
    stop = () => {};
    clearTimeout(wait);
    body.ariaBusy = "false";
    told.setAttribute("aria-live", held ? "off" : "polite"); // the focus goes to the verdict, and says it, or what is told does
    for (const part of [body, told]) part.replaceChildren();
    root.hidden = !asked.key;
    if (!asked.key) return hooks.lock(false, false);
    const question = node("p", body, { class: "nl-ask-question" }, node("b", null, { text: "Predict. " }), asked.question);
    question.id = `nl-ask-${asked.key}-${Math.random().toString(36).slice(2, 8)}`;
    const given = asked.outcome;
    if (given) outcome(body, told, asked, send);
    else stop = asked.kind === "tick" ? options(body, asked, question.id, send) : pencil(body, asked, send);
    if (asked.trouble) node("p", told, { class: "nl-ask-trouble", text: `Your answers cannot be kept. ${asked.trouble}` });
    if (held) (given ? told.firstChild : body.querySelector("button:enabled, [role=slider]")).focus({ preventScroll: true });
    hooks.lock(!given, !given && asked.hides);
    hooks.overlay(model.get("guess"), given && answered ? asked.stops : undefined);
    answered = false;
  };
  model.on("change:prediction", draw);
  draw();
  return () => { model.off("change:prediction", draw); clearTimeout(wait); stop(); };
}

// ---- the question ----

function options(root, asked, label, send) {
  const rows = node("div", root, { class: "nl-ask-rows", role: "group", "aria-labelledby": label });
  for (const option of asked.options) {
    const row = node("button", rows, { type: "button", class: "nl-ask-row" }, node("i", null, { class: "nl-ask-box" }), node("span", null, { text: option }));
    row.onclick = () => send("answer", option);
  }
  lookButton(node("div", root, { class: "nl-ask-buttons" }), send);
  return () => {};
}

function lookButton(parent, send) {
  node("button", parent, { type: "button", class: "nl-ask-look", text: "Show me anyway" }).onclick = () => send("look");
}

function pencil(root, asked, send) {
  const pad = sketch(root, asked, () => { done.disabled = false; });
  const bar = node("div", root, { class: "nl-ask-buttons" });
  const done = node("button", bar, { type: "button", class: "nl-ask-done", text: "That is my guess" });
  done.disabled = true;
  done.onclick = () => send("answer", pad.answer());
  lookButton(bar, send);
  const one = asked.kind === "point" ? "Move the point" : "Draw the curve: move each point up or down";
  node("span", bar, { class: "nl-soft", text: `${one}, by mouse, by finger, or with Tab and the arrow keys.` });
  return pad.stop;
}

// ---- the outcome ----

function outcome(root, told, asked, send) {
  const { answer, right, truth, words, because } = asked.outcome;
  if (asked.kind === "tick") {
    const rows = node("ul", root, { class: "nl-ask-rows" });
    for (const option of asked.options) {
      const marks = [option === truth && "✓ the answer", option === answer && "your guess"].filter(Boolean).join(", ");
      const row = node("li", rows, { class: "nl-ask-row" }, node("i", null, { class: "nl-ask-box" }), node("span", null, { text: option }));
      row.classList.toggle("nl-ask-true", option === truth);
      row.classList.toggle("nl-ask-mine", option === answer);
      if (marks) node("small", row, { text: marks });
    }
  }
  const kind = right === null ? "looked" : right ? "right" : "wrong";
  const verdict = node("p", told, { class: `nl-ask-verdict nl-ask-${kind}`, tabindex: -1 });
  verdict.append(node("b", null, { text: words }), ` ${because} `);
  node("button", verdict, { type: "button", class: "nl-ask-again", text: "Ask me again" }).onclick = () => send("again");
}

// The chart with what the reader drew, in the page's own ink: it is no level's.
function laidOver(chart, guess) {
  if (guess.plot === undefined) return chart;
  const line = { name: guess.name, x: guess.x, y: guess.y, style: "both", dash: "dotted", marker: "D", colour: "#000000", size: 9, strong: false, band: null, exits: [] };
  return chart.map((plot, i) => (i === guess.plot ? { ...plot, lines: [...plot.lines, line] } : plot));
}

// ---- axes on which a guess is drawn: places are shares of the frame, from its lower left corner ----

const PAD_HIGH = 260, PAD_EDGE = { left: 56, right: 18, top: 34, bottom: 46 }, KEY_STEP = 0.02, KEY_LEAP = 0.1;

function sketch(root, asked, changed) {
  const [across, up] = asked.axes, free = asked.kind === "point";
  const places = asked.places.map((x) => ({ x, y: 0.5 }));
  const frame = svg("svg", root, { class: "nl-ask-frame", role: "group", "aria-label": `Your guess: ${up.label} over ${across.label}` });
  const ground = svg("g", frame), line = svg("polyline", frame, { class: "nl-ask-line" });
  const handles = places.map((place, i) => handle(place, i));
  let inside = { width: 1, height: 1 };

  function handle(place, i) {
    const name = free ? "Your point" : `Point ${i + 1} of ${places.length}`;
    const made = svg("g", frame, { class: "nl-ask-handle", role: "slider", tabindex: 0, "aria-label": name, ...(free ? {} : { "aria-orientation": "vertical" }), "aria-valuemin": 0, "aria-valuemax": 100 });
    made.dataset.lmSuppressShortcuts = "true"; // the lab would take its arrow keys
    svg("circle", made, { r: 20, class: "nl-ask-reach" });
    svg("circle", made, { r: 8 });
    made.addEventListener("keydown", (event) => {
      const to = keyed(event.key, place, free);
      if (!to) return;
      event.preventDefault();
      event.stopPropagation();
      move(i, to);
    });
    return made;
  }

  function move(i, to) {
    const at = places[i];
    if (free) at.x = Math.min(1, Math.max(0, to.x));
    at.y = Math.min(1, Math.max(0, to.y));
    changed();
    put();
  }

  const spot = ({ x, y }) => [PAD_EDGE.left + x * inside.width, PAD_EDGE.top + (1 - y) * inside.height];
  function put() {
    line.setAttribute("points", free ? "" : places.map((place) => spot(place).join()).join(" "));
    places.forEach((place, i) => {
      const [x, y] = [valueAt(across, place.x), valueAt(up, place.y)];
      handles[i].setAttribute("transform", `translate(${spot(place).join()})`);
      handles[i].setAttribute("aria-valuenow", Math.round(100 * place.y));
      handles[i].setAttribute("aria-valuetext", `${up.label} ${brief(y)}, at ${across.label} ${brief(x)}`);
    });
  }

  frame.addEventListener("pointerdown", (down) => {
    const at = (event) => {
      const box = frame.getBoundingClientRect();
      return { x: (event.clientX - box.left - PAD_EDGE.left) / inside.width, y: 1 - (event.clientY - box.top - PAD_EDGE.top) / inside.height };
    };
    const start = at(down), held = nearest(places, start);
    down.preventDefault();
    frame.setPointerCapture(down.pointerId);
    handles[held].focus({ preventScroll: true });
    move(held, start);
    frame.onpointermove = (event) => move(held, at(event));
    frame.onpointerup = frame.onpointercancel = () => { frame.onpointermove = null; };
  });

  const draw = () => {
    const { width } = frame.getBoundingClientRect();
    if (!width) return; // not on the page
    const ink = inks(root);
    inside = { width: width - PAD_EDGE.left - PAD_EDGE.right, height: PAD_HIGH - PAD_EDGE.top - PAD_EDGE.bottom };
    frame.setAttribute("viewBox", `0 0 ${width} ${PAD_HIGH}`);
    ground.replaceChildren();
    grid(ground, across, up, spot);
    for (const given of asked.given) course(ground, given, spot, css(readable(given.colour, ink)));
    put();
  };
  const stop = follow(root, draw);
  draw();
  const answer = () => {
    const values = places.map(({ x, y }) => [valueAt(across, x), valueAt(up, y)]);
    return free ? values[0] : values.map(([, y]) => y);
  };
  return { answer, stop };
}

const valueAt = (axis, share) => (axis.log ? axis.low * (axis.high / axis.low) ** share : axis.low + (axis.high - axis.low) * share);
const brief = (number) => short(Math.abs(number) < 1e-12 ? 0 : number, 2);

// Where a key moves a place, or nothing for a key that is not ours.
function keyed(key, { x, y }, free) {
  const ways = {
    ArrowUp: [0, KEY_STEP], ArrowDown: [0, -KEY_STEP], ArrowRight: free ? [KEY_STEP, 0] : [0, KEY_STEP], ArrowLeft: free ? [-KEY_STEP, 0] : [0, -KEY_STEP],
    PageUp: [0, KEY_LEAP], PageDown: [0, -KEY_LEAP], Home: [0, -1], End: [0, 1],
  };
  return ways[key] && { x: x + ways[key][0], y: y + ways[key][1] };
}

function nearest(places, at) {
  const far = places.map((place) => Math.abs(place.x - at.x));
  return far.indexOf(Math.min(...far));
}

function grid(ground, across, up, spot) {
  const [[left, bottom], [right, top]] = [spot({ x: 0, y: 0 }), spot({ x: 1, y: 1 })];
  for (const tick of up.ticks) {
    const y = spot({ x: 0, y: tick.share })[1];
    svg("line", ground, { x1: left, x2: right, y1: y, y2: y, class: "nl-ask-grid" });
    svg("text", ground, { x: left - 8, y: y + 4, "text-anchor": "end" }, tick.words);
  }
  let free = -Infinity; // where the last word on the axis ends
  for (const tick of across.ticks) {
    const half = tick.words.length * 4, x = Math.min(spot({ x: tick.share, y: 0 })[0], right + PAD_EDGE.right - half);
    if (x - half < free) continue;
    free = x + half + 8;
    svg("text", ground, { x, y: bottom + 17, "text-anchor": "middle" }, tick.words);
  }
  svg("line", ground, { x1: left, x2: right, y1: bottom, y2: bottom, class: "nl-ask-axis" });
  svg("text", ground, { x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle" }, across.label);
  svg("text", ground, { x: 0, y: top - 16 }, up.label);
}

// A line that is shown beside the question, with its name at its end.
function course(ground, given, spot, colour) {
  const points = given.x.map((x, i) => spot({ x, y: given.y[i] }));
  svg("polyline", ground, { points: points.map((point) => point.join()).join(" "), class: "nl-ask-given", stroke: colour, "stroke-dasharray": STROKES[given.dash] });
  const [x, y] = points.at(-1);
  svg("text", ground, { x, y: y - 14, "text-anchor": "end", fill: colour, class: "nl-ask-name" }, given.name);
}
