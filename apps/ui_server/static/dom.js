/** Elements of the page. */

export const byId = id => document.getElementById(id);

/** An element with properties, `data-` values under `dataset`, and children (elements or text). */
export function element(tag, properties = {}, ...children) {
  const { dataset = {}, aria = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, dataset);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children.filter(child => child !== null));
  return made;
}

/** Shows `text` in an element; hides the element where there is none. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
  target.hidden = !text;
}

/** `draw(state)` only where one of the values that `look` picks is another than last time. */
export function whenChanged(look, draw) {
  let before = null;
  return state => {
    const now = look(state);
    if (before && now.every((value, i) => value === before[i])) return;
    before = now;
    draw(state);
  };
}
