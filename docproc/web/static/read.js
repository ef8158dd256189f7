// The page on which documents are read.
import { $, call, drawn, element, tell } from "/static/page.js";

const AT_ONCE = 2; // files that are sent
const sheets = []; // { name, page, item }
let batch = sessionStorage.getItem("batch");
let unmasked = $("desk").dataset.unmasked === "yes";
let current = -1, sent = 0, done = 0;
const waiting = [];
let sending = 0;

const covered = (row) => row.account && !unmasked;

function add(found) {
  for (const page of found.pages) {
    const name = element("span", { class: "name" }, found.name, element("span", { class: "quiet" }, page.of));
    const item = element("button", { type: "button", class: page.worst }, name, element("span", { class: "badge" }, page.badge));
    const index = sheets.push({ name: found.name + page.of, page, item }) - 1;
    item.onclick = () => show(index);
    $("documents").append(element("li", {}, item));
  }
  if (current < 0 && sheets[0]) show(0);
  summarize();
}

function show(index) {
  sheets[current]?.item.removeAttribute("aria-current");
  current = index;
  const { name, page, item } = sheets[index];
  item.setAttribute("aria-current", "true");
  item.scrollIntoView({ block: "nearest" });
  $("sheet-name").textContent = name;
  $("sheet").replaceChildren(
    page.picture ? picture(page) : element("p", { class: "quiet none" }, page.rows[0]?.reason || "There is no picture."),
  );
  $("rows").replaceChildren(...page.rows.map(line));
}

function picture({ picture: href, width, height, tall, rows }) {
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height * tall}`, role: "img", "aria-label": `The page with ${rows.length} fields` });
  svg.append(drawn("image", { href, width, height: height * tall, preserveAspectRatio: "none" }));
  rows.forEach((row, place) => {
    if (row.left === null) return;
    const rim = Math.max(2, width / 400);
    svg.append(drawn("rect", {
      x: row.left - rim, y: (row.top - rim) * tall, width: row.width + 2 * rim, height: (row.height + 2 * rim) * tall,
      rx: rim, class: `box ${row.status}${covered(row) ? " covered" : ""}`, "data-place": place,
    }));
  });
  return svg;
}

function line(row, place) {
  const read = covered(row) ? row.text && "••••••••" : row.shown;
  const text = element("td", {}, element("span", { class: `digits${read.length > 12 ? "" : " short"}` }, read));
  if (row.also && !covered(row)) text.append(element("span", { class: "small quiet" }, ` ${row.also}`));
  if (row.reason) text.append(element("div", { class: "small quiet" }, row.reason));
  return element(
    "tr", { "data-place": place }, element("td", { class: "field" }, row.name), text,
    element("td", { class: "number" }, row.sure), element("td", {}, element("span", { class: `badge ${row.status}` }, row.status)),
  );
}

function summarize() {
  const some = { ok: 0, review: 0, blank: 0, error: 0 };
  for (const { page } of sheets) for (const row of page.rows) some[row.status] += 1;
  const busy = done < sent;
  $("drop").classList.toggle("small-drop", sheets.length > 0 || busy);
  $("desk").hidden = !sheets.length && !busy;
  $("counts").replaceChildren(
    element("strong", {}, busy ? `Reading ${done + 1} of ${sent}` : `${sheets.length} ${sheets.length === 1 ? "page" : "pages"}`),
    ...Object.entries(some).map(([status, many]) => (many ? element("span", { class: `badge ${status}` }, `${many} ${status}`) : "")),
  );
  $("progress").hidden = !busy;
  $("progress").value = sent ? done / sent : 0;
  $("mask").hidden = !sheets.some(({ page }) => page.rows.some((row) => row.account));
  for (const link of document.querySelectorAll("[data-table]")) link.href = `/batches/${batch}/table${link.dataset.table}`;
}

async function ask(path, options) {
  const answer = await call(`/batches${path}`, options);
  if (!answer.ok && answer.status !== 429) throw new Error((await answer.json()).error);
  return answer;
}

async function begin() {
  batch ||= (await (await ask("", { method: "POST" })).json()).id;
  sessionStorage.setItem("batch", batch);
}

async function send(files) {
  const known = files.filter((file) => !file.name.startsWith("."));
  if (!known.length) return;
  sent += known.length;
  waiting.push(...known);
  summarize();
  try {
    await (begin.now ??= begin());
  } catch (problem) {
    begin.now = undefined;
    return tell(problem.message);
  }
  while (sending < AT_ONCE && waiting.length) {
    sending += 1;
    (async () => {
      while (waiting.length) await sendOne(waiting.shift());
      sending -= 1;
    })();
  }
}

async function sendOne(file) {
  const name = file.path || file.webkitRelativePath || file.name;
  try {
    const body = new FormData();
    body.append("file", file, name);
    let answer;
    while ((answer = await ask(`/${batch}/files`, { method: "POST", body })).status === 429) {
      await new Promise((after) => setTimeout(after, 1000 * (answer.headers.get("Retry-After") || 2)));
    }
    await lines(answer.body, (found) => (found.error ? tell(`${name}: ${found.error}`) : add(found)));
  } catch (problem) {
    tell(`${name}: ${problem.message}`);
  }
  done += 1;
  summarize();
}

async function lines(body, each) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done: ended } = await reader.read();
    const parts = (rest + (value || "")).split("\n");
    rest = parts.pop();
    for (const part of parts) each(JSON.parse(part));
    if (ended) return;
  }
}

async function dropped(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [];
  const walk = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((took, failed) => entry.file(took, failed));
      files.push(Object.assign(file, { path: entry.fullPath.slice(1) }));
      return;
    }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((took, failed) => reader.readEntries(took, failed))).length; ) {
      for (const one of some) await walk(one);
    }
  };
  for (const entry of entries) await walk(entry);
  send(files);
}

function toggle() {
  unmasked = !unmasked;
  $("mask").ariaPressed = unmasked;
  if (sheets[current]) show(current);
}

for (const input of [$("files"), $("folder")]) {
  input.onchange = () => {
    send([...input.files]);
    input.value = "";
  };
}
$("mask").onclick = toggle;
$("clear").onclick = async () => {
  await fetch(`/batches/${batch}`, { method: "DELETE" });
  sessionStorage.removeItem("batch");
  location.reload();
};
onkeydown = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && sheets.length) show(Math.min(sheets.length - 1, Math.max(0, current + step)));
  else if (event.key.toLowerCase() === "m" && !$("mask").hidden) toggle();
  else return;
  event.preventDefault();
};
// A field is pointed at on the page and in the list at once.
onpointerover = ({ target }) => {
  const { place } = target.closest("[data-place]")?.dataset || {};
  if (!place) return;
  for (const one of document.querySelectorAll("[data-place]")) one.classList.toggle("pointed", one.dataset.place === place);
  if (target.matches("rect")) $("rows").children[place].scrollIntoView({ block: "nearest" });
};
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") dropped(event.dataTransfer.items);
  });
}

if (batch) {
  const answer = await fetch(`/batches/${batch}`);
  if (answer.ok) for (const found of (await answer.json()).documents) add(found);
  else batch = sessionStorage.removeItem("batch");
}
document.body.dataset.ready = "yes";
