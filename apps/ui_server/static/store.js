/** The state of the page. Actions change it, every part of the page is drawn from it; nothing else is remembered. */

const EMPTY = {
  folder: null, // where panoramas can be saved, or null
  formats: [], // endings of files that can be saved
  options: {}, // name of a choice -> its values
  largestFile: Infinity, // bytes
  pictures: [], // {id, name, width, height, used, fault, masks: {leave_out, keep}}, in order
  uploads: [], // {key, name, share, error}
  messages: [], // {key, text}
  choices: { reference: null, projection: "auto", crop: false, lens: "auto", warp: "auto", blend: "auto" },
  masksChanged: 0, // counts, so that a new preview is made
  running: null, // the job under way: {id, wanted, preview, stage, share}
  shown: null, // the last job that ended well: {id, wanted, preview, summary, warnings, size, views}
  failure: null, // of the last preview: {wanted, text}
  mode: "panorama",
  painting: null, // id of the picture being painted on
  file: { format: "jpg", name: "panorama", saved: null, exists: false },
};

export function makeStore() {
  let state = EMPTY;
  const parts = [];
  return {
    get: () => state,
    /** @param {object|function} change new values, or a function of the state that gives them */
    change(change) {
      state = { ...state, ...(typeof change === "function" ? change(state) : change) };
      for (const draw of parts) draw(state);
    },
    /** @param {function} draw called with the state now and after each change */
    drawn(draw) {
      parts.push(draw);
      draw(state);
    },
  };
}

let lastKey = 0;

/** A message to the user, until it is dismissed. */
export function tell(store, text) {
  const key = ++lastKey;
  store.change(state => ({ messages: [...state.messages.filter(one => one.text !== text), { key, text }] }));
}

export function newKey() {
  return ++lastKey;
}

/** `items` with the one of this `name` value replaced. */
export function replaced(items, name, value, change) {
  return items.map(item => (item[name] === value ? { ...item, ...change } : item));
}
