/** Stitching: a preview after each change, and the full size when asked for. One job at a time. */

import { cancelJob, getJob, startJob } from "../api.js";

const PAUSE = 300; // ms after the last change before a preview is made
const LOOK_AGAIN = 200; // ms between two looks at a job

export function makeJobs(store) {
  let current = 0; // number of the job that counts; answers to earlier ones are dropped
  let timer = null, timed; // what the timer will begin
  store.drawn(plan);
  return { stitch: () => run(false), cancel };

  /** Starts a preview where what is shown, made or failed is not what the user wants now. */
  function plan(state) {
    if (isUploading(state) || (state.running && !state.running.preview)) return; // after these
    const wanted = wantedIn(state);
    if (wanted === timed) return;
    clearTimeout(timer);
    timed = undefined;
    const jobs = [state.running, state.shown, state.failure].filter(job => job);
    if (wanted ? jobs.some(job => job.wanted === wanted) : !jobs.length) return;
    timed = wanted;
    timer = setTimeout(begin, wanted ? PAUSE : 0);
  }

  function begin() {
    timed = undefined;
    if (wantedIn(store.get())) return void run(true);
    cancel();
    store.change({ shown: null, failure: null });
  }

  function cancel() {
    current += 1;
    const { running } = store.get();
    if (!running) return;
    if (running.id) cancelJob(running.id).catch(() => {}); // it may have ended
    store.change({ running: null });
  }

  async function run(preview) {
    cancel();
    const mine = current;
    const wanted = wantedIn(store.get());
    store.change({ running: { id: null, wanted, preview, stage: "start", share: 0 }, failure: null });
    try {
      const { id } = await startJob({ ...JSON.parse(wanted).request, preview });
      if (mine !== current) return void cancelJob(id).catch(() => {});
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
    store.change(state => ({
      running: null,
      failure: { text, wanted, preview },
      shown: preview ? null : state.shown, // a panorama of other choices would be taken for the one that failed
    }));
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
