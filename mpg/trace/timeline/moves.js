// Moving about: zoom, pan, search, click and keys; and the start of it all.

function show(t0, t1) {
  const margin = finish * 0.02, most = finish + 2 * margin, least = Math.min(20, most);
  const span = Math.max(least, Math.min(t1 - t0, most)), mid = (t0 + t1) / 2;
  view.t0 = Math.max(-margin, Math.min(mid - span / 2, finish + margin - span));
  view.t1 = view.t0 + span;
  later();
}

const zoom = (factor, at) => show(at - (at - view.t0) * factor, at + (view.t1 - at) * factor);
const whole = () => show(-finish * 0.02, finish * 1.02);

// A tile of the chosen G in the middle of the view, with its lane in sight.
function land(tile) {
  const set = tiles.g, hi = set.start[chosen.g + 1], ns = set.end(tile, hi) - set.t[tile];
  const mid = set.t[tile] + ns / 2, span = Math.max(ns * 8, 200);
  show(mid - span / 2, mid + span / 2);
  draw();
  const p = ev.p[set.row[tile]], y = p < 0 ? 0 : laneY("p", p), part = sections.find((part) => part.set === tiles.p);
  if (p >= 0 && (y < 0 || y > height - HEIGHTS.p)) {
    view.y = Math.max(0, tiles.p.lane(p) * HEIGHTS.p - (height - part.above) / 2);
    later();
  }
}

function firstRun(lane) {
  const set = tiles.g;
  for (let i = set.start[lane]; i < set.start[lane + 1]; i++) if (set.cls[i] >= RUNS) return i;
  return set.start[lane];
}

let asked = "", matches = [], match = -1;

function search(text, step = 1) {
  const wanted = text.trim(), number = /^g?\s*(\d+)$/i.exec(wanted);
  if (wanted !== asked) {
    asked = wanted;
    match = step > 0 ? -1 : 0;
    const exact = number ? tiles.g.lane(+number[1]) : -1, low = wanted.toLowerCase();
    const fits = header.strings.map((name) => name.toLowerCase().includes(low));
    matches = exact >= 0 ? [exact] : [];
    if (!number && wanted) ev.gname.forEach((name, lane) => { if (fits[name]) matches.push(lane); });
    matches = matches.filter((lane) => tiles.g.start[lane] < tiles.g.start[lane + 1]);
  }
  if (matches.length) {
    match = (match + step + matches.length) % matches.length;
    choose(matches[match]);
    land(firstRun(chosen.g));
  }
  $("found").textContent = !wanted ? "" : matches.length ? `${match + 1} of ${matches.length}` : "no such G";
}

function listen() {
  let press = null;
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const step = event.deltaY * (event.deltaMode ? 16 : 1);
    if (event.shiftKey) { view.y += step || event.deltaX; later(); return; }
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { const by = (event.deltaX / width) * (view.t1 - view.t0); show(view.t0 + by, view.t1 + by); return; }
    zoom(Math.exp(Math.max(-400, Math.min(step, 400)) * 0.002), t(at(event)[0]));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    const [px, py] = at(event);
    press = { px, py, t0: view.t0, t1: view.t1, y: view.y, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const [px, py] = at(event), hint = $("hint");
    if (press && (press.moved ||= Math.hypot(px - press.px, py - press.py) > 4)) {
      const by = ((press.px - px) / width) * (press.t1 - press.t0);
      view.y = press.y + press.py - py;
      show(press.t0 + by, press.t1 + by);
    }
    const found = press?.moved ? null : pick(px, py);
    hint.style.display = found ? "block" : "none";
    if (!found) return;
    hint.textContent = describe(found);
    hint.style.left = `${Math.max(0, Math.min(px + 14, canvas.clientWidth - hint.offsetWidth - 4))}px`;
    hint.style.top = `${py + 18 + hint.offsetHeight > height ? py - hint.offsetHeight - 10 : py + 18}px`;
  });
  canvas.addEventListener("pointerleave", () => { $("hint").style.display = "none"; });
  canvas.addEventListener("pointerup", (event) => {
    const clicked = press && !press.moved, found = clicked ? pick(...at(event)) : null;
    press = null;
    if (!clicked) return;
    canvas.focus({ preventScroll: true });
    if (found?.set.kind === "g") return;
    const runs = found && found.tile >= 0 && (found.set.cls[found.tile] >= RUNS || found.set.cls[found.tile] === CALL);
    choose(runs ? tiles.g.lane(guest(found.set, found.tile)) : -1);
  });
  canvas.addEventListener("pointercancel", () => { press = null; });
  canvas.addEventListener("keydown", (event) => {
    const by = (view.t1 - view.t0) * 0.2, mid = (view.t0 + view.t1) / 2;
    const acts = {
      ArrowLeft: () => show(view.t0 - by, view.t1 - by), ArrowRight: () => show(view.t0 + by, view.t1 + by),
      ArrowUp: () => { view.y -= 40; later(); }, ArrowDown: () => { view.y += 40; later(); },
      "+": () => zoom(0.7, mid), "-": () => zoom(1 / 0.7, mid), 0: whole, Escape: () => choose(-1), "/": () => $("search").focus(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
  $("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") search($("search").value, event.shiftKey ? -1 : 1);
  });
  $("all").addEventListener("click", whole);
  $("hues").addEventListener("change", () => { $("legend").classList.toggle("hues", $("hues").checked); later(); });
  $("story").addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-tile]");
    if (row) land(+row.dataset.tile);
  });
  new ResizeObserver(later).observe($("field"));
}

