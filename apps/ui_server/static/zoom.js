/** Zoom and pan of what lies in a view: wheel, drag, two fingers, keys. */

const MOST = 16; // screen px a picture px
const STEP = 1.5; // of a key or a button
const PAN = 60; // px of an arrow key

/**
 * @param {HTMLElement} view the window; `view.firstElementChild` is moved under it
 * @param {object} more `moved(at)` is called after each change; `claims(event)` is true for a press that shall not
 *   pan; `arrows` whether the arrow keys pan
 */
export function makeZoom(view, { moved = () => {}, claims = () => false, arrows = true } = {}) {
  const layer = view.firstElementChild;
  const at = { scale: 1, x: 0, y: 0 }; // view px = scale * picture px + (x, y)
  const pointers = new Map();
  let size = [0, 0], fitted = true;

  const fitScale = () => Math.min(view.clientWidth / size[0], view.clientHeight / size[1]);

  function place() {
    const [width, height] = [size[0] * at.scale, size[1] * at.scale];
    at.x = clamped(at.x, width, view.clientWidth);
    at.y = clamped(at.y, height, view.clientHeight);
    layer.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.scale})`;
    layer.classList.toggle("pixels", !fitted && at.scale * devicePixelRatio >= 4);
    view.classList.toggle("zoomed", !fitted);
    moved(at);
  }

  function zoomTo(scale, x = view.clientWidth / 2, y = view.clientHeight / 2) {
    const least = Math.min(fitScale(), 1 / devicePixelRatio);
    const next = Math.min(Math.max(scale, least), MOST);
    at.x = x - (x - at.x) * (next / at.scale);
    at.y = y - (y - at.y) * (next / at.scale);
    at.scale = next;
    fitted = Math.abs(next - fitScale()) < 1e-6;
    place();
  }

  function fit() {
    if (!size[0] || !view.clientWidth) return;
    at.scale = fitScale();
    at.x = at.y = 0;
    fitted = true;
    place();
  }

  const zoom = {
    at,
    fit,
    one: () => zoomTo(1 / devicePixelRatio),
    in: () => zoomTo(at.scale * STEP),
    out: () => zoomTo(at.scale / STEP),
    /** The size (w, h) px of what is shown; another shape is fitted into the view, the same shape keeps its place. */
    resize([width, height]) {
      const factor = size[0] / width;
      const sameShape = Math.abs(size[1] / factor / height - 1) < 0.01;
      size = [width, height];
      layer.style.width = `${width}px`;
      layer.style.height = `${height}px`;
      if (fitted || !sameShape) return fit();
      at.scale *= factor;
      place();
    },
    /** Where an event points to, picture px. */
    inPicture(event) {
      const box = view.getBoundingClientRect();
      return [(event.clientX - box.left - at.x) / at.scale, (event.clientY - box.top - at.y) / at.scale];
    },
    isPinching: () => pointers.size > 1,
  };

  new ResizeObserver(() => (fitted ? fit() : place())).observe(view);

  view.addEventListener("wheel", event => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 * event.deltaY : event.deltaY;
    zoomTo(at.scale * Math.exp(-pixels / (event.ctrlKey ? 100 : 400)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });

  view.addEventListener("pointerdown", event => {
    if (event.button > 1) return;
    if (event.button === 1) event.preventDefault(); // else some browsers scroll by themselves
    const first = pointers.size === 0;
    if (first && event.button === 0 && claims(event)) return void pointers.set(event.pointerId, null);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", event => {
    if (!pointers.has(event.pointerId)) return;
    const before = spread(pointers);
    const claimed = pointers.get(event.pointerId) === null && pointers.size === 1;
    if (claimed) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (!before) return;
    const now = spread(pointers), box = view.getBoundingClientRect();
    if (!now) return;
    at.x += now.x - before.x;
    at.y += now.y - before.y;
    if (pointers.size > 1) zoomTo(at.scale * (now.length / before.length), now.x - box.left, now.y - box.top);
    else place();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, event => pointers.delete(event.pointerId));
  }

  view.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "+": zoom.in, "=": zoom.in, "-": zoom.out, 0: fit, 1: zoom.one }[event.key];
    const [dx, dy] = (arrows && event.target === view && ARROWS[event.key]) || [0, 0];
    if (!act && !dx && !dy) return;
    event.preventDefault();
    if (act) return act();
    at.x -= PAN * dx;
    at.y -= PAN * dy;
    place();
  });
  return zoom;
}

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Offset of a picture in a window, px: in the middle where it is smaller, else without empty edges. */
function clamped(offset, length, window) {
  return length <= window ? (window - length) / 2 : Math.min(0, Math.max(window - length, offset));
}

/** Centre and length of what the fingers span; null before all of them are known. */
function spread(pointers) {
  const places = [...pointers.values()];
  if (places.some(place => place === null)) return null;
  const [[x0, y0], [x1, y1] = [x0, y0]] = places;
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, length: Math.hypot(x1 - x0, y1 - y0) || 1 };
}
