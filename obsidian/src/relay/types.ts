/** The parts of the relay's answers that the plugin uses. docs/API.md describes them. */

export interface AgentOverview {
  id?: string;
  state?: string;
  tool?: string;
  phase?: string;
  approvals: number;
  queued: number;
}

export interface SessionSummary {
  sessionId: string;
  name: string;
  project: string | null;
  driver: string;
  command: string[];
  cwd: string | null;
  lifecycle: string;
  status: string;
  running: string | null;
  exitCode: number | null;
  lastActivity: string;
  agent?: AgentOverview;
}

export interface SessionStatus extends SessionSummary {
  head: number;
  tail: number;
  cols: number;
  rows: number;
}

export interface Project {
  id: string;
  name: string;
  directory: string | null;
}

export interface HostSummary {
  hostId: string;
  name: string;
  version: string;
  connected: boolean;
  drivers: string[];
}

export interface KnownAgent {
  id: string;
  name: string;
  /** Missing if the agent is not installed. */
  command?: string[];
  install: string;
}

export interface ApprovalOption {
  optionId: string;
  name: string;
  kind: string;
}

export interface FileDiff {
  type: "diff";
  path: string;
  oldText?: string | null;
  newText: string;
}

export interface Approval {
  sessionId: string;
  sessionName: string;
  approvalId: string;
  kind: string;
  command: string;
  explanation?: string | null;
  subject?: { tool?: string; cwd?: string; content?: { type: string }[] };
  options: ApprovalOption[];
  digest: string;
  expiresAt: number | null;
}

export interface OutputPiece {
  index: number;
  content: string;
}

export interface TerminalOutput {
  output: OutputPiece[];
  next: number;
}

export const AGENT_DRIVER = "agent";

export function isAgent(session: SessionSummary): boolean {
  return session.driver === AGENT_DRIVER;
}

/** Returns true if nothing can happen in the session any more. */
export function isOver(session: SessionSummary): boolean {
  return session.lifecycle === "exited" || session.lifecycle === "lost";
}
