import type { Context } from "../context";
import { advice, RelayError } from "../relay/client";

/** One line of a test's result. */
export interface Finding {
  isGood: boolean;
  text: string;
}

/** Tries the relay and the token, and says what works and what to do. */
export async function testConnection(context: Context): Promise<Finding[]> {
  const access = context.access();
  if (access === null) return [{ isGood: false, text: "Set the relay's address, and choose a secret with a token." }];
  const { client } = access;
  const findings: Finding[] = [];
  const say = (isGood: boolean, text: string): void => void findings.push({ isGood, text });
  try {
    const hosts = await client.hosts();
    const here = hosts.filter((host) => host.connected);
    const version = here[0]?.version ?? hosts[0]?.version;
    say(true, version === undefined ? "Connected." : `Connected. Hosts run Moorline ${version}.`);
    if (here.length === 0) say(false, "No host is connected, so no session can be started. Start one with moorline host.");
  } catch (error) {
    say(false, limited(error) ? "The token is for single sessions: notes can show them, but the pane cannot list any." : advice(error));
    return findings;
  }
  try {
    const project = await context.project.find(client);
    if (project !== null) say(true, `This vault is the project "${project.name}", with the id ${project.id}.`);
    else say(false, "The token reaches no project of this vault, and cannot create one: the pane lists what it reaches.");
  } catch (error) {
    say(false, advice(error));
  }
  await testFollowing(context, say);
  return findings;
}

/** Changes arrive at once only if the relay trusts this window's origin. */
async function testFollowing({ list }: Context, say: (isGood: boolean, text: string) => void): Promise<void> {
  const state = await new Promise<string>((resolve) => {
    const done = (): void => {
      if (list.state === "connecting") return;
      window.clearTimeout(timer);
      window.setTimeout(stop, 0);
      resolve(list.state);
    };
    const timer = window.setTimeout(() => {
      stop();
      resolve("offline");
    }, 5000);
    const stop = list.watch(done);
    done();
  });
  const origin = window.location.origin;
  if (state === "live") say(true, "Changes arrive at once.");
  else if (state === "polling") {
    say(false, `Changes arrive every 5 seconds. To have them at once, start the relay with --allow-origin ${origin}`);
  } else say(false, "The list of sessions cannot be followed at the moment.");
}

function limited(error: unknown): boolean {
  return error instanceof RelayError && error.status === 403;
}
