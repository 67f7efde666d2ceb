//! The rooms of `src/`: which may know of which.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down: a room names only those that stand below it.
const ROOMS: [&str; 11] = [
    "main",
    "http",
    "telemetry",
    "import",
    "database",
    "resolution",
    "request",
    "tenant",
    "config",
    "deadline",
    "hash",
];

/// The source files of a room: of its folder, or the one of its name.
fn files(room: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    match fs::read_dir(src.join(room)) {
        Ok(folder) => folder.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => vec![src.join(room).with_extension("rs")],
    }
}

/// The code of a file, without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_room_names_only_rooms_below_it() {
    for (floor, room) in ROOMS.iter().enumerate() {
        let files = files(room);
        assert!(!files.is_empty(), "{room} is empty");
        for file in files {
            let code = code(&file);
            for above in &ROOMS[..floor] {
                for prefix in ["crate", "group_import"] {
                    let path = format!("{prefix}::{above}::");
                    assert!(!code.contains(&path), "{} names {above}", file.display());
                }
                assert!(!code.contains("crate::{"), "{}: one path an import", file.display());
            }
        }
    }
}

#[test]
fn every_source_file_belongs_to_a_room_and_keeps_to_300_lines() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_str().expect("text").to_owned();
        assert!(name == "lib" || ROOMS.contains(&name.as_str()), "{name} has no place among the rooms");
    }
    for file in ROOMS.iter().flat_map(|room| files(room)) {
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        assert!(lines <= 300, "{} has {lines} lines", file.display());
    }
}

#[test]
fn resolution_and_request_know_no_sdk_and_no_waiting() {
    for file in ["resolution", "request"].iter().flat_map(|room| files(room)) {
        let code = code(&file);
        for word in ["aws_", "lambda_", "async ", ".await", "tokio"] {
            assert!(!code.contains(word), "{} contains {word}", file.display());
        }
    }
}
