// What the page of a workspace's files needs of the browser beyond what all pages do: `build.rs` puts
// this and the page's style into a module that is loaded with that page.

// The browser hands out at most so many entries of a dropped folder at a time.
async function entries(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

async function walk(entry, path, found, most) {
  if (found.length > most) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path, file });
  } else {
    const within = await entries(entry);
    if (within.length === 0) found.push({ path, file: null });
    for (const one of within) await walk(one, `${path}/${one.name}`, found, most);
  }
}

/**
 * Reads what was dropped: `[{path, file}]`, where an empty folder has no file. Stops after `most`. What
 * cannot be read has `file: undefined`.
 */
export async function dropped(transfer, most) {
  // They are only there while the event is handled.
  const roots = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  const found = [];
  for (const [entry, file] of roots) {
    if (!entry) {
      if (file) found.push({ path: file.name, file });
      continue;
    }
    try {
      await walk(entry, entry.name, found, most);
    } catch {
      found.push({ path: entry.name, file: undefined });
    }
  }
  return found;
}

/** Returns what was picked in a field for files, as `dropped` does, and empties the field. */
export function picked(field) {
  const found = [...field.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  field.value = "";
  return found;
}

/**
 * Sends a request. Resolves with `{status, headers, body}`; the body is bytes. `status` is 0 if there is no
 * answer, and -1 if it was aborted. `progress` is called with the bytes that were sent, or received.
 */
export function send({ method, path, token, headers, body, progress }) {
  const request = new XMLHttpRequest();
  const answer = new Promise((resolve) => {
    request.open(method, path);
    request.responseType = "arraybuffer";
    // The page's cookie goes along on its own origin unless there is a token.
    if (token) request.setRequestHeader("authorization", `Bearer ${token}`);
    for (const [name, value] of headers) request.setRequestHeader(name, value);
    const tell = (event) => progress?.(event.loaded);
    (body ? request.upload : request).onprogress = tell;
    const end = (status) => () =>
      resolve({
        status: status ?? request.status,
        tag: request.getResponseHeader?.("etag") ?? "",
        body: new Uint8Array(status === undefined ? (request.response ?? []) : []),
      });
    request.onload = end();
    request.onerror = request.ontimeout = end(0);
    request.onabort = end(-1);
    request.send(body ?? null);
  });
  return { answer, abort: () => request.abort() };
}

/** Has the browser store bytes as a file. Nothing is shown or run, whatever they are. */
export function save(name, bytes) {
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken the bytes by the next minute, and must be able to until then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * Returns an address of an image. A drawing (SVG) can contain scripts: it gets an address of its own
 * origin, where they would reach nothing, and an `img` element does not run them.
 */
export function imageAddress(bytes, type) {
  if (type !== "image/svg+xml") return URL.createObjectURL(new Blob([bytes], { type }));
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return `data:image/svg+xml;base64,${btoa(binary)}`;
}

/** Frees an address of an image. */
export function freeAddress(address) {
  if (address.startsWith("blob:")) URL.revokeObjectURL(address);
}
