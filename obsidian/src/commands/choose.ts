import { type App, FuzzySuggestModal } from "obsidian";

export interface Choice<T> {
  text: string;
  value: T;
}

/** Lets the user choose. Returns null if the user does not. */
export function choose<T>(app: App, placeholder: string, choices: Choice<T>[]): Promise<T | null> {
  return new Promise((resolve) => new ChoiceModal(app, placeholder, choices, resolve).open());
}

class ChoiceModal<T> extends FuzzySuggestModal<Choice<T>> {
  private chosen: T | null = null;

  constructor(
    app: App,
    placeholder: string,
    private readonly choices: Choice<T>[],
    private readonly resolve: (chosen: T | null) => void,
  ) {
    super(app);
    this.setPlaceholder(placeholder);
  }

  override getItems(): Choice<T>[] {
    return this.choices;
  }

  override getItemText(choice: Choice<T>): string {
    return choice.text;
  }

  override onChooseItem(choice: Choice<T>): void {
    this.chosen = choice.value;
  }

  override onClose(): void {
    super.onClose();
    // Obsidian closes the window before it reports the choice.
    window.setTimeout(() => this.resolve(this.chosen), 0);
  }
}
