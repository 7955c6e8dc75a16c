// Unpacking, and lanes as tiles: what html.py packed becomes arrays that every other part reads.

const $ = (id) => document.getElementById(id);
const GUTTER = 46, TOP = 22, GAP = 8, HEIGHTS = { g: 24, p: 22, m: 16 };
const MOST_ARROWS = 100, MOST_ROWS = 200, BLOCK = 32, INK = "#222222";

// Classes: label, colour, hatch. From RUNS on a G runs; which one of those is the hue of its function.
const GONE = 2, CALL = 3, RUNNABLE = 5, RUNS = 8, SAME = 255;
const CLASSES = [
  ["idle", "#DDDDDD", ""], ["scheduling", "#009E73", "dots"], ["gone", "#FFFFFF", ""], ["in a call", "#D55E00", ""],
  ["spinning", "#F0E442", "rising"], ["runnable", "#E69F00", ""], ["blocked", "#CC79A7", "falling"],
  ["waiting for I/O", "#56B4E9", ""], ["running", "#0072B2", ""],
];
const FUNCTIONS = ["#0000FF", "#00004C", "#99FF99", "#702500", "#6666FF", "#800066"];
const COUNT = RUNS + FUNCTIONS.length;
// Of a pixel that many tiles share, each class has its share of the height, from the bottom up.
const FROM_BELOW = [8, 9, 10, 11, 12, 13, 3, 1, 4, 5, 7, 6, 0];
const label = (c) => CLASSES[Math.min(c, RUNS)][0];
const onPlace = (kind, c) => (kind === "m" && c < GONE ? ["parked", "awake"][c] : label(c));

// ---- unpacking

async function unpack() {
  const header = JSON.parse($("header").textContent);
  const text = atob($("data").textContent);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  $("data").textContent = "";
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const columns = {};
  let at = 0;
  for (const [name, n, low, width] of header.columns) {
    const out = width < 4 && Math.abs(low) < 2 ** 30 ? new Int32Array(n) : new Float64Array(n);
    out.fill(low);
    for (let plane = 0, scale = 1; plane < width; plane++, scale *= 256)
      for (let i = 0; i < n; i++) out[i] += bytes[at++] * scale;
    columns[name] = out;
  }
  return [header, columns];
}

function sums(deltas) {
  const out = new Float64Array(deltas.length);
  for (let i = 0, total = 0; i < deltas.length; i++) out[i] = total += deltas[i];
  return out;
}

// The last place in sorted[lo, hi) whose value is at most `value`; lo - 1 if there is none.
function lastAt(sorted, value, lo, hi) {
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (sorted[mid] <= value) lo = mid + 1; else hi = mid;
  }
  return lo - 1;
}

// ---- lanes

// Tiles of many lanes, lane after lane. Tile i begins at row[i] and lasts until the next one of its lane.
class Tiles {
  constructor(kind, ids, start, row, cls) {
    Object.assign(this, { kind, ids, start, row, cls });
    const n = row.length;
    this.t = new Float64Array(n);
    for (let i = 0; i < n; i++) this.t[i] = ts[row[i]];
    // How much time each class has had before every BLOCK-th tile: a pixel is exact however much it holds.
    this.before = new Float64Array((Math.floor(n / BLOCK) + 1) * COUNT);
    const total = new Float64Array(COUNT);
    for (let lane = 0; lane < ids.length; lane++)
      for (let i = start[lane]; i < start[lane + 1]; i++) {
        if (i % BLOCK === 0) this.before.set(total, (i / BLOCK) * COUNT);
        total[cls[i]] += this.end(i, start[lane + 1]) - this.t[i];
      }
    if (n % BLOCK === 0) this.before.set(total, (n / BLOCK) * COUNT);
  }
  end(i, hi) { return i + 1 < hi ? this.t[i + 1] : finish; }
  lane(id) { const i = lastAt(this.ids, id, 0, this.ids.length); return i >= 0 && this.ids[i] === id ? i : -1; }
  at(lane, t) {
    const i = lastAt(this.t, t, this.start[lane], this.start[lane + 1]);
    return i < this.start[lane] ? -1 : i;
  }
  // Adds to out the time of each class in tiles [i, j).
  add(out, i, j, hi) {
    if (j - i > 2 * BLOCK) {
      const first = Math.ceil(i / BLOCK), last = Math.floor(j / BLOCK);
      for (let c = 0; c < COUNT; c++) out[c] += this.before[last * COUNT + c] - this.before[first * COUNT + c];
      this.add(out, i, first * BLOCK, hi);
      this.add(out, last * BLOCK, j, hi);
      return;
    }
    for (; i < j; i++) out[this.cls[i]] += this.end(i, hi) - this.t[i];
  }
}

let header, ev, ts, finish, tiles = {}, steals, kinds = {}, aboutA = new Set();
const view = { t0: 0, t1: 1, y: 0 }, chosen = { g: -1, page: 0 };

function places(kind) {
  const ids = ev[kind + "lane"], start = new Int32Array(ids.length + 1);
  for (let i = 0; i < ids.length; i++) start[i + 1] = start[i] + ev[kind + "count"][i];
  return new Tiles(kind, ids, start, sums(ev[kind + "row"]), ev[kind + "class"]);
}

const subject = (row) => (aboutA.has(ev.kind[row]) ? ev.a[row] : ev.g[row]);

function lives() {
  const ids = ev.gid, n = ev.kind.length, lane = new Int32Array(n).fill(-1), start = new Int32Array(ids.length + 1);
  for (let i = 0; i < n; i++)
    if (ev.gclass[i] !== SAME) start[(lane[i] = lastAt(ids, subject(i), 0, ids.length)) + 1]++;
  for (let i = 0; i < ids.length; i++) start[i + 1] += start[i];
  const next = start.slice(), row = new Int32Array(start[ids.length]), cls = new Uint8Array(start[ids.length]);
  for (let i = 0; i < n; i++)
    if (lane[i] >= 0) { const at = next[lane[i]]++; row[at] = i; cls[at] = ev.gclass[i]; }
  return new Tiles("g", ids, start, row, cls);
}

const string = (i) => header.strings[i] ?? "";
const called = (lane) => `G${tiles.g.ids[lane]}` + (ev.gname[lane] >= 0 ? ` ${string(ev.gname[lane])}` : "");
// A function within another one goes by its own name where there is little room.
const briefly = (text) => text.replace(/\S*<locals>\./, "");
const named = (g) => { const lane = g < 0 ? -1 : tiles.g.lane(g); return lane < 0 ? "the scheduler" : called(lane); };
// Which G a tile of a P or M is about: that of its row, which GoStatus has in `a`.
const guest = (set, i) => (kinds[ev.kind[set.row[i]]] === "GoStatus" ? ev.a : ev.g)[set.row[i]];

function time(ns, digits = 4) {
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]].find(([size]) => Math.abs(ns) >= size) ?? [1, "ns"];
  return `${+(ns / size).toPrecision(digits)} ${unit}`;
}
