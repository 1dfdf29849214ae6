// Bytes that came as text: base64 of gzip, as nlcore.viz.tape packs them.
async function unpacked(text) {
  const zipped = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A line that says what a view waits for, until `bytes` are there and `ready` has taken them.
function awaited(parent, bytes, ready) {
  const line = node("div", parent, { class: "nl-status", role: "status", text: "Unpacking what there is to see ..." });
  bytes.then((found) => { line.hidden = true; ready(found); })
    .catch((error) => { line.hidden = false; line.textContent = `This cannot be drawn: ${error.message}. Take another browser, or a newer one.`; });
}

// What a prediction locks: it is ticked before anything can be moved, or seen.
const locks = (top, body, panel) => ({
  lock(locked, hidden) {
    if (locked) panel.stop();
    top.hidden = body.inert = locked;
    body.hidden = hidden;
  },
  overlay() {},
});
