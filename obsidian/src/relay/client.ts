import { requestUrl } from "obsidian";
import type {
  Approval,
  HostSummary,
  KnownAgent,
  Project,
  SessionStatus,
  SessionSummary,
  TerminalOutput,
} from "./types";

/** Time for a request, in milliseconds. */
const REQUEST_MS = 15_000;
/** Sessions on a page of the list. */
const PAGE = 200;

/** Something that the relay, or the way to it, did not do. Its message is for people, and has no secret. */
export class RelayError extends Error {
  constructor(
    /** The HTTP status; 0 if the relay did not answer. */
    readonly status: number,
    /** The relay's stable code; `unreachable` if it did not answer. */
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "RelayError";
  }
}

export interface StartSession {
  name?: string;
  project?: string;
  cwd?: string;
  driver?: string;
  agent?: { agent: string };
}

export interface Decision {
  approved: boolean;
  digest: string;
  optionId?: string;
  key: string;
}

/**
 * The relay's API with one token.
 *
 * Requests are sent by Obsidian and not by its window, so they need no `--allow-origin`.
 */
export class RelayClient {
  constructor(
    /** The relay's origin. */
    readonly origin: string,
    private readonly token: string,
  ) {}

  async sessions(): Promise<SessionSummary[]> {
    const answer = await this.get<{ sessions: SessionSummary[] }>(`/api/sessions?limit=${PAGE}`);
    return answer.sessions;
  }

  status(session: string): Promise<SessionStatus> {
    return this.get(`/api/session/${encodeURIComponent(session)}/status`);
  }

  async start(wish: StartSession): Promise<SessionSummary> {
    const answer = await this.send<{ session: SessionSummary }>("POST", "/api/sessions", wish);
    return answer.session;
  }

  async end(session: string): Promise<void> {
    await this.send("DELETE", `/api/session/${encodeURIComponent(session)}`);
  }

  async prompt(session: string, command: string, context: string[]): Promise<void> {
    const body = context.length > 0 ? { command, context } : { command };
    await this.send("POST", `/api/session/${encodeURIComponent(session)}/prompt`, body);
  }

  async projects(): Promise<Project[]> {
    return (await this.get<{ projects: Project[] }>("/api/projects")).projects;
  }

  async createProject(name: string, directory: string | null): Promise<Project> {
    const body = directory === null ? { name } : { name, directory };
    return (await this.send<{ project: Project }>("POST", "/api/projects", body)).project;
  }

  async hosts(): Promise<HostSummary[]> {
    return (await this.get<{ hosts: HostSummary[] }>("/api/hosts")).hosts;
  }

  /** Returns the agents that a host can start by their id, installed or not. */
  async agents(host: string): Promise<KnownAgent[]> {
    return (await this.get<{ agents: KnownAgent[] }>(`/api/hosts/${encodeURIComponent(host)}/agents`)).agents;
  }

  async approvals(): Promise<Approval[]> {
    return (await this.get<{ approvals: Approval[] }>("/api/approvals")).approvals;
  }

  async decide(approval: Approval, decision: Decision): Promise<void> {
    const { sessionId, approvalId } = approval;
    await this.send("POST", `/api/session/${sessionId}/approvals/${encodeURIComponent(approvalId)}`, decision);
  }

  output(session: string, since: number): Promise<TerminalOutput> {
    return this.get(`/api/terminal/${encodeURIComponent(session)}/output?since=${since}`);
  }

  private get<T>(path: string): Promise<T> {
    return this.send("GET", path);
  }

  private async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const request = requestUrl({
      url: this.origin + path,
      method,
      headers,
      throw: false,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const unreachable = new RelayError(0, "unreachable", `The relay at ${this.origin} does not answer.`);
    const { status, text } = await within(request, unreachable);
    const answer = parse(text);
    if (status < 200 || status >= 300) throw refusal(status, answer);
    return answer as T;
  }
}

/** Waits for an answer, but not for ever. Fails with `failure`, which hides the request and its token. */
async function within<T>(request: Promise<T>, failure: RelayError): Promise<T> {
  let timer = 0;
  const timeout = new Promise<never>((_, reject) => {
    timer = window.setTimeout(() => reject(failure), REQUEST_MS);
  });
  try {
    return await Promise.race([request.catch(() => Promise.reject(failure)), timeout]);
  } finally {
    window.clearTimeout(timer);
  }
}

function parse(text: string): unknown {
  try {
    return text === "" ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

function refusal(status: number, answer: unknown): RelayError {
  const { error, code, message } = (answer ?? {}) as { error?: unknown; code?: unknown; message?: unknown };
  const said = [error, message].filter((part): part is string => typeof part === "string" && part !== "");
  const text = said.length > 0 ? said.join(" ") : `The relay answered with the status ${status}.`;
  return new RelayError(status, typeof code === "string" ? code : `http_${status}`, text);
}

/** Returns a sentence about a failure that says what to do. */
export function advice(error: unknown): string {
  if (!(error instanceof RelayError)) return "Something went wrong. The developer console has the details.";
  if (error.status === 0) {
    return `${error.message} Check that it runs, that its address is right, and that this device reaches it.`;
  }
  if (error.status === 401) {
    return "The relay does not accept the token: it is wrong, has expired or was revoked. Choose another one in the settings.";
  }
  if (error.status === 403 && error.code === "forbidden") {
    return "The token's scope does not allow this. It needs the scope project:ID:write for the project of this vault, or admin.";
  }
  return error.message;
}
