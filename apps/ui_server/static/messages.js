/** What went wrong, what the verdict is, and what a screen reader is told meanwhile. */

import { byId, element, say, whenChanged } from "./dom.js";
import { sentence, stageInWords, verdictInWords } from "./words.js";

export function makeMessages(store) {
  const list = byId("messages"), verdict = byId("verdict"), warnings = byId("warnings"), live = byId("live");
  store.drawn(whenChanged(state => [state.messages, state.failure], ({ messages, failure }) => {
    const full = failure && !failure.preview ? [row(failure.text, () => store.change({ failure: { ...failure, preview: false, text: "" } }))] : [];
    list.replaceChildren(...messages.map(({ key, text }) => row(text, () => dismiss(key))), ...(failure?.text ? full : []));
  }));
  store.drawn(whenChanged(state => [state.shown], ({ shown }) => {
    say(verdict, shown ? verdictInWords(shown) : "");
    verdict.classList.toggle("care", Boolean(shown?.warnings.length));
    warnings.hidden = !shown?.warnings.length;
    warnings.replaceChildren(...(shown?.warnings ?? []).map(text =>
      element("li", {}, element("b", {}, "Warning"), ` ${sentence(text)}`)));
  }));
  store.drawn(state => {
    const words = liveWords(state);
    if (live.textContent !== words) live.textContent = words;
  });

  const dismiss = key => store.change(state => ({ messages: state.messages.filter(one => one.key !== key) }));

  function row(text, close) {
    const button = element("button", { type: "button", className: "icon", aria: { label: `Dismiss: ${text}` } }, "×");
    button.addEventListener("click", close);
    return element("li", {}, element("span", {}, sentence(text)), button);
  }
}

function liveWords({ running, shown }) {
  if (running && !running.preview) return stageInWords(running.stage);
  if (running || !shown) return "";
  return `${shown.preview ? "The preview" : "The panorama"} is there. ${verdictInWords(shown)}`;
}
