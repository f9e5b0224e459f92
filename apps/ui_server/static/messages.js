/** What went wrong, what the verdict is, and what a screen reader is told meanwhile. */

import { byId, element, say, whenChanged } from "./dom.js";
import { sentence, stageInWords, verdictInWords } from "./words.js";

export function makeMessages(store) {
  const list = byId("messages"), verdict = byId("verdict"), warnings = byId("warnings"), notes = byId("notes");
  const live = byId("live");
  store.drawn(whenChanged(state => [state.messages], ({ messages }) => list.replaceChildren(...messages.map(row))));
  store.drawn(whenChanged(state => [state.shown], ({ shown }) => {
    say(verdict, shown ? verdictInWords(shown) : "");
    verdict.classList.toggle("care", Boolean(shown?.warnings.length));
    warnings.hidden = !shown?.warnings.length;
    warnings.replaceChildren(...(shown?.warnings ?? []).map(text =>
      element("li", {}, element("b", {}, "Warning"), ` ${sentence(text)}`)));
    say(notes, (shown?.summary.notes ?? []).map(sentence).join(" "));
  }));
  store.drawn(state => {
    const words = liveWords(state);
    if (live.textContent !== words) live.textContent = words;
  });

  function row({ key, text }) {
    const button = element("button", { type: "button", className: "icon", aria: { label: `Dismiss: ${text}` } }, "×");
    button.addEventListener("click", () =>
      store.change(state => ({ messages: state.messages.filter(one => one.key !== key) })));
    return element("li", {}, element("span", {}, sentence(text)), button);
  }
}

function liveWords({ running, shown }) {
  if (running && !running.preview) return stageInWords(running.stage);
  if (running || !shown) return "";
  return `${shown.preview ? "The preview" : "The panorama"} is there. ${verdictInWords(shown)}`;
}
