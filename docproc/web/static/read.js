// The page on which documents are read. What the server sends is put into the page as text, never as HTML.
import { $, drawn, element, tell } from "/static/page.js";

const AT_ONCE = 2; // files that are sent at a time
const sheets = []; // { document, page, rows, item }
let batch = sessionStorage.getItem("batch");
let unmasked = $("desk").dataset.unmasked === "yes";
let current = -1, sent = 0, done = 0;
const waiting = [];
let sending = 0;

const covered = (row) => row.account && !unmasked;
const reading = (row) => (covered(row) ? row.text && "••••••••" : row.value || row.text);
const sure = (row) => (row.confidence === null || !row.text ? "" : `${Math.floor(row.confidence * 100)} %`);

// ---------------------------------------------------------------- what was read

function add(found) {
  const pages = [...found.pages];
  for (const row of found.rows) if (!pages.some((one) => one.page === row.page)) pages.push({ page: row.page });
  for (const page of pages) {
    const rows = found.rows.filter((row) => row.page === page.page);
    const worst = ["error", "review", "ok", "blank"].find((status) => rows.some((row) => row.status === status)) || "blank";
    const item = element("button", { type: "button", class: worst });
    item.append(element("span", { class: "name" }, found.name), element("span", { class: "badge" }, count(rows, worst)));
    if (pages.length > 1) item.firstChild.append(element("span", { class: "quiet" }, `, page ${page.page}`));
    const index = sheets.push({ name: found.name, page, rows, item }) - 1;
    item.addEventListener("click", () => show(index));
    $("documents").append(element("li", {}, item));
  }
  if (current < 0 && sheets.length) show(0);
  summarize();
}

function count(rows, worst) {
  const many = rows.filter((row) => row.status === worst).length;
  return worst === "error" ? "not read" : worst === "blank" ? "blank" : worst === "ok" ? `${many} ok` : `${many} to review`;
}

function show(index) {
  if (!sheets[index]) return;
  sheets[current]?.item.removeAttribute("aria-current");
  current = index;
  const { name, page, rows, item } = sheets[index];
  item.setAttribute("aria-current", "true");
  item.scrollIntoView({ block: "nearest" });
  $("sheet-name").textContent = page.page > 1 ? `${name}, page ${page.page}` : name;
  $("sheet").replaceChildren(page.picture ? picture(page, rows) : element("p", { class: "quiet none" }, rows[0]?.reason || "There is no picture."));
  $("rows").replaceChildren(...rows.map(line));
}

function picture(page, rows) {
  const { width, height, tall } = page;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height * tall}`, role: "img", "aria-label": `The page with ${rows.length} fields` });
  svg.append(drawn("image", { href: page.picture, width, height: height * tall, preserveAspectRatio: "none" }));
  rows.forEach((row, place) => {
    if (row.left === null) return;
    const rim = Math.max(2, width / 400);
    const box = drawn("rect", {
      x: row.left - rim, y: (row.top - rim) * tall, width: row.width + 2 * rim, height: (row.height + 2 * rim) * tall,
      rx: rim, class: `box ${row.status}${covered(row) ? " covered" : ""}`, "data-place": place,
    });
    box.addEventListener("pointerenter", () => {
      point(place);
      $("rows").children[place].scrollIntoView({ block: "nearest" });
    });
    svg.append(box);
  });
  return svg;
}

function point(place) {
  [...$("rows").children].forEach((one, k) => one.classList.toggle("pointed", k === place));
  for (const box of document.querySelectorAll(".box")) box.classList.toggle("pointed", box.dataset.place === String(place));
}

function line(row, place) {
  const read = reading(row) || "–";
  const text = element("td", {}, element("span", { class: `digits${read.length > 12 ? "" : " short"}` }, read));
  if (row.text && !covered(row) && row.value && row.value !== row.text) text.append(element("span", { class: "small quiet" }, ` ${row.text}`));
  if (row.reason) text.append(element("div", { class: "small quiet" }, row.reason));
  const made = element(
    "tr", {}, element("td", { class: "field" }, row.field || `page ${row.page}`), text, element("td", { class: "number" }, sure(row)),
    element("td", {}, element("span", { class: `badge ${row.status}` }, row.status)),
  );
  made.addEventListener("pointerenter", () => point(place));
  return made;
}

function summarize() {
  const some = { ok: 0, review: 0, blank: 0, error: 0 };
  for (const sheet of sheets) for (const row of sheet.rows) some[row.status] += 1;
  const busy = done < sent;
  $("drop").classList.toggle("small-drop", sheets.length > 0 || busy);
  $("desk").hidden = !sheets.length && !busy;
  $("counts").replaceChildren(
    element("strong", {}, busy ? `Reading ${done + 1} of ${sent}` : `${sheets.length} ${sheets.length === 1 ? "page" : "pages"}`),
    ...Object.entries(some).filter(([, many]) => many).map(([status, many]) => element("span", { class: `badge ${status}` }, `${many} ${status}`)),
  );
  $("progress").hidden = !busy;
  $("progress").value = sent ? done / sent : 0;
  $("mask").hidden = !sheets.some((sheet) => sheet.rows.some((row) => row.account));
  for (const link of document.querySelectorAll("[data-table]")) link.href = `/batches/${batch}/table${link.dataset.table}`;
}

// ---------------------------------------------------------------- what is sent

async function begin() {
  if (!batch) {
    const answer = await fetch("/batches", { method: "POST" });
    if (!answer.ok) throw new Error((await answer.json()).error);
    batch = (await answer.json()).id;
    sessionStorage.setItem("batch", batch);
  }
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
    for (;;) {
      const form = new FormData();
      form.append("file", file, name);
      const answer = await fetch(`/batches/${batch}/files`, { method: "POST", body: form });
      if (answer.status === 429) {
        await new Promise((after) => setTimeout(after, 1000 * (Number(answer.headers.get("Retry-After")) || 2)));
        continue;
      }
      if (!answer.ok) throw new Error((await answer.json()).error);
      await lines(answer.body, (found) => (found.error ? tell(`${name}: ${found.error}`) : add(found)));
      break;
    }
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
      file.path = entry.fullPath.replace(/^\//, "");
      files.push(file);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((took, failed) => reader.readEntries(took, failed));
      if (!some.length) return;
      for (const one of some) await walk(one);
    }
  };
  for (const entry of entries) await walk(entry);
  send(files);
}

// ---------------------------------------------------------------- keys and pointers

function toggle() {
  unmasked = !unmasked;
  $("mask").setAttribute("aria-pressed", String(unmasked));
  show(current);
}

$("choose").addEventListener("click", () => $("files").click());
$("choose-folder").addEventListener("click", () => $("folder").click());
for (const input of [$("files"), $("folder")]) {
  input.addEventListener("change", () => {
    send([...input.files]);
    input.value = "";
  });
}
$("mask").addEventListener("click", toggle);
$("clear").addEventListener("click", async () => {
  await fetch(`/batches/${batch}`, { method: "DELETE" });
  sessionStorage.removeItem("batch");
  location.reload();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && sheets.length) show(Math.min(sheets.length - 1, Math.max(0, current + step)));
  else if (event.key.toLowerCase() === "m" && !$("mask").hidden) toggle();
  else return;
  event.preventDefault();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
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
