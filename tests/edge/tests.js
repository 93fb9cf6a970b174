// The Worker as it is deployed, and an entrypoint that does on request what Cloudflare does whenever
// it likes: take all objects' memory away and keep their sockets.
import { WorkerEntrypoint } from "cloudflare:workers";
import unsafe from "workerd:unsafe";

export * from "./index.js";
export { default } from "./index.js";

export class Evict extends WorkerEntrypoint {
  async fetch() {
    await unsafe.evictAllDurableObjects();
    return new Response(null, { status: 204 });
  }
}
