/** Full size: its progress, then saving or downloading. */

import { fileOfJob, saveJob } from "../api.js";
import { byId, element, say, whenChanged } from "../dom.js";
import { isFinished, isUploading, wantedIn } from "./jobs.js";
import { stageInWords } from "../words.js";

const LONGEST_SIDE = { jpg: 65500, webp: 16383 }; // px that the format can hold

export function makeFinish(store, jobs) {
  const form = byId("save"), name = byId("name"), exists = byId("exists"), formats = byId("formats");
  byId("stitch").addEventListener("click", jobs.stitch);
  byId("cancel").addEventListener("click", jobs.cancel);
  const setFile = change => store.change(state => ({ file: { ...state.file, saved: null, ...change } }));
  formats.addEventListener("change", event => setFile({ format: event.target.value }));
  name.addEventListener("input", () => setFile({ name: name.value }));
  form.addEventListener("submit", event => {
    event.preventDefault();
    save(false);
  });
  for (const button of exists.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      exists.close();
      if (button.dataset.exists === "replace") save(true);
    });
  }
  exists.addEventListener("close", () => setFile({ exists: false, saved: store.get().file.saved }));

  store.drawn(whenChanged(state => [state.formats, state.shown], drawFormats));
  store.drawn(draw);

  async function save(overwrite) {
    const { shown, file } = store.get();
    setFile({ saved: { text: "Saving …", isBusy: true } });
    try {
      const { path } = await saveJob(shown.id, fileName(file), overwrite);
      setFile({ saved: { text: `Saved as ${path}` } });
    } catch (error) {
      if (error.status === 409 && !overwrite) setFile({ exists: true });
      else setFile({ saved: { text: error.message, isBad: true } });
    }
  }

  function drawFormats({ formats: known, shown, file }) {
    formats.replaceChildren(...known.map(format => {
      const fits = !shown || Math.max(...shown.size) <= (LONGEST_SIDE[format] ?? Infinity);
      const input = element("input", { type: "radio", name: "format", value: format, disabled: !fits });
      input.checked = format === file.format;
      const title = fits ? "" : `At most ${LONGEST_SIDE[format]} px wide and high`;
      return element("label", { title }, input, element("span", {}, format.toUpperCase()));
    }));
  }

  function draw(state) {
    const { running, folder, file, shown, failure } = state;
    const full = Boolean(running && !running.preview), finished = isFinished(state);
    byId("finish").hidden = wantedIn(state) === null;
    byId("stitch").hidden = full || finished;
    byId("stitch").disabled = isUploading(state) || Boolean(failure);
    byId("progress").hidden = !full;
    if (full) {
      byId("stage").textContent = stageInWords(running.stage);
      byId("share").value = running.share;
    }
    form.hidden = !finished;
    if (!finished) return;
    byId("name-row").hidden = byId("save-button").hidden = !folder;
    if (name.value !== file.name) name.value = file.name;
    byId("download").href = fileOfJob(shown.id, file.format);
    byId("download").download = fileName(file);
    byId("download").classList.toggle("strong", !folder);
    say(byId("saved"), file.saved?.text ?? "");
    byId("saved").className = file.saved?.isBad ? "small bad" : "small";
    byId("save-button").disabled = Boolean(file.saved?.isBusy);
    byId("exists-text").textContent = `There is a file ${fileName(file)} in the folder panoramas.`;
    if (file.exists && !exists.open) exists.showModal();
  }
}

/** The name that the user gave, with the ending of the format. */
function fileName({ name, format }) {
  const stem = name.trim().replace(/\.(png|jpe?g|tiff?|webp)$/i, "") || "panorama";
  return `${stem}.${format}`;
}
