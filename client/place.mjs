// Trunk runs this at the end of a build. It copies the modules that build.rs generated beside the
// page. It removes the hash from preloads that are not scripts or style sheets: Chromium does not
// check those, and warns. In a release it strips comments and indentation from wasm-bindgen's
// script: trunk's own minifier does not know all of its syntax, warns, and leaves it as it is.
import { createHash } from "node:crypto";
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

// The script's part of the exports that index.html removes: classes, and the code that frees them.
const UNUSED =
  /^(export class IntoUnderlying[^]*?^\}|if \(Symbol\.dispose\) IntoUnderlying.*|const IntoUnderlying[^]*?;)$/gm;

const staging = process.env.TRUNK_STAGING_DIR;
cpSync(new URL("node_modules/moorline/served", import.meta.url), staging, { recursive: true });
edit((page) => page.replace(/<link\b[^>]*>/g, unchecked));
if (process.env.TRUNK_PROFILE === "release") {
  shrink(readdirSync(staging).find((name) => /^moorline-client-[0-9a-f]+\.js$/.test(name)));
}

// Browsers cache a file for ever, so changed content needs a new name.
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

// Returns a link of the page, without its hash if it preloads neither a script nor a style sheet.
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
