// What the scripts of several pages share. What a server sends goes into a page as text, never as HTML.
export const $ = (id) => document.getElementById(id);

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

/** Say something at the foot of the page, for some seconds. */
export function tell(text) {
  $("toast").textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => ($("toast").textContent = ""), 8000);
}
