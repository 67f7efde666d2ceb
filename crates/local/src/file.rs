//! The database in a file, kept between runs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dynoxide::Database;
use dynoxide::DynoxideError;

/// The header of every SQLite file (sqlite.org/fileformat.html, section 1.3).
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Why a file does not hold a database.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{} is not a database: name another file with --file", .0.display())]
    Other(PathBuf),
    #[error("{} cannot be read or written", .0.display())]
    Access(PathBuf, #[source] io::Error),
    #[error("{} cannot be opened as a database", .0.display())]
    Database(PathBuf, #[source] DynoxideError),
}

/// Opens the database in a file; creates it, and its folder, if missing.
pub fn open(path: &Path) -> Result<Database, FileError> {
    let access = |error| FileError::Access(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(access)?;
    }
    let mut beginning = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(SQLITE.len() as u64).read_to_end(&mut beginning).map_err(access)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(access(error)),
    };
    // An empty file is a database without tables. The library would report any other as encrypted.
    if !beginning.is_empty() && beginning != SQLITE {
        return Err(FileError::Other(path.to_owned()));
    }
    Database::new(&path.to_string_lossy()).map_err(|error| FileError::Database(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_is_opened() {
        let folder = std::env::temp_dir().join(format!("file-{}", std::process::id()));
        let path = folder.join("new/demo.db");
        assert!(open(&path).is_ok() && open(&path).is_ok(), "made, then opened");
        fs::write(folder.join("list.csv"), "groups\n").expect("a file");
        assert!(matches!(open(&folder.join("list.csv")), Err(FileError::Other(_))));
        assert!(matches!(open(&folder), Err(FileError::Access(..))));
        fs::remove_dir_all(folder).expect("the folder is removed");
    }
}
