//! CSV: the first line names the columns; a field that is empty is not given.

use std::io::{self, BufRead};

use super::lines::{Line, Lines};
use super::{Input, InputError, REASON_FIELDS, Row};
use crate::encoding::{EncodingError, is_utf8_so_far};

/// The columns that are sent. All others are only kept.
const RECORD_FIELDS: [&str; 5] = ["audienceUserId", "openid", "unionid", "phone", "groups"];

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Reads the names of the columns.
pub fn open(reader: impl BufRead + 'static) -> Result<Input, InputError> {
    let mut lines = Lines::new(reader);
    let line = lines.next()?.ok_or(InputError::Empty)?;
    check_encoding(&line)?;
    if line.fault.is_some() {
        return Err(InputError::BadHeader);
    }
    let (fields, has_bom) = (line.fields, line.raw.starts_with(BOM));
    let names: Vec<_> = fields.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
    let columns = Columns::new(&names)?;
    // Where the input has a mark of its encoding, the program that opens the failed rows wants one, too.
    let mut heading = if has_bom { BOM.to_vec() } else { Vec::new() };
    let kept = columns.kept.iter().map(|&position| names[position].as_str());
    let titles: Vec<_> = kept.chain(REASON_FIELDS).collect();
    for (position, title) in titles.iter().enumerate() {
        push_field(&mut heading, title.as_bytes());
        heading.push(if position + 1 < titles.len() { b',' } else { b'\n' });
    }
    Ok(Input { unsent: columns.unsent(&names), heading, rows: Box::new(CsvRows { lines, columns }) })
}

/// A line in another encoding is not just a bad row: all others are in doubt, too.
fn check_encoding(line: &Line) -> io::Result<()> {
    if is_utf8_so_far(&line.raw) { Ok(()) } else { Err(EncodingError::NotUtf8(line.number).into()) }
}

struct CsvRows<R> {
    lines: Lines<R>,
    columns: Columns,
}

impl<R: BufRead> Iterator for CsvRows<R> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next().transpose()?;
        Some(line.and_then(|line| {
            check_encoding(&line)?;
            Ok(self.columns.row(line))
        }))
    }
}

/// Where things stand in a row.
struct Columns {
    count: usize,
    /// The columns that are sent, by position.
    sent: Vec<(usize, &'static str)>,
    /// The positions that failed rows show: all but those of an earlier run's reasons.
    kept: Vec<usize>,
}

impl Columns {
    fn new(names: &[String]) -> Result<Self, InputError> {
        let repeated = (1..names.len()).find(|&position| names[..position].contains(&names[position]));
        if let Some(position) = repeated {
            return Err(InputError::RepeatedColumn(names[position].clone()));
        }
        let position = |field: &str| names.iter().position(|name| name == field);
        let no_column = |missing| InputError::NoColumn { missing, found: names.join(", ") };
        let sent: Vec<_> =
            RECORD_FIELDS.iter().filter_map(|&field| Some((position(field)?, field))).collect();
        if position("groups").is_none() {
            return Err(no_column("groups"));
        }
        if sent.len() == 1 {
            return Err(no_column("audienceUserId, openid, unionid or phone"));
        }
        let is_kept = |&position: &usize| !REASON_FIELDS.contains(&names[position].as_str());
        Ok(Self { count: names.len(), sent, kept: (0..names.len()).filter(is_kept).collect() })
    }

    /// The columns that are kept, but not sent; each with the field that it may be meant for.
    fn unsent(&self, names: &[String]) -> Vec<String> {
        let is_sent = |position: &usize| self.sent.iter().any(|(sent, _)| sent == position);
        let unsent = self.kept.iter().filter(|position| !is_sent(position));
        unsent
            .map(|&position| {
                let name = &names[position];
                match RECORD_FIELDS.iter().find(|field| letters(field).eq(letters(name))) {
                    Some(field) => format!("{name} (only {field} is)"),
                    None => name.clone(),
                }
            })
            .collect()
    }

    fn row(&self, line: Line) -> Row {
        let Line { number, fields, fault, .. } = line;
        let record = match fault {
            Some(fault) => Err(format!("第{number}行{fault}")),
            None if fields.len() != self.count => {
                Err(format!("第{number}行有{}列，应为{}列", fields.len(), self.count))
            }
            None => self.record(&fields).ok_or_else(|| format!("第{number}行有不完整的字符")),
        };
        Row { text: self.text(&fields), record }
    }

    fn record(&self, fields: &[Vec<u8>]) -> Option<String> {
        let mut record = String::from("{");
        for &(position, name) in &self.sent {
            let value = str::from_utf8(&fields[position]).ok()?;
            if !value.is_empty() {
                let comma = if record.len() > 1 { "," } else { "" };
                let value = serde_json::to_string(value).expect("BUG: a string is JSON");
                record.push_str(&format!("{comma}\"{name}\":{value}"));
            }
        }
        record.push('}');
        Some(record)
    }

    /// The row for the file of failed rows. Fields that are missing are empty there; what is beyond the columns stands
    /// in the last of them, so that nothing is lost.
    fn text(&self, fields: &[Vec<u8>]) -> Vec<u8> {
        let mut text = Vec::new();
        for &position in &self.kept {
            let is_last = Some(&position) == self.kept.last();
            let field = fields.get(position).map(Vec::as_slice).unwrap_or_default();
            if is_last && fields.len() > self.count {
                push_field(&mut text, &fields[position..].join(&b','));
            } else {
                push_field(&mut text, field);
            }
            text.push(b',');
        }
        text
    }
}

/// The letters and digits of a name, in lower case: what near misses have in common.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|char| char.is_alphanumeric()).map(|char| char.to_ascii_lowercase())
}

