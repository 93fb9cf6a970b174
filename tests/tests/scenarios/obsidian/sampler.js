// Runs in the page: looks at the block of a note in every frame that the browser draws, and counts how often nothing of
// the session was to be seen. A frame counts from when `embed/probe.js` has seen the session in it.
(() => {
  // The times that a frame with the session was blank itself. Under the text of the last screen nobody sees that.
  const drawn = new WeakMap();
  let hasBegun = false;
  window.sampled = { samples: 0, texts: 0, frames: 0, blanks: [] };
  addEventListener("message", ({ source, data }) => {
    if (!(data?.samples > 0)) return;
    hasBegun = true;
    const frame = document.querySelector(".moorline-panel.is-drawn iframe");
    const isSeen = frame !== null && frame.contentWindow === source;
    if (isSeen && data.blanks > (drawn.get(source) ?? 0)) sampled.blanks.push("within the frame");
    drawn.set(source, data.blanks);
  });
  const sample = () => {
    requestAnimationFrame(sample);
    if (!hasBegun) return;
    const panel = document.querySelector(".moorline-panel");
    if (panel === null) return sampled.blanks.push("no panel");
    sampled.samples += 1;
    const text = panel.querySelector(".moorline-screen").textContent;
    if (!panel.classList.contains("is-drawn")) {
      sampled.texts += 1;
      if (!text.includes("line ")) sampled.blanks.push(`text ${JSON.stringify(text)}`);
    } else {
      sampled.frames += 1;
      if (!drawn.has(panel.querySelector("iframe")?.contentWindow)) sampled.blanks.push("frame");
    }
  };
  requestAnimationFrame(sample);
  return true;
})();
