/** Starts the page: one state, and the parts that are drawn from it. */

import { getState } from "./api.js";
import { makeChoices } from "./result/choices.js";
import { byId, say } from "./dom.js";
import { makeFinish } from "./result/finish.js";
import { makeJobs } from "./result/jobs.js";
import { makeMessages } from "./messages.js";
import { makePainter } from "./pictures/painter.js";
import { makePictureList } from "./pictures/picture_list.js";
import { makeStore, tell } from "./store.js";
import { makeUploads } from "./pictures/uploads.js";
import { makeViewer } from "./result/viewer.js";

const USED_AT_ONCE = 8; // pictures of a folder; of more, the user says which

const store = makeStore(), jobs = makeJobs(store);
makeMessages(store);
makeUploads(store);
makePictureList(store, jobs);
makeChoices(store);
makePainter(store);
makeViewer(store);
makeFinish(store, jobs);
store.drawn(({ pictures, uploads, folder }) => {
  byId("page").classList.toggle("empty", !pictures.length && !uploads.length);
  byId("folder").textContent = folder ? `\u200e${folder}\u200e` : ""; // marks: the end is what is shown, see the style
});

history.replaceState(null, "", "/"); // the cookie holds the token now; the address needs it no more
try {
  const { folder, formats, largest_file: largestFile, options, pictures } = await getState();
  const used = pictures.length <= USED_AT_ONCE;
  store.change({
    folder, formats, largestFile, options,
    pictures: pictures.map(picture => ({ ...picture, used })),
  });
} catch (error) {
  tell(store, error.message);
}