/// Writes a field, in quotes where it needs them (RFC 4180).
pub fn push_field(text: &mut Vec<u8>, field: &[u8]) {
    if !field.iter().any(|byte| b",\"\r\n".contains(byte)) {
        return text.extend_from_slice(field);
    }
    text.push(b'"');
    for &byte in field {
        text.extend_from_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) });
    }
    text.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::MAX_ROW_BYTES;
    use super::super::tests::read;
    use super::*;
    use crate::options::Format;

    fn records(text: &str) -> Vec<Result<String, String>> {
        read(text.as_bytes(), Format::Csv).0
    }

    fn heading(text: &str) -> String {
        let input = open(io::Cursor::new(text.as_bytes().to_vec())).expect("a header");
        String::from_utf8(input.heading).expect("UTF-8")
    }

    #[test]
    fn columns_come_in_any_order_and_empty_fields_are_not_given() {
        let text = "\u{feff}\"groups\", phone ,note,unionid\r\n\"vip, \"\"a\"\"\",,x,u1\r\n\r\nb,1,,\r\n";
        let expected = [r#"{"unionid":"u1","groups":"vip, \"a\""}"#, r#"{"phone":"1","groups":"b"}"#];
        assert_eq!(records(text), expected.map(|record| Ok(record.to_owned())));
        assert_eq!(heading(text), "\u{feff}groups,phone,note,unionid,errorCode,errorMsg,retryable\n");
        let (_, texts) = read(text.as_bytes(), Format::Csv);
        assert_eq!(texts, ["\"vip, \"\"a\"\"\",,x,u1,", "b,1,,,"]);
    }

    #[test]
    fn reasons_of_an_earlier_run_are_left_out() {
        let text = "errorCode,openid,retryable,groups,errorMsg\nTIMEOUT,o1,true,g,x\n";
        assert_eq!(heading(text), "openid,groups,errorCode,errorMsg,retryable\n");
        assert_eq!(read(text.as_bytes(), Format::Csv).1, ["o1,g,"]);
    }

    #[test]
    fn a_header_without_usable_columns_is_rejected() {
        for text in ["", "\n", "openid,phone\n1,2", "groups\nx", "openid;groups\n", "groups,openid,openid\n"]
        {
            assert!(open(io::Cursor::new(text.as_bytes().to_vec())).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_row_of_another_length_is_bad_and_loses_nothing() {
        let (records, texts) = read(b"openid,groups\no1\no2,a,\"b,c\"\no3,d", Format::Csv);
        assert!(records[0].is_err() && records[1].is_err() && records[2].is_ok());
        assert!(records[1].as_ref().is_err_and(|reason| reason.contains("第3行")));
        assert_eq!(texts, ["o1,,", "o2,\"a,b,c\",", "o3,d,"]);
    }

    #[test]
    fn a_row_in_another_encoding_ends_the_input() {
        let input = open(io::Cursor::new(b"openid,groups\no1,g\no2,\xd0\xc2\xbf\xcd\no3,g\n".to_vec()));
        let mut rows = input.expect("a header").rows;
        assert!(rows.next().expect("a row").is_ok());
        let error = rows.next().expect("a row").expect_err("GBK").to_string();
        assert!(error.starts_with("line 3 is not UTF-8") && error.contains("--encoding gbk"), "{error}");
    }

    #[test]
    fn columns_that_are_not_sent_are_named() {
        let text = "Phone,手机号,audience_user_id,openid,groups,errorCode\n";
        let input = open(io::Cursor::new(text.as_bytes().to_vec())).expect("a header");
        assert_eq!(
            input.unsent,
            ["Phone (only phone is)", "手机号", "audience_user_id (only audienceUserId is)"]
        );
    }

    #[test]
    fn a_quoted_field_may_span_lines() {
        let text = "openid,groups,note\no1,g,\"a\r\nb\"\no2,g,\n";
        assert_eq!(records(text).len(), 2);
        assert_eq!(read(text.as_bytes(), Format::Csv).1[0], "o1,g,\"a\r\nb\",");
    }

    #[test]
    fn an_unclosed_quote_costs_only_its_own_line() {
        for rows in [3, 20_000] {
            let mut text = "openid,groups\no0,\"g\n".to_owned();
            for number in 1..=rows {
                text.push_str(&format!("o{number},group number {number}\n"));
            }
            for text in [text.trim_end(), &text] {
                let records = records(text);
                assert_eq!(records.len(), rows + 1);
                let bad = records[0].as_ref().expect_err("an open quote");
                assert!(bad.contains("第2行"), "{bad}");
                assert!(records[1..].iter().all(Result::is_ok));
            }
        }
    }

    #[test]
    fn a_line_over_the_limit_costs_no_other() {
        let text = format!("openid,groups\no1,{}\no2,g\nx", "g".repeat(3 * MAX_ROW_BYTES));
        let records = records(&text);
        assert!(records[0].is_err() && records[1].is_ok() && records[2].is_err());
        assert!(records[2].as_ref().is_err_and(|reason| reason.contains("第4行")));
    }

    #[test]
    fn the_size_of_the_readers_buffer_is_no_matter() {
        let text = b"openid,groups\r\n\"o\"\"1\",\"a,\r\nb\"\r\n\r\no2,\"x\"\r\no3".to_vec();
        let whole = read(&text, Format::Csv);
        for capacity in 3..text.len() {
            let reader = io::BufReader::with_capacity(capacity, io::Cursor::new(text.clone()));
            let rows = open(reader).expect("a header").rows.map(|row| row.expect("memory can be read"));
            let rows: (Vec<_>, Vec<_>) =
                rows.map(|row| (row.record, String::from_utf8_lossy(&row.text).into_owned())).unzip();
            assert_eq!(rows, whole);
        }
    }
}
