// An explorer: what to try, controls, a chart, and a line that says what it waits for.

function render({ model, el }) {
  const root = node("div", el, { class: "nl nl-explorer", role: "group", "aria-label": "Explorer" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), () => panel.reset());
  const panel = controlPanel(root, model.get("controls"), model.get("asked").at, ask);
  const place = node("div", root);
  const status = node("div", root, { class: "nl-status", role: "status" });
  let view = null, guess = {};

  const kernel = talk(model, status, {
    asked: ({ at }) => { panel.put(at); panel.hold(kernel.waiting()); },
    late: () => view?.root.classList.add("nl-old"),
    answered: ({ chart }) => {
      panel.hold(false);
      view?.root.classList.remove("nl-old");
      if (chart) view?.draw(laidOver(chart, guess));
    },
  });
  function ask(at) { kernel.ask({ at }); }

  const hooks = {
    lock(locked, hidden) {
      top.hidden = locked;
      panel.panel.inert = locked;
      panel.panel.hidden = place.hidden = hidden;
      kernel.again();
    },
    overlay(drawn, stops) {
      guess = drawn;
      if (stops) ask({ ...model.get("asked").at, ...stops });
      else kernel.again();
    },
  };

  const shown = standIn(el), asking = prediction(before, model, hooks);
  const stop = follow(root, kernel.again);
  plotly(model).then((Plotly) => { view = charts(place, Plotly); kernel.again(); }, (error) => kernel.say(`The chart cannot be drawn: ${error.message}.`));
  return () => {
    panel.stop();
    kernel.end();
    stop();
    view?.clear();
    shown();
    asking();
  };
}

export default { render };
