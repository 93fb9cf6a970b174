// Shows a session of a Moorline relay in any page:
//
//   <script type="module" src="https://relay.example/moorline-session.js"></script>
//   <moorline-session src="https://relay.example" session="abcdefgh"></moorline-session>
//   document.querySelector("moorline-session").token = token;
//
// docs/EMBED.md describes the attributes, the properties, the events and the messages behind them.

const VERSION = 1;
const ATTRIBUTES = ["src", "session", "kind", "read-only"];
// Without top navigation and forms: a session cannot take this page away.
const SANDBOX =
  "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals";

class MoorlineSession extends HTMLElement {
  // Keeps what frames hand on, by relay and session: an object with get, set and delete, such as a
  // Map. A page may set another one before its first element.
  static store = new Map();
  static observedAttributes = ATTRIBUTES;

  #frame = null;
  #origin = null;
  #key = null;
  // True once the frame waits for the hello, and once it has it.
  #isReady = false;
  #isGreeted = false;
  #wantsFocus = false;
  #token = null;
  #theme = null;
  #receive = (event) => this.#received(event);

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
  }

  // A property and no attribute, so that it is never in the page's text.
  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token ?? null;
    if (this.#token === null) this.#end();
    else if (this.#isGreeted) this.#post({ type: "moorline.token", token: this.#token });
    else this.#greet();
  }

  get theme() {
    return this.#theme;
  }

  set theme(theme) {
    this.#theme = theme ?? null;
    if (this.#isGreeted) this.#post({ type: "moorline.theme", theme: this.#theme ?? {} });
  }

  // Sends a prompt to an agent; types a line into a terminal.
  prompt(text, files = []) {
    this.#post({ type: "moorline.prompt", text, files });
  }

  // Adds text to the draft of a prompt; pastes it into a terminal.
  insert(text) {
    this.#post({ type: "moorline.insert", text });
  }

  focus() {
    this.#wantsFocus = true;
    this.#frame?.focus();
    if (this.#isGreeted) this.#post({ type: "moorline.focus" });
  }

  connectedCallback() {
    addEventListener("message", this.#receive);
    if (!this.style.display) this.style.display = "block";
    this.#open();
  }

  disconnectedCallback() {
    removeEventListener("message", this.#receive);
    this.#close();
  }

  attributeChangedCallback(name, before, after) {
    if (before !== after && this.isConnected && this.#frame) this.#open();
  }

  // Shows the session in a new frame.
  #open() {
    this.#close();
    const relay = this.#relay();
    const session = this.getAttribute("session");
    if (!relay || !session) return;
    this.#origin = relay.origin;
    this.#key = `${relay.origin} ${session}`;
    const kind = this.getAttribute("kind") === "terminal" ? "terminal" : "session";
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", SANDBOX);
    frame.allow = "clipboard-read; clipboard-write";
    frame.referrerPolicy = "no-referrer";
    frame.title = this.getAttribute("title") ?? "Session";
    frame.style.cssText = "display:block;width:100%;height:100%;border:0";
    frame.src = new URL(`/embed/${kind}/${encodeURIComponent(session)}`, relay.origin);
    this.#frame = frame;
    this.shadowRoot.replaceChildren(frame);
  }

  #close() {
    this.#isReady = this.#isGreeted = false;
    this.#frame = null;
    this.shadowRoot.replaceChildren();
  }

  // Shows nothing of the session any more, and says so.
  #end() {
    const isShown = this.#isGreeted;
    if (this.isConnected) this.#open();
    if (!isShown) return;
    const detail = { connection: "no-token" };
    this.dispatchEvent(new CustomEvent("moorline-state", { detail, bubbles: true }));
  }

  #relay() {
    try {
      return new URL(this.getAttribute("src") ?? "", document.baseURI);
    } catch {
      return null;
    }
  }

  #received({ source, origin, data }) {
    if (!this.#frame || source !== this.#frame.contentWindow || origin !== this.#origin) return;
    if (typeof data?.type !== "string" || !data.type.startsWith("moorline.")) return;
    const { type, ...detail } = data;
    if (type === "moorline.ready") {
      this.#isReady = true;
      this.#greet();
    }
    const isKept = type === "moorline.cursor" || type === "moorline.draft";
    if (isKept) MoorlineSession.store.set(this.#key, { ...MoorlineSession.store.get(this.#key), ...detail });
    else if (type === "moorline.error" && detail.code === "refused") MoorlineSession.store.delete(this.#key);
    if (!isKept) {
      this.dispatchEvent(new CustomEvent(type.replace(".", "-"), { detail, bubbles: true }));
    }
  }

  // Says hello, once there are a frame that waits for it and a token.
  #greet() {
    if (!this.#isReady || this.#token === null) return;
    const { cursor, snapshot, draft } = MoorlineSession.store.get(this.#key) ?? {};
    const hello = { type: "moorline.hello", version: VERSION, token: this.#token };
    hello.readOnly = this.hasAttribute("read-only");
    if (this.#theme !== null) hello.theme = this.#theme;
    if (this.#wantsFocus || this.hasAttribute("autofocus")) hello.focus = true;
    if (cursor && snapshot) Object.assign(hello, { cursor, snapshot });
    if (draft) hello.draft = draft;
    this.#isGreeted = true;
    this.#wantsFocus = false;
    this.#post(hello);
  }

  #post(message) {
    this.#frame?.contentWindow?.postMessage(message, this.#origin);
  }
}

if (!customElements.get("moorline-session")) customElements.define("moorline-session", MoorlineSession);

export { MoorlineSession };
