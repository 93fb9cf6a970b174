// Shows the relay's description of its API. Without Swagger UI, which is built beside the browser's
// client, the page stays what it is: a link to the description.
"use strict";

// Where the client keeps the token of this relay.
const KEY = "moorline.token";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

function token() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    // In a frame of another site there is no storage: the button "Authorize" takes a token.
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
