/** The result: the panorama, or both pictures to compare by swipe, blink or difference. */

import { fileOfJob, viewOfJob } from "../api.js";
import { drawDifference, sidesOf } from "./compare.js";
import { byId, element, say, whenChanged } from "../dom.js";
import { isUploading, wantedIn } from "./jobs.js";
import { lensesInWords, sentence, sizeInWords, stageInWords } from "../words.js";
import { makeZoom } from "../zoom.js";

const NEAR = 28; // px: presses so near to the divider move it
const ONLY_PAIRS = "For two pictures, with the projection Automatic";

export function makeViewer(store) {
  const viewer = byId("viewer"), modes = byId("modes"), swipe = byId("swipe");
  const layer = viewer.querySelector(".layer"), handle = viewer.querySelector(".handle");
  const [left, right] = viewer.querySelectorAll(".tag");
  const zoom = makeZoom(viewer, { moved: onMove, claims: startSwipe });
  let wanted = null; // job and mode whose pictures are being fetched
  let placed = null; // the stitch for which the divider was placed

  modes.addEventListener("change", event => store.change({ mode: event.target.value }));
  for (const button of byId("result").querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom[button.dataset.zoom]());
  }
  swipe.addEventListener("input", placeDivider);

  store.drawn(whenChanged(state => [state.shown, state.mode], drawResult));
  store.drawn(drawWords);

  async function drawResult({ shown, mode }) {
    const canCompare = Boolean(shown?.views.includes("reference"));
    for (const input of modes.querySelectorAll("input")) {
      input.disabled = input.value !== "panorama" && !canCompare;
      input.parentElement.title = input.disabled && shown ? ONLY_PAIRS : "";
      input.checked = input.value === (canCompare ? mode : "panorama");
    }
    const how = canCompare ? mode : "panorama";
    const mine = (wanted = shown && `${shown.id} ${how}`);
    if (!shown) return showPictures("panorama", [], null);
    const names = how === "panorama" ? ["panorama"] : ["reference", "target"];
    const images = names.map(name => element("img", { src: viewOfJob(shown.id, name), alt: altOf(name), draggable: false }));
    try {
      await Promise.all(images.map(image => image.decode()));
    } catch {
      return; // what was there stays; the job's pictures are gone, another one is coming
    }
    if (mine === wanted) showPictures(how, images, shown);
  }

  /** Only complete pictures come here, so that the old ones stay until the new ones are there. */
  function showPictures(mode, images, shown) {
    const named = mode === "swipe" || mode === "blink";
    viewer.dataset.mode = mode;
    left.hidden = right.hidden = !named;
    handle.hidden = swipe.hidden = mode !== "swipe";
    layer.replaceChildren(...(mode === "difference" ? [drawDifference(...images)] : images));
    if (named) nameSides(images, shown);
    if (shown) zoom.resize(shown.size);
  }

  /** The picture that lies farther left is shown to the left of the divider. */
  function nameSides(images, shown) {
    const { turned, middle } = sidesOf(...images);
    const names = turned ? ["Target", "Reference"] : ["Reference", "Target"];
    (turned ? images.reverse() : images).forEach((image, i) => (image.className = ["left", "right"][i]));
    [left, right].forEach((tag, i) =>
      tag.replaceChildren(element("i", { className: names[i].toLowerCase() }), names[i]));
    swipe.setAttribute("aria-label", `Divider between ${names[0]}, to the left, and ${names[1]}, to the right`);
    if (placed !== shown.wanted) swipe.value = middle;
    placed = shown.wanted;
  }

  function onMove() {
    placeDivider();
    const { shown } = store.get();
    const view = layer.querySelector("img");
    const isCoarse = view && zoom.at.scale * devicePixelRatio > (1.1 * view.naturalWidth) / shown?.size[0];
    if (!shown || shown.preview || viewer.dataset.mode !== "panorama" || !isCoarse || layer.children.length > 1) return;
    // Every pixel of it, as JPEG, which is written soonest; the view tells where it is empty.
    const fine = element("img", { src: fileOfJob(shown.id, "jpg"), alt: "", draggable: false });
    fine.style.maskImage = `url("${view.src}")`;
    fine.style.maskSize = "100% 100%";
    layer.append(fine);
  }

  function placeDivider() {
    const share = swipe.value / 100;
    layer.style.setProperty("--at", `${swipe.value}%`);
    handle.style.left = `${zoom.at.x + share * layer.offsetWidth * zoom.at.scale}px`;
    swipe.setAttribute("aria-valuetext", `${Math.round(swipe.value)}% of the width`);
  }

  /** Whether a press moves the divider: near to it, and everywhere where there is nothing to pan. */
  function startSwipe(event) {
    if (viewer.dataset.mode !== "swipe") return false;
    const line = handle.getBoundingClientRect();
    if (viewer.classList.contains("zoomed") && Math.abs(event.clientX - line.left) > NEAR) return false;
    const drag = moved => {
      if (zoom.isPinching()) return;
      swipe.value = 100 * (zoom.inPicture(moved)[0] / layer.offsetWidth);
      placeDivider();
    };
    const stop = () => {
      viewer.removeEventListener("pointermove", drag);
      for (const end of ["pointerup", "pointercancel"]) viewer.removeEventListener(end, stop);
      swipe.focus({ preventScroll: true });
    };
    viewer.setPointerCapture(event.pointerId);
    viewer.addEventListener("pointermove", drag);
    for (const end of ["pointerup", "pointercancel"]) viewer.addEventListener(end, stop);
    drag(event);
    return true;
  }

  function drawWords(state) {
    const { shown, running, failure } = state;
    viewer.classList.toggle("stale", Boolean(shown && running?.preview));
    viewer.classList.toggle("failed", Boolean(failure && !shown));
    say(byId("busy"), running?.preview ? `${stageInWords(running.stage)} … ${Math.round(100 * running.share)} %` : "");
    say(byId("hint"), hintOf(state));
    say(byId("why"), failure && !shown ? sentence(failure.text) : "");
    say(byId("size"), shown ? factsOf(shown, shown.wanted === wantedIn(state)) : "");
  }
}

function factsOf({ preview, size, summary }, isLatest) {
  const facts = `${preview ? "Preview" : "Full size"}, ${sizeInWords(size)}${lensesInWords(summary)}`;
  return isLatest ? facts : `${facts}, before the last change`;
}

function hintOf(state) {
  const { shown, running, failure, pictures } = state;
  if (shown) return "";
  if (isUploading(state)) return "The pictures are taken in …";
  if (failure) return "These pictures could not be stitched.";
  const count = pictures.filter(picture => picture.used).length;
  if (count < 2) return count ? "Add or choose a second picture that overlaps this one." : "Choose two pictures that overlap.";
  return running ? "The preview is being made …" : "";
}

function altOf(name) {
  return name === "panorama" ? "The stitched panorama" : `The ${name} on the panorama's canvas`;
}
