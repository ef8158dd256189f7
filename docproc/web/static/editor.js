// Boxes are moved here; all else the server renders, and its parts are swapped in.
import { $, ARROWS, call, tell } from "/static/page.js";

const NEAR = 6; // px of the screen within which an edge snaps to a printed line
const MIN = 8; // px of the form: the smallest side of a box
const IDLE = 250; // ms after the last key until a box is sent
const sheet = $("sheet");
let drag = null; // while a pointer is down; without `index` a new box is drawn
let waiting = null; // a box that is sent soon; without edges it is only chosen
let queue = Promise.resolve();

const state = () => $("boxes").dataset;
const boxes = () => [...$("boxes").children];
const failed = ({ message }) => tell(message);

// What is sent, and what comes back.

function post(path, values) {
  flush();
  queue = queue.then(() => send(path, values)).catch(failed);
}
const edit = (what, values) => post("/edit", { do: what, ...values });

async function send(path, values) {
  const body = path === "/scans" ? values : new URLSearchParams(values);
  body.set("version", state().version);
  const answer = await call(path, { method: "POST", body });
  if (!answer.headers.get("content-type").startsWith("text/html")) throw new Error((await answer.json()).error);
  const parts = new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll("[data-part]");
  const active = document.activeElement;
  const typed = active.type === "text" && active.value !== active.defaultValue; // its part waits until it is sent
  for (const fresh of parts) {
    const old = $(fresh.id);
    if (old.outerHTML !== fresh.outerHTML && !(typed && old.contains(active))) old.replaceWith(fresh);
  }
  const next = $(state().goto) || (!active.isConnected && $(active.id));
  if (next) next.focus({ preventScroll: next.id === active.id }), next.select?.();
  state().goto = "";
  if ($("said").textContent) tell($("said").textContent);
  refresh();
}

function refresh() {
  sheet.setAttribute("viewBox", `0 0 ${numbers("size").join(" ")}`);
  const wrong = $("lint").dataset.wrong.split(" ");
  for (const el of boxes()) {
    el.classList.toggle("wrong", wrong.includes(el.dataset.index));
    const held = [drag, waiting].find((one) => one?.index === el.dataset.index);
    draw(el, held?.edges || edgesOf(el));
  }
  clearTimeout(refresh.timer);
  if ($("lint").dataset.version !== state().version) refresh.timer = setTimeout(() => send("/lint", {}).catch(failed), IDLE);
}

function later(el, edges) {
  const { index } = el.dataset;
  if (waiting?.index !== index) flush();
  clearTimeout(later.timer);
  waiting = { index, edges: edges || waiting?.edges };
  later.timer = setTimeout(flush, IDLE);
}

function flush() {
  const { index, edges } = waiting || {};
  waiting = null;
  if (edges) edit("move", { index, box: edges.join(" ") });
  else if (index) edit("choose", { index });
}

// Boxes: [left, top, right, bottom] in px of the form.

const numbers = (name) => $("form").dataset[name].split(" ").filter(Boolean).map(Number);
const edgesOf = (el) => el.dataset.box.split(" ").map(Number);
const scale = () => numbers("size")[0] / sheet.getBoundingClientRect().width; // px of the form for one of the screen

function draw(el, [x, y, right, bottom]) {
  el.dataset.box = `${x} ${y} ${right} ${bottom}`;
  for (const [key, value] of Object.entries({ x, y, width: right - x, height: bottom - y })) el.firstElementChild.setAttribute(key, value);
  el.lastElementChild.setAttribute("transform", `translate(${x} ${bottom})`);
}

function off(value, axis, near) {
  const found = numbers("xy"[axis]).map((line) => line - value).sort((one, other) => Math.abs(one) - Math.abs(other));
  return Math.abs(found[0]) <= near ? found[0] : 0;
}

