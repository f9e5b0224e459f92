/** Two aligned pictures: which lies to the left, and how far they differ. */

const MOST_PIXELS = 4e6; // of the difference
const SMALL = 200; // px wide: enough to see where the pictures lie

/** Whether the target lies to the left, and the middle of what both see, % of the width. */
export function sidesOf(reference, target) {
  const size = [SMALL, Math.max(1, Math.round((SMALL * reference.naturalHeight) / reference.naturalWidth))];
  const first = pixels(reference, size).data, second = pixels(target, size).data;
  const sums = { first: [0, 0], second: [0, 0], both: [0, 0] }; // of columns, and how many
  const add = (name, column) => {
    sums[name][0] += column;
    sums[name][1] += 1;
  };
  for (let i = 3; i < first.length; i += 4) {
    const column = ((i - 3) / 4) % SMALL;
    if (first[i]) add("first", column);
    if (second[i]) add("second", column);
    if (first[i] && second[i]) add("both", column);
  }
  const middle = ([sum, count]) => (count ? (100 * (sum / count + 0.5)) / SMALL : 50);
  return { turned: middle(sums.second) < middle(sums.first), middle: middle(sums.both) };
}

/**
 * Grey, black = equal, as in the report.
 * @param {HTMLImageElement} reference, target of one size, clear where they see nothing
 */
export function drawDifference(reference, target) {
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (reference.naturalWidth * reference.naturalHeight)));
  const size = [reference.naturalWidth, reference.naturalHeight].map(side => Math.max(1, Math.round(side * shrink)));
  const first = pixels(reference, size), second = pixels(target, size);
  const gain = mean(first, second) / Math.max(mean(second, first), 1); // exposure would hide what does not fit
  for (let i = 0; i < first.data.length; i += 4) {
    const seen = first.data[i + 3] && second.data[i + 3];
    const apart = seen ? 2 * Math.abs(grey(first.data, i) - gain * grey(second.data, i)) : 0; // small errors matter
    first.data[i] = first.data[i + 1] = first.data[i + 2] = apart;
    first.data[i + 3] = 255;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  canvas.getContext("2d").putImageData(first, 0, 0);
  return canvas;
}

function pixels(image, [width, height]) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

function grey(data, i) {
  return 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
}

/** Mean grey of a picture where both see. */
function mean({ data }, other) {
  let sum = 0, count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (!data[i + 3] || !other.data[i + 3]) continue;
    sum += grey(data, i);
    count += 1;
  }
  return count ? sum / count : 0;
}
