// Runs first in every page and frame. In a frame with a session it watches what is on the screen, frame by
// frame, and tells the page around, which keeps the last word of each frame in `probes`.
(() => {
  if (top === window) {
    window.probes = [];
    window.frameAround = () =>
      (document.querySelector("moorline-session")?.shadowRoot ?? document).querySelector("iframe");
    addEventListener("message", ({ data }) => {
      if (data?.probe === undefined) return;
      const at = probes.findIndex((known) => known.probe === data.probe);
      probes[at < 0 ? probes.length : at] = data;
    });
    return;
  }
  if (!location.pathname.startsWith("/embed/")) return;
  const seen = { probe: crypto.getRandomValues(new Uint32Array(2)).join("-"), samples: 0, blanks: 0, broken: [] };
  // Before the hello nothing can be shown; after it, `received` counts what came from the relay's stream.
  Object.assign(seen, { snapshot: false, received: 0, receivedAtFirst: null, firstMs: null });
  let hello = null;
  addEventListener("message", ({ data }) => {
    if (data?.type !== "moorline.hello") return;
    hello = performance.now();
    seen.snapshot = data.snapshot !== undefined;
  });
  window.WebSocket = class extends WebSocket {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", () => (seen.received += 1));
    }
  };
  const rows = () =>
    [...document.querySelectorAll(".xterm-rows > div")]
      .map((row) => row.textContent.replaceAll("\u00a0", " ").trim())
      .filter((row) => row !== "");
  const numbers = (rows) => rows.map((row) => /^line (\d+)$/.exec(row)?.[1]).filter(Boolean).map(Number);
  const sample = () => {
    if (hello === null || document.querySelector("[data-testid=embed]") === null) return;
    const shown = rows();
    if (shown.length > 0 && seen.firstMs === null) {
      seen.firstMs = performance.now() - hello;
      seen.receivedAtFirst = seen.received;
    }
    if (seen.firstMs === null) return;
    seen.samples += 1;
    if (shown.length === 0) seen.blanks += 1;
    const lines = numbers(shown);
    seen.last = lines.at(-1);
    if (lines.some((line, at) => at > 0 && line !== lines[at - 1] + 1)) seen.broken.push(shown.join("|"));
    parent.postMessage(seen, "*");
  };
  // Rows may be emptied and filled within one frame, of which nobody sees anything. An observer of sizes is
  // called after all that draws, and before the browser shows it.
  const ruler = document.createElement("div");
  ruler.style.cssText = "position:absolute;visibility:hidden;height:0";
  new ResizeObserver(sample).observe(ruler);
  let width = 0;
  const tick = () => {
    requestAnimationFrame(tick);
    if (!ruler.isConnected) document.body?.append(ruler);
    ruler.style.width = `${(width ^= 1)}px`;
  };
  requestAnimationFrame(tick);
})();
