//! Detects changes of the function's source. The files are few, so they are polled twice a second: that works on
//! every file system, including those that report no changes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::sleep;

/// What the function is compiled from, in the root of the repository.
const SOURCES: [&str; 3] = ["src", "Cargo.toml", "Cargo.lock"];

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The source files as of the last poll.
pub struct Sources {
    root: PathBuf,
    seen: Vec<(PathBuf, SystemTime)>,
    /// A change was seen and not yet reported.
    has_changed: bool,
}

impl Sources {
    /// The files as they are now.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.to_owned(), seen: files(root)?, has_changed: false })
    }

    /// Waits until a file is changed, added or removed, and none at the next poll: an editor or git
    /// writes several. May be dropped and called again.
    pub async fn changed(&mut self) {
        loop {
            sleep(BETWEEN_LOOKS).await;
            // A file that an editor replaces is missing for a moment.
            let Ok(now) = files(&self.root) else { continue };
            let is_other = now != self.seen;
            self.seen = now;
            if self.has_changed && !is_other {
                self.has_changed = false;
                return;
            }
            self.has_changed |= is_other;
        }
    }
}

/// Every source file with the time of its last change, in a fixed order.
fn files(root: &Path) -> io::Result<Vec<(PathBuf, SystemTime)>> {
    let mut files = Vec::new();
    let mut left: Vec<_> = SOURCES.iter().map(|source| root.join(source)).collect();
    while let Some(path) = left.pop() {
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            for entry in path.read_dir()? {
                left.push(entry?.path());
            }
        } else {
            files.push((path, metadata.modified()?));
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn sources_of_this_repository_exist() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let files = files(root).expect("the sources");
        assert!(files.iter().any(|(path, _)| path.ends_with("src/main.rs")));
    }

    #[tokio::test]
    async fn a_change_is_noticed_once() {
        let root = std::env::temp_dir().join(format!("watch-{}", std::process::id()));
        for source in SOURCES {
            let path = root.join(source);
            let is_file = path.extension().is_some();
            let folder = if is_file { root.as_path() } else { path.as_path() };
            fs::create_dir_all(folder).expect("a folder");
            if is_file {
                fs::write(path, "").expect("a file");
            }
        }
        let mut sources = Sources::new(&root).expect("the sources");
        fs::write(root.join("src/new.rs"), "").expect("a file");
        sources.changed().await;
        let again = tokio::time::timeout(3 * BETWEEN_LOOKS, sources.changed()).await;
        assert!(again.is_err(), "nothing has changed since");
        fs::remove_dir_all(root).expect("the folder is removed");
    }
}
