import { Grid } from "./grid";

/** East Asian wide characters and emoji, roughly: each takes two cells. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{M}|\u200d/u;
const MAX_COLUMNS = 1000;
const MAX_ROWS = 500;

/**
 * Reads output of a terminal as text: what it leaves on the screen, without colours. It follows the cursor, erasing,
 * scrolling and the alternate screen, which is enough for a preview; only the frame shows a terminal as it is.
 */
export class ScreenText {
  private main: Grid;
  private alternate: Grid | null = null;
  private saved = { row: 0, column: 0 };
  private readonly columns: number;
  private readonly rows: number;

  constructor(columns: number, rows: number) {
    this.columns = Math.min(MAX_COLUMNS, Math.max(2, columns));
    this.rows = Math.min(MAX_ROWS, Math.max(1, rows));
    this.main = new Grid(this.columns, this.rows);
  }

  write(output: string): void {
    // A sequence, a control character, or text up to the next one of both.
    const pieces = output.matchAll(PIECES);
    for (const [piece, parameters, final, escape] of pieces) {
      if (final !== undefined) this.control(parameters ?? "", final);
      else if (escape !== undefined) this.escape(escape);
      else if (piece >= " ") this.print(piece);
      else this.single(piece);
    }
  }

  /** The lines on the screen. */
  screen(): string[] {
    return this.grid.screen();
  }

  /** The lines on the screen, and those that have left it at the top. */
  everything(): string[] {
    return this.alternate === null ? this.main.everything() : this.alternate.screen();
  }

  private get grid(): Grid {
    return this.alternate ?? this.main;
  }

  private print(text: string): void {
    for (const character of text) {
      if (COMBINING.test(character)) continue;
      this.grid.put(character);
      if (WIDE.test(character)) this.grid.skip();
    }
  }

  private single(character: string): void {
    const grid = this.grid;
    if (character === "\n" || character === "\v" || character === "\f") grid.lineFeed();
    else if (character === "\r") grid.move(grid.row, 0);
    else if (character === "\b") grid.move(grid.row, grid.column - 1);
    else if (character === "\t") grid.move(grid.row, (Math.floor(grid.column / 8) + 1) * 8);
  }

  private escape(final: string): void {
    const grid = this.grid;
    if (final === "7") this.saved = { row: grid.row, column: grid.column };
    else if (final === "8") grid.move(this.saved.row, this.saved.column);
    else if (final === "D") grid.lineFeed();
    else if (final === "M") grid.reverseLineFeed();
    else if (final === "E") {
      grid.move(grid.row, 0);
      grid.lineFeed();
    } else if (final === "c") {
      this.main = new Grid(this.columns, this.rows);
      this.alternate = null;
    }
  }

  private control(parameters: string, final: string): void {
    if (parameters.startsWith("?")) return this.mode(parameters, final);
    if (/^[<=>]/.test(parameters)) return;
    const numbers = parameters.split(/[;:]/).map((text) => Number.parseInt(text, 10) || 0);
    const [first = 0, second = 0] = numbers;
    const count = Math.min(Math.max(1, first), MAX_COLUMNS);
    const grid = this.grid;
    const { row, column } = grid;
    const actions: Record<string, () => void> = {
      A: () => grid.move(row - count, column),
      B: () => grid.move(row + count, column),
      C: () => grid.move(row, column + count),
      D: () => grid.move(row, column - count),
      E: () => grid.move(row + count, 0),
      F: () => grid.move(row - count, 0),
      G: () => grid.move(row, count - 1),
      H: () => grid.move(first - 1, second - 1),
      J: () => grid.eraseScreen(first),
      K: () => grid.eraseLine(first),
      L: () => grid.insertLines(count),
      M: () => grid.deleteLines(count),
      P: () => grid.deleteCharacters(count),
      S: () => grid.scrollUp(count),
      T: () => grid.scrollDown(count),
      X: () => grid.eraseCharacters(count),
      "@": () => grid.insertCharacters(count),
      "`": () => grid.move(row, count - 1),
      d: () => grid.move(count - 1, column),
      f: () => grid.move(first - 1, second - 1),
      r: () => grid.setRegion(Math.max(1, first) - 1, (second || this.rows) - 1),
      s: () => (this.saved = { row, column }),
      u: () => grid.move(this.saved.row, this.saved.column),
    };
    actions[final]?.();
  }

  private mode(parameters: string, final: string): void {
    const modes = parameters.slice(1).split(";");
    if (!modes.some((mode) => mode === "1049" || mode === "47" || mode === "1047")) return;
    if (final === "h") this.alternate ??= new Grid(this.columns, this.rows);
    else if (final === "l") this.alternate = null;
  }
}

/** A CSI sequence, with its parameters and final character. */
const CSI = "\\u001b\\[([0-?]*)[ -/]*([@-~])";
/** OSC, DCS, APC, PM and SOS sequences, up to their end. */
const STRING = "\\u001b[\\]P_^X](?:[^\\u0007\\u001b]|\\u001b(?!\\\\))*(?:\\u0007|\\u001b\\\\)?";
const ESCAPE = "\\u001b[ -/]*([0-~])";
const PIECES = new RegExp(`${CSI}|${STRING}|${ESCAPE}|[\\u0000-\\u001f\\u007f]|[^\\u0000-\\u001f\\u007f]+`, "g");
