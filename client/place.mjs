// Trunk runs this at the end of a build. The terminal emulator that build.rs made becomes a file of
// its own beside the page. What the page fetches ahead of its use is not checked by a hash: Chromium
// does not do that for anything but scripts and style sheets, and warns. In a release wasm-bindgen's script loses its comments and indentation:
// trunk's own minifier does not know all of its syntax, warns, and leaves it as it is.
import { createHash } from "node:crypto";
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// The script's side of the exports that index.html has removed: classes, and what frees them.
const UNUSED =
  /^(export class IntoUnderlying[^]*?^\}|if \(Symbol\.dispose\) IntoUnderlying.*|const IntoUnderlying[^]*?;)$/gm;

const staging = process.env.TRUNK_STAGING_DIR;
cpSync(new URL("node_modules/moorline/served", import.meta.url), staging, { recursive: true });
edit((page) => page.replace(/<link\b[^>]*>/g, unchecked));
if (process.env.TRUNK_PROFILE === "release") {
  shrink(readdirSync(staging).find((name) => /^moorline-client-[0-9a-f]+\.js$/.test(name)));
}

// Browsers keep a file for ever, so other content has another name.
function shrink(name) {
  const script = readFileSync(join(staging, name), "utf8");
  const small = script
    .replace(UNUSED, "")
    .replace(/^\s*(\/\*\*[^]*?\*\/|\/\/.*)$/gm, "")
    .replace(/^\s+/gm, "");
  const renamed = `moorline-client-${digest("sha256", small).toString("hex").slice(0, 16)}.js`;
  rmSync(join(staging, name));
  writeFileSync(join(staging, renamed), small);
  edit((page) =>
    page.replaceAll(name, renamed).replaceAll(integrity(script), integrity(small)),
  );
}

// A link of the page, without its hash if it is there to fetch ahead what is no script.
function unchecked(link) {
  const is = (name, value) => new RegExp(`\\s${name}=["']?${value}["'\\s/>]`).test(link);
  const ahead = is("rel", "preload") && !is("as", "script") && !is("as", "style");
  return ahead ? link.replace(/\sintegrity=("[^"]*"|'[^']*'|[^\s"'>]+)/, "") : link;
}

function edit(change) {
  const place = join(staging, "index.html");
  writeFileSync(place, change(readFileSync(place, "utf8")));
}

function integrity(text) {
  return `sha384-${digest("sha384", text).toString("base64")}`;
}

function digest(algorithm, text) {
  return createHash(algorithm).update(text).digest();
}
