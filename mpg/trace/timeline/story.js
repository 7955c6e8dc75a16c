// What is where, and the story of a G.

// The lane and tile at a point of the canvas; of many within that pixel the longest run, and how many they are.
function pick(px, py) {
  if (px < GUTTER) return null;
  for (const { set, first, count, y, h, above } of sections) {
    const k = Math.floor((py - y) / h);
    if (k < 0 || k >= count || py < (above ?? 0)) continue;
    const lane = first + k, lo = set.start[lane], hi = set.start[lane + 1];
    const last = lastAt(set.t, t(px + 0.5), lo, hi);
    let best = lastAt(set.t, t(px - 0.5), lo, last + 1);
    const from = best = Math.max(best, lo);
    if (last < lo) return { set, lane, tile: -1, among: 0 };
    const length = (i) => (set.cls[i] >= RUNS || set.cls[i] === CALL ? 1 : 1e-9) * (set.end(i, hi) - set.t[i]);
    for (let i = from; i <= Math.min(last, from + 5000); i++) if (length(i) > length(best)) best = i;
    return { set, lane, tile: best, among: last - from + 1 };
  }
  return null;
}

function describe({ set, lane, tile, among }) {
  const where = set.kind.toUpperCase() + set.ids[lane];
  if (tile < 0) return where;
  const hi = set.start[lane + 1], c = set.cls[tile], length = time(set.end(tile, hi) - set.t[tile]);
  const many = among > 1 ? `${among} spans here, the longest: ` : "";
  const who = set.kind === "g" ? called(lane) : c >= RUNS || c === CALL ? named(guest(set, tile)) : where;
  const row = set.row[tile], other = set.kind === "p" ? `M${ev.m[row]}` : `P${ev.p[row]}`;
  const place = set.kind === "g" ? "" : who === where ? "" : ` on ${where}, ${other}`;
  return `${many}${who}\n${onPlace(set.kind, c)}${place} for ${length}\nfrom ${time(set.t[tile], 9)}`;
}

// ---- the story of a G

const arg = (row) => string(ev.a[row]);

// How a tile of a G began and, for a wait, what it waited for.
function why(row) {
  const who = ev.g[row] === subject(row) || ev.g[row] < 0 ? "the scheduler" : briefly(named(ev.g[row]));
  switch (kinds[ev.kind[row]]) {
    case "GoCreate": return `created by ${who}`;
    case "GoStart": return `on P${ev.p[row]}, M${ev.m[row]}` + (ev.a[row] > 0 ? `, from: ${arg(row)}` : "");
    case "GoSyscallEnd": return `on P${ev.p[row]}, M${ev.m[row]}, back from the call`;
    case "GoStop": return arg(row);
    case "GoBlock": return arg(row) + (ev.b[row] >= 0 ? `, object ${ev.b[row]}` : "");
    case "GoUnblock": return `by ${who}` + (ev.b[row] >= 0 ? ` (${string(ev.b[row])})` : "");
    case "GoSyscallBegin": return arg(row);
    case "GoSyscallEndBlocked": return "back from the call, without a P";
    case "GoEnd": return "ends";
    case "GoDrop": return "dropped";
    default: return kinds[ev.kind[row]] ?? "";
  }
}

function story() {
  const set = tiles.g, aside = $("story");
  aside.hidden = chosen.g < 0;
  if (chosen.g < 0) return;
  const lo = set.start[chosen.g], hi = set.start[chosen.g + 1], totals = new Map();
  for (let i = lo; i < hi; i++) {
    if (set.cls[i] === GONE) continue;
    const wait = kinds[ev.kind[set.row[i]]] === "GoBlock" ? `: ${arg(set.row[i])}` : "";
    const key = label(set.cls[i]) + wait, ns = set.end(i, hi) - set.t[i], old = totals.get(key) ?? [0, 0, 0];
    totals.set(key, [old[0] + 1, old[1] + ns, Math.max(old[2], ns)]);
  }
  const make = (tag, text = "", more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const table = (rows) => {
    const out = make("table");
    for (const [cells, tile] of rows) {
      const tr = out.insertRow();
      if (tile !== undefined) tr.dataset.tile = tile;
      for (const cell of cells) Object.assign(tr.insertCell(), { textContent: cell, className: /^[\d.]+( |$)/.test(cell) ? "n" : "" });
    }
    return out;
  };
  aside.replaceChildren(make("h2", called(chosen.g)));
  const spans = [...totals].map(([key, [n, total, most]]) => [[key, `${n}`, time(total), time(most)]]);
  aside.append(table([[["", "times", "total", "longest"]], ...spans]), make("hr"));
  const pages = Math.ceil((hi - lo) / MOST_ROWS);
  chosen.page = Math.max(0, Math.min(chosen.page, pages - 1));
  if (pages > 1) {
    const turn = (text, by) => make("button", text, { onclick: () => { chosen.page += by; story(); } });
    aside.append(turn("earlier", -1), ` part ${chosen.page + 1} of ${pages} `, turn("later", 1));
  }
  const rows = [];
  for (let i = lo + chosen.page * MOST_ROWS; i < Math.min(hi, lo + (chosen.page + 1) * MOST_ROWS); i++) {
    const gone = set.cls[i] === GONE;
    rows.push([[time(set.t[i], 7), gone ? "" : time(set.end(i, hi) - set.t[i]), gone ? why(set.row[i]) : `${label(set.cls[i])}: ${why(set.row[i])}`], i]);
  }
  aside.append(table(rows));
}

function choose(lane) {
  chosen.g = lane;
  chosen.page = 0;
  story();
  later();
}
