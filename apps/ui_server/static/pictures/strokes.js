/** What is painted on a picture: two masks, made of what was there before and of steps that can be undone. */

export const KINDS = { leave_out: "#e8384d", keep: "#2f9e5b" };

/**
 * @param {[number, number]} size (w, h) px of both masks
 * @param {object} before kind -> picture of an earlier mask (white = painted), or null
 */
export function makeStrokes([width, height], before) {
  const masks = Object.fromEntries(Object.keys(KINDS).map(kind => [kind, new OffscreenCanvas(width, height)]));
  const bases = Object.fromEntries(Object.keys(KINDS).map(kind => [kind, coloured(before[kind], KINDS[kind], width, height)]));
  let steps = [];
  redraw();

  function redraw() {
    for (const [kind, mask] of Object.entries(masks)) {
      const context = mask.getContext("2d", { willReadFrequently: true });
      context.globalCompositeOperation = "source-over";
      context.clearRect(0, 0, width, height);
      if (bases[kind]) context.drawImage(bases[kind], 0, 0);
    }
    for (const step of steps) draw(step, step.points);
  }

  /** Draws points of a step: into the mask of its brush, and out of the other. */
  function draw({ brush, size }, points) {
    for (const [kind, mask] of Object.entries(masks)) {
      const context = mask.getContext("2d");
      if (brush === "clear") {
        context.clearRect(0, 0, width, height);
        continue;
      }
      context.globalCompositeOperation = kind === brush ? "source-over" : "destination-out";
      context.fillStyle = context.strokeStyle = KINDS[kind];
      context.lineWidth = size;
      context.lineCap = context.lineJoin = "round";
      context.beginPath();
      context.arc(...points[0], size / 2, 0, 2 * Math.PI); // a line without length is not drawn everywhere
      context.fill();
      context.beginPath();
      context.moveTo(...points[0]);
      for (const point of points.slice(1)) context.lineTo(...point);
      context.stroke();
    }
  }

  return {
    masks,
    /** Begins a step. @param {string} brush "leave_out", "keep", "erase" or "clear"; `size` px */
    begin(brush, size, point = [0, 0]) {
      steps.push({ brush, size, points: [point] });
      draw(steps.at(-1), [point]);
    },
    /** Goes on with the last step. */
    go(point) {
      const { points } = steps.at(-1);
      points.push(point);
      draw(steps.at(-1), points.slice(-2));
    },
    undo() {
      steps = steps.slice(0, -1);
      redraw();
    },
    canUndo: () => steps.length > 0,
    /** The mask as PNG, white where painted; null where nothing is. */
    async asPng(kind) {
      const pixels = masks[kind].getContext("2d").getImageData(0, 0, width, height);
      let painted = false;
      for (let i = 0; i < pixels.data.length; i += 4) {
        const white = pixels.data[i + 3] > 127 ? 255 : 0;
        painted ||= white > 0;
        pixels.data.fill(white, i, i + 3);
        pixels.data[i + 3] = 255;
      }
      if (!painted) return null;
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext("2d").putImageData(pixels, 0, 0);
      return canvas.convertToBlob({ type: "image/png" });
    },
  };
}

/** A mask in its colour, clear where it is black; null where there is none. */
function coloured(mask, colour, width, height) {
  if (!mask) return null;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(mask, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
  context.putImageData(pixels, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  return canvas;
}
