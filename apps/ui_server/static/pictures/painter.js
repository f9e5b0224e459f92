/** The overlay to paint on a picture: what is left out, and what must be shown. */

import { getMask, putMask, removeMask, viewOfPicture } from "../api.js";
import { byId, element, whenChanged } from "../dom.js";
import { replaced, tell } from "../store.js";
import { KINDS, makeStrokes } from "./strokes.js";
import { ARROWS, makeZoom } from "../zoom.js";

const BRUSH_KEYS = { l: "leave_out", m: "keep", e: "erase" };
const STRENGTH = 0.55; // of the paint over the picture

export function makePainter(store) {
  const dialog = byId("painter"), easel = byId("easel"), ring = byId("brush"), sizeField = byId("brush-size");
  const layer = easel.querySelector(".layer"), sheet = element("canvas");
  const zoom = makeZoom(easel, { moved: drawRing, claims: startStroke, arrows: false });
  let strokes = null, place = [0, 0]; // of the brush, picture px

  const act = {
    done: () => dialog.close(),
    undo: () => change(() => strokes.undo()),
    clear: () => change(() => strokes.begin("clear", 0)),
  };
  for (const button of dialog.querySelectorAll("[data-paint]")) button.addEventListener("click", () => act[button.dataset.paint]());
  dialog.querySelector("[data-zoom]").addEventListener("click", zoom.fit);
  dialog.addEventListener("close", keep);
  dialog.addEventListener("keydown", onKey);
  sizeField.addEventListener("input", drawRing);
  easel.addEventListener("pointermove", event => moveBrush(zoom.inPicture(event)));
  easel.addEventListener("pointerleave", () => (ring.hidden = true));
  store.drawn(whenChanged(state => [state.painting], open));

  const brush = () => dialog.querySelector("input[name=brush]:checked").value;
  const size = () => Number(sizeField.value) * (sheet.width / 1000); // the same on the screen for every picture

  async function open({ painting, pictures }) {
    const picture = pictures.find(one => one.id === painting);
    if (!picture) return;
    try {
      const photo = element("img", { src: viewOfPicture(picture.id), alt: picture.name, draggable: false });
      await photo.decode();
      const kinds = Object.keys(KINDS);
      const masks = await Promise.all(kinds.map(kind => picture.masks[kind] && getMask(picture.id, kind)));
      if (store.get().painting !== painting) return; // another one was chosen meanwhile
      [sheet.width, sheet.height] = [photo.naturalWidth, photo.naturalHeight];
      strokes = makeStrokes([sheet.width, sheet.height], Object.fromEntries(kinds.map((kind, i) => [kind, masks[i]])));
      layer.replaceChildren(photo, sheet);
      byId("painter-title").textContent = picture.name;
      dialog.showModal();
      easel.focus();
      zoom.resize([sheet.width, sheet.height]);
      zoom.fit();
      moveBrush([sheet.width / 2, sheet.height / 2]);
      draw();
    } catch (error) {
      tell(store, `${picture.name} cannot be painted on. ${error.message}`);
      store.change({ painting: null });
    }
  }

  function change(step) {
    step();
    draw();
  }

  function draw() {
    const context = sheet.getContext("2d");
    context.clearRect(0, 0, sheet.width, sheet.height);
    context.globalAlpha = STRENGTH;
    for (const mask of Object.values(strokes.masks)) context.drawImage(mask, 0, 0);
    dialog.querySelector("[data-paint=undo]").disabled = !strokes.canUndo();
  }

  function startStroke(event) {
    change(() => strokes.begin(brush(), size(), zoom.inPicture(event)));
    const go = moved => {
      if (!zoom.isPinching()) change(() => strokes.go(zoom.inPicture(moved)));
    };
    const stop = () => {
      easel.removeEventListener("pointermove", go);
      for (const end of ["pointerup", "pointercancel"]) easel.removeEventListener(end, stop);
    };
    const second = () => { // a second finger: this is no stroke
      easel.removeEventListener("pointerdown", second);
      if (zoom.isPinching()) change(() => strokes.undo());
      stop();
    };
    easel.setPointerCapture(event.pointerId);
    easel.addEventListener("pointermove", go);
    for (const end of ["pointerup", "pointercancel"]) easel.addEventListener(end, stop);
    setTimeout(() => easel.addEventListener("pointerdown", second)); // not this press
    return true;
  }

  function moveBrush(point) {
    place = point;
    ring.hidden = false;
    drawRing();
  }

  function drawRing() {
    if (!strokes) return;
    const across = size() * zoom.at.scale;
    ring.style.width = ring.style.height = `${across}px`;
    ring.style.translate = `${zoom.at.x + place[0] * zoom.at.scale - across / 2}px ${zoom.at.y + place[1] * zoom.at.scale - across / 2}px`;
  }

  function onKey(event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      return strokes.canUndo() ? act.undo() : undefined;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (BRUSH_KEYS[event.key]) dialog.querySelector(`input[value=${BRUSH_KEYS[event.key]}]`).click();
    if (event.key === "[" || event.key === "]") {
      sizeField.value = sizeField.value * (event.key === "]" ? 1.25 : 0.8);
      drawRing();
    }
    if (event.target !== easel) return;
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    const step = Math.max(2, size() / 2);
    const paints = event.key === " ";
    if (!dx && !dy && !paints) return;
    event.preventDefault();
    // Also for Space: the pointer may have left the brush beside the picture.
    moveBrush([within(place[0] + dx * step, sheet.width), within(place[1] + dy * step, sheet.height)]);
    if (paints) change(() => strokes.begin(brush(), size(), place));
  }

  /** Sends both masks; a preview follows where something was changed. */
  async function keep() {
    const { painting, pictures } = store.get();
    const picture = pictures.find(one => one.id === painting);
    const painted = strokes;
    strokes = null;
    store.change({ painting: null });
    if (!picture || !painted?.canUndo()) return;
    try {
      const masks = { ...picture.masks };
      for (const kind of Object.keys(KINDS)) {
        const png = await painted.asPng(kind);
        if (png) await putMask(picture.id, kind, png);
        else await removeMask(picture.id, kind);
        masks[kind] = png !== null;
      }
      store.change(state => ({
        pictures: replaced(state.pictures, "id", picture.id, { masks }),
        masksChanged: state.masksChanged + 1,
      }));
    } catch (error) {
      tell(store, `What was painted on ${picture.name} is not used. ${error.message}`);
    }
  }
}

function within(value, length) {
  return Math.min(Math.max(value, 0), length);
}
