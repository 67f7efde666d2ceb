//! The module layers of `src/`: which module may use which.

use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom: a module uses only modules below it.
const MODULES: [&str; 12] = [
    "main",
    "http",
    "telemetry",
    "import",
    "database",
    "resolution",
    "request",
    "tenant",
    "rejection",
    "config",
    "deadline",
    "hash",
];

/// The source files of a module: those in its folder, or the one with its name.
fn files(module: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
    if path.is_dir() { files_in(&path) } else { vec![path.with_extension("rs")] }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// The code of a file, without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_use_only_lower_modules() {
    for (position, module) in MODULES.iter().enumerate() {
        let files = files(module);
        assert!(!files.is_empty(), "{module} is empty");
        for file in files {
            let code = code(&file);
            for above in &MODULES[..position] {
                for prefix in ["crate", "group_import"] {
                    let path = format!("{prefix}::{above}::");
                    assert!(!code.contains(&path), "{} uses {above}", file.display());
                }
                assert!(!code.contains("crate::{"), "{}: write one path per `use`", file.display());
            }
        }
    }
}

#[test]
fn how_calls_are_made_is_independent_of_what_is_read_and_written() {
    for file in files("database/client") {
        assert!(!code(&file).contains("tables::"), "{}", file.display());
    }
}

#[test]
fn source_files_are_listed_and_at_most_300_lines() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("text").to_owned();
        assert!(name == "lib" || MODULES.contains(&name.as_str()), "{name} is not a listed module");
    }
    for file in MODULES.iter().flat_map(|module| files(module)) {
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        assert!(lines <= 300, "{} has {lines} lines", file.display());
    }
}

#[test]
fn resolution_and_request_use_no_sdk_or_async() {
    for file in ["resolution", "request"].iter().flat_map(|module| files(module)) {
        let code = code(&file);
        for word in ["aws_", "lambda_", "async ", ".await", "tokio"] {
            assert!(!code.contains(word), "{} contains {word}", file.display());
        }
    }
}
