// Runs in each measured page before its own scripts. `seen` has what the bench asks for.
(() => {
  const seen = (window.seen = { long: [], bytes: 0, memory: null, waiting: null });
  const note = (list) => list.getEntries().forEach((entry) => seen.long.push(entry.duration));
  new PerformanceObserver(note).observe({ type: "longtask", buffered: true });

  // The program's memory is in no figure of the browser's.
  const keep = ({ instance }) => {
    const memory = Object.values(instance.exports).find((it) => it instanceof WebAssembly.Memory);
    seen.memory ??= memory;
  };
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const own = WebAssembly[name].bind(WebAssembly);
    WebAssembly[name] = (...all) => own(...all).then((made) => (made.instance && keep(made), made));
  }

  const Own = window.WebSocket;
  window.WebSocket = class extends Own {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => {
        seen.bytes += data.length ?? data.byteLength ?? data.size;
      });
    }
  };

  // Resolves with the time at which the last message of the agent has a text on the screen.
  seen.until = (text) =>
    new Promise((resolve) => {
      const look = () => {
        const last = [...document.querySelectorAll("[data-testid=agent-message]")].at(-1);
        if (last?.textContent.includes(text)) {
          resolve(performance.now());
        } else {
          requestAnimationFrame(look);
        }
      };
      look();
    });

  seen.report = () => {
    const loaded = [
      ...performance.getEntriesByType("navigation"),
      ...performance.getEntriesByType("resource"),
    ];
    return {
      long: seen.long.splice(0),
      loaded: loaded.reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0),
      received: seen.bytes,
      heap: performance.memory?.usedJSHeapSize ?? 0,
      program: seen.memory?.buffer.byteLength ?? 0,
      elements: document.querySelectorAll("*").length,
    };
  };
})();
