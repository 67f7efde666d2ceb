//! The file of failed rows: as the input, and with their reasons.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::encoding::Encoding;
use crate::journal::sync_directory;
use crate::options::Format;
use crate::response::Reason;
use crate::rows::{REASON_FIELDS, push_field};

/// The file; it is made with its first row.
pub struct FailedRows {
    path: PathBuf,
    heading: Vec<u8>,
    format: Format,
    encoding: Encoding,
    file: Option<File>,
    length: u64,
}

/// Why failed rows cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FailedRowsError {
    #[error("{} is shorter than the previous run left it; --restart imports the file from its beginning", .0.display())]
    Shortened(PathBuf),
    #[error("failed rows cannot be written to {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

impl FailedRows {
    /// Opens the file as it was when it had `length` bytes: what a run that died wrote behind them is cut off.
    pub fn open(
        path: &Path,
        heading: &[u8],
        (format, encoding): (Format, Encoding),
        length: u64,
    ) -> Result<Self, FailedRowsError> {
        let file = cut(path, length).map_err(|error| FailedRowsError::Write(path.to_owned(), error))?;
        if length > 0 && file.is_none() {
            return Err(FailedRowsError::Shortened(path.to_owned()));
        }
        let heading = encoding.encode(heading).into_owned();
        Ok(Self { path: path.to_owned(), heading, format, encoding, file, length })
    }

    /// Adds rows, each with its reason; they are on disk afterwards. Gives the length of the file.
    pub fn append<'r>(
        &mut self,
        rows: impl Iterator<Item = (&'r [u8], &'r Reason)>,
    ) -> Result<u64, FailedRowsError> {
        let mut text = Vec::new();
        for (row, reason) in rows {
            text.extend_from_slice(row);
            push_reason(&mut text, self.format, reason);
        }
        if !text.is_empty() {
            self.write(&self.encoding.encode(&text))
                .map_err(|error| FailedRowsError::Write(self.path.clone(), error))?;
        }
        Ok(self.length)
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = File::create_new(&self.path)?;
                sync_directory(&self.path)?;
                file.write_all(&self.heading)?;
                self.length = self.heading.len() as u64;
                self.file.insert(file)
            }
        };
        file.write_all(text)?;
        self.length += text.len() as u64;
        file.sync_data()
    }
}

/// Opens the file at its end, `length`; none if it is shorter. A length of 0 leaves no file.
fn cut(path: &Path, length: u64) -> io::Result<Option<File>> {
    if length == 0 {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(None),
        };
    }
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.metadata()?.len() < length {
        return Ok(None);
    }
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    Ok(Some(file))
}

fn push_reason(text: &mut Vec<u8>, format: Format, reason: &Reason) {
    let Reason { code, message, retryable } = reason;
    match format {
        Format::Csv => {
            push_field(text, code.as_bytes());
            text.push(b',');
            push_field(text, message.as_bytes());
            text.extend_from_slice(format!(",{retryable}\n").as_bytes());
        }
        Format::Jsonl => {
            let [code_field, message_field, retryable_field] = REASON_FIELDS;
            let (code, message) = (json!(code), json!(message));
            let members = format!(
                "\"{code_field}\":{code},\"{message_field}\":{message},\"{retryable_field}\":{retryable}}}\n"
            );
            text.extend_from_slice(members.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_and_its_reason_are_one_line_of_the_format() {
        let reason =
            Reason { code: "BAD_ROW".to_owned(), message: "第1行, \"x\"".to_owned(), retryable: false };
        let line = |row: &str, format| {
            let mut text = row.as_bytes().to_vec();
            push_reason(&mut text, format, &reason);
            String::from_utf8(text).expect("UTF-8")
        };
        assert_eq!(line("o1,g,", Format::Csv), "o1,g,BAD_ROW,\"第1行, \"\"x\"\"\",false\n");
        assert_eq!(
            line("{\"groups\":1,", Format::Jsonl),
            "{\"groups\":1,\"errorCode\":\"BAD_ROW\",\"errorMsg\":\"第1行, \\\"x\\\"\",\"retryable\":false}\n"
        );
    }

    #[test]
    fn what_a_dead_run_wrote_behind_its_mark_is_cut_off() {
        let path = std::env::temp_dir().join(format!("failed-{:016x}.csv", fastrand::u64(..)));
        let reason = Reason { code: "X".to_owned(), message: String::new(), retryable: true };
        let open = |length| FailedRows::open(&path, b"h\n", (Format::Csv, Encoding::Utf8), length);
        let append = |rows: &mut FailedRows, row: &'static [u8]| {
            rows.append([(row, &reason)].into_iter()).expect("a disk")
        };
        let mut rows = open(0).expect("a disk");
        assert!(!path.exists());
        let length = append(&mut rows, b"1,");
        append(&mut rows, b"2,");
        append(&mut open(length).expect("long enough"), b"3,");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), "h\n1,X,,true\n3,X,,true\n");
        assert!(matches!(open(length * 9), Err(FailedRowsError::Shortened(_))));
        open(0).expect("a disk");
        assert!(!path.exists());
    }
}
