import type { TFile } from "obsidian";
import type { Context } from "../context";
import { RelayError, type StartSession } from "../relay/client";
import { AGENT_DRIVER, type KnownAgent, type SessionSummary } from "../relay/types";

export const SHELL = "shell";

/** Something that can be started. */
export interface Startable {
  /** `shell`, or the id of an agent. */
  id: string;
  name: string;
  icon: string;
  /** Why it cannot be started now. */
  problem: string | null;
}

/** Lists what the relay's first host can start: a shell, and its agents. */
export async function startable(context: Context): Promise<Startable[]> {
  const kinds: Startable[] = [{ id: SHELL, name: "Shell", icon: "square-terminal", problem: null }];
  const client = context.access()?.client;
  if (client === undefined) return kinds;
  try {
    const host = (await client.hosts()).find(({ connected, drivers }) => connected && drivers.includes(AGENT_DRIVER));
    if (host !== undefined) kinds.push(...(await client.agents(host.hostId)).map(ofAgent));
  } catch {
    // A shell can be tried all the same; the relay says what is wrong.
  }
  return kinds;
}

function ofAgent({ id, name, command, install }: KnownAgent): Startable {
  const problem = command === undefined ? `Not installed: ${install}` : null;
  return { id, name, icon: "bot", problem };
}

/**
 * Starts a session in this vault's project. Its folder is that of the note if the vault is on the host, else the
 * project's.
 */
export async function startSession(context: Context, kind: string, note: TFile | null): Promise<SessionSummary> {
  const client = context.access()?.client;
  if (client === undefined) throw new Error("Set the relay's address and a token in the settings.");
  const project = await context.project.find(client);
  const wish: StartSession = {};
  if (project !== null) wish.project = project.id;
  const folder = context.project.folderOf(note);
  if (folder !== null) wish.cwd = folder;
  if (kind !== SHELL) Object.assign(wish, { driver: AGENT_DRIVER, agent: { agent: kind } });
  try {
    return await client.start(wish);
  } catch (error) {
    if (error instanceof RelayError && error.status === 404) context.project.forget();
    throw error;
  }
}
