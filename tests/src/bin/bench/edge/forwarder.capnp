# The Durable Object that the relay at the edge is measured beside.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "forwarder", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "forwarder")],
);

const worker :Workerd.Worker = (
  modules = [(name = "forwarder.js", esModule = embed "forwarder.js")],
  bindings = [(name = "FORWARDER", durableObjectNamespace = "Forwarder")],
  durableObjectNamespaces = [(className = "Forwarder", uniqueKey = "forwarder")],
  durableObjectStorage = (inMemory = void),
  compatibilityDate = "2026-07-01",
);
