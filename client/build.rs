//! Makes one module of xterm.js and its addons, which the page loads where it shows a terminal.
//!
//! Each of them is a module of its own that imports nothing and ends with its exports, so each
//! becomes a function that answers its class. `xterm.js` is for tests; what is served has its
//! content's hash in its name, so that browsers may keep it for ever (`place.mjs` puts it there).

use std::hash::{DefaultHasher, Hasher as _};
use std::path::Path;
use std::{env, fs, io};

#[path = "../host/src/screen/width.rs"]
#[expect(unreachable_pub, reason = "the host, whose file it is, gives it to others")]
mod width;
mod widths;

/// The modules, and which of its classes each is wanted for.
const MODULES: [(&str, &str); 5] = [
    ("@xterm/xterm/lib/xterm.mjs", "Terminal"),
    ("@xterm/addon-clipboard/lib/addon-clipboard.mjs", "ClipboardAddon"),
    ("@xterm/addon-fit/lib/addon-fit.mjs", "FitAddon"),
    ("@xterm/addon-search/lib/addon-search.mjs", "SearchAddon"),
    ("@xterm/addon-web-links/lib/addon-web-links.mjs", "WebLinksAddon"),
];

/// What is mended in a module: what stands there, and what is to stand there instead.
///
/// The DOM renderer measures the contrast of reversed text in the default colour against that very
/// colour, and so makes it pale grey on light grey.
const MENDED: [(&str, &str, &str); 1] = [(
    "Terminal",
    "this._applyMinimumContrast(f,it,p.foreground,x,tt,Qi)||fi&&",
    "this._applyMinimumContrast(f,it,fi?p.background:p.foreground,x,tt,Qi)||fi&&",
)];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let packages = Path::new(&root).join("node_modules");
    println!("cargo::rerun-if-changed=build.rs");
    match bundle(&packages).and_then(|bundle| place(&packages.join("moorline"), &bundle)) {
        Ok(name) => println!("cargo::rustc-env=XTERM_MODULE={name}"),
        Err(error) => {
            println!("cargo::error={error}: run `npm ci --ignore-scripts` in client/ first");
        }
    }
}

fn bundle(packages: &Path) -> io::Result<String> {
    let mut bundle = String::new();
    for (path, class) in MODULES {
        let path = packages.join(path);
        println!("cargo::rerun-if-changed={}", path.display());
        let module = mended(class, fs::read_to_string(&path)?)?;
        let (body, exports) = module.rsplit_once("export{").unwrap_or_default();
        let exports = exports.split('}').next().unwrap_or_default();
        let mut pairs = exports.split(',').filter_map(|pair| pair.split_once(" as "));
        let Some((local, _)) = pairs.find(|(_, name)| *name == class) else {
            return Err(io::Error::other(format!("{} has no {class}", path.display())));
        };
        bundle += &format!("const {class}=(()=>{{{body};return {local}}})();\n");
    }
    let classes = MODULES.map(|(_, class)| class).join(",");
    bundle += &as_host()?;
    bundle += &style(packages)?;
    Ok(bundle + &format!("export{{HostAddon,{classes}}};\n"))
}

/// What makes the emulator agree with the host's.
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
            let error = format!("{class} does not have `{wrong}` any more: see MENDED in build.rs");
            return Err(io::Error::other(error));
        }
        module = module.replacen(wrong, right, 1);
    }
    Ok(module)
}

/// The emulator's style sheet as a script: it comes before the page's own, which change it.
fn style(packages: &Path) -> io::Result<String> {
    let path = packages.join("@xterm/xterm/css/xterm.css");
    println!("cargo::rerun-if-changed={}", path.display());
    let css = fs::read_to_string(path)?;
    // A Rust literal of such a text is one of JavaScript, too.
    Ok(format!(
        "const style=document.createElement(\"style\");style.textContent={css:?};\
         document.head.prepend(style);\n"
    ))
}

/// Writes it where it is not there already, and says what it is called where it is served.
fn place(folder: &Path, bundle: &str) -> io::Result<String> {
    // Fixed keys: the same content has the same name everywhere.
    let mut hasher = DefaultHasher::new();
    hasher.write(bundle.as_bytes());
    let name = format!("xterm-{:016x}.js", hasher.finish());
    let served = folder.join("served");
    let (plain, hashed) = (folder.join("xterm.js"), served.join(&name));
    for path in [&plain, &hashed] {
        println!("cargo::rerun-if-changed={}", path.display());
        if fs::read_to_string(path).is_ok_and(|written| written == bundle) {
            continue;
        }
        if path == &hashed && served.exists() {
            fs::remove_dir_all(&served)?;
        }
        fs::create_dir_all(&served)?;
        fs::write(path, bundle)?;
    }
    Ok(name)
}
