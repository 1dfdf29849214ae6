// The book's stand-in for a kernel: each live view gets a model of its own, and explorers their answers from a table.

if (window.Plotly) window.nlPlotly = Promise.resolve(window.Plotly);
window.nlBook = { views: {}, show };

// Draws the view of that class wherever the page has a place for the demo `name`.
async function show(name, view, traits, table) {
  const answers = table && answering(table, JSON.parse(new TextDecoder().decode(await unpacked(table.packed))));
  for (const place of document.querySelectorAll(`[data-demo="${name}"]`)) {
    const model = modelOf({ ...traits }, answers?.());
    takePlace(place, picture(place), table ? ".main-svg" : ".nl-status[hidden]");
    window.nlBook.views[view].render({ model, el: place });
  }
}

// What a widget's script knows as its model, with nobody at the other end but `answer`.
function modelOf(traits, answer) {
  const heard = {};
  const model = {
    get: (name) => traits[name],
    set(name, value) {
      if (traits[name] === value) return;
      traits[name] = value;
      for (const call of [...(heard[`change:${name}`] ?? [])]) call();
    },
    on: (what, call) => { (heard[what] ??= []).push(call); },
    off: (what, call) => { heard[what] = (heard[what] ?? []).filter((one) => one !== call); },
    save_changes: () => answer?.(model),
    send: () => {},
  };
  answer?.(model);
  return model;
}

// A table's answers: as an explorer's kernel, but for the controls that move one at a time.
function answering({ controls, alone, note }, charts) {
  const first = Object.fromEntries(Object.entries(controls).map(([name, one]) => [name, one.first]));
  const stops = (name) => controls[name].words.length;
  return () => {
    let before = first, put = "";
    return (model) => {
      const { number, at: asked } = model.get("asked");
      if (model.get("answer").number === number) return;
      const moved = alone.filter((name) => asked[name] !== first[name]);
      const kept = moved.find((name) => asked[name] !== before[name]) ?? moved[0];
      const back = moved.filter((name) => name !== kept);
      const at = { ...asked, ...Object.fromEntries(back.map((name) => [name, first[name]])) };
      if (back.length) put = `${back.map((name) => `${controls[name].label} is back at ${controls[name].words[first[name]]}`).join(", ")}. `;
      else if (kept !== alone.find((name) => before[name] !== first[name])) put = "";
      before = at;
      if (back.length) model.set("asked", { number, at });
      model.set("answer", { number, chart: chart(charts, place(at)), note: put + note });
    };
  };

  // As `settings` of nlcore.viz.chart.table counts them.
  function place(at) {
    const one = alone.find((name) => at[name] !== first[name]) ?? alone[0];
    let found = 0;
    for (const name of alone) {
      if (name === one) { found += at[name]; break; }
      found += stops(name);
    }
    for (const name in controls) if (!alone.includes(name)) found = found * stops(name) + at[name];
    return found;
  }
}

function chart(node, place) {
  if ("same" in node) return node.same;
  if ("of" in node) return node.of[node.at[place]];
  if (Array.isArray(node.parts)) return node.parts.map((part) => chart(part, place));
  return Object.fromEntries(Object.entries(node.parts).map(([name, part]) => [name, chart(part, place)]));
}

// The picture that the build put before the place, in the same section.
function picture(place) {
  for (let at = place; at && !at.matches("section"); at = at.parentElement) {
    const before = at.previousElementSibling;
    if (before?.matches("img") || before?.querySelector("img")) return before;
  }
  return null;
}

// The picture stays until the view has drawn, which needs its width before it is seen. `sign` is there then: an
// explorer's plot, or the hidden line in which a player said that it was unpacking its tape.
function takePlace(place, picture, sign) {
  place.style.cssText = "height: 0; overflow: hidden; visibility: hidden";
  const watch = new MutationObserver(() => {
    if (!place.querySelector(sign)) return;
    watch.disconnect();
    place.style.cssText = "";
    if (picture) picture.style.display = "none";
  });
  watch.observe(place, { attributes: true, childList: true, subtree: true });
}
