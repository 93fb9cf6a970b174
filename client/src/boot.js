// Chooses the theme before anything is drawn. Inside some frames, even accessing storage throws.
(() => {
  let choice = null;
  try {
    choice = localStorage.getItem("moorline.theme");
  } catch {}
  const dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
