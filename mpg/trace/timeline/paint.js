// Painting the lanes. Tiles narrower than a pixel are never left out: a pixel's column is cut into the shares of time
// that each class has in it, exactly, by sums over blocks of tiles. So a redraw costs pixels, not events.

const canvas = $("canvas"), pen = canvas.getContext("2d");
let sheet = null, pixels = null, ratio = 1, width = 0, height = 0, sections = [], colours = null, merged = 0, drawing = 0;

const hex = (text) => parseInt(text.slice(1), 16);
const colour = (c) => (c < RUNS ? CLASSES[c][1] : $("hues").checked ? FUNCTIONS[c - RUNS] : CLASSES[RUNS][1]);
const hatches = Array.from({ length: COUNT }, (_, c) => (c < RUNS ? CLASSES[c][2] : ""));
const x = (t) => GUTTER + ((t - view.t0) / (view.t1 - view.t0)) * width;
const t = (x) => view.t0 + ((x - GUTTER) / width) * (view.t1 - view.t0);

// Where lanes stand: the chosen G, then P's, then M's. y is that of the first one shown.
function arrange() {
  sections = [];
  let y = TOP + 2;
  if (chosen.g >= 0) {
    sections.push({ set: tiles.g, first: chosen.g, count: 1, y, h: HEIGHTS.g });
    y += HEIGHTS.g + GAP;
  }
  const above = y;
  for (const set of [tiles.p, tiles.m]) {
    sections.push({ set, first: 0, count: set.ids.length, y, h: HEIGHTS[set.kind], above });
    y += set.ids.length * HEIGHTS[set.kind] + GAP;
  }
  view.y = Math.max(0, Math.min(view.y, y - height));
  for (const part of sections) if (part.above) part.y -= view.y;
}

function laneY(kind, id) {
  const part = sections.find((part) => part.set.kind === kind), lane = part ? part.set.lane(id) : -1;
  const y = lane < 0 ? -1e6 : part.y + (lane - part.first) * part.h;
  return y < (part?.above ?? 0) - 1 ? -1e6 : y;
}

function fill(c, x0, x1, y0, y1) {
  const w = sheet.width, plain = colours[c], drawn = hatches[c], ink = colours.ink;
  if (x1 === x0 + 1) { // the common case when many share a pixel; a call for each row would cost more than all else
    for (let y = y0, at = y0 * w + x0; y < y1; y++, at += w) pixels[at] = plain;
    if (drawn === "dots" ? x0 % 4 : drawn === "") return;
    const step = drawn === "dots" ? 4 : 7, from = drawn === "rising" ? 7 - (x0 % 7) : drawn === "falling" ? x0 % 7 : 0;
    for (let y = y0 + ((from - y0) % step + step) % step; y < y1; y += step) pixels[y * w + x0] = ink;
    return;
  }
  for (let y = y0; y < y1; y++) {
    pixels.fill(plain, y * w + x0, y * w + x1);
    if (!drawn || (drawn === "dots" && y % 4)) continue;
    const step = drawn === "dots" ? 4 : 7, from = drawn === "dots" ? 0 : drawn === "rising" ? step - (y % step) : y % step;
    for (let at = x0 + ((from - x0) % step + step) % step; at < x1; at += step) pixels[y * w + at] = ink;
  }
}

const share = new Float64Array(COUNT);

function column(px, y0, y1) {
  let total = 0, present = 0, drawn = 0, y = y1;
  for (let c = 0; c < COUNT; c++) { total += share[c]; present += share[c] > 0 && c !== GONE; }
  const room = y1 - y0;
  for (const c of FROM_BELOW) {
    if (!(share[c] > 0)) continue;
    // What is there is seen: at least a pixel each, as long as that leaves one for the others.
    let h = Math.round((share[c] / total) * room);
    h = Math.min(Math.max(h, 1), y - y0 - (present - ++drawn));
    if (h > 0) fill(c, px, px + 1, y - h, y);
    y -= Math.max(h, 0);
  }
}