/** Edges moved: those that `grip` names, or all; they snap to lines that are `near`. */
function moved(edges, grip, by, near) {
  const to = [...edges];
  for (const axis of [0, 1]) {
    const [low, high, most] = [axis, axis + 2, numbers("size")[axis]];
    const pulled = [low, high].filter((k) => !grip || grip.includes("wnes"[k]));
    const snap = pulled.map((k) => off(edges[k] + by[axis], axis, near)).find(Boolean) || 0;
    for (const k of pulled) to[k] = Math.round(edges[k] + by[axis] + snap);
    const back = Math.max(-to[low], Math.min(0, most - to[high]));
    if (!grip) [to[low], to[high]] = [to[low] + back, to[high] + back];
    else if (pulled[0] === low) to[low] = Math.min(Math.max(0, to[low]), to[high] - MIN);
    else if (pulled[0] === high) to[high] = Math.max(Math.min(most, to[high]), to[low] + MIN);
  }
  return to;
}

function at(event) {
  const { left, top } = sheet.getBoundingClientRect();
  return [(event.clientX - left) * scale(), (event.clientY - top) * scale()];
}

// The pointer.

sheet.onpointerdown = (event) => {
  const el = event.target.closest(".field");
  if (event.button) return;
  event.preventDefault();
  el?.focus({ preventScroll: true });
  if (state().making) {
    if (el) edit("pick", { index: el.dataset.index });
    return;
  }
  sheet.setPointerCapture(event.pointerId);
  const from = at(event);
  const corner = from.map((value, axis) => Math.round(value + off(value, axis, NEAR * scale())));
  drag = { id: el?.id || "ghost", index: el?.dataset.index, from, grip: event.target.dataset.grip };
  drag.start = el ? edgesOf(el) : [...corner, ...corner];
};
sheet.onpointermove = (event) => {
  if (!$(drag?.id)) return;
  const by = at(event).map((value, axis) => value - drag.from[axis]);
  drag.moves ||= Math.max(...by.map(Math.abs)) > 3 * scale();
  if (!drag.moves) return;
  const grip = drag.index ? drag.grip : (by[1] < 0 ? "n" : "s") + (by[0] < 0 ? "w" : "e");
  drag.edges = moved(drag.start, grip, by, event.altKey ? 0 : NEAR * scale());
  draw($(drag.id), drag.edges);
};
for (const kind of ["pointerup", "pointercancel"]) {
  sheet.addEventListener(kind, () => {
    const { index, edges, moves } = drag || {};
    drag = null;
    draw($("ghost"), [0, 0, 0, 0]);
    if (moves && kind === "pointerup") edit(index ? "move" : "add", { index, box: edges.join(" ") });
  });
}

// Keys and forms.

sheet.addEventListener("focusin", ({ target }) => {
  for (const el of boxes()) el.classList.toggle("chosen", el === target);
  if (!state().making && state().chosen !== target.dataset.index) later(target);
});

function boxKey(el, { key, shiftKey }, control) {
  const by = ARROWS[key];
  if (by) later(el, moved(edgesOf(el), shiftKey ? "se" : "", by.map((one) => one * (control ? 10 : 1)), 0)), refresh();
  else if (key !== "Enter" && key !== " ") return false;
  else if (state().making) edit("pick", { index: el.dataset.index });
  else flush(), queue.then(() => $("name").select());
  return true;
}

onkeydown = (event) => {
  const { target } = event;
  const control = event.ctrlKey || event.metaKey;
  const typing = target.matches("input, select, textarea");
  const key = `${control ? "Ctrl+" : ""}${event.shiftKey ? "Shift+" : ""}${event.key}`;
  const button = document.querySelector(`[data-key~="${CSS.escape(key)}"]`);
  if (target.matches(".field") && boxKey(target, event, control)) event.preventDefault();
  else if (typing && key === "Escape") $(`box-${state().chosen}`)?.focus();
  else if (button && (!typing || key === "Ctrl+s")) event.preventDefault(), button.click();
};
onsubmit = (event) => {
  event.preventDefault();
  post(event.target.getAttribute("action"), new FormData(event.target, event.submitter));
};
addEventListener("change", ({ target }) => target.form?.dataset.auto && target.form.requestSubmit());
$("view").oninput = () => {
  sheet.style.setProperty("--scan", $("opacity").value);
  sheet.setAttribute("width", `${$("zoom").value}%`);
};
addEventListener("beforeunload", (event) => state().changed && event.preventDefault());
refresh();
document.body.dataset.ready = "yes";
