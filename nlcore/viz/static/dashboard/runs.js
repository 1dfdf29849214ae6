// The runs that are compared: one line each, with a box to show or hide it and the settings in which they differ.

class Runs {
  constructor(parts, data, plan) { Object.assign(this, { parts, data, plan }); }
  differing() {
    const all = this.data.runs.filter(Boolean).map((run) => run.settings);
    return [...new Set(all.flatMap(Object.keys))].filter((name) => new Set(all.map((settings) => settings[name])).size > 1);
  }
  draw(ink) {
    const { parts, data } = this, { runs } = data;
    parts.runs.hidden = runs.length < 2;
    if (runs.length < 2) return;
    const differing = this.differing(), value = (v, digits = 3) => v == null ? "–" : v.toFixed(digits);
    const cells = runs.map((run, i) => run && {
      validation: run.result != null ? `${value(run.result)} at the end` : value(data.validation(i)),
      best: run.best ? `${value(run.best.value)} at step ${whole(run.best.step)}` : "–",
      step: whole(run.step), time: lasting(run.seconds),
      ...Object.fromEntries(differing.map((name) => [name, run.settings[name] ?? "–"])),
    });
    const now = JSON.stringify([runs.map((run) => run && [run.name, run.state]), cells]) + css(ink.text);
    if (parts.runs.dataset.now === now) return;
    parts.runs.dataset.now = now;
    const focused = parts.compared.querySelector(":focus")?.dataset.run;
    const names = Object.keys(cells.find(Boolean) ?? {}), table = node("table", null), head = node("tr", node("thead", table)), body = node("tbody", table);
    for (const name of ["run", ...names]) node("th", head, { text: name, scope: "col" });
    runs.forEach((run, i) => {
      if (!run) return;
      const line = node("tr", body), label = node("label", node("th", line, { scope: "row" }));
      const box = node("input", label, { type: "checkbox", "data-run": i, "aria-label": `show ${run.name}` });
      box.checked = !data.hidden.has(i);
      box.onchange = () => { data.hidden[box.checked ? "delete" : "add"](i); this.plan(); };
      swatch(label, { ink: css(readable(run.colour, ink, 3)), dash: run.dash, marker: run.marker }, true);
      node("span", label, { text: run.name });
      node("small", label, { text: run.state });
      for (const name of names) node("td", line, { text: cells[i][name], "data-label": name });
    });
    parts.compared.replaceChildren(table);
    if (focused !== undefined) parts.compared.querySelector(`[data-run="${focused}"]`)?.focus();
  }
}
