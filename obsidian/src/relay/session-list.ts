import { Backoff } from "./backoff";
import { type RelayClient, RelayError } from "./client";
import { EventStream, type StreamEnd } from "./event-stream";
import type { StreamEvent } from "./sse";
import type { Approval, Project, SessionSummary } from "./types";

/** The time between two looks at the list if the relay does not let this window follow it, in milliseconds. */
const POLL_MS = 5000;
/** Looks after which it is tried again whether the relay lets this window follow it. */
const POLLS = 12;
/** The time between two looks at questions that are open: others may answer them. */
const APPROVALS_MS = 10_000;

export type ListState =
  /** Nothing is known yet. */
  | "connecting"
  /** Changes arrive at once. */
  | "live"
  /** Changes arrive within seconds: no WebSocket gets through, or the relay does not trust this window's origin. */
  | "polling"
  /** The relay is not reached; what is shown may be old. */
  | "offline"
  /** The relay does not accept the token. */
  | "refused";

/** What is needed to reach the relay. */
export interface Access {
  client: RelayClient;
  token: string;
}

/**
 * The sessions, projects and open questions that a token reaches, kept current for as long as somebody watches.
 *
 * Call `watch` to be told of each change, and the function that it returns to stop. `restart` follows another relay or
 * token.
 */
export class SessionList {
  state: ListState = "connecting";
  approvals: Approval[] = [];
  private readonly byId = new Map<string, SessionSummary>();
  private readonly projectsById = new Map<string, Project>();
  private readonly watchers = new Set<() => void>();
  private readonly backoff = new Backoff();
  private stream: EventStream | null = null;
  private timer = 0;
  private approvalTimer = 0;
  /** True if the stream has brought something. */
  private wasHeard = false;
  private polls = 0;
  /** What the last look at questions was for. */
  private asked = "";
  /** Counts restarts: an answer to an earlier one is ignored. */
  private run = 0;
  private readonly wake = (): void => {
    if (this.timer !== 0 && this.state !== "refused" && document.visibilityState === "visible") this.connect();
  };

  /** @param access Returns null as long as no address or token is set. */
  constructor(private readonly access: () => Access | null) {}

  /** All sessions, the last active first. */
  get sessions(): SessionSummary[] {
    return [...this.byId.values()].sort((a, b) => b.lastActivity.localeCompare(a.lastActivity));
  }

  get projects(): Project[] {
    return [...this.projectsById.values()];
  }

  get(id: string): SessionSummary | undefined {
    return this.byId.get(id);
  }

  watch(changed: () => void): () => void {
    this.watchers.add(changed);
    if (this.watchers.size === 1) this.start();
    return () => {
      if (this.watchers.delete(changed) && this.watchers.size === 0) this.stop();
    };
  }

  /** Forgets everything, and follows what `access` returns now. */
  restart(): void {
    this.stop();
    this.clear();
    this.state = "connecting";
    if (this.watchers.size > 0) this.start();
    this.tell();
  }

  /** Looks at the open questions now. */
  refreshApprovals(): void {
    this.asked = "";
    this.lookAtApprovals();
  }

  private start(): void {
    window.addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.connect();
  }

  private stop(): void {
    window.removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.run += 1;
    this.stream?.close();
    this.stream = null;
    window.clearTimeout(this.timer);
    window.clearTimeout(this.approvalTimer);
    this.timer = this.approvalTimer = 0;
    this.asked = "";
    this.backoff.reset();
  }

  private clear(): void {
    this.byId.clear();
    this.projectsById.clear();
    this.approvals = [];
  }

  private connect(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.stream?.close();
    this.run += 1;
    this.wasHeard = false;
    this.polls = 0;
    const access = this.access();
    if (access === null) return this.become("refused");
    const { client, token } = access;
    try {
      this.stream = new EventStream(client.origin, token, "/api/events", {
        event: (event) => this.receive(event),
        end: (why) => this.ended(why),
      });
    } catch {
      // The window must not open such a socket, such as an unencrypted one from a secure page.
      this.ended("forbidden");
    }
  }

  private ended(why: StreamEnd): void {
    this.stream = null;
    if (why === "unauthorized") {
      this.clear();
      return this.become("refused");
    }
    if (this.wasHeard) return this.retry();
    void this.poll();
  }

  private retry(): void {
    this.become("offline");
    this.timer = window.setTimeout(() => this.connect(), this.backoff.next());
  }

  /** Reads the whole list. Finds out whether the token or only this window's origin is refused. */
  private async poll(): Promise<void> {
    const run = this.run;
    const client = this.access()?.client;
    if (client === undefined) return this.become("refused");
    try {
      const [sessions, projects] = await Promise.all([client.sessions(), client.projects()]);
      if (run !== this.run) return;
      this.replace(sessions, projects);
      this.backoff.reset();
      this.polls += 1;
      const next = this.polls < POLLS ? (): void => void this.poll() : (): void => this.connect();
      this.timer = window.setTimeout(next, POLL_MS);
      this.become("polling");
    } catch (error) {
      if (run !== this.run) return;
      const status = error instanceof RelayError ? error.status : 0;
      if (status !== 401 && status !== 403) return this.retry();
      this.clear();
      this.become("refused");
    }
  }

  private receive({ type, data }: StreamEvent): void {
    this.wasHeard = true;
    const said = JSON.parse(data) as {
      sessions?: SessionSummary[];
      projects?: Project[];
      session?: SessionSummary;
      project?: Project;
      sessionId?: string;
      projectId?: string;
    };
    if (type === "sessions") {
      this.replace(said.sessions ?? [], said.projects ?? []);
      this.backoff.reset();
      return this.become("live");
    }
    if (type === "session" && said.session) this.byId.set(said.session.sessionId, said.session);
    else if (type === "session-deleted" && said.sessionId) this.byId.delete(said.sessionId);
    else if (type === "project" && said.project) this.projectsById.set(said.project.id, said.project);
    else if (type === "project-deleted" && said.projectId) this.projectsById.delete(said.projectId);
    this.lookAtApprovals();
    this.tell();
  }

  private replace(sessions: SessionSummary[], projects: Project[]): void {
    this.byId.clear();
    this.projectsById.clear();
    for (const session of sessions) this.byId.set(session.sessionId, session);
    for (const project of projects) this.projectsById.set(project.id, project);
    this.lookAtApprovals();
  }

  /** Reads the open questions if their number has changed somewhere, and from time to time while there are some. */
  private lookAtApprovals(): void {
    const waiting = [...this.byId.values()].filter((session) => (session.agent?.approvals ?? 0) > 0);
    const wanted = waiting.map(({ sessionId, agent }) => `${sessionId} ${agent?.approvals ?? 0}`).join();
    if (wanted === this.asked) return;
    this.asked = wanted;
    window.clearTimeout(this.approvalTimer);
    if (wanted === "") {
      this.approvals = [];
      return this.tell();
    }
    void this.readApprovals();
  }

  private async readApprovals(): Promise<void> {
    const run = this.run;
    try {
      const approvals = await this.access()?.client.approvals();
      if (run !== this.run || this.asked === "") return;
      this.approvals = approvals ?? [];
      this.tell();
    } catch {
      // The list says whether the relay is away. The next look is soon enough.
    }
    if (run !== this.run || this.asked === "") return;
    window.clearTimeout(this.approvalTimer);
    this.approvalTimer = window.setTimeout(() => void this.readApprovals(), APPROVALS_MS);
  }

  private become(state: ListState): void {
    this.state = state;
    this.tell();
  }

  private tell(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}
