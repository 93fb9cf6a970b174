// A stand-in for Obsidian, for tests only: an editor on a text field.

export class Editor {
  constructor(private readonly field: () => HTMLTextAreaElement | null) {}

  private get text(): HTMLTextAreaElement {
    const field = this.field();
    if (field === null) throw new Error("There is no editor.");
    return field;
  }

  getSelection(): string {
    const { value, selectionStart, selectionEnd } = this.text;
    return value.slice(selectionStart, selectionEnd);
  }

  replaceSelection(text: string): void {
    const { selectionStart, selectionEnd } = this.text;
    this.text.setRangeText(text, selectionStart, selectionEnd, "end");
  }

  getCursor(): { line: number; ch: number } {
    const before = this.text.value.slice(0, this.text.selectionStart).split("\n");
    return { line: before.length - 1, ch: before.at(-1)?.length ?? 0 };
  }

  getLine(line: number): string {
    return this.text.value.split("\n")[line] ?? "";
  }

  focus(): void {
    this.text.focus();
  }
}
