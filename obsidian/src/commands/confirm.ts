import { type App, Modal } from "obsidian";

/** Asks before something that cannot be undone. Returns true if the user agrees. */
export function confirm(app: App, title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => new ConfirmModal(app, title, text, action, resolve).open());
}

class ConfirmModal extends Modal {
  private agrees = false;

  constructor(
    app: App,
    title: string,
    text: string,
    action: string,
    private readonly resolve: (agrees: boolean) => void,
  ) {
    super(app);
    this.setTitle(title);
    this.contentEl.createEl("p", { text });
    const buttons = this.contentEl.createDiv({ cls: "modal-button-container" });
    const agree = buttons.createEl("button", { cls: "mod-warning", text: action });
    agree.addEventListener("click", () => {
      this.agrees = true;
      this.close();
    });
    buttons.createEl("button", { text: "Cancel" }).addEventListener("click", () => this.close());
  }

  override onClose(): void {
    this.resolve(this.agrees);
  }
}
