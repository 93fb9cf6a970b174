// The Worker as it is deployed, and a way behind it: what Cloudflare does whenever it likes, to take all
// objects' memory away and keep their sockets, is done on request; and what it bills is counted.
import { WorkerEntrypoint } from "cloudflare:workers";
import unsafe from "workerd:unsafe";
import * as deployed from "./index.js";

export { default } from "./index.js";

const rows = { session: 0, directory: 0, workspace: 0 };

// An object whose written rows are counted. A set alarm is one too.
const counted = (object, name) =>
  new Proxy(object, {
    construct(target, [state, env], proxy) {
      const { storage } = state;
      const { sql } = storage;
      const exec = sql.exec.bind(sql);
      sql.exec = (...statement) => {
        const cursor = exec(...statement);
        rows[name] += cursor.rowsWritten;
        return cursor;
      };
      const setAlarm = storage.setAlarm.bind(storage);
      storage.setAlarm = (...at) => {
        rows[name] += 1;
        return setAlarm(...at);
      };
      return Reflect.construct(target, [state, env], proxy);
    },
  });

export const SessionObject = counted(deployed.SessionObject, "session");
export const DirectoryObject = counted(deployed.DirectoryObject, "directory");
export const WorkspaceObject = counted(deployed.WorkspaceObject, "workspace");

export class Behind extends WorkerEntrypoint {
  async fetch(request) {
    if (new URL(request.url).pathname === "/rows") {
      return Response.json(rows);
    }
    await unsafe.evictAllDurableObjects();
    return new Response(null, { status: 204 });
  }
}
