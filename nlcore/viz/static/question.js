// A prediction alone: there is nothing to lock, and nothing to draw over.

export default {
  render({ model, el }) {
    const root = node("div", el, { class: "nl" });
    const stops = [standIn(el), prediction(root, model, { lock: () => {}, overlay: () => {} })];
    return () => stops.forEach((stop) => stop());
  },
};
