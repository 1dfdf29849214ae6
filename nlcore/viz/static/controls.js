// Native controls from their descriptions: sliders over stops, players, choices, lines of text; one look, one grid, one Reset.

// descriptions: {name: {label, kind, words, first, stride, beat}}; `changed(at)` hears where all of them stand.
function controlPanel(parent, descriptions, at, changed) {
  const panel = node("div", parent, { class: "nl-controls", role: "group", "aria-label": "Controls" });
  const made = Object.fromEntries(Object.entries(descriptions).map(([name, one]) => [
    name, control(panel, one, () => changed(where())),
  ]));
  const where = () => Object.fromEntries(Object.entries(made).map(([name, one]) => [name, one.at()]));
  const put = (stops) => { for (const name in made) made[name].put(stops[name]); };
  const stop = () => { for (const name in made) made[name].stop?.(); };
  put(at);
  return {
    panel, put, stop,
    playing: () => Object.values(made).some((one) => one.playing?.()),
    hold: (busy) => { for (const name in made) made[name].hold?.(busy); },
    reset: () => { stop(); put(Object.fromEntries(Object.entries(descriptions).map(([name, one]) => [name, one.first]))); changed(where()); },
  };
}

function control(parent, description, changed) {
  const { label, kind, words } = description;
  const root = node("div", parent, { class: "nl-control" });
  const id = `nl-${Math.random().toString(36).slice(2)}`;
  node("label", root, { text: label, for: id });
  if (kind === "choice") return choice(root, words, id, changed);
  if (kind === "text") return text(root, words, id, changed);
  const row = node("div", root, { class: "nl-track" });
  const slot = kind === "player" ? node("button", row, { class: "nl-play", type: "button" }) : null;
  const input = node("input", row, { type: "range", min: 0, max: words.length - 1, step: 1, id });
  const output = node("output", row, { for: id, "aria-hidden": "true", style: `--nl-longest: ${Math.max(...words.map((word) => word.length))}ch` });
  const say = () => {
    output.textContent = words[+input.value];
    input.setAttribute("aria-valuetext", words[+input.value]);
  };
  const put = (stop) => { input.value = stop; say(); made.told?.(); };
  const made = { at: () => +input.value, put };
  input.oninput = () => { made.stop?.(); say(); changed(); };
  return slot ? Object.assign(made, player(slot, description, input, (stop) => { put(stop); changed(); })) : made;
}

function choice(root, words, id, changed) {
  const select = node("select", root, { id });
  words.forEach((text, value) => node("option", select, { value, text }));
  select.onchange = changed;
  return { at: () => +select.value, put: (stop) => { select.value = stop; } };
}

// A line to type in. It stands on a stop where it has that stop's words, and else on the reader's own.
function text(root, words, id, changed) {
  const input = node("input", root, { type: "text", id, list: `${id}-offered`, spellcheck: "false", autocomplete: "off", "data-lm-suppress-shortcuts": "true" });
  const offered = node("datalist", root, { id: `${id}-offered` });
  for (const value of words) node("option", offered, { value });
  input.onchange = changed;
  input.onkeydown = ({ key }) => { if (key === "Enter") changed(); }; // which a notebook keeps for itself
  const at = () => { const stop = words.indexOf(input.value); return stop < 0 ? input.value : stop; };
  return { at, put: (stop) => { if (at() !== stop) input.value = words[stop] ?? stop; } };
}

// Plays a slider's stops; it waits while the answer to the last one is not there (`hold`).
function player(button, { label, words, stride, beat }, input, go) {
  const last = words.length - 1;
  let timer = null, busy = false;
  const say = () => {
    const next = timer ? "Pause" : +input.value >= last ? "Play again" : "Play";
    button.textContent = { Pause: "❚❚", Play: "▶", "Play again": "↻" }[next];
    button.setAttribute("aria-label", `${next}: ${label}`);
    button.title = next;
  };
  const stop = () => { clearInterval(timer); timer = null; say(); };
  const step = () => {
    if (!button.isConnected) return stop();
    if (busy) return;
    go(Math.min(+input.value + stride, last));
    if (+input.value >= last) stop();
  };
  button.onclick = () => {
    if (timer) return stop();
    if (+input.value >= last) go(0);
    timer = setInterval(step, beat);
    say();
  };
  input.addEventListener("input", say);
  say();
  return { stop, told: say, playing: () => timer !== null, hold: (waits) => { busy = waits; say(); } };
}
