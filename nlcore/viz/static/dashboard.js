// The dashboard: takes what nlcore.viz.dashboard sends, has it drawn, and sends back what the reader does.

const LIVE = "starting training validating paused";
const REST = 50, LEAST = 1000; // while nothing but the run moves the curves, they rest so many times as long as they took; in milliseconds at least

function render({ model, el }) {
  const data = { rows: [], sentences: [], alarms: [], samples: [], events: [], text: {}, state: {}, runs: [], others: [], hidden: new Set() };
  data.validation = (i) => {
    const values = (i ? data.others[i - 1] : data.metrics)?.data[0]?.mean.validation_bits_per_byte;
    return values?.findLast((v) => v != null);
  };
  const root = node("div", null, { class: "nl nl-dashboard", role: "group", "aria-label": "Training dashboard" });
  root.innerHTML = model.get("page");
  const parts = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
  for (const control of root.querySelectorAll("button, select, input, summary")) control.dataset.lmSuppressShortcuts = "true";
  let asked = false, draws = 0, ink = null, Plotly = null, failed = "", drawn = 0, rest = LEAST, later = null, urgent = true, seen = true;
  const put = (name, words) => { if (parts[name].textContent !== words) parts[name].textContent = words; };

  // --- what the parts share ---
  const settings = () => {
    const narrow = root.clientWidth < 640;
    return { narrow, left: narrow ? 46 : 222, right: 10, log: parts.log.checked, smoothing: +parts.smoothing.value };
  };
  const axis = new Axis(data, (onlyCross) => { if (onlyCross) cross(); else plan(); });
  const loss = new Curves(parts.loss, ["loss"], data, axis, settings), strips = new Curves(parts.strips, Object.keys(PANELS).slice(1), data, axis, settings);
  const score = new Score(parts, data, axis, settings, plan);
  const steer = new Steer(parts, [...root.querySelectorAll("[data-command]")], data, (message) => model.send(message));
  const runs = new Runs(parts, data, plan), felt = new Felt(parts, data), area = loss.panels[0].area;

  function cross() { // without a new picture: the hair and what is read there
    if (!ink) return;
    for (const one of [loss, strips, score]) one.read(ink);
    const at = axis.cross, places = data.metrics && data.runs[0] ? axis.places(data.metrics, data.runs[0]) : [];
    const here = places[reportAt(places, at, places)] ?? 0, words = at == null ? "no crosshair" : [axis.say(here), ...loss.told(), ...strips.told()].join(", ");
    put("here", at == null ? "" : axis.say(here));
    area.setAttribute("aria-valuenow", Math.round(at ?? 0));
    area.setAttribute("aria-valuetext", words);
  }

  // --- controls ---
  for (const [name, value] of Object.entries({ tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-describedby": (parts.keys.id = `${score.id}-keys`) })) area.setAttribute(name, value);
  walkBy(area, axis);
  for (const name of ["measure", "shade", "log"]) parts[name].onchange = () => { data.fresh = null; plan(); };
  parts.unit.onchange = () => axis.choose(parts.unit.value);
  parts.smoothing.oninput = plan;
  parts.all.onclick = () => axis.all();
  parts.png.onclick = async () => {
    const s = data.state, said = `${data.runs[0]?.name ?? "run"}, ${s.state}: step ${whole(s.step ?? 0)}; ${s.about ?? ""}`;
    const blob = await savePicture(Plotly, { data, curves: loss, score, settings, ink, said });
    download(`${fileName(data.runs[0].name)}.png`, blob);
  };
  parts.csv.onclick = () => download(`${fileName(data.runs[0].name)}.csv`, new Blob([csv(data, axis)], { type: "text/csv" }));
  root.onkeydown = (event) => { if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); }; // not for JupyterLab

  function header() {
    const s = data.state, on = LIVE.includes(s.state) && !data.closed, share = Math.round(100 * (s.done ?? 0)), run = data.runs[0];
    const validation = run?.result ?? data.validation(0), unit = s.bytes === false ? "nats per token" : "bits per byte";
    put("name", run?.name ?? "No run"); put("about", s.about ? `${s.about}, on ${s.corpus}` : "");
    put("chip", data.closed ? "closed" : s.state ?? "waiting"); parts.chip.dataset.state = parts.chip.textContent;
    put("step", s.step == null ? "–" : whole(s.step)); put("of", s.steps ? `of ${whole(s.steps)}` : "");
    put("training", s.loss == null ? "–" : (s.bytes ? s.loss / Math.LN2 : s.loss).toFixed(3)); put("unitOfLoss", unit);
    put("validation", validation == null ? "–" : validation.toFixed(3)); put("best", run?.best ? `bits per byte; best ${run.best.value.toFixed(3)}` : "bits per byte");
    put("speed", s.tokens_per_second ? whole(s.tokens_per_second) : "–"); put("left", on ? lasting(s.seconds_left) : "–");
    put("spent", run?.seconds == null ? "" : `after ${lasting(run.seconds)} of training`);
    parts.progress.firstElementChild.style.width = `${share}%`; parts.progress.setAttribute("aria-valuenow", share);
    const said = data.events.map(({ step, sentence }) => `${step > 1 ? `after step ${whole(step - 1)}` : "at the start"}: ${sentence}`);
    put("events", said.at(-1) ?? ""); parts.events.title = said.slice(-12).join("\n");
    const sentences = [failed, ...data.sentences].filter(Boolean).join("  ");
    put("status", sentences); parts.status.hidden = !sentences;
    alarm();
    steer.draw(on);
  }
  function alarm() { // counts go on while a level is late: a screen reader is told once, and not at each report
    const told = data.alarms.map((sentence) => /^(.*?)( \([^)]*\))?\.$/.exec(sentence).slice(1)), words = JSON.stringify(told.map(([said]) => said));
    if (parts.alarm.dataset.words !== words) {
      parts.alarm.dataset.words = words;
      parts.alarm.replaceChildren(...told.map(([said]) => node("p", null, {}, node("span", null, { text: said }), node("span", null, { "aria-hidden": "true" }))));
    }
    told.forEach(([, counts], i) => { parts.alarm.children[i].lastChild.textContent = `${counts ?? ""}.`; });
    parts.alarm.hidden = !told.length;
  }
  function controls() {
    const { smoothing } = settings();
    put("smoothed", smoothing ? smoothing.toFixed(2) : "none"); parts.smoothing.setAttribute("aria-valuetext", smoothing ? `weight ${smoothing.toFixed(2)}` : "none");
    parts.all.disabled = !axis.shown;
    for (const name of ["png", "csv"]) parts[name].disabled = !Plotly || !data.metrics?.steps.length;
    area.setAttribute("aria-label", `${loss.words(loss.panels[0], loss.panels[0].lines ?? [])} Position of the crosshair`);
    area.setAttribute("aria-valuemax", Math.round(axis.full()[1]));
  }

  // --- when something changes: at most one picture a frame, and curves rarely unless the reader waits for them ---
  function draw() {
    asked = false;
    if (!root.clientWidth || !seen) return;
    const began = performance.now();
    ink = inks(root);
    root.classList.toggle("nl-narrow", settings().narrow);
    header(); runs.draw(ink); score.draw(ink);
    if (Plotly && data.runs.length && (urgent || began - drawn > rest)) {
      const start = performance.now();
      loss.draw(Plotly, ink); strips.draw(Plotly, ink);
      drawn = began; urgent = false; rest = Math.max(LEAST, REST * (performance.now() - start));
      root.dataset.curves = +(root.dataset.curves ?? 0) + 1;
    } else if (Plotly) {
      clearTimeout(later);
      later = setTimeout(() => { urgent = true; again(); }, rest - (began - drawn));
    }
    controls(); cross();
    if (!data.fresh) { felt.draw(ink); data.fresh = true; }
    root.dataset.draws = ++draws; root.dataset.milliseconds = (performance.now() - began).toFixed(1);
  }
  function again() { if (!asked) { asked = true; requestAnimationFrame(draw); } }
  function plan() { urgent = true; again(); }
  function take(message) {
    if (message.kind) return;
    const { levels, metrics, others, whole: all, ...small } = message;
    Object.assign(data, small);
    if ("text" in small) data.fresh = null;
    if (isGap(data.levels, levels) || isGap(data.metrics, metrics) || others?.some((table, i) => isGap(data.others[i], table))) return model.send({ whole: true });
    if (levels) data.levels = merge(data.levels, levels);
    if (metrics) data.metrics = merge(data.metrics, metrics);
    others?.forEach((table, i) => { data.others[i] = table ? merge(data.others[i], table) : data.others[i] ?? null; });
    if (all) urgent = true;
    again();
  }
  const stopFollowing = follow(root, () => { data.fresh = null; plan(); });
  const sight = new IntersectionObserver((entries) => { seen = entries.at(-1).isIntersecting; if (seen) again(); }); // out of sight nothing is drawn
  sight.observe(root);
  model.on("msg:custom", take);
  el.append(root);
  const showPicture = standIn(el);
  model.send({ whole: true });
  plotly(model).then((found) => { Plotly = found; plan(); }, (error) => { failed = `The curves cannot be drawn: ${error.message}. Run this cell again.`; plan(); });
  return () => {
    model.off("msg:custom", take); stopFollowing(); showPicture(); sight.disconnect(); clearTimeout(later);
    if (Plotly) for (const panel of [...loss.panels, ...strips.panels]) Plotly.purge(panel.plot);
  };
}
export default { render };
