/** The choices of a stitch. */

import { byId, element, whenChanged } from "../dom.js";
import { valueInWords } from "../words.js";

const MAIN = { projection: "Projection" };
const MORE = { lens: "Lens", warp: "Warp", blend: "Blend" };

export function makeChoices(store) {
  const form = byId("choices");
  const choose = (name, value) => store.change(state => ({ choices: { ...state.choices, [name]: value } }));
  const reference = element("select", { id: "choice-reference" });
  reference.addEventListener("change", () => choose("reference", Number(reference.value) || null));
  const crop = element("input", { type: "checkbox", id: "choice-crop" });
  crop.addEventListener("change", () => choose("crop", crop.checked));

  store.drawn(whenChanged(state => [state.options], ({ options }) => {
    const rows = labels => Object.entries(labels).filter(([name]) => options[name]?.length).map(([name, label]) =>
      row(label, select(name, options[name], value => choose(name, value))));
    const more = element("details", {}, element("summary", {}, "More"), ...rows(MORE));
    const cut = element("label", { className: "check" }, crop, element("span", {}, "Cut off the empty edges"));
    form.replaceChildren(row("Reference", reference), ...rows(MAIN), cut, more);
  }));
  store.drawn(whenChanged(state => [state.pictures, state.choices, state.options], draw));
  store.drawn(({ running }) => (form.disabled = Boolean(running && !running.preview)));

  function draw({ pictures, choices }) {
    const used = pictures.filter(picture => picture.used);
    const known = [element("option", { value: "" }, used.length > 2 ? "Automatic" : "The first picture")];
    for (const { id, name } of used) known.push(element("option", { value: id }, name));
    reference.replaceChildren(...known);
    reference.value = choices.reference ?? "";
    crop.checked = choices.crop;
    for (const name of Object.keys({ ...MAIN, ...MORE })) {
      const field = byId(`choice-${name}`);
      if (field) field.value = choices[name];
    }
  }
}

function row(label, field) {
  return element("label", { className: "row" }, element("span", {}, label), field);
}

function select(name, values, chosen) {
  const options = values.map(value => element("option", { value }, valueInWords(name, value)));
  const made = element("select", { id: `choice-${name}` }, ...options);
  made.addEventListener("change", () => chosen(made.value));
  return made;
}
