// An explorer: what to try, controls, a chart, and a line that says what it waits for.

function render({ model, el }) {
  const root = node("div", el, { class: "nl nl-explorer", role: "group", "aria-label": `Explorer: ${model.get("name")}`, hidden: "" });
  const before = node("div", root);
  const top = head(root, model.get("try_this"), () => { view?.home(); panel.reset(); });
  const panel = controlPanel(root, model.get("controls"), model.get("asked").at, ask);
  const moved = node("p", root, { class: "nl-moved", role: "status" }); // while the controls stand where an answer put them
  const place = node("div", root);
  const status = node("div", root, { class: "nl-status", role: "status" });
  let view = null, drawn = null, guess = {}, asked = 0, ends = [];

  const kernel = talk(model, status, {
    asked: ({ at }) => { moved.textContent = ""; panel.put(at); panel.hold(kernel.waiting()); },
    late: () => view?.root.classList.add("nl-old"),
    answered: ({ chart }) => {
      panel.hold(kernel.waiting());
      if (!kernel.waiting()) view?.root.classList.remove("nl-old");
      drawn = chart ?? drawn;
      view?.draw(laidOver(drawn, guess));
    },
  });
  function ask(at) { kernel.ask({ at }); }

  const hooks = {
    lock(locked, hidden) {
      if (locked && drawn) panel.reset(); // asked again: what an answer showed would give it away
      top.hidden = locked;
      panel.panel.inert = locked;
      panel.panel.hidden = place.hidden = hidden;
      if (locked) asked = model.get("asked").number;
      kernel.again();
    },
    overlay(line, stops) {
      guess = line;
      if (!stops || model.get("asked").number !== asked) return kernel.again(); // a hand was quicker
      ask({ ...model.get("asked").at, ...stops });
      const { setting } = model.get("prediction");
      if (setting) moved.textContent = `The picture now shows ${setting}, where the answer is seen. The words around it speak of the setting at which it opened: Reset brings that back.`;
    },
  };

  // The stored picture stays until there is more to see: while cells run, the kernel has no time for a view.
  const line = node("div", el, { class: "nl nl-status", role: "status" });
  const wait = setTimeout(() => { line.textContent = "This comes to life when the kernel has time for it."; }, SLOW);
  const open = (Plotly) => {
    if (!el.contains(root)) return;
    line.remove();
    root.hidden = false;
    view = charts(place, Plotly);
    ends = [view.clear, standIn(el), prediction(before, model, hooks), follow(root, kernel.again)];
  };
  plotly(model).then(open, (error) => { line.textContent = `The chart cannot be drawn: ${error.message}.`; }).finally(() => clearTimeout(wait));
  return () => {
    panel.stop();
    kernel.end();
    for (const end of ends) end();
  };
}

export default { render };
