// Steering: a slider for each thing that a command can set, and the buttons.

const GRIDS = {
  lr: Array.from({ length: 25 }, (_, i) => 2 ** ((i - 16) / 4)),
  eta: Array.from({ length: 11 }, (_, i) => i / 10),
  period: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024],
};

function slider(parent, name, label, grid, format, apply) {
  const values = [...grid], box = node("label", parent, { class: "nl-knob" });
  node("span", box, { text: label });
  const out = node("output", box), input = node("input", box, { type: "range", min: 0, step: 1, "data-knob": name, "aria-label": label });
  let timer = null, last = null;
  const say = () => { out.textContent = format(values[+input.value]); input.setAttribute("aria-valuetext", out.textContent); };
  input.oninput = () => {
    say(); clearTimeout(timer); // a held arrow key sends one command, not twenty
    timer = setTimeout(() => { timer = null; apply(values[+input.value]); }, 350);
  };
  const put = (value) => {
    if (timer !== null || value === last || value == null) return;
    last = value;
    const at = () => values.findIndex((v) => Math.abs(v - value) < 1e-9);
    if (at() < 0) { values.push(value); values.sort((a, b) => a - b); }
    input.max = values.length - 1; input.value = at(); say();
  };
  return { input, put };
}

class Steer {
  constructor(parts, buttons, data, send) {
    Object.assign(this, { parts, buttons, data, sliders: {} });
    this.command = (name, value, level) => send({ command: name, value, level });
    for (const button of buttons) {
      button.dataset.lmSuppressShortcuts = "true";
      button.onclick = () => { if (button.getAttribute("aria-disabled") !== "true") this.command(button.dataset.command); };
    }
  }
  draw(on) {
    const { data, sliders, parts, command } = this, { memories, settings: set = { period: {} }, state } = data.state, times = (v) => `× ${show(v)}`;
    const wanted = { lr_scale: ["Learning rate scale", GRIDS.lr, times, (v) => command("lr_scale", v)] };
    if (memories?.length) wanted.eta_scale = ["η scale, step size of all memories", GRIDS.eta, times, (v) => command("level_lr", v, memories[0])];
    for (const name in set.period) wanted[name] = [`Period of ${name}`, GRIDS.period, (v) => v === 1 ? "1 step" : `${v} steps`, (v) => command("period", v, name)];
    for (const name in wanted) {
      sliders[name] ??= slider(parts.knobs, name, ...wanted[name]);
      sliders[name].put(set[name] ?? set.period[name]);
      sliders[name].input.disabled = !on;
    }
    const resumable = ["paused", "stopped", "lost", "failed", data.played && "done"]; // a stored run that has ended is played again
    const open = { pause: on && state !== "paused", resume: !data.closed && resumable.includes(state) };
    for (const button of this.buttons) button.setAttribute("aria-disabled", !(open[button.dataset.command] ?? on));
  }
}
