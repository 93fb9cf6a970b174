# The relay on a machine of your own, by workerd, the runtime of Cloudflare's Workers.
# `cargo xtask edge` runs it. All files are named as they are in target/edge, where it is copied to.
# Every variable must be set, if only to nothing. Add TLS in front: see ../README.md.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "moorline", worker = .worker),
    (name = "assets", disk = (path = "assets")),
    (name = "storage", disk = (path = "storage", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:3020", http = (), service = "moorline")],
);

const worker :Workerd.Worker = (
  modules = .modules,
  bindings = .bindings,
  durableObjectNamespaces = .objects,
  durableObjectStorage = (localDisk = "storage"),
  compatibilityDate = "2026-07-01",
  compatibilityFlags = ["enable_request_signal", "no_web_socket_compression"],
);

const modules :List(Workerd.Worker.Module) = [
  (name = "index.js", esModule = embed "worker/index.js"),
  (name = "index_bg.wasm", wasm = embed "worker/index_bg.wasm"),
];

# A key names the folder of a class's objects in the storage: never change one.
const objects :List(Workerd.Worker.DurableObjectNamespace) = [
  (className = "SessionObject", uniqueKey = "sessions", enableSql = true),
  (className = "DirectoryObject", uniqueKey = "directory", enableSql = true),
  (className = "WorkspaceObject", uniqueKey = "workspaces", enableSql = true),
];

const bindings :List(Workerd.Worker.Binding) = [
  (name = "SESSION", durableObjectNamespace = "SessionObject"),
  (name = "DIRECTORY", durableObjectNamespace = "DirectoryObject"),
  (name = "WORKSPACE", durableObjectNamespace = "WorkspaceObject"),
  (name = "ASSETS", service = "assets"),
  (name = "MOORLINE_TOKEN", fromEnvironment = "MOORLINE_TOKEN"),
  (name = "MOORLINE_ALLOW_ORIGIN", fromEnvironment = "MOORLINE_ALLOW_ORIGIN"),
  (name = "MOORLINE_ALLOW_HOST", fromEnvironment = "MOORLINE_ALLOW_HOST"),
  (name = "MOORLINE_FRAME_ANCESTOR", fromEnvironment = "MOORLINE_FRAME_ANCESTOR"),
  (name = "MOORLINE_OBSIDIAN_ANDROID", fromEnvironment = "MOORLINE_OBSIDIAN_ANDROID"),
  (name = "MOORLINE_EXPIRY_DAYS", fromEnvironment = "MOORLINE_EXPIRY_DAYS"),
  (name = "MOORLINE_TERMINAL_DRIVER", fromEnvironment = "MOORLINE_TERMINAL_DRIVER"),
  (name = "MOORLINE_NO_LEGACY", fromEnvironment = "MOORLINE_NO_LEGACY"),
];
