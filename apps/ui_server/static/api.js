/** Calls of the server. Each gives what it answers, or throws an Error with words for the user. */

const GONE = "Parastitch does not answer. Is it still running in the terminal?";

async function ask(method, path, body = null, type = null) {
  const headers = type ? { "Content-Type": type } : {};
  let answer;
  try {
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new Error(GONE);
  }
  if (!answer.ok) throw failure(answer.status, await answer.text());
  return answer;
}

function failure(status, text) {
  let words = `Parastitch could not do this (${status}).`;
  try {
    words = JSON.parse(text).error ?? words;
  } catch {
    // no JSON: the words above
  }
  return Object.assign(new Error(words), { status });
}

const json = async (method, path, body) =>
  (await ask(method, path, body && JSON.stringify(body), body && "application/json")).json();

const mask = (id, kind) => `/api/pictures/${id}/masks/${kind}`;

export const viewOfPicture = id => `/api/pictures/${id}/view`;
export const thumbnail = id => `/api/pictures/${id}/thumbnail`;
export const viewOfJob = (id, view) => `/api/jobs/${id}/views/${view}`;
export const fileOfJob = (id, format) => `/api/jobs/${id}/file/${format}`;

export const getState = () => json("GET", "/api/state");
export const getPicture = id => json("GET", `/api/pictures/${id}`);
export const removePicture = id => ask("DELETE", `/api/pictures/${id}`);
export const putMask = (id, kind, png) => ask("PUT", mask(id, kind), png, "image/png");
export const removeMask = (id, kind) => ask("DELETE", mask(id, kind));
export const startJob = wanted => json("POST", "/api/jobs", wanted);
export const getJob = id => json("GET", `/api/jobs/${id}`);
export const cancelJob = id => ask("DELETE", `/api/jobs/${id}`);
export const saveJob = (id, name, overwrite) => json("POST", `/api/jobs/${id}/save`, { name, overwrite });

/** A painted mask as a picture. */
export const getMask = async (id, kind) => createImageBitmap(await (await ask("GET", mask(id, kind))).blob());

/** Sends a file; `sent` is called with the share 0..1 that has arrived. By XMLHttpRequest: fetch tells no progress. */
export function sendPicture(file, sent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/pictures?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = event => sent(event.loaded / Math.max(event.total, 1));
    request.onerror = () => reject(new Error(GONE));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(failure(request.status, request.responseText));
    };
    request.send(file);
  });
}
