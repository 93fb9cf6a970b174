//! Builds the parts of the page that are loaded on demand, each as a module beside it: xterm.js
//! with the addons that every terminal needs, separately what few terminals need, highlight.js, and the
//! editor of files.
//!
//! The packages of xterm.js and highlight.js are modules that import nothing and end with their exports,
//! so each becomes a function that returns its class. Those of the editor import each other: esbuild
//! bundles them. Files without a hash in their names are for tests. The served
//! files have a hash of their content in their names, so that browsers may cache them for ever
//! (`place.mjs` copies them).

use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

#[path = "../host/src/screen/width.rs"]
#[expect(unreachable_pub, reason = "the host, whose file it is, gives it to others")]
mod width;
mod widths;

/// A package's module, and the class of it that is used.
type Package = (&'static str, &'static str);

/// The packages that every terminal needs.
const EMULATOR: [Package; 4] = [
    ("@xterm/xterm/lib/xterm.mjs", "Terminal"),
    ("@xterm/addon-clipboard/lib/addon-clipboard.mjs", "ClipboardAddon"),
    ("@xterm/addon-fit/lib/addon-fit.mjs", "FitAddon"),
    ("@xterm/addon-web-links/lib/addon-web-links.mjs", "WebLinksAddon"),
];

/// The packages that a terminal needs for a search.
const SEARCH: [Package; 1] = [("@xterm/addon-search/lib/addon-search.mjs", "SearchAddon")];

/// The folder of highlight.js: modules with the languages that are common, and with one language each.
const HIGHLIGHT: &str = "@highlightjs/cdn-assets/es";

/// The languages that highlight.js has to know beside the common ones.
const LANGUAGES: [&str; 10] = [
    "clojure",
    "dart",
    "dockerfile",
    "elixir",
    "haskell",
    "nix",
    "powershell",
    "protobuf",
    "scala",
    "vim",
];

/// Corrections of modules: the class, the wrong code, and the code that replaces it.
///
/// The DOM renderer measures the contrast of reversed text in the default colour against that same
/// colour, and so makes it pale grey on light grey.
const MENDED: [(&str, &str, &str); 1] = [(
    "Terminal",
    "this._applyMinimumContrast(f,it,p.foreground,x,tt,Qi)||fi&&",
    "this._applyMinimumContrast(f,it,fi?p.background:p.foreground,x,tt,Qi)||fi&&",
)];

/// A module that the page loads.
struct ModulePart {
    /// The name of its file for tests, without the extension.
    name: &'static str,
    /// The prefix of its served file's name. The size of a `part-` does not count towards the first
    /// load (`xtask/src/budget.rs`).
    prefix: &'static str,
    /// The environment variable that gives the code the file's name.
    variable: &'static str,
    content: String,
}

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let packages = Path::new(&root).join("node_modules");
    if env::var_os("CARGO_FEATURE_SPLIT").is_some() {
        // What cuts the program apart must know what refers to what.
        println!("cargo::rustc-link-arg-bins=--emit-relocs");
    }
    println!("cargo::rerun-if-changed=build.rs");
    if let Err(error) = parts(&packages).and_then(|parts| place(&packages.join("moorline"), &parts))
    {
        println!("cargo::error={error}: run `npm ci --ignore-scripts` in client/ first");
    }
}

fn parts(packages: &Path) -> io::Result<[ModulePart; 7]> {
    let (emulator, classes) = bundle(packages, &EMULATOR)?;
    let emulator =
        emulator + &as_host()? + &style(packages)? + &format!("export{{HostAddon,{classes}}};\n");
    let (search, classes) = bundle(packages, &SEARCH)?;
    let search = search + &format!("export{{{classes}}};\n");
    Ok([
        ModulePart { name: "xterm", prefix: "xterm", variable: "XTERM_MODULE", content: emulator },
        ModulePart {
            name: "search",
            prefix: "part-search",
            variable: "SEARCH_MODULE",
            content: search,
        },
        ModulePart {
            name: "highlight",
            prefix: "part-highlight",
            variable: "HIGHLIGHT_MODULE",
            content: highlighter(packages)?,
        },
        ModulePart {
            name: "tmux-style",
            prefix: "part-tmux-style",
            variable: "TMUX_STYLE_MODULE",
            content: late_style("src/style/tmux.css")?,
        },
        ModulePart {
            name: "pods-style",
            prefix: "part-pods-style",
            variable: "PODS_STYLE_MODULE",
            content: late_style("src/style/pods.css")?,
        },
        ModulePart {
            name: "editor",
            prefix: "part-editor",
            variable: "EDITOR_MODULE",
            content: bundled(packages, "src/bindings/editor.js")?,
        },
        ModulePart {
            name: "files",
            prefix: "part-files-code",
            variable: "FILES_MODULE",
            content: late_style("src/style/files.css")?
                + &bundled(packages, "src/bindings/files.js")?,
        },
    ])
}

