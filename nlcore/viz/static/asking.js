// What a view asks of the kernel, and what comes back: requests are numbered, and only the answer to the newest counts.

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
      after(LOST, () => say(SILENT)),
    ];
  };
  const again = () => { // what came last, though more is waited for: the page may have changed its width or its theme
    const answer = model.get("answer");
    if (!waiting()) say(answer.error ?? answer.note ?? "");
    answered(answer);
  };
  const onAnswer = () => { if (!waiting()) again(); };
  model.on("change:asked", onAsked);
  model.on("change:answer", onAnswer);
  const end = () => {
    timers.forEach(clearTimeout);
    model.off("change:asked", onAsked);
    model.off("change:answer", onAnswer);
  };
  return { ask, say, waiting, again, end };
}
