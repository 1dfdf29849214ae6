// What is seen, as files: loss and score as a PNG, the curves' numbers as CSV.

function download(name, blob) {
  const address = URL.createObjectURL(blob), link = node("a", document.body, { href: address, download: name });
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
const fileName = (name) => name.replace(/[^\w.-]+/g, "-");

// Loss above, score below, on one axis, at twice the size of the screen; row names in ink with a mark of their colour.
async function savePicture(Plotly, { data, curves, score, settings, ink, said }) {
  const SCALE = 2, HEAD = 26, LINE = 18, panel = curves.panels[0], stage = score.parts.score, { left } = settings(), rows = score.shown(), each = score.height();
  const width = panel.area.clientWidth, wide = Math.max(width, left + stage.clientWidth), plot = panel.plot.clientHeight;
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  context.font = `12px ${ink.font}`;
  let x = 8, line = 0;
  const legend = (panel.told ?? []).map((one) => { // as many beside each other as there is room for
    const words = `${data.runs[one.run].name}, ${one.name}: ${one.value == null ? "–" : panel.say(one.value)}`, room = 34 + context.measureText(words).width;
    if (x > 8 && x + room > wide) [x, line] = [8, line + 1];
    const place = { ...one, words, x, y: HEAD + LINE * (line + 0.5) };
    x += room + 20;
    return place;
  });
  const begin = HEAD + LINE * (line + 1) + 8, height = begin + plot + 12 + stage.clientHeight + 26;
  Object.assign(canvas, { width: SCALE * wide, height: SCALE * height });
  context.scale(SCALE, SCALE);
  context.fillStyle = css(ink.ground); context.fillRect(0, 0, wide, height);
  const write = (words, x, y, colour, font = "12px") => { context.font = `${font} ${ink.font}`; context.fillStyle = css(colour); context.textBaseline = "middle"; context.fillText(words, x, y); };
  write(said, 8, HEAD / 2, ink.text, "bold 13px");
  for (const one of legend) {
    stroke(context, [one.x, one.x + 26], [one.y, one.y], one.look.ink, one.look.marker ? 2.2 : 1.4, CANVAS_DASH[one.look.dash]);
    write(one.words, one.x + 34, one.y, ink.text);
  }
  const image = new Image();
  image.src = await Plotly.toImage(panel.plot, { format: "png", width, height: plot, scale: SCALE });
  await image.decode();
  context.drawImage(image, 0, begin, width, plot);
  const top = begin + plot + 12;
  context.drawImage(stage, left, top, stage.clientWidth, stage.clientHeight);
  rows.forEach((row, i) => {
    const y = top + i * each + (score.head() ? 8 : each / 2);
    context.fillStyle = css(readable(row.colour, ink, 3)); context.fillRect(8, y - 4, 8, 8);
    write(`${row.label}   ${row.momentum ? "" : row.every}`, 22, y, ink.text);
  });
  write(`brightness: update ÷ norm of what it changes, ${score.parts.low.textContent} to ${score.parts.high.textContent}, logarithmic`, left, height - 13, ink.soft);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

const COLUMNS = {
  training_bits_per_byte: "loss", validation_bits_per_byte: "validation_bits_per_byte", gradient_norm: "gradient_norm",
  learning_rate: "lr", tokens_per_second: "tokens_per_second", memory_bytes: "memory",
};
// A line for each report of each run that is shown, within the part of the axis that is shown.
function csv(data, axis) {
  const [a, b] = axis.range(), lines = [["run", "step", "tokens", "minutes", ...Object.keys(COLUMNS)]];
  const word = (value) => value == null ? "" : typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value);
  [data.metrics, ...data.others].forEach((table, i) => {
    const run = data.runs[i];
    if (!table || !run || data.hidden.has(i)) return;
    const places = axis.places(table, run), { mean, most } = table.data[0];
    table.steps.forEach((step, at) => {
      if (places[at] == null || places[at] < a || places[at] > b) return;
      const seconds = most.elapsed?.[at];
      lines.push([run.name, step, step * run.tokens_a_step, seconds == null ? null : seconds / 60, ...Object.values(COLUMNS).map((name) => mean[name]?.[at])]);
    });
  });
  return lines.map((line) => line.map(word).join()).join("\n") + "\n";
}
