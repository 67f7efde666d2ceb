//! The token: from the environment or a file, never from an argument, and never shown.

use std::io;
use std::path::{Path, PathBuf};

const VARIABLES: [&str; 2] = ["X_TOKEN", "IMPORT_TOKEN"];

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("no token: set X_TOKEN or IMPORT_TOKEN, or name a file by --token-file")]
    None,
    #[error("the token in {} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("the token may have visible ASCII characters only")]
    Characters,
}

/// Reads the token from `file`, if one is named, or else from the environment.
pub fn read(file: Option<&Path>) -> Result<String, TokenError> {
    let token = match file {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| TokenError::File(path.to_owned(), error))?
        }
        None => VARIABLES.iter().find_map(|name| std::env::var(name).ok()).ok_or(TokenError::None)?,
    };
    let token = token.trim();
    match token {
        "" => Err(TokenError::None),
        _ if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
        _ => Err(TokenError::Characters),
    }
}
