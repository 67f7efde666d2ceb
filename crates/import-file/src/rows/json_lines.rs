//! JSON Lines: each line is a record as the contract has it, and is sent as it is.

use std::fmt;
use std::io::{self, BufRead, Read};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_ROW_BYTES, REASON_FIELDS, Row};
use crate::encoding::{EncodingError, is_utf8_so_far};

/// What holds a line that is no object, among failed rows. Fed back it counts as that line, so it fails again until
/// somebody has mended it.
const BAD_ROW_FIELD: &str = "badRow";

/// The rows of a reader.
pub struct JsonLines<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> JsonLines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0 }
    }

    /// The next line without its end, cut at the limit; and whether it was.
    fn next_line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let mut line = Vec::new();
        let limit = MAX_ROW_BYTES as u64 + 1;
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let cut = line.len() > MAX_ROW_BYTES && line.last() != Some(&b'\n');
        if cut {
            self.reader.skip_until(b'\n')?;
        }
        if self.line == 1 && line.starts_with("\u{feff}".as_bytes()) {
            line.drain(.."\u{feff}".len());
        }
        Ok(Some((line, cut)))
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, cut) = match self.next_line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            if !is_utf8_so_far(&line) {
                return Some(Err(EncodingError::NotUtf8(self.line).into()));
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Some(Ok(row(line, cut, self.line)));
            }
        }
    }
}

fn row(line: &[u8], cut: bool, number: u64) -> Row {
    let object = str::from_utf8(line).ok().filter(|_| !cut).and_then(|line| Some((line, members(line)?)));
    match object {
        None if cut => {
            bad(&String::from_utf8_lossy(line), format!("第{number}行超过{MAX_ROW_BYTES}字节，已截断"))
        }
        None => bad(&String::from_utf8_lossy(line), format!("第{number}行不是JSON对象")),
        Some((line, members)) => good(line, &members, number),
    }
}

fn good(line: &str, members: &Members<'_>, number: u64) -> Row {
    let named = |key: &RawValue, names: &[&str]| {
        raw_fields::text(key).is_some_and(|key| names.contains(&key.as_ref()))
    };
    if let Some((_, line)) = members.0.iter().find(|(key, _)| named(key, &[BAD_ROW_FIELD])) {
        let line = raw_fields::text(line).unwrap_or_else(|| line.get().into());
        return bad(&line, format!("第{number}行的{BAD_ROW_FIELD}尚未改正"));
    }
    if !members.0.iter().any(|(key, _)| named(key, &REASON_FIELDS)) {
        let end = if members.0.is_empty() { "" } else { "," };
        let open = line.strip_suffix('}').expect("BUG: an object ends with a brace");
        return Row { text: [open, end].concat().into(), record: Ok(line.to_owned()) };
    }
    let kept = members.0.iter().filter(|(key, _)| !named(key, &REASON_FIELDS));
    let kept: Vec<_> = kept.map(|(key, value)| format!("{}:{}", key.get(), value.get())).collect();
    let record = format!("{{{}}}", kept.join(","));
    let end = if kept.is_empty() { "" } else { "," };
    Row { text: format!("{{{}{end}", kept.join(",")).into(), record: Ok(record) }
}

fn bad(line: &str, reason: String) -> Row {
    let line = serde_json::to_string(line).expect("BUG: a string is JSON");
    Row { text: format!("{{\"{BAD_ROW_FIELD}\":{line},").into(), record: Err(reason) }
}

/// Every member of an object, in order, as it was written.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

fn members(json: &str) -> Option<Members<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let members = deserializer.deserialize_map(MembersVisitor).ok()?;
    deserializer.end().ok()?;
    Some(members)
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;
    use crate::options::Format;

    fn records(text: &str) -> Vec<Result<String, String>> {
        read(text.as_bytes(), Format::Jsonl).0
    }

    #[test]
    fn a_record_is_sent_as_it_is_written() {
        let line = r#"{ "phone" : 12345678901234567890123.10 , "x": {"y": "\ud800"} , "groups":"a,b"}"#;
        assert_eq!(
            records(&format!("\u{feff}{line}\r\n\n  \n{{}}")),
            [Ok(line.to_owned()), Ok("{}".to_owned())]
        );
    }

    #[test]
    fn reasons_of_an_earlier_run_are_left_out() {
        let line = r#"{"phone":1e2,"errorCode":"TIMEOUT","x":[1, 2],"errorMsg":"x","\u0072etryable":true}"#;
        let (records, texts) = read(line.as_bytes(), Format::Jsonl);
        assert_eq!(records, [Ok(r#"{"phone":1e2,"x":[1, 2]}"#.to_owned())]);
        assert_eq!(texts, [r#"{"phone":1e2,"x":[1, 2],"#]);
        assert_eq!(read(br#"{"errorCode":1}"#, Format::Jsonl).1, ["{"]);
    }

    #[test]
    fn a_line_that_is_no_object_is_a_bad_row_until_it_is_mended() {
        for line in ["[]", "{", "null", "{} {}", "{'a':1}", "x\"y"] {
            let (records, texts) = read(line.as_bytes(), Format::Jsonl);
            assert!(records[0].is_err(), "{line}");
            let failed = format!("{}\"errorCode\":\"BAD_ROW\"}}", texts[0]);
            let (again, same) = read(failed.as_bytes(), Format::Jsonl);
            assert!(again[0].is_err());
            assert_eq!(same, texts);
        }
    }

    #[test]
    fn a_line_in_another_encoding_ends_the_input() {
        let mut rows = JsonLines::new(io::Cursor::new(b"{}\n{\"phone\":\"\xff\"}\n{}\n".to_vec()));
        assert!(rows.next().expect("a row").is_ok());
        let error = rows.next().expect("a row").expect_err("no UTF-8").to_string();
        assert!(error.starts_with("line 2 is not UTF-8"), "{error}");
    }

    #[test]
    fn a_line_over_the_limit_costs_no_other() {
        let long = format!("{{\"phone\":\"{}\"}}\n{{}}\n", "1".repeat(MAX_ROW_BYTES));
        let records = records(&long);
        assert!(records[0].is_err());
        assert_eq!(records[1..], [Ok("{}".to_owned())]);
    }
}
