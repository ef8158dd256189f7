// A pad to draw a digit on. Every change is sent as 140 x 140 bytes; only the newest waits while one is read.
import { $ } from "/static/page.js";

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
    try {
      const answer = await fetch("/sketch", { method: "POST", body: Uint8Array.from({ length: side * side }, (_, k) => data[4 * k]) });
      const found = await answer.json();
      if (answer.ok) show(found);
      else $("says").textContent = found.error;
    } catch {
      $("says").textContent = "The server does not answer.";
    }
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
  const shares = found.probabilities || Array(10).fill(0);
  const best = shares.indexOf(Math.max(...shares));
  [...$("bars").children].forEach((bar, digit) => {
    bar.children[1].value = shares[digit];
    bar.children[2].textContent = `${(100 * shares[digit]).toFixed(1)} %`;
    bar.classList.toggle("best", Boolean(found.probabilities) && digit === best);
  });
  const doubt = found.a_digit !== null && found.a_digit < 0.5 ? " This may be no digit at all." : "";
  $("says").textContent = found.probabilities ? `Reads ${best}.${doubt}` : "Nothing is drawn yet.";
}

function place(event) {
  const box = pad.getBoundingClientRect();
  return { x: ((event.clientX - box.left) / box.width) * side, y: ((event.clientY - box.top) / box.height) * side };
}

pad.addEventListener("pointerdown", (event) => {
  pad.setPointerCapture(event.pointerId);
  pen = place(event);
  stroke(pen, pen);
});
pad.addEventListener("pointermove", (event) => {
  if (!pen) return;
  const to = place(event);
  stroke(pen, to);
  pen = to;
});
for (const kind of ["pointerup", "pointercancel"]) pad.addEventListener(kind, () => (pen = null));
pad.addEventListener("keydown", (event) => {
  const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] || [0, 0];
  if (x || y) {
    const to = { x: Math.min(side - 8, Math.max(8, cursor.x + STEP * x)), y: Math.min(side - 8, Math.max(8, cursor.y + STEP * y)) };
    if (down) stroke(cursor, to);
    cursor = to;
  } else if (event.key === " ") {
    down = !down;
    if (down) stroke(cursor, cursor);
  } else return;
  event.preventDefault();
  $("pen").textContent = `pen ${down ? "down" : "lifted"} at ${Math.round(cursor.x)}, ${Math.round(cursor.y)}`;
});
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey) clear();
});
$("clear").addEventListener("click", clear);
clear();
document.body.dataset.ready = "yes";
