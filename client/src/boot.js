// The page's first script. It works without the rest of the page's code.

// Chooses the theme before anything is drawn. Inside some frames, even accessing storage throws.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem("moorline.theme");
  } catch {}
  const dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();

// Refuses files that are dropped, which would replace the page. A page that takes some listens later, and
// has the last word.
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  });
}

// Shows over the page that it has failed, once. The page's own code must not be called any more.
globalThis.moorlineFailed = (error) => {
  if (document.getElementById("failure")) return;
  const [title, text] = isStarting()
    ? ["Moorline did not load", "The network may be down, or the relay is restarting."]
    : ["This page has failed", "Reload the page to continue."];
  const dialog = document.createElement("dialog");
  dialog.id = "failure";
  dialog.className = "dialog";
  dialog.role = "alertdialog";
  dialog.setAttribute("aria-labelledby", "failure-title");
  dialog.setAttribute("aria-describedby", "failure-text");
  dialog.innerHTML = `<h2 id="failure-title">${title}</h2>
    <p id="failure-text">Your sessions keep running, and nothing in them is lost. ${text}</p>
    <p>If it happens again, report this error:</p>
    <pre tabindex="0"></pre>
    <div class="actions"><button class="button primary" autofocus>Reload</button></div>`;
  dialog.querySelector("pre").textContent = error;
  dialog.querySelector("button").onclick = () => location.reload();
  // Escape closes a dialog, and would leave a page that does nothing.
  dialog.onclose = () => dialog.showModal();
  document.body.append(dialog);
  dialog.showModal();
};

// The page's code removes this element when it starts.
const isStarting = () => document.getElementById("boot") !== null;

// Faults that are no panic: the code does not load, or it runs out of memory.
const tell = (fault, known) => {
  if (fault instanceof WebAssembly.RuntimeError || (known && isStarting())) {
    moorlineFailed(fault?.stack ?? fault);
  }
};
addEventListener("unhandledrejection", ({ reason }) => tell(reason, true));
addEventListener(
  "error",
  ({ error, target }) => tell(error ?? "A script did not load.", error || target?.localName === "script"),
  true,
);
