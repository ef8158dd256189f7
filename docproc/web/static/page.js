// What the scripts of several pages share. What a server sends goes into a page as text, but for parts that it rendered.
export const $ = (id) => document.getElementById(id);

/** Where an arrow key leads: to the right, and down. */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** An element with attributes and children. */
export const element = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);

/** The same in a drawing. */
export const drawn = (tag, attributes, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function filled(made, attributes = {}, children = []) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** As fetch, but says in words that nobody answers. */
export const call = (...what) => fetch(...what).catch(() => Promise.reject(Error("The server does not answer.")));

/** Say something at the foot of the page, for some seconds. */
export function tell(text) {
  $("toast").textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => ($("toast").textContent = ""), 8000);
}
