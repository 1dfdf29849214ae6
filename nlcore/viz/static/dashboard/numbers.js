// Numbers of a run: as words, merged from messages, smoothed, and found again at a place.

const whole = (value) => Math.round(value).toLocaleString("en-US");
const show = (value) => (value == null ? "–" : short(value));
function lasting(seconds) { // two units are enough to plan by
  if (seconds == null) return "–";
  const s = Math.round(seconds), minutes = Math.floor(s / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days) return `${whole(days)} d ${hours % 24} h`;
  if (hours) return `${hours} h ${minutes % 60} min`;
  return minutes ? `${minutes} min ${s % 60} s` : `${s} s`;
}
function memorySize(bytes) {
  if (bytes == null) return "–";
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${+(bytes / 1e9).toPrecision(3)} GB`;
}

function extent(lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const v of list ?? []) if (v != null) { low = Math.min(low, v); high = Math.max(high, v); }
  return [low, high];
}

function merge(old, news) { // columns from news.from on replace those of old
  const join = (a = [], b = []) => Array.from({ length: news.from }, (_, i) => a[i] ?? null).concat(b);
  return { width: news.width, steps: join(old?.steps, news.steps), data: news.data.map((row, i) => {
    const now = { mean: {}, most: {}, sum: {} };
    for (const kind in now) for (const name in row[kind]) now[kind][name] = join(old?.data[i]?.[kind][name], row[kind][name]);
    return now;
  }) };
}
const isGap = (old, news) => news && news.from > (old?.steps.length ?? 0);

// An exponential mean that begins at the first value and not at 0; where there is no value, there is none.
function smoothed(values, weight) {
  let sum = 0, share = 0;
  return values.map((value) => {
    if (value == null) return null;
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

// Of places in order, the index of the last one at or before `x` that has a value; -1 if there is none.
function lastAt(places, x, values) {
  let found = -1;
  for (let i = 0; i < places.length && (x == null || places[i] <= x); i++) if (!values || values[i] != null) found = i;
  return found;
}
// The report that speaks of `x`: the first one at or after it, as in the score, whose cells end at their reports. Where
// that has no value, the nearest one that has; with no `x`, the last.
function reportAt(places, x, values) {
  if (x == null) return lastAt(places, null, values);
  const next = places.findIndex((place) => place != null && place >= x - 1e-9);
  if (next >= 0 && values[next] != null) return next;
  let found = -1;
  places.forEach((place, i) => {
    if (values[i] != null && place != null && (found < 0 || Math.abs(place - x) < Math.abs(places[found] - x))) found = i;
  });
  return found;
}
