//! The input as rows, whatever its format, one at a time.

mod csv;
mod json_lines;
mod lines;

use std::io::{self, BufRead};

use crate::options::Format;

pub use csv::push_field;

/// The most bytes of one row. A record of the contract has at most some 30 KB; the rest is for columns of the user's.
const MAX_ROW_BYTES: usize = 256 * 1024;

/// What a failed row has beside its own fields. Where the input has them, from an earlier run, they are left out.
pub const REASON_FIELDS: [&str; 3] = ["errorCode", "errorMsg", "retryable"];

/// One row of the input.
#[derive(Debug)]
pub struct Row {
    /// The row as the file of failed rows shows it, up to where its reason begins.
    pub text: Vec<u8>,
    /// The record to send, as JSON; or why the row is none.
    pub record: Result<String, String>,
}

/// An input whose beginning was read.
pub struct Input {
    /// The columns that are kept, but not sent.
    pub unsent: Vec<String>,
    /// What a file of failed rows begins with.
    pub heading: Vec<u8>,
    pub rows: Box<dyn Iterator<Item = io::Result<Row>>>,
}

/// Why nothing of an input can be imported.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    #[error("the input cannot be read")]
    Read(#[from] io::Error),
    #[error("the input is empty")]
    Empty,
    #[error("the first line must name the columns; its quotes are not closed")]
    BadHeader,
    #[error(
        "no column {missing}: the first line must name the columns, separated by commas; it names {found}"
    )]
    NoColumn { missing: &'static str, found: String },
    #[error("the first line names the column {0} twice")]
    RepeatedColumn(String),
}

/// Reads the beginning of an input.
pub fn open(reader: impl BufRead + 'static, format: Format) -> Result<Input, InputError> {
    match format {
        Format::Csv => csv::open(reader),
        Format::Jsonl => Ok(Input {
            unsent: Vec::new(),
            heading: Vec::new(),
            rows: Box::new(json_lines::JsonLines::new(reader)),
        }),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The records of an input, and in their places the reasons of rows that are none; and the rows' texts.
    pub fn read(bytes: &[u8], format: Format) -> (Vec<Result<String, String>>, Vec<String>) {
        let input = open(io::Cursor::new(bytes.to_vec()), format).expect("an input");
        let rows = input.rows.map(|row| row.expect("memory can be read"));
        rows.map(|row| (row.record, String::from_utf8_lossy(&row.text).into_owned())).unzip()
    }
}
