// A Durable Object that only forwards: its publisher's messages to every client, and a client's
// messages to its publisher. Its sockets hibernate like the relay's.
import { DurableObject } from "cloudflare:workers";

export class Forwarder extends DurableObject {
  async fetch(request) {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, [request.url.endsWith("/publish") ? "publisher" : "client"]);
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket, message) {
    const [from] = this.ctx.getTags(socket);
    for (const to of this.ctx.getWebSockets(from === "publisher" ? "client" : "publisher")) {
      to.send(message);
    }
  }
}

export default {
  fetch: (request, env) => env.FORWARDER.getByName("only").fetch(request),
};
