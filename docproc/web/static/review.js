// The page on which people key fields, by keyboard.
import { $, element, tell } from "/static/page.js";

const box = $("box"), { who, unmasked, ...words } = $("work").dataset;
const data = $("data") && JSON.parse($("data").textContent); // of a file without a server
const kept = data && JSON.parse(localStorage.getItem(data.run) || "{}"); // and what was keyed there
const cards = [], past = [], waiting = [], pictures = {}; // past: those done; waiting: keys
let at = 0, busy, asked = "", order = "doubt", open = Boolean(unmasked), view = 0;

async function ask(wish) {
  const have = cards.filter((card) => !card.done).map((card) => card.id);
  try {
    if (data) return keep(wish);
    return await (await fetch("/key", { method: "POST", body: JSON.stringify({ who, order, have, ...wish }) })).json();
  } catch {
    return { error: words.silent };
  }
}

// What the server does, in a file that has none.
function keep({ begins, id, said, text, version }) {
  const card = data.cards.find((one) => one.id === id);
  if (text && !/\d/.test(text)) return { error: words.empty };
  if (said === "back") delete kept[id];
  else if (card && said !== "later") kept[id] = { ...card.edit, said, text, version, who: $("who").value, at: new Date().toISOString() };
  localStorage.setItem(data.run, JSON.stringify(kept));
  const left = data.cards.filter((one) => !kept[one.id]), share = 1 - left.length / (data.cards.length || 1);
  return { version, share, progress: `${left.length} left`, cards: begins && structuredClone(left), card: { ...card }, told: data.told };
}

function save() {
  const text = JSON.stringify({ docproc: "edits", version: 1, edits: Object.values(kept) });
  element("a", { href: URL.createObjectURL(new Blob([text])), download: "edits.json" }).click();
}

function say(text) {
  $("said").textContent = text;
  box.classList.toggle("wrong", text);
  if (text) waiting.length = 0; // pressed before it could be read
}

function picture({ id, name, crop }) {
  if (pictures[id]) return pictures[id];
  const made = (pictures[id] = new Image());
  made.alt = `${name} as scanned`;
  made.onerror = () => made.replaceWith((pictures[id] = element("p", {}, words.gone)));
  made.src = crop;
  return made;
}

async function show(to) {
  const card = cards[(at = to)];
  say((asked = ""));
  $("work").hidden = !card;
  $("end").hidden = card;
  if (!card) {
    const { told, error } = await ask({ ends: true });
    $("told").textContent = told || error;
    return $("end").focus();
  }
  for (const name of ["name", "place", "hint", "note"]) $(name).textContent = card[name];
  const covered = card.covered && !open;
  box.type = covered ? "password" : "text";
  box.value = card.text;
  box.setAttribute("aria-label", `${card.name}, ${card.place}`);
  $("live").textContent = `${card.name} ${covered ? "covered" : card.text}`;
  $("crop").replaceChildren(covered ? words.covered : picture(card));
  box.focus();
  box.setSelectionRange(card.digit ?? 0, card.digit === null ? 99 : card.digit + 1);
  look(view);
  for (const next of cards.slice(at + 1, at + 5)) picture(next).decode?.().catch(() => {});
}

function look(how) {
  view = how % 3; // no page, the whole, or enlarged around the field
  $("around").hidden = !view;
  if (!view) return;
  const page = { alt: "The page, with the field framed", src: `${cards[at].page}?view=${view}&open=${open}` };
  $("around").replaceChildren(data ? words.pageless : element("img", page));
}

function told(found) {
  cards.push(...(found.cards || []));
  if (!found.progress) return;
  $("progress").value = found.share;
  $("progress-text").textContent = found.progress;
}

async function send(said, text = "") {
  const card = cards[at], overruled = asked === said + text;
  busy = true;
  const found = await ask({ id: card.id, version: card.version, said, text, overruled });
  card.version = found.version ?? card.version;
  told(found);
  if (found.error) {
    asked = found.broken ? said + text : "";
    say(found.error);
    box.select();
  } else {
    past.push(Object.assign(card, { text, done: true }));
    next();
  }
  rest();
}

async function back() {
  const card = past.at(-1);
  if (!card) return say(words.first);
  busy = true;
  const found = await ask({ id: card.id, version: card.version, said: "back" });
  told(found);
  if (found.error) say(found.error);
  else past.pop(), show(cards.splice(cards.indexOf(card), 1, found.card) && cards.indexOf(found.card));
  rest();
}

function next() {
  const open = cards.filter((card) => !card.done);
  const to = open.find((card) => cards.indexOf(card) > at) || open[0];
  show(to ? cards.indexOf(to) : cards.length);
}

function enter() {
  const card = cards[at], text = box.value.trim();
  if (box.type === "password") say(words.covered);
  else if (card.done && text === card.text) next();
  else if (text) send("text", text);
  else if (card.blind || card.text) say(words.empty);
  else send("blank");
}

async function begin(begins) {
  busy = true;
  const cut = cards.splice(at);
  const found = await ask({ begins });
  if (found.error) tell(found.error), cards.push(...cut);
  else at--, told(found), next();
  rest();
}

const keys = {
  Enter: enter, b: () => send("blank"), x: () => send("illegible"), s: () => send("later"), u: back,
  m: () => show(at, (open = !open)), o: () => begin((order = order === "doubt" ? "paper" : "doubt") && false),
  r: () => $("work").classList.toggle("turned"), F2: () => look(view + 1), F9: () => data && save(), "?": () => $("help").showModal(),
  ArrowUp: () => at && show(at - 1), ArrowDown: () => cards[at + 1] && show(at + 1),
};
keys[" "] = keys.F2;

// Does what a key means; false where it is typed.
function press(key) {
  const card = cards[at], symbol = card?.micr && /^[A-Dacd]$/.test(key);
  const does = keys[key.length > 1 ? key : key.toLowerCase()];
  if (symbol || !does) return !symbol && /^[^0-9.,\-/:()'+]$/.test(key);
  if (card || "?F9u".includes(key)) does();
  return true;
}

function rest() {
  for (busy = false; waiting.length && !busy; ) {
    const key = waiting.shift();
    if (!press(key) && key.length === 1) box.setRangeText(key, box.selectionStart, box.selectionEnd, "end");
  }
}

addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey, key = control ? "u" : event.key;
  if ($("help").open || event.altKey || event.target.id === "who" || (control && event.key !== "z")) return;
  if (event.target.matches("button, a") && /^( |Enter)$/.test(key)) return;
  if (event.repeat && /^(Enter|.)$/.test(key)); // held down, it answers once
  else if (busy) waiting.push(key);
  else if (!press(key)) return key.length === 1 && box.focus();
  event.preventDefault();
});
for (const one of document.querySelectorAll("[data-key]")) one.onclick = () => busy || press(one.dataset.key);
if (data) $("save").onclick = save;
await begin(true);
document.body.dataset.ready = "yes";
