// What all views share: nodes, inks that can be read on any page, the stored picture, and plotly.

function node(tag, parent, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (value !== undefined) made.setAttribute(name, value);
  }
  // On each control itself: from above it does not keep the lab from taking its arrow keys.
  if (["input", "button", "select"].includes(tag)) made.dataset.lmSuppressShortcuts = "true";
  made.append(...children);
  parent?.append(made);
  return made;
}

function svg(tag, parent, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  parent.append(made);
  return made;
}

// Keys with Ctrl or Cmd are the lab's after all: who moves a slider and saves wants the notebook saved, not the page.
if (!window.nlKeys) {
  window.nlKeys = true;
  window.addEventListener("keydown", (event) => { // before the lab, which listens below
    const at = (event.ctrlKey || event.metaKey) && event.target.closest?.(".nl [data-lm-suppress-shortcuts]");
    if (!at) return;
    delete at.dataset.lmSuppressShortcuts;
    setTimeout(() => { at.dataset.lmSuppressShortcuts = "true"; });
  }, true);
}

// What to try, and beside it the one Reset of a view.
function head(parent, tryThis, reset) {
  const root = node("div", parent, { class: "nl-head" });
  node("p", root).append(node("strong", null, { text: "Try this. " }), tryThis);
  node("button", root, { type: "button", text: "Reset", title: "Put every control back" }).onclick = reset;
  return root;
}

// A level's marker as a letter of text, its dash in SVG, and both as plotly calls them.
const LETTERS = { o: "●", s: "■", "^": "▲", D: "◆", v: "▼", P: "✚", X: "✖", "*": "★" };
const STROKES = { solid: "", dashed: "7 4", dotted: "2 3", dashdot: "7 3 2 3", reference: "9 3 2 3 2 3" };
const SYMBOLS = { o: "circle", s: "square", "^": "triangle-up", D: "diamond", v: "triangle-down", P: "cross", X: "x", "*": "star" };
const DASHES = { solid: "solid", dashed: "dash", dotted: "dot", dashdot: "dashdot", reference: "9px,3px,2px,3px,2px,3px" };

// A number in a few digits, and null, which stands for what is no number any more.
function short(value, digits = 3) {
  if (value == null) return "beyond all numbers";
  const size = Math.abs(value), far = size && (size < 1e-4 || size >= 1e5);
  return (far ? value.toExponential(1).replace("e+", "e") : String(+value.toPrecision(digits))).replaceAll("-", "−");
}

