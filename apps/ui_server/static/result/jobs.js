/** Stitching: a preview after each change, and the full size when asked for. One job at a time. */

import { cancelJob, getJob, startJob } from "../api.js";
import { tell } from "../store.js";
import { sentence } from "../words.js";

const PAUSE = 300; // ms after the last change before a preview is made
const LONG_PAUSE = 1200; // before one that runs is given up for it: most have ended by then
const LOOK_AGAIN = 150; // ms between two looks at a job

export function makeJobs(store) {
  let current = 0; // number of the job that counts; answers to earlier ones are dropped
  let started = null; // promise of the job that was asked for last
  let ending = Promise.resolve(); // of the last one that was cancelled
  let timer = null, planned = null; // for what the timer runs
  store.drawn(plan);
  return { stitch: () => run(false), cancel };

  /** Plans a preview where what is shown, made or failed is not what the user wants now. */
  function plan(state) {
    const { running, shown, failure } = state;
    if (isUploading(state) || (running && !running.preview)) return; // after these
    const wanted = wantedIn(state);
    const isSettled = running ? running.wanted === wanted : [shown, failure].some(job => job?.wanted === wanted);
    const next = isSettled || !(wanted || running || shown || failure) ? null : `${wanted} ${running !== null}`;
    if (next === planned) return;
    clearTimeout(timer);
    planned = next;
    const pause = running ? LONG_PAUSE : PAUSE;
    if (next) timer = setTimeout(begin, wanted && (running || shown) ? pause : 0); // the first one at once
  }

  function begin() {
    planned = null;
    const { shown } = store.get(), wanted = wantedIn(store.get());
    if (wanted && shown?.wanted !== wanted) return void run(true);
    cancel();
    if (!wanted) store.change({ shown: null, failure: null });
  }

  /** Ends what is running; its pictures are free when the promise is kept. */
  function cancel() {
    current += 1;
    if (store.get().running) {
      ending = started.then(({ id }) => cancelJob(id)).catch(() => {}); // it was never begun, or it has ended
      store.change({ running: null });
    }
    return ending;
  }

  async function run(preview) {
    const free = cancel(); // else the server refuses a second stitch at full size
    const mine = current;
    const wanted = wantedIn(store.get());
    store.change({ running: { id: null, wanted, preview, stage: "start", share: 0 }, failure: null });
    try {
      started = free.then(() => startJob({ ...JSON.parse(wanted).request, preview }));
      const { id } = await started;
      if (mine !== current) return;
      store.change(state => ({ running: { ...state.running, id } }));
      await follow(id, mine, wanted, preview);
    } catch (error) {
      if (mine === current) fail(error.message, wanted, preview);
    }
  }

  async function follow(id, mine, wanted, preview) {
    for (;;) {
      const job = await getJob(id);
      if (mine !== current) return;
      if (job.state === "done") {
        const { summary, warnings, size, views } = job;
        const shown = { id, wanted, preview, summary, warnings, size, views };
        return store.change(state => ({ running: null, shown, file: { ...state.file, saved: null } }));
      }
      if (job.state !== "running") return fail(job.error ?? "It was cancelled.", wanted, preview);
      store.change(state => ({ running: { ...state.running, stage: job.stage, share: job.share } }));
      await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN));
      if (mine !== current) return;
    }
  }

  function fail(text, wanted, preview) {
    if (!preview) tell(store, `The panorama was not made. ${sentence(text)}`);
    // Without a preview: one of other choices would be taken for the one that failed.
    store.change(preview ? { running: null, failure: { text, wanted }, shown: null } : { running: null });
  }
}

/** All that a stitch depends on, as text to compare; null where there is nothing to stitch yet. */
export function wantedIn({ pictures, choices, masksChanged }) {
  const used = pictures.filter(picture => picture.used).map(picture => picture.id);
  if (used.length < 2) return null;
  return JSON.stringify({ request: { pictures: used, ...choices }, masksChanged });
}

export function isUploading({ uploads }) {
  return uploads.some(upload => !upload.error);
}

/** Whether the panorama of full size is there, made as the user wants it now. */
export function isFinished(state) {
  return Boolean(state.shown && !state.shown.preview && state.shown.wanted === wantedIn(state));
}
