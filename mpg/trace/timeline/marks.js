// What is drawn over the lanes: words, the chosen G, steals and hand-offs, the axis.

function luminous(c) {
  const rgb = hex(colour(c));
  return 0.3 * (rgb >> 16) + 0.59 * ((rgb >> 8) & 255) + 0.11 * (rgb & 255) > 140;
}

// Who runs here, where there is room for it, and a line between neighbours.
function words({ set, lane, top, h }) {
  const lo = set.start[lane], hi = set.start[lane + 1];
  const first = Math.max(lo, lastAt(set.t, view.t0, lo, hi)), last = lastAt(set.t, view.t1, lo, hi);
  if (last - first > width / 4) return;
  for (let i = first; i <= last; i++) {
    const x0 = Math.max(x(set.t[i]), GUTTER), x1 = Math.min(x(set.end(i, hi)), GUTTER + width), c = set.cls[i];
    if (x1 - x0 < 4 || c === GONE) continue;
    pen.fillStyle = "#fff";
    pen.fillRect(x1 - 0.5, top + 1, 0.5, h - 2);
    const runs = set.kind !== "g" && (c === CALL || c >= RUNS), room = Math.floor((x1 - x0 - 6) / 6);
    const text = set.kind === "g" ? label(c) : runs ? briefly(called(tiles.g.lane(guest(set, i)))) : "";
    if (room < 3 || !text) continue;
    pen.fillStyle = luminous(c) ? "#000" : "#fff";
    pen.fillText(text.length > room ? text.slice(0, room - 1) + "…" : text, x0 + 3, top + h / 2);
  }
}

// The chosen G on its P's and M's: everything else fades, and as long as they are few its runs are joined.
function lifeLine(above) {
  pen.fillStyle = "rgba(255, 255, 255, 0.7)";
  pen.fillRect(GUTTER, above - 1, width, height);
  const set = tiles.g, lo = set.start[chosen.g], hi = set.start[chosen.g + 1], w = Math.ceil(width) + 20;
  const first = Math.max(lo, lastAt(set.t, view.t0, lo, hi)), last = lastAt(set.t, view.t1, lo, hi);
  const dense = last - first > width, joined = last - first < 3 * MOST_ARROWS;
  const places = ["p", "m"].map((kind) => {
    const ids = tiles[kind].ids, top = new Float64Array(ids.length ? ids[ids.length - 1] + 1 : 0).fill(-1);
    for (const id of ids) top[id] = laneY(kind, id);
    return { top, column: ev[kind], h: HEIGHTS[kind], taken: dense ? new Uint8Array(top.length * w) : null };
  });
  pen.strokeStyle = INK;
  pen.beginPath();
  for (let i = first, from = null; i <= last; i++) {
    const c = set.cls[i], row = set.row[i];
    if (c !== CALL && c < RUNS) continue;
    const x0 = Math.max(x(set.t[i]), GUTTER - 9), x1 = Math.min(x(set.end(i, hi)), GUTTER + width + 9);
    for (const { top, column, h, taken } of places) {
      const id = column[row], y = id < 0 ? -1 : top[id];
      if (!(y >= 0)) continue;
      if (dense && x1 - x0 < 1) { // one mark for all runs that begin in this pixel
        const cell = id * w + Math.floor(x0 - GUTTER + 10);
        if (taken[cell]) continue;
        taken[cell] = 1;
      }
      pen.fillStyle = colour(c);
      pen.fillRect(x0, y + 1, Math.max(x1 - x0, 1.5), h - 2);
    }
    const id = ev.p[row], y = joined && id >= 0 ? places[0].top[id] + HEIGHTS.p / 2 : -1;
    if (!(y >= 0)) continue;
    if (from) { pen.moveTo(...from); pen.lineTo(x0, y); }
    from = [x1, y];
  }
  pen.stroke();
}

// Triangles and diamonds at both ends; arrows between them as long as they can be told apart.
function marks(what) {
  const stolen = what === "steal", rows = stolen ? steals : ev.hand_row, found = [];
  const when = (i) => ts[rows[i]];
  let lo = 0, hi = rows.length;
  while (lo < hi) { const mid = (lo + hi) >>> 1; if (when(mid) < view.t0) lo = mid + 1; else hi = mid; }
  for (let i = lo; i < rows.length && when(i) <= view.t1; i++) found.push(i);
  const taken = new Set();
  const glyph = (kind, id, at, shape) => {
    const y = laneY(kind, id), cell = `${y} ${Math.round(at / 5)} ${shape}`;
    if (y < 0 || taken.has(cell)) return;
    taken.add(cell);
    const h = HEIGHTS[kind], r = 4, top = shape === "up" ? y + h - 2 * r : y, c = top + r;
    const points = { up: [[0, -r], [r, r], [-r, r]], down: [[0, r], [r, -r], [-r, -r]], diamond: [[0, -r], [r, 0], [0, r], [-r, 0]] };
    pen.beginPath();
    for (const [dx, dy] of points[shape]) pen.lineTo(at + dx, (shape === "diamond" ? y + h / 2 : c) + dy);
    pen.closePath();
    pen.fillStyle = shape === "down" ? "#fff" : INK;
    pen.strokeStyle = shape === "down" ? INK : "#fff";
    pen.fill();
    pen.stroke();
  };
  const arrows = found.length <= MOST_ARROWS;
  for (const i of found) {
    const row = rows[i], kind = stolen ? "p" : "m", begin = x(ts[row]);
    const from = stolen ? ev.a[row] : ev.hand_m_from[i], to = stolen ? ev.p[row] : ev.hand_m_to[i];
    const end = stolen ? begin : ev.hand_started[i] >= 0 ? x(ts[ev.hand_started[i]]) : null;
    const y0 = laneY(kind, from) + HEIGHTS[kind] / 2, y1 = laneY(kind, to) + HEIGHTS[kind] / 2;
    if (arrows && end !== null && from >= 0 && to >= 0 && y0 > 0 && y1 > 0) {
      pen.strokeStyle = INK;
      pen.setLineDash(stolen ? [] : [3, 2]);
      pen.beginPath();
      pen.moveTo(begin, y0);
      pen.lineTo(end, y1);
      pen.stroke();
      pen.setLineDash([]);
    }
    if (stolen) { glyph("p", from, begin, "down"); glyph("p", to, begin, "up"); continue; }
    glyph("p", ev.hand_p[i], begin, "diamond");
    if (from >= 0) glyph("m", from, begin, "diamond");
    if (end !== null && to >= 0) glyph("m", to, end, "diamond");
  }
  if (!found.length) return [];
  return [`${found.length} ${what}${found.length > 1 ? "s" : ""}` + (arrows ? "" : ` (arrows up to ${MOST_ARROWS})`)];
}

function axis() {
  const span = view.t1 - view.t0, rough = span / Math.max(2, width / 110), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((step) => step >= rough);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, GUTTER + width, TOP);
  let free = 0; // from here on no label stands
  for (let k = Math.ceil(view.t0 / step); k * step <= view.t1; k++) {
    const at = x(k * step);
    pen.fillStyle = "#00000030";
    pen.fillRect(at, TOP - 4, 1, height);
    pen.fillStyle = "#555";
    const text = time(k * step, 9), long = pen.measureText(text).width;
    const from = Math.min(at + 3, GUTTER + width - long); // the last one ends at the edge, if that leaves it room
    if (from < free) continue;
    pen.fillText(text, from, TOP / 2);
    free = from + long + 6;
  }
}