// ---- ink: every colour of a level is fit to be read on the page it stands on ----

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const mixed = (from, to, share) => from.map((value, i) => Math.round(value + (to[i] - value) * share));
const css = (rgb, alpha = 1) => `rgba(${rgb.join()},${alpha})`;

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => (value <= 10 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// The page as a view meets it: its ink, softer ink, grid, ground and raised ground, as [r, g, b].
function inks(root) {
  const style = getComputedStyle(root), probe = node("i", root, { style: "display: none; forced-color-adjust: none" });
  const pen = node("canvas", null, { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const of = (name) => { // a variable may be any CSS colour, and let the ground through: let the browser say what is seen
    for (const seen of ["ground", name]) {
      probe.style.color = `var(--nl-${seen})`;
      pen.fillStyle = getComputedStyle(probe).color;
      pen.fillRect(0, 0, 1, 1);
    }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const found = Object.fromEntries(["text", "soft", "line", "ground", "raised"].map((name) => [name, of(name)]));
  probe.remove();
  return { ...found, font: style.fontFamily };
}

// `colour` as near as possible to itself with so much contrast to the page: 4.5 for text, 3 for lines and marks.
// Black is the page's own ink, and "reference" a soft one.
function readable(colour, ink, least = 4.5) {
  if (colour === "reference") return least < 4.5 ? mixed(ink.text, ink.ground, 0.45) : ink.soft;
  if (colour === "#000000") return ink.text;
  const own = channels(colour), end = luminance(ink.ground) > 0.4 ? [0, 0, 0] : [255, 255, 255];
  for (let share = 0; share < 1; share += 0.04) {
    const found = mixed(own, end, share);
    if (contrast(found, ink.ground) >= least) return found;
  }
  return end;
}

// As much of `colour`, up to three quarters, as the page's ink can be read on.
function deepest(colour, ink) {
  let share = 0.75;
  while (share > 0 && contrast(mixed(ink.ground, colour, share), ink.text) < 4.5) share -= 0.01;
  return share;
}

// Calls `draw` when the view's width or the page's theme changes; returns how to stop.
function follow(root, draw) {
  let wide = root.clientWidth;
  const sizes = new ResizeObserver(() => { if (root.clientWidth !== wide) { wide = root.clientWidth; draw(); } });
  const themes = new MutationObserver(draw);
  sizes.observe(root);
  themes.observe(document.body, { attributes: true }); // the lab marks its theme there
  themes.observe(document.documentElement, { attributes: true }); // and the book here
  const forced = matchMedia("(forced-colors: active)");
  forced.addEventListener("change", draw);
  return () => { sizes.disconnect(); themes.disconnect(); forced.removeEventListener("change", draw); };
}

// ---- the stored picture, for which a live view stands in ----

// A cell shows a picture, then what the picture says (.nl-words), then the view; a question (.nl-asked) may come
// before the picture. While the view lives, those before it are hidden; with the view gone they are there again.
// Front ends nest outputs differently, so the way up ends at the first ancestor that has the words beside it.
function standIn(el) {
  let hidden = [];
  const hide = () => {
    for (let at = el; at && at !== document.body; at = at.parentElement) {
      const words = at.previousElementSibling, said = words?.querySelector(".nl-words");
      if (!said) continue;
      if (said.textContent.trim() !== words.textContent.trim()) return null; // a part of the page that holds more
      hidden = [words];
      for (const kind of ["img", ".nl-asked"]) {
        const before = hidden.at(-1).previousElementSibling;
        if (before?.querySelector(kind)) hidden.push(before);
      }
      for (const one of hidden) one.style.display = "none";
      return at.parentElement;
    }
    return null;
  };
  const wait = setTimeout(() => { // the front end has put the view on the page by now
    const around = hide();
    if (around) watch.observe(around, { childList: true });
  });
  const watch = new MutationObserver(hide); // a picture that is drawn anew comes back shown
  return () => {
    clearTimeout(wait);
    watch.disconnect();
    for (const one of hidden) one.style.display = "";
  };
}

// ---- the kernel: it may be busy with other cells for minutes, and then answer ----

const SLOW = 250, LOST = 4000; // milliseconds without an answer until the page says so
const SILENT = "No answer yet: the kernel is busy with another cell, or it has stopped. In that case run this cell again.";

// ---- plotly: the installed package's own script, which the kernel sends once for all views of a page ----

const PATIENCE = 15000; // milliseconds until a view no longer relies on what another one asked for: its kernel may be gone

function plotly(model) {
  const ask = () => {
    window.nlPlotly = sent(model);
    window.nlPlotly.catch(() => { window.nlPlotly = undefined; });
    return window.nlPlotly;
  };
  const asked = window.nlPlotly;
  if (!asked) return ask();
  let there = false;
  asked.then(() => { there = true; }, () => {});
  const later = new Promise((done) => setTimeout(done, PATIENCE)).then(() => (there ? asked : ask()));
  return Promise.race([asked, later]);
}

function sent(model) {
  return new Promise((done, fail) => {
    const take = (message, buffers) => {
      if (message.kind !== "plotly") return;
      model.off("msg:custom", take);
      // As a module of its own, whatever loader of modules the front end has.
      const code = ["const module = {exports: {}}, exports = module.exports, define = undefined;\n", buffers[0], "\nexport default module.exports;"];
      const address = URL.createObjectURL(new Blob(code, { type: "text/javascript" }));
      import(address).then((found) => done(found.default), fail).finally(() => URL.revokeObjectURL(address));
    };
    model.on("msg:custom", take);
    model.send({ need: "plotly" });
  });
}
