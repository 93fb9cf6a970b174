// Shows the relay's description of its API. Swagger UI is built with the browser's client. Without
// it, the page keeps its link to the description.
"use strict";

// The key under which the client stores this relay's token, if the browser has no cookie. A cookie goes
// with every request by itself.
const KEY = "moorline.token";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

function token() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    // A frame of another site has no storage. The button "Authorize" takes a token instead.
    return null;
  }
}

if (typeof SwaggerUIBundle === "function") {
  const ui = SwaggerUIBundle({
    url: "/api/openapi.json",
    domNode: document.getElementById("api"),
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: "none",
    onComplete() {
      const known = token();
      if (known) {
        ui.preauthorizeApiKey("bearer", known);
      }
    },
  });
}
