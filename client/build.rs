//! Makes the modules of npm importable: wasm-bindgen copies a module under the name that it has,
//! and not every server knows `.mjs` for a script. What points to source maps that are not served
//! goes.

use std::path::Path;
use std::{env, fs};

const MODULES: [(&str, &str); 6] = [
    ("@xterm/xterm/lib/xterm.mjs", "xterm.js"),
    ("@xterm/addon-clipboard/lib/addon-clipboard.mjs", "clipboard.js"),
    ("@xterm/addon-fit/lib/addon-fit.mjs", "fit.js"),
    ("@xterm/addon-search/lib/addon-search.mjs", "search.js"),
    ("@xterm/addon-unicode-graphemes/lib/addon-unicode-graphemes.mjs", "graphemes.js"),
    ("@xterm/addon-web-links/lib/addon-web-links.mjs", "web-links.js"),
];

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let packages = Path::new(&root).join("node_modules");
    // Beside the packages: it is made from them, and goes with them.
    let made = packages.join("moorline");
    println!("cargo::rerun-if-changed=build.rs");
    for (from, to) in MODULES {
        let (from, to) = (packages.join(from), made.join(to));
        println!("cargo::rerun-if-changed={}", from.display());
        println!("cargo::rerun-if-changed={}", to.display());
        let Ok(module) = fs::read_to_string(&from) else {
            println!("cargo::error=run `npm ci --ignore-scripts` in client/ first");
            return;
        };
        let module = module.split("//# sourceMappingURL=").next().unwrap_or_default();
        if fs::read_to_string(&to).is_ok_and(|made| made == module) {
            continue;
        }
        let written = fs::create_dir_all(&made).and_then(|()| fs::write(&to, module));
        if let Err(error) = written {
            println!("cargo::error=can't write {}: {error}", to.display());
        }
    }
}
