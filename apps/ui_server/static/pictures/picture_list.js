/** The pictures in order: which is the reference, painting on one, removing one. */

import { getPicture, removePicture, thumbnail } from "../api.js";
import { byId, element, whenChanged } from "../dom.js";
import { replaced, tell } from "../store.js";
import { reasonInWords } from "../words.js";

export function makePictureList(store, jobs) {
  const list = byId("pictures");
  const cards = new Map(); // id -> {item, draw}: kept, so that thumbnails and the keyboard's place stay
  store.drawn(whenChanged(state => [state.pictures, state.choices.reference], state => {
    for (const { id } of state.pictures) if (!cards.has(id)) cards.set(id, makeCard(store, jobs, id));
    for (const id of cards.keys()) if (!state.pictures.some(picture => picture.id === id)) remove(id);
    for (const picture of state.pictures) cards.get(picture.id).draw(picture, referenceOf(state) === picture.id);
    list.append(...state.pictures.map(({ id }) => cards.get(id).item).filter(item => !item.isConnected));
  }));
  store.drawn(({ running }) => (list.inert = Boolean(running && !running.preview)));

  function remove(id) {
    cards.get(id).item.remove();
    cards.delete(id);
  }
}

/** A picture in the list: whether it is used, its thumbnail to choose it as the reference, painting, removing. */
function makeCard(store, jobs, id) {
  const use = element("input", { type: "checkbox", title: "Use this picture" });
  use.addEventListener("change", () => store.change(state => used(state, id, use.checked)));
  const photo = element("img", { alt: "", loading: "lazy", draggable: false });
  for (const end of ["load", "error"]) photo.addEventListener(end, () => learnSize(store, id), { once: true });
  photo.src = thumbnail(id);
  const choose = button("", () => chooseReference(store, id), { className: "thumbnail", title: "Keep the view of this picture" });
  const marks = element("span", { className: "marks" });
  choose.append(photo, marks);
  const name = element("span", { className: "name" }), facts = element("span", { className: "soft small" });
  const tag = element("span", { className: "chip" }, "Reference");
  const paint = button("Paint", () => store.change({ painting: id }), { title: "Leave parts out, or say what must be shown" });
  const remove = button("×", () => drop(store, jobs, id), { className: "icon", title: "Remove from the list; the file stays" });
  const words = element("div", { className: "words" }, name, facts, tag);
  const item = element("li", {}, use, choose, words, element("div", { className: "buttons" }, paint, remove));

  function draw(picture, isReference) {
    name.textContent = name.title = picture.name;
    use.setAttribute("aria-label", `Use ${picture.name}`);
    choose.setAttribute("aria-label", `Use ${picture.name} as the reference`);
    paint.setAttribute("aria-label", `Paint on ${picture.name}`);
    remove.setAttribute("aria-label", `Remove ${picture.name}`);
    const painted = Object.keys(picture.masks).filter(kind => picture.masks[kind]);
    const dots = painted.map(kind => element("i", { className: `dot ${kind.replace("_", "-")}`, title: "Painted on" }));
    marks.replaceChildren(...dots);
    facts.textContent = picture.fault ? "Cannot be read" : picture.width ? `${picture.width} × ${picture.height}` : "";
    facts.title = picture.fault ? reasonInWords(picture.name, picture.fault) : "";
    use.checked = picture.used;
    use.disabled = choose.disabled = paint.disabled = photo.hidden = Boolean(picture.fault);
    item.classList.toggle("unused", !picture.used);
    choose.setAttribute("aria-pressed", isReference);
    tag.hidden = !isReference;
  }
  return { item, draw };
}

function button(text, act, properties) {
  const made = element("button", { type: "button", ...properties }, text);
  made.addEventListener("click", act);
  return made;
}

/** The size of a picture in the user's folder is known once it is opened, which the thumbnail needed; or why it cannot be. */
async function learnSize(store, id) {
  const known = store.get().pictures.find(picture => picture.id === id);
  if (!known || known.width) return;
  try {
    const { width, height } = await getPicture(id);
    store.change(state => ({ pictures: replaced(state.pictures, "id", id, { width, height }) }));
  } catch (error) {
    store.change(state => {
      const change = used(state, id, false);
      return { ...change, pictures: replaced(change.pictures, "id", id, { fault: error.message }) };
    });
  }
}

async function drop(store, jobs, id) {
  store.change(state => ({
    ...used(state, id, false), // it may be the reference
    pictures: state.pictures.filter(picture => picture.id !== id),
  }));
  try {
    await jobs.cancel(); // a preview that uses it
    await removePicture(id);
  } catch (error) {
    tell(store, error.message);
  }
}

/** The picture whose view is kept: the chosen one, else of two the first; of more it is not known before. */
function referenceOf({ choices, pictures }) {
  const taken = pictures.filter(picture => picture.used);
  return choices.reference ?? (taken.length === 2 ? taken[0].id : null);
}

/** The change of the state after which a picture is used, or not: then it is no reference either. */
function used({ pictures, choices }, id, isUsed) {
  const reference = !isUsed && choices.reference === id ? null : choices.reference;
  return { pictures: replaced(pictures, "id", id, { used: isUsed }), choices: { ...choices, reference } };
}

function chooseReference(store, id) {
  store.change(state => {
    const change = used(state, id, true);
    return { ...change, choices: { ...change.choices, reference: state.choices.reference === id ? null : id } };
  });
}