/// Returns a script with all packages that it imports, as one module.
fn bundled(packages: &Path, script: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed={script}");
    println!("cargo::rerun-if-changed=package-lock.json");
    let made = Command::new("node")
        .arg(packages.join("esbuild/bin/esbuild"))
        .args([script, "--bundle", "--format=esm", "--minify", "--charset=utf8"])
        .args(["--target=es2022", "--legal-comments=none", "--log-level=warning"])
        .output()?;
    if !made.status.success() {
        let told = String::from_utf8_lossy(&made.stderr);
        return Err(io::Error::other(format!("esbuild has failed with {script}: {told}")));
    }
    String::from_utf8(made.stdout).map_err(io::Error::other)
}

/// Returns highlight.js, with all languages that it has to know.
fn highlighter(packages: &Path) -> io::Result<String> {
    let folder = packages.join(HIGHLIGHT);
    let read = |path: &str| {
        let path = folder.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read_to_string(path)
    };
    let mut module =
        format!("const highlighter={};\n", exported(&read("highlight.min.js")?, "default")?);
    for language in LANGUAGES {
        let code = read(&format!("languages/{language}.min.js"))?;
        // One export, of another form.
        let code = code.replace("export default hljsGrammar;", "export{hljsGrammar as default};");
        let grammar = exported(&code, "default")?;
        module += &format!("highlighter.registerLanguage({language:?},{grammar});\n");
    }
    Ok(module + "export{highlighter};\n")
}

/// Returns an expression for what a module exports by this name.
fn exported(module: &str, name: &str) -> io::Result<String> {
    let (body, exports) = module.rsplit_once("export{").unwrap_or_default();
    let exports = exports.split('}').next().unwrap_or_default();
    let mut pairs = exports.split(',').filter_map(|pair| pair.split_once(" as "));
    let Some((local, _)) = pairs.find(|(_, exported)| *exported == name) else {
        return Err(io::Error::other(format!("a module has no {name}")));
    };
    Ok(format!("(()=>{{{body};return {local}}})()"))
}

/// Returns the packages' code, and the names of their classes.
fn bundle(packages: &Path, wanted: &[Package]) -> io::Result<(String, String)> {
    let mut bundle = String::new();
    for (path, class) in wanted {
        let path = packages.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        let module = mended(class, fs::read_to_string(&path)?)?;
        bundle += &format!("const {class}={};\n", exported(&module, class)?);
    }
    let classes: Vec<&str> = wanted.iter().map(|(_, class)| *class).collect();
    Ok((bundle, classes.join(",")))
}

/// Returns the addon that makes the emulator agree with the host's.
fn as_host() -> io::Result<String> {
    let path = "src/bindings/as_host.js";
    for path in [path, "widths.rs", "../host/src/screen/width.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let script = fs::read_to_string(path)?;
    let code = script.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let code: Vec<&str> = code.collect();
    let table = widths::table(width::columns);
    Ok(format!(
        "const HostAddon=(()=>{{const WIDTHS={table:?};\n{}\nreturn HostAddon}})();\n",
        code.join("\n")
    ))
}

fn mended(class: &str, mut module: String) -> io::Result<String> {
    for (_, wrong, right) in MENDED.iter().filter(|(of, ..)| *of == class) {
        if module.matches(wrong).count() != 1 {
            let error = format!("{class} no longer has `{wrong}`: see MENDED in build.rs");
            return Err(io::Error::other(error));
        }
        module = module.replacen(wrong, right, 1);
    }
    Ok(module)
}

/// Returns a style sheet as a script. As a text of the program it would be in the module that every
/// page loads.
fn late_style(path: &str) -> io::Result<String> {
    println!("cargo::rerun-if-changed={path}");
    let css = fs::read_to_string(path)?;
    let lines: Vec<&str> = css.lines().map(str::trim).collect();
    Ok(format!(
        "const style=document.createElement(\"style\");style.textContent={:?};\
         document.head.append(style);\n",
        lines.join("\n")
    ))
}

/// Returns the emulator's style sheet as a script. It comes before the page's own, which overrides
/// it.
fn style(packages: &Path) -> io::Result<String> {
    let path = packages.join("@xterm/xterm/css/xterm.css");
    println!("cargo::rerun-if-changed={}", path.display());
    let css = fs::read_to_string(path)?;
    // A Rust literal of such a text is also one of JavaScript.
    Ok(format!(
        "const style=document.createElement(\"style\");style.textContent={css:?};\
         document.head.prepend(style);\n"
    ))
}

/// Writes the parts that have changed, removes all others, and passes the names of the served files
/// to the code.
fn place(folder: &Path, parts: &[ModulePart]) -> io::Result<()> {
    let served = folder.join("served");
    fs::create_dir_all(&served)?;
    let mut names = Vec::new();
    for ModulePart { name, prefix, variable, content } in parts {
        // Fixed keys: the same content has the same name everywhere.
        let mut hasher = DefaultHasher::new();
        hasher.write(content.as_bytes());
        let hashed = format!("{prefix}-{:016x}.js", hasher.finish());
        for path in [folder.join(format!("{name}.js")), served.join(&hashed)] {
            println!("cargo::rerun-if-changed={}", path.display());
            if !fs::read_to_string(&path).is_ok_and(|written| written == *content) {
                fs::write(path, content)?;
            }
        }
        println!("cargo::rustc-env={variable}={hashed}");
        names.push(hashed);
    }
    for entry in fs::read_dir(&served)? {
        let entry = entry?;
        if !names.iter().any(|name| entry.file_name() == name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
