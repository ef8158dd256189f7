// Digits that were read as the same one, a screen at a time; the next is there before it is needed.
import { $, call, tell } from "/static/page.js";

const tiles = [...$("tiles").children];
const done = [];
let now, busy;

async function post(path, body) {
  const answer = await call("/group/screens" + path, { method: "POST", body: JSON.stringify(body) });
  const found = await answer.json();
  if (found.error) throw Error(found.error);
  return found;
}

async function load(digit) {
  const screen = await post("", { digit });
  const image = new Image();
  image.src = screen.picture;
  await image.decode();
  return screen;
}

function show(screen) {
  now = screen;
  const count = screen.names.length;
  $("digit").textContent = screen.digit;
  $("left").textContent = screen.left;
  $("none").hidden = count;
  [...$("digits").children].forEach((link, k) => (link.ariaCurrent = k == screen.digit ? "page" : null));
  tiles.forEach((tile, k) => {
    tile.hidden = k >= count;
    if (tile.hidden) return;
    tile.style.background = `url(${screen.picture}) 0 ${(100 * k) / (count - 1 || 1)}% / 100% ${count}00%`;
    mark(k, screen.said[k]);
  });
  tiles[0].focus();
  screen.next ||= count && load(screen.digit).catch(() => 0);
}

// As another digit or as ""; null unmarks.
function mark(k, as) {
  now.said[k] = as;
  tiles[k].dataset.said = as ?? "=";
  tiles[k].ariaLabel = now.names[k] + (as == null ? "" : ", marked" + (as && " " + as));
}

async function step(ahead) {
  if (busy || !(ahead ? now.names : done).length) return;
  busy = true;
  const from = ahead ? now : done.at(-1);
  try {
    tell((await post(`/${from.id}${ahead ? "" : "/back"}`, { said: from.said })).told);
    if (!ahead) done.pop().next = now;
    else if (!done.includes(from)) done.push(from);
    show(ahead ? (await now.next) || (await load(now.digit)) : from);
  } catch ({ message }) {
    tell(message);
  }
  busy = false;
}

tiles.forEach((tile, k) => {
  tile.onclick = () => mark(k, now.said[k] == null ? "" : null);
  tile.onfocus = () => {
    for (const other of tiles) other.tabIndex = other === tile ? 0 : -1;
    $("about").textContent = now.about[k];
  };
});
$("confirm").onclick = () => step(true);
$("back").onclick = () => step(false);
onkeydown = (event) => {
  const { key } = event;
  const at = tiles.indexOf(document.activeElement);
  const wide = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -wide, ArrowDown: wide }[key];
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (by) tiles[at + by]?.focus();
  else if (at >= 0 && /^\d$/.test(key)) mark(at, key === now.digit ? null : key);
  else if (at >= 0 && key === "Enter") event.repeat || step(true);
  else if (/^(Backspace|u)$/i.test(key)) step(false);
  else if (key === "?") $("keys").togglePopover();
  else return;
  event.preventDefault();
};
show(await load($("digit").textContent));
document.body.dataset.ready = "yes";
