// Tests of the parts that need neither Obsidian nor a browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readBlock } from "../src/block/block-options.ts";
import { fileNameOf, readSessionFile, writeSessionFile } from "../src/file/session-file.ts";
import { PositionStore } from "../src/frame/position-store.ts";
import { Backoff } from "../src/relay/backoff.ts";
import { EventParser } from "../src/relay/sse.ts";
import { ScreenText } from "../src/screen/screen-text.ts";
import { isOnThisMachine, originOf, readSettings } from "../src/settings/settings.ts";

function screen(output, columns = 10, rows = 3) {
  const text = new ScreenText(columns, rows);
  text.write(output);
  return text.screen();
}

test("a screen is what its output leaves on it", () => {
  for (const [output, shown] of [
    ["one\r\ntwo", ["one", "two"]],
    ["1\r\n2\r\n3\r\n4", ["2", "3", "4"]],
    ["abcdefghijkl", ["abcdefghij", "kl"]],
    ["abcdefghij\r\nk", ["abcdefghij", "k"]],
    ["hello\rJ", ["Jello"]],
    ["ab\b\u001b[31mc\u001b[0m", ["ac"]],
    ["\u001b[2;3Hx\u001b[Hy", ["y", "  x"]],
    ["abc\u001b[2D\u001b[K", ["a"]],
    ["junk\u001b[2J\u001b[Hnew", ["new"]],
    ["old\u001b[?1049halternate", ["alternate"]],
    ["old\u001b[?1049hgone\u001b[?1049l", ["old"]],
    ["\u001b]0;title\u0007a\u001b]8;;https://x\u001b\\b", ["ab"]],
    ["1\r\n2\r\n3\u001b[H\u001b[L0", ["0", "1", "2"]],
    ["1\r\n2\r\n3\u001b[1;2r\u001b[2;1H\n\nx", ["", "x", "3"]],
    ["漢字ab", ["漢字ab"]],
    ["漢\u001b[3Gx", ["漢x"]],
    ["e\u0301", ["e"]],
    ["a\tb", ["a       b"]],
    ["lost\u001bcnew", ["new"]],
  ]) {
    assert.deepEqual(screen(output), shown, JSON.stringify(output));
  }
});

test("a screen survives any output", () => {
  let seed = 1;
  const next = () => (seed = (seed * 48271) % 2147483647);
  const bytes = ["\u001b", "[", "]", "?", ";", "9", "1049", "h", "l", "L", "M", "P", "@", "r", "S", "H", "\n", "\r", "\b", "x", "漢", "\u0007"];
  for (let round = 0; round < 500; round += 1) {
    const output = Array.from({ length: 60 }, () => bytes[next() % bytes.length]).join("");
    const shown = screen(output, 2 + (next() % 20), 1 + (next() % 5));
    assert.ok(shown.length <= 5, output);
  }
});

test("what has left the screen is above it", () => {
  const text = new ScreenText(5, 2);
  for (const line of ["1", "2", "3"]) text.write(`${line}\r\n`);
  assert.deepEqual(text.everything(), ["1", "2", "3"]);
});

test("events are read however they are cut", () => {
  const stream = ": heartbeat\n\nretry: 1000\n\nevent: session\nid: e.7\ndata: {\"a\":\ndata: 1}\n\n";
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const parser = new EventParser();
    const events = [...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))];
    assert.deepEqual(events, [{ type: "session", id: "e.7", data: '{"a":\n1}' }]);
  }
});

test("a block says what is wrong with it", () => {
  const block = readBlock("session: \"My shell\"\nheight: 9999px\nkind: terminal\nreadonly: true\n");
  assert.deepEqual(block, { session: "My shell", height: 2000, isTerminal: true, isReadOnly: true });
  for (const bad of ["", "session:", "session: a\nheight: tall", "session: a\nkind: agent", "session: a\nwidth: 3", "what"]) {
    assert.throws(() => readBlock(bad), Error, bad);
  }
});

test("positions are kept within bounds, the last used ones", () => {
  const store = new PositionStore();
  const position = (bytes) => ({ cursor: {}, snapshot: new Uint8Array(bytes) });
  for (let index = 0; index < 40; index += 1) {
    store.set(`s${index}`, position(10));
    store.get("s0");
  }
  assert.equal(store.size, 32);
  assert.ok(store.get("s0") && store.get("s39") && !store.get("s1"));
  for (let index = 0; index < 40; index += 1) store.set(`large${index}`, position(1024 * 1024));
  assert.equal(store.size, 16);
});

test("settings are read whatever is in the file", () => {
  for (const data of [null, 7, "x", [], { address: 1, blockHeight: "tall" }]) {
    assert.equal(readSettings(data).blockHeight, 320);
  }
  const settings = readSettings({ address: "https://a.example", token: "secret", blockHeight: 5 });
  assert.ok(!("token" in settings));
  assert.equal(settings.blockHeight, 120);
  assert.equal(originOf("https://a.example/path?x"), "https://a.example");
  assert.equal(originOf("javascript:alert(1)"), null);
  assert.ok(isOnThisMachine("http://127.0.0.1:3010") && isOnThisMachine("http://[::1]:1"));
  assert.ok(!isOnThisMachine("http://127.0.0.1.evil.example"));
});

test("session files are read and named with care", () => {
  const file = { session: "abcdefgh", name: "A", kind: "terminal" };
  assert.deepEqual(readSessionFile(writeSessionFile(file)), file);
  for (const bad of ["", "{}", "[]", "null", '{"session": "../../x"}', '{"session": 7}']) assert.equal(readSessionFile(bad), null);
  assert.equal(fileNameOf("a/b: c|[d]#^"), "a b c d");
  assert.equal(fileNameOf("..."), "Session");
});

test("pauses grow up to half a minute", () => {
  const backoff = new Backoff(() => 1);
  const pauses = Array.from({ length: 12 }, () => backoff.next());
  assert.deepEqual(pauses.slice(0, 3), [1000, 1500, 2250]);
  assert.equal(pauses.at(-1), 30_000);
  backoff.reset();
  assert.equal(backoff.next(), 1000);
});