function explain() {
  const drawn = { rising: "repeating-linear-gradient(-45deg, #222 0 1px, transparent 1px 5px)",
    falling: "repeating-linear-gradient(45deg, #222 0 1px, transparent 1px 5px)",
    dots: "radial-gradient(#222 25%, transparent 30%) 0 0 / 4px 4px", "": "" };
  for (const [name, colour, hatch] of CLASSES) {
    if (name === "gone") continue;
    const item = document.createElement("span"), chip = document.createElement("i");
    chip.style.background = `${drawn[hatch]}${hatch ? ", " : ""}${colour}`;
    item.className = name;
    item.append(chip, name);
    $("legend").append(item);
  }
  const often = new Map();
  for (const name of ev.gname) if (name >= 0) often.set(name, (often.get(name) ?? 0) + 1);
  for (const [name] of [...often].sort((a, b) => b[1] - a[1]).slice(0, 12)) { // with "colour by function" alone
    const item = document.createElement("span"), chip = document.createElement("i");
    chip.style.background = FUNCTIONS[header.hues[name]];
    item.className = "hue";
    item.append(chip, briefly(string(name)));
    $("legend").append(item);
  }
  $("legend").append("▽ is robbed  ▲ steals  ◆ hand-off");
  const { world, procs, gil, partial, unfinished } = header.metadata, { events, dropped } = header;
  const told = [`${events || "no"} events` + (partial ? " of a filtered trace" : "")];
  if (dropped) told.push(`${dropped} more were dropped`);
  if (events) told.push(time(finish));
  if (unfinished) told.push("unfinished");
  if (procs !== undefined) told.push(`${procs} P's`);
  if (world !== undefined) told.push(`world ${world}`);
  if (gil) told.push("one GIL: of the G's that run, one at a time executes");
  $("about").textContent = told.join(", ");
}

async function start() {
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old: it has no DecompressionStream");
  [header, ev] = await unpack();
  ts = sums(ev.dt);
  finish = Math.max(ts.length ? ts[ts.length - 1] : 0, 1);
  kinds = header.kinds;
  aboutA = new Set(header.aboutA);
  const steal = +Object.keys(kinds).find((code) => kinds[code] === "Steal");
  steals = Array.from(ev.kind.keys()).filter((row) => ev.kind[row] === steal);
  tiles = { p: places("p"), m: places("m"), g: lives() };
  explain();
  listen();
  whole();
  draw();
}

// For whoever drives this page, such as its tests.
window.timeline = {
  view, chosen, search, show, draw, pick, describe, choose,
  ready: start().catch((error) => { $("note").textContent = `cannot be shown: ${error.message}`; throw error; }),
  place: (kind, id, ns) => { const box = canvas.getBoundingClientRect(); return [box.left + x(ns), box.top + laneY(kind, id) + HEIGHTS[kind] / 2]; },
  story: (g) => {
    const set = tiles.g, lane = set.lane(g), hi = set.start[lane + 1], out = [];
    for (let i = set.start[lane]; i < hi; i++) out.push([set.t[i], set.end(i, hi), label(set.cls[i])]);
    return out;
  },
};
