import type { Context } from "../context";
import { RelayError } from "../relay/client";
import type { Approval, ApprovalOption, FileDiff } from "../relay/types";

/** Lines of a change that are shown. The session has the rest. */
const DIFF_LINES = 12;

/** Draws an open question with its answers. */
export function drawApproval(context: Context, parent: HTMLElement, approval: Approval, open: () => void): void {
  const card = parent.createDiv({ cls: "moorline-approval", attr: { "data-approval": approval.approvalId } });
  const head = card.createDiv({ cls: "moorline-approval-head" });
  const from = head.createEl("button", { cls: "moorline-link", text: approval.sessionName });
  from.addEventListener("click", open);
  if (approval.subject?.tool !== undefined) head.createSpan({ cls: "moorline-dim", text: approval.subject.tool });
  card.createEl("code", { cls: "moorline-approval-command", text: approval.command });
  if (approval.subject?.cwd !== undefined) card.createDiv({ cls: "moorline-dim", text: `in ${approval.subject.cwd}` });
  if (approval.explanation) card.createDiv({ text: approval.explanation });
  for (const content of approval.subject?.content ?? []) {
    if (content.type === "diff") drawDiff(card, content as FileDiff, approval.command);
  }
  const answers = card.createDiv({ cls: "moorline-answers" });
  if (approval.kind === "form") {
    answers.createEl("button", { cls: "mod-cta", text: "Answer in the session" }).addEventListener("click", open);
    return;
  }
  for (const answer of answersOf(approval)) {
    const button = answers.createEl("button", { text: answer.label });
    // Answers that make a rule stand back: they are for later as well.
    if (makesRule(answer)) button.addClass("moorline-rule");
    else button.addClass(answer.allows ? "mod-cta" : "mod-warning");
    button.dataset["answer"] = answer.allows ? "allow" : "deny";
    button.addEventListener("click", () => {
      for (const other of answers.findAll("button")) other.setAttribute("disabled", "");
      void decide(context, approval, answer);
    });
  }
}

interface Answer {
  label: string;
  allows: boolean;
  option: ApprovalOption | null;
}

/** Returns the answers of a question: allowing first. One without answers of its own is allowed or denied. */
function answersOf({ options }: Approval): Answer[] {
  const answers = options.flatMap((option): Answer[] => {
    const allows = option.kind.startsWith("allow_");
    return allows || option.kind.startsWith("reject_") ? [{ label: option.name, allows, option }] : [];
  });
  if (options.length === 0) answers.push({ label: "Allow", allows: true, option: null });
  // Denying is always possible.
  if (!answers.some(({ allows }) => !allows)) answers.push({ label: "Deny", allows: false, option: null });
  // The usual answer of each kind first; those that make rules last.
  const rank = (answer: Answer): number => (makesRule(answer) ? 2 : 0) + (answer.allows ? 0 : 1);
  return answers.sort((a, b) => rank(a) - rank(b));
}

function makesRule({ option }: Answer): boolean {
  return option !== null && !option.kind.endsWith("_once");
}

async function decide(context: Context, approval: Approval, { allows, option }: Answer): Promise<void> {
  const decision = {
    approved: allows,
    digest: approval.digest,
    key: `obsidian-${approval.approvalId}-${option?.optionId ?? String(allows)}`,
    ...(option === null ? {} : { optionId: option.optionId }),
  };
  try {
    await context.access()?.client.decide(approval, decision);
  } catch (error) {
    // Somebody else was quicker: the card goes by itself.
    if (!(error instanceof RelayError) || error.code !== "already_decided") context.report(error);
  }
  context.list.refreshApprovals();
}

function drawDiff(card: HTMLElement, { path, oldText, newText }: FileDiff, title: string): void {
  if (!title.includes(path)) card.createDiv({ cls: "moorline-dim", text: path });
  const before = (oldText ?? "").split("\n");
  const after = newText.split("\n");
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const shorter = Math.min(before.length, after.length) - start;
  while (end < shorter && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const lines = [
    ...before.slice(start, before.length - end).map((line) => ({ cls: "is-old", text: `- ${line}` })),
    ...after.slice(start, after.length - end).map((line) => ({ cls: "is-new", text: `+ ${line}` })),
  ];
  const box = card.createEl("pre", { cls: "moorline-diff" });
  for (const line of lines.slice(0, DIFF_LINES)) box.createDiv(line);
  if (lines.length > DIFF_LINES) box.createDiv({ cls: "moorline-dim", text: `${lines.length - DIFF_LINES} more lines in the session` });
}
