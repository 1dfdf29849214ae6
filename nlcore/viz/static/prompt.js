// The prompt box: what the reader asks goes to the kernel; what the model said comes back, and is shaded by what it costs.

const NAMES = { " ": "space", "\n": "line end", "\t": "tab" };
const SIGNS = { "\n": "↵", "\t": "→" };

const chance = (bits) => {
  const p = 2 ** -bits;
  return p > 0.01 ? `a chance of ${Math.round(100 * p)}%` : `1 chance in ${Math.round(1 / p).toLocaleString("en")}`;
};

function render({ model, el }) {
  const root = node("div", el, { class: "nl nl-prompt", role: "group", "aria-label": "Prompt box" });
  const constants = model.get("constants");
  let told = {}, spans = [];
  head(root, model.get("try_this"), () => { typed.value = constants.prompt; panel.reset(); });

  // ---- what is asked for ----

  const typed = node("textarea", node("label", root, {}, "Your text"), {
    rows: 3, maxlength: constants.longest, spellcheck: "false", "data-lm-suppress-shortcuts": "true", "aria-description": "Control and Enter let the model go on.",
  });
  const panel = controlPanel(root, model.get("controls"), model.get("asked").at, ask);
  function ask(at = model.get("asked").at) { kernel.ask({ at, prompt: typed.value }); }
  typed.onkeydown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    ask();
  };

  const bar = node("div", root, { class: "nl-prompt-bar" });
  node("button", bar, { type: "button", text: "Go on from here", title: "Control and Enter in the text do the same" }).onclick = () => ask();
  const key = node("span", null, { class: "nl-prompt-key" });
  const keyFrom = node("span"), keyTo = node("span");
  node("span", bar, { class: "nl-soft" }, keyFrom, key, keyTo);
  const shade = node("select", node("label", bar, {}, "Shaded by"));
  for (const [value, text] of [["bits", "what it costs the model"], ["felt", "surprise its memories felt"]]) node("option", shade, { value, text });
  shade.onchange = () => draw();

  // ---- what came back ----

  const status = node("div", root, { class: "nl-status", role: "status" });
  const text = node("div", root, { class: "nl-prompt-text", role: "img" });
  const label = node("span"), where = node("input", null, { type: "range", min: 0, step: 1, value: 0 });
  node("label", root, {}, label, where);
  const read = node("output", root, { class: "nl-prompt-read", "aria-live": "off" });
  const summary = node("div", root, { role: "status" });
  const details = node("details", root, {}, node("summary", null, { text: "All values as a table" }));
  const table = node("table", node("div", details, { class: "nl-prompt-table", tabindex: 0, role: "region", "aria-label": "All values" }));

  const name = (i) => NAMES[told.tokens[i]] ?? `“${told.tokens[i]}”`;
  const cost = (i) => (told.bits[i] == null ? "nothing stands before it, so it has no cost" : `${told.bits[i].toFixed(2)} bits, ${chance(told.bits[i])}`);
  const feeling = (i) => !told.felt ? "" : told.felt[i] == null ? "; its memories wait for more before they write it" : `; its memories felt ${told.felt[i].toPrecision(3)}`;

  function look() {
    const i = +where.value;
    for (const old of text.querySelectorAll(".nl-prompt-at")) old.classList.remove("nl-prompt-at");
    spans[i]?.classList.add("nl-prompt-at");
    const whose = i < told.given ? "yours" : "the model’s";
    read.textContent = `${told.unit} ${i + 1} of ${spans.length}, ${whose}: ${name(i)}, ${cost(i)}${feeling(i)}`;
    where.setAttribute("aria-valuetext", read.textContent);
  }
  const at = (event) => { const i = spans.indexOf(event.target.closest("[data-token]")); if (i >= 0 && i !== +where.value) { where.value = i; look(); } };
  where.oninput = look;
  text.onmouseover = at;
  text.onclick = (event) => { at(event); where.focus(); };

  function fillTable() {
    if (!details.open) return;
    const line = (tag, cells) => node("tr", null, {}, ...cells.map((cell) => node(tag, null, { text: cell, ...(tag === "th" ? { scope: "col" } : {}) })));
    const felt = told.felt ? [(i) => told.felt[i]?.toPrecision(3) ?? ""] : [];
    table.replaceChildren(
      line("th", ["", told.unit, "bits", ...(told.felt ? ["felt by memories"] : [])]),
      ...spans.map((_, i) => line("td", [i + 1, name(i), told.bits[i]?.toFixed(2) ?? "", ...felt.map((of) => of(i))])),
    );
  }
  details.ontoggle = fillTable;

  function draw() {
    if (!spans.length || !root.isConnected) return; // once on the page it has a width, and is drawn
    const ink = inks(root), colour = channels(constants.colour), most = deepest(colour, ink);
    const values = told[shade.value], there = values.filter((value) => value != null), inBits = shade.value === "bits";
    const [low, high] = inBits ? [0, constants.full] : [Math.min(...there), Math.max(...there)];
    const shaded = (share) => css(mixed(ink.ground, colour, most * Math.min(Math.max(share || 0, 0), 1)));
    spans.forEach((span, i) => { span.style.background = shaded(values[i] == null ? 0 : (values[i] - low) / (high - low)); });
    key.style.background = `linear-gradient(90deg, ${shaded(0)}, ${shaded(1)})`;
    keyFrom.textContent = inBits ? "0 bits " : there.length ? `${low.toPrecision(2)} ` : "none yet ";
    keyTo.textContent = inBits ? ` ${high} bits or more` : there.length ? ` ${high.toPrecision(2)}` : "";
  }

  function write(said) {
    told = said;
    spans = told.tokens.map((token, i) => {
      const span = node("span", null, { "data-token": i, class: i === told.given ? "nl-prompt-first" : undefined });
      if (SIGNS[token]) span.append(node("i", null, { text: SIGNS[token] }), token);
      else span.textContent = token;
      return span;
    });
    text.replaceChildren(...spans);
    const words = (from, to) => told.tokens.slice(from, to).join("");
    text.setAttribute("aria-label", `What you typed: ${words(0, told.given)} What the model added: ${words(told.given)}`);
    shade.parentElement.hidden = !told.felt;
    if (!told.felt) shade.value = "bits";
    label.textContent = `Look at each ${told.unit}`;
    where.max = spans.length - 1;
    where.value = Math.min(told.given, spans.length - 1);
    summary.textContent = told.summary;
    look(); draw(); fillTable();
  }

  const kernel = talk(model, status, {
    asked({ at, prompt }) {
      panel.put(at);
      if (typed.value !== prompt) typed.value = prompt;
    },
    answered({ said }) { if (said) write(said); },
  });

  typed.value = model.get("asked").prompt;
  kernel.again();
  const shown = standIn(el), leave = follow(root, draw);
  return () => {
    kernel.end();
    leave();
    shown();
  };
}

export default { render };
