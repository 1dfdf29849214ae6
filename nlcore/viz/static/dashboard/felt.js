// A text, shaded by what the memory felt at each token, and what the model writes.

class Felt {
  constructor(parts, data) {
    Object.assign(this, { parts, data, at: null });
    parts.scrub.oninput = () => { this.at = +parts.scrub.value < data.samples.length - 1 ? +parts.scrub.value : null; this.samples(); };
    for (const part of [parts.text, parts.sample]) part.dataset.lmSuppressShortcuts = "true";
  }
  draw(ink) {
    const { parts, data } = this, { tokens = [], step } = data.text, name = parts.shade.value, values = data.text[name] ?? [], [a, b] = extent([values.map((v) => v || null)]);
    parts.felt.hidden = !(data.state.memories?.length ?? 1);
    const colour = channels(data.rows.find((row) => row.level === "memory")?.colour ?? "#0072B2");
    parts.text.replaceChildren(...tokens.map((token, i) => {
      const t = values[i] && b > a ? (values[i] - a) / (b - a) : 0, ground = mixed(ink.raised, colour, 0.8 * t);
      const letter = contrast(ink.text, ground) >= 4.5 ? ink.text : contrast([255, 255, 255], ground) > contrast([0, 0, 0], ground) ? [255, 255, 255] : [0, 0, 0];
      return node("span", null, { style: `background:${css(ground)};color:${css(letter)}`, title: `${name} ${show(values[i])}`, text: token === "\n" ? "⏎\n" : token });
    }));
    parts.range.textContent = step ? `${name} from ${show(a)} (blank) to ${show(b)} (full) at step ${whole(step)}` : "The first report brings it.";
    this.samples();
  }
  samples() {
    const { parts, data } = this, last = data.samples.length - 1, at = Math.min(this.at ?? last, last), found = data.samples[at];
    parts.scrub.max = Math.max(last, 0); parts.scrub.value = Math.max(at, 0); parts.scrub.disabled = last < 1;
    parts.when.textContent = found ? `step ${whole(found.step)} ` : "";
    parts.scrub.setAttribute("aria-valuetext", parts.when.textContent);
    parts.sample.replaceChildren();
    if (found) { node("em", parts.sample, { text: found.prompt }); parts.sample.append(found.text); } else parts.sample.append("The first validation brings it.");
  }
}