function paintLane(set, lane, top, bottom) {
  const lo = set.start[lane], hi = set.start[lane + 1], w = sheet.width, { t: begin, cls } = set;
  const perPixel = (view.t1 - view.t0) / w;
  let i = lastAt(begin, view.t0, lo, hi), px = 0;
  if (i < lo) { // nothing before the lane's first tile
    i = lo;
    px = lo < hi ? Math.max(0, Math.floor((begin[lo] - view.t0) / perPixel)) : w;
  }
  while (px < w) {
    const left = view.t0 + px * perPixel, right = left + perPixel, end = set.end(i, hi);
    if (left >= finish) break;
    if (i + 1 < hi ? end > right : true) { // alone in this pixel, and in those up to its end
      const stop = Math.min(w, Math.max(px + 1, Math.floor((Math.min(end, finish) - view.t0) / perPixel)));
      if (cls[i] !== GONE) fill(cls[i], px, stop, top, bottom);
      px = stop;
      if (i + 1 >= hi) break;
      while (i + 1 < hi && begin[i + 1] <= view.t0 + px * perPixel) i++;
      continue;
    }
    let reach = 2; // the last one in this pixel is most likely near
    while (i + reach < hi && begin[i + reach] <= right) reach *= 2;
    const j = lastAt(begin, right, i + reach / 2, Math.min(i + reach, hi));
    share.fill(0);
    set.add(share, i, j + 1, hi);
    share[cls[i]] -= Math.max(0, left - begin[i]);
    share[cls[j]] -= Math.max(0, set.end(j, hi) - right);
    merged += Math.max(0, j - i - 1);
    column(px, top, bottom);
    i = j;
    px++;
  }
}

function draw() {
  drawing = 0;
  const box = canvas.getBoundingClientRect();
  ratio = Math.min(window.devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(box.width * ratio) || canvas.height !== Math.round(box.height * ratio)) {
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    sheet = null;
  }
  width = Math.max(box.width - GUTTER, 1);
  height = box.height;
  sheet ??= new ImageData(Math.max(1, Math.round(width * ratio)), Math.max(1, canvas.height));
  pixels = new Uint32Array(sheet.data.buffer);
  const native = (rgb) => { const b = new Uint8Array([rgb >> 16, rgb >> 8, rgb, 255]); return new Uint32Array(b.buffer)[0]; };
  colours = Array.from({ length: COUNT }, (_, c) => native(hex(colour(c))));
  colours.ink = native(hex(INK));
  pixels.fill(native(0xffffff));
  merged = 0;
  arrange();
  const shown = [];
  for (const { set, first, count, y, h, above } of sections)
    for (let k = 0; k < count; k++) {
      const top = y + k * h;
      if (top > height || top + h < (above ?? 0)) continue;
      shown.push({ set, lane: first + k, top, h });
      const from = Math.max(Math.round((top + 1) * ratio), Math.round((above ?? 0) * ratio));
      paintLane(set, first + k, from, Math.min(Math.round((top + h - 1) * ratio), sheet.height));
    }
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.putImageData(sheet, Math.round(GUTTER * ratio), 0);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, TOP, width, height - TOP);
  pen.clip();
  for (const each of shown) words(each);
  const above = sections.find((part) => part.above)?.above ?? TOP;
  pen.beginPath();
  pen.rect(GUTTER, above - 1, width, height);
  pen.clip();
  if (chosen.g >= 0) lifeLine(above);
  const notes = [...marks("steal"), ...marks("hand-off")];
  pen.restore();
  if (header.events) axis();
  for (const { set, lane, top, h } of shown) {
    pen.fillStyle = INK;
    pen.fillText(set.kind.toUpperCase() + set.ids[lane], 4, top + h / 2, GUTTER - 6);
  }
  if (merged) notes.unshift(`${merged} spans are narrower than a pixel: their pixels show shares`);
  const lanes = tiles.p.ids.length + tiles.m.ids.length, seen = time(Math.min(view.t1, finish) - Math.max(view.t0, 0));
  const first = lanes ? `${seen} of ${time(finish)} in view` : `no ${header.events ? "P's and M's" : "events"} to show`;
  $("note").textContent = [first, ...notes].join("; ");
}

const later = () => { drawing ||= requestAnimationFrame(draw); };
