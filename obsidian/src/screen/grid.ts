/** The most lines that are kept above the screen. */
const SCROLLBACK = 2000;

/** The characters of a terminal, with a cursor. Rows and columns count from 0. */
export class Grid {
  row = 0;
  column = 0;
  private lines: string[][];
  private readonly scrollback: string[] = [];
  private top = 0;
  private bottom: number;
  /** True if the next character wraps to the next line first. */
  private wraps = false;

  constructor(
    readonly columns: number,
    readonly rows: number,
  ) {
    this.lines = this.blank(rows);
    this.bottom = rows - 1;
  }

  put(character: string): void {
    if (this.wraps) {
      this.column = 0;
      this.lineFeed();
    }
    const line = this.lines[this.row];
    if (line !== undefined) line[this.column] = character;
    this.wraps = this.column === this.columns - 1;
    if (!this.wraps) this.column += 1;
  }

  /** Leaves the cell after a wide character empty. */
  skip(): void {
    if (this.column > 0 && !this.wraps) this.put("");
  }

  move(row: number, column: number): void {
    this.row = Math.min(this.rows - 1, Math.max(0, row));
    this.column = Math.min(this.columns - 1, Math.max(0, column));
    this.wraps = false;
  }

  lineFeed(): void {
    this.wraps = false;
    if (this.row === this.bottom) this.scrollUp(1);
    else if (this.row < this.rows - 1) this.row += 1;
  }

  reverseLineFeed(): void {
    this.wraps = false;
    if (this.row === this.top) this.scrollDown(1);
    else if (this.row > 0) this.row -= 1;
  }

  setRegion(top: number, bottom: number): void {
    const isValid = top >= 0 && bottom < this.rows && top < bottom;
    this.top = isValid ? top : 0;
    this.bottom = isValid ? bottom : this.rows - 1;
    this.move(0, 0);
  }

  scrollUp(count: number): void {
    for (let step = 0; step < Math.min(count, this.rows); step += 1) {
      const [line] = this.lines.splice(this.top, 1);
      this.lines.splice(this.bottom, 0, ...this.blank(1));
      if (this.top === 0 && line !== undefined) this.scrollback.push(textOf(line));
    }
    if (this.scrollback.length > SCROLLBACK) this.scrollback.splice(0, this.scrollback.length - SCROLLBACK);
  }

  scrollDown(count: number): void {
    for (let step = 0; step < Math.min(count, this.rows); step += 1) {
      this.lines.splice(this.bottom, 1);
      this.lines.splice(this.top, 0, ...this.blank(1));
    }
  }

  insertLines(count: number): void {
    this.within(() => this.scrollDown(count));
  }

  deleteLines(count: number): void {
    this.within(() => this.scrollUp(count));
  }

  insertCharacters(count: number): void {
    const line = this.lines[this.row];
    line?.splice(this.column, 0, ...Array<string>(Math.min(count, this.columns)).fill(" "));
    line?.splice(this.columns);
  }

  deleteCharacters(count: number): void {
    const line = this.lines[this.row];
    line?.splice(this.column, count);
    while (line !== undefined && line.length < this.columns) line.push(" ");
  }

  /** Erases in the current line: from the cursor on (0), up to it (1), or all (2). */
  eraseLine(how: number): void {
    const from = how === 0 ? this.column : 0;
    const to = how === 1 ? this.column + 1 : this.columns;
    this.lines[this.row]?.fill(" ", from, to);
  }

  eraseCharacters(count: number): void {
    this.lines[this.row]?.fill(" ", this.column, this.column + count);
  }

  /** Erases the screen: from the cursor on (0), up to it (1), all (2), or what is above the screen (3). */
  eraseScreen(how: number): void {
    if (how === 3) return void this.scrollback.splice(0);
    if (how !== 2) this.eraseLine(how);
    const from = how === 0 ? this.row + 1 : 0;
    const to = how === 1 ? this.row : this.rows;
    for (let row = from; row < to; row += 1) this.lines[row]?.fill(" ");
  }

  /** The screen's lines, without the empty ones at its end. */
  screen(): string[] {
    return trimmed(this.lines.map(textOf));
  }

  /** What is above the screen, then the screen. */
  everything(): string[] {
    return trimmed([...this.scrollback, ...this.lines.map(textOf)]);
  }

  private within(scroll: () => void): void {
    if (this.row < this.top || this.row > this.bottom) return;
    const top = this.top;
    this.top = this.row;
    scroll();
    this.top = top;
    this.column = 0;
  }

  private blank(count: number): string[][] {
    return Array.from({ length: count }, () => Array<string>(this.columns).fill(" "));
  }
}

function textOf(line: string[]): string {
  return line.join("").trimEnd();
}

function trimmed(lines: string[]): string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1] === "") end -= 1;
  return lines.slice(0, end);
}
