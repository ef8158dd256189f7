// A pad to draw a digit on. Every change is sent as 140 x 140 bytes; only the newest waits while one is read.
import { $, ARROWS, call } from "/static/page.js";

const pad = $("pad");
const side = pad.width;
const ink = pad.getContext("2d", { willReadFrequently: true });
const glyph = $("glyph").getContext("2d");
const STEP = 4; // px of the pad for an arrow key
let pen = null; // where it was last, px of the pad
let cursor = { x: side / 2, y: side / 4 };
let down = false, asking = false, changed = false;

function clear() {
  ink.fillStyle = "#fff";
  ink.fillRect(0, 0, side, side);
  ask();
}

function stroke(from, to) {
  ink.strokeStyle = "#14161a";
  ink.lineWidth = side / 14;
  ink.lineCap = ink.lineJoin = "round";
  ink.beginPath();
  ink.moveTo(from.x, from.y);
  ink.lineTo(to.x, to.y);
  ink.stroke();
  ask();
}

async function ask() {
  changed = true;
  if (asking) return;
  asking = true;
  while (changed) {
    changed = false;
    const { data } = ink.getImageData(0, 0, side, side);
    const body = Uint8Array.from({ length: side * side }, (_, k) => data[4 * k]);
    const found = await call("/sketch", { method: "POST", body })
      .then((answer) => answer.json())
      .catch(({ message }) => ({ error: message }));
    if (found.error) $("says").textContent = found.error;
    else show(found);
  }
  asking = false;
}

function show(found) {
  const image = glyph.createImageData(28, 28);
  for (let k = 0; k < 784; k += 1) {
    image.data.fill(found.glyph ? found.glyph[k] : 0, 4 * k, 4 * k + 3);
    image.data[4 * k + 3] = 255;
  }
  glyph.putImageData(image, 0, 0);
  [...$("bars").children].forEach((bar, digit) => {
    const share = found.probabilities?.[digit] || 0;
    bar.children[1].value = share;
    bar.children[2].textContent = `${(100 * share).toFixed(1)} %`;
    bar.classList.toggle("best", digit === found.best);
  });
  $("says").textContent = found.says;
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return { x: ((event.clientX - box.left) / box.width) * side, y: ((event.clientY - box.top) / box.height) * side };
}

pad.onpointerdown = (event) => {
  pad.setPointerCapture(event.pointerId);
  pen = place(event);
  stroke(pen, pen);
};
pad.onpointermove = (event) => {
  if (!pen) return;
  const to = place(event);
  stroke(pen, to);
  pen = to;
};
for (const kind of ["pointerup", "pointercancel"]) pad.addEventListener(kind, () => (pen = null));
pad.onkeydown = (event) => {
  const [x, y] = ARROWS[event.key] || [0, 0];
  if (x || y) {
    const within = (at) => Math.min(side - 8, Math.max(8, at));
    const to = { x: within(cursor.x + STEP * x), y: within(cursor.y + STEP * y) };
    if (down) stroke(cursor, to);
    cursor = to;
  } else if (event.key === " ") {
    down = !down;
    if (down) stroke(cursor, cursor);
  } else return;
  event.preventDefault();
  $("pen").textContent = `pen ${down ? "down" : "lifted"} at ${Math.round(cursor.x)}, ${Math.round(cursor.y)}`;
};
onkeydown = (event) => {
  if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey) clear();
};
$("clear").onclick = clear;
clear();
document.body.dataset.ready = "yes";
