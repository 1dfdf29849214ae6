// What a view asks of the kernel, and what comes back: requests are numbered, and only the answer to the newest counts.

const SLOW = 250, LOST = 4000; // milliseconds without an answer until the page says so

// `asked(request)` hears of each request, of this page or of another view of the same; `answered(answer)` of what came
// back; `late()`, that it takes long. The line `status` says what is waited for, and what went wrong.
function talk(model, status, { asked, answered, late = () => {} }) {
  let timers = [];
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const waiting = () => model.get("answer").number < model.get("asked").number;
  const after = (milliseconds, call) => setTimeout(() => { if (waiting()) call(); }, milliseconds);
  const ask = (request) => { model.set("asked", { ...request, number: model.get("asked").number + 1 }); model.save_changes(); };
  const onAsked = () => {
    asked(model.get("asked"));
    timers.forEach(clearTimeout);
    timers = [
      after(SLOW, () => { say("Computing ..."); late(); }),
      after(LOST, () => say("No answer yet: the kernel is busy with another cell, or it has stopped. In that case run this cell again.")),
    ];
  };
  const onAnswer = () => {
    if (waiting()) return;
    const answer = model.get("answer");
    say(answer.error ?? answer.note ?? "");
    answered(answer);
  };
  model.on("change:asked", onAsked);
  model.on("change:answer", onAnswer);
  const end = () => {
    timers.forEach(clearTimeout);
    model.off("change:asked", onAsked);
    model.off("change:answer", onAnswer);
  };
  return { ask, say, waiting, again: onAnswer, end };
}
