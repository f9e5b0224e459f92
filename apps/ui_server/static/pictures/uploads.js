/** Pictures come in: dropped anywhere on the page, or chosen. One after the other, so that they keep their order. */

import { sendPicture } from "../api.js";
import { byId, element, whenChanged } from "../dom.js";
import { newKey, replaced } from "../store.js";
import { bytesInWords, reasonInWords } from "../words.js";

export function makeUploads(store) {
  const list = byId("uploads"), files = byId("files");
  let last = Promise.resolve();

  function take(chosen) {
    for (const file of chosen) {
      const key = newKey();
      const error = whyNot(file, store.get().largestFile);
      store.change(state => ({ uploads: [...state.uploads, { key, name: file.name, share: 0, error }] }));
      if (!error) last = last.then(() => send(file, key));
    }
  }

  async function send(file, key) {
    const note = change => store.change(state => ({ uploads: replaced(state.uploads, "key", key, change) }));
    try {
      const picture = await sendPicture(file, share => note({ share }));
      store.change(state => ({
        uploads: state.uploads.filter(upload => upload.key !== key),
        pictures: [...state.pictures, { ...picture, used: true }],
      }));
    } catch (error) {
      note({ error: error.message });
    }
  }

  files.addEventListener("change", () => {
    take([...files.files]);
    files.value = "";
  });
  for (const button of document.querySelectorAll("[data-choose]")) button.addEventListener("click", () => files.click());
  listenToDrops(take);
  store.drawn(whenChanged(state => [state.uploads], state => list.replaceChildren(...state.uploads.map(row))));

  function row({ key, name, share, error }) {
    if (!error) {
      const bar = element("progress", { max: 1, value: share, aria: { label: `Reading ${name}` } });
      return element("li", {}, element("span", { className: "name" }, name), bar);
    }
    const dismiss = element("button", { type: "button", className: "icon", title: "Dismiss" }, "×");
    dismiss.setAttribute("aria-label", `Dismiss: ${name}`);
    dismiss.addEventListener("click", () =>
      store.change(state => ({ uploads: state.uploads.filter(upload => upload.key !== key) })));
    const words = element("span", {}, element("b", {}, name), ` was not taken. ${reasonInWords(name, error)}`);
    return element("li", { className: "refused" }, words, dismiss);
  }
}

/** Why a file is not even sent, or null. */
function whyNot(file, most) {
  if (file.isFolder) return "It is a folder: drop the pictures in it.";
  if (file.size === 0) return "It is empty.";
  if (file.size > most) return `It has ${bytesInWords(file.size)}, at most ${bytesInWords(most)} are taken.`;
  return null;
}

function listenToDrops(take) {
  const over = isOver => document.body.classList.toggle("dragging", isOver);
  const hasFiles = event => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", event => {
    if (!hasFiles(event)) return;
    event.preventDefault(); // else the browser opens the file
    over(true);
  });
  document.addEventListener("dragleave", event => event.relatedTarget ?? over(false));
  document.addEventListener("drop", event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(false);
    const items = [...event.dataTransfer.items].filter(item => item.kind === "file");
    take(items.map(item => {
      const entry = item.webkitGetAsEntry?.();
      return entry?.isDirectory ? { name: entry.name, isFolder: true } : item.getAsFile();
    }));
  });
}
