# The relay at the edge as the scenarios and the bench run it: what is deployed, and a socket behind it
# that makes every object lose its memory, or tells what they wrote.

using Workerd = import "/workerd/workerd.capnp";
using Deployed = import "workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "moorline", worker = .worker),
    (name = "assets", disk = (path = "assets")),
    (name = "storage", disk = (path = "storage", writable = true)),
  ],
  extensions = [
    (modules = [(name = "moorline-tests:ratelimit", esModule = embed "ratelimit.js", internal = true)]),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:0", http = (), service = "moorline"),
    (name = "behind", address = "127.0.0.1:0", http = (), service = (name = "moorline", entrypoint = "Behind")),
  ],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "tests.js", esModule = embed "tests.js"),
    (name = "index.js", esModule = embed "worker/index.js"),
    (name = "index_bg.wasm", wasm = embed "worker/index_bg.wasm"),
  ],
  bindings = .bindings,
  durableObjectNamespaces = Deployed.objects,
  durableObjectStorage = (localDisk = "storage"),
  compatibilityDate = "2026-07-01",
  compatibilityFlags = ["enable_request_signal", "no_web_socket_compression", "unsafe_module"],
);

# Those of what is deployed, and what only tests want.
const bindings :List(Workerd.Worker.Binding) = [
  (name = "SESSION", durableObjectNamespace = "SessionObject"),
  (name = "DIRECTORY", durableObjectNamespace = "DirectoryObject"),
  (name = "WORKSPACE", durableObjectNamespace = "WorkspaceObject"),
  (name = "ASSETS", service = "assets"),
  (name = "MOORLINE_TOKEN", fromEnvironment = "MOORLINE_TOKEN"),
  (name = "MOORLINE_ALLOW_ORIGIN", fromEnvironment = "MOORLINE_ALLOW_ORIGIN"),
  (name = "MOORLINE_ALLOW_HOST", fromEnvironment = "MOORLINE_ALLOW_HOST"),
  (name = "MOORLINE_FRAME_ANCESTOR", fromEnvironment = "MOORLINE_FRAME_ANCESTOR"),
  (name = "MOORLINE_EXPIRY_DAYS", fromEnvironment = "MOORLINE_EXPIRY_DAYS"),
  (name = "MOORLINE_OBSIDIAN_ANDROID", fromEnvironment = "MOORLINE_OBSIDIAN_ANDROID"),
  (name = "MOORLINE_NO_LEGACY", fromEnvironment = "MOORLINE_NO_LEGACY"),
  (name = "REQUESTS", wrapped = (moduleName = "moorline-tests:ratelimit")),
  # The share of its events at which an object loses its memory, from 0 to 1.
  (name = "MOORLINE_TERMINAL_DRIVER", fromEnvironment = "MOORLINE_TERMINAL_DRIVER"),
  (name = "MOORLINE_FORGETS", fromEnvironment = "MOORLINE_FORGETS"),
];
