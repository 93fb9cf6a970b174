# The relay at the edge as the scenarios run it: what is deployed, and a socket that makes every
# object lose its memory.

using Workerd = import "/workerd/workerd.capnp";
using Deployed = import "workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "moorline", worker = .worker),
    (name = "assets", disk = (path = "assets")),
    (name = "storage", disk = (path = "storage", writable = true)),
  ],
  sockets = [
    (name = "http", address = "127.0.0.1:0", http = (), service = "moorline"),
    (name = "evict", address = "127.0.0.1:0", http = (), service = (name = "moorline", entrypoint = "Evict")),
  ],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "tests.js", esModule = embed "tests.js"),
    (name = "index.js", esModule = embed "worker/index.js"),
    (name = "index_bg.wasm", wasm = embed "worker/index_bg.wasm"),
  ],
  bindings = Deployed.bindings,
  durableObjectNamespaces = Deployed.objects,
  durableObjectStorage = (localDisk = "storage"),
  compatibilityDate = "2026-07-01",
  compatibilityFlags = ["unsafe_module"],
);
