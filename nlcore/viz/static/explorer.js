// An explorer: what to try, controls, a chart, and a line that says what it waits for.

const SLOW = 250, LOST = 4000; // milliseconds without an answer until the page says so

function render({ model, el }) {
  const root = node("div", el, { class: "nl nl-explorer", role: "group", "aria-label": "Explorer" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), () => panel.reset());
  const panel = controlPanel(root, model.get("controls"), model.get("asked").at, ask);
  const place = node("div", root);
  const status = node("div", root, { class: "nl-status", role: "status" });
  let view = null, guess = {}, timers = [];

  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const waiting = () => model.get("answer").number < model.get("asked").number;

  function ask(at) {
    model.set("asked", { number: model.get("asked").number + 1, at });
    model.save_changes();
  }

  function asked() { // by this page, by another view of the same explorer, or by the book
    panel.put(model.get("asked").at);
    panel.hold(waiting());
    timers.forEach(clearTimeout);
    timers = [
      setTimeout(() => { if (waiting()) { say("Computing ..."); view?.root.classList.add("nl-old"); } }, SLOW),
      setTimeout(() => { if (waiting()) say("No answer yet: the kernel is busy with another cell, or it has stopped. In that case run this cell again."); }, LOST),
    ];
  }

  function answered() {
    panel.hold(waiting());
    if (waiting()) return;
    const { chart, error, note } = model.get("answer");
    view?.root.classList.remove("nl-old");
    say(error ?? note ?? "");
    if (chart) view?.draw(laidOver(chart, guess));
  }

  const hooks = {
    lock(locked, hidden) {
      top.hidden = locked;
      panel.panel.inert = locked;
      panel.panel.hidden = place.hidden = hidden;
      answered();
    },
    overlay(drawn, stops) {
      guess = drawn;
      if (stops) ask({ ...model.get("asked").at, ...stops });
      else answered();
    },
  };

  model.on("change:asked", asked);
  model.on("change:answer", answered);
  const shown = standIn(el), asking = prediction(before, model, hooks);
  const stop = follow(root, () => { if (!waiting()) answered(); });
  plotly(model).then((Plotly) => { view = charts(place, Plotly); answered(); }, (error) => say(`The chart cannot be drawn: ${error.message}.`));
  return () => {
    panel.stop();
    timers.forEach(clearTimeout);
    stop();
    view?.clear();
    shown();
    asking();
    model.off("change:asked", asked);
    model.off("change:answer", answered);
  };
}

export default { render };
