//! Batches of rows. Where they begin and end depends on the input and the limits alone, so that a resumed run
//! sends what the previous one sent.

use std::io;

use sha2::{Digest, Sha256};

use crate::rows::Row;

/// Rows that are sent together.
#[derive(Debug)]
pub struct Batch {
    /// Counted from 0.
    pub number: u64,
    pub rows: Vec<Row>,
    /// Fits no other input up to here.
    pub chain: String,
}

impl Batch {
    /// The positions of the rows that are records.
    pub fn records(&self) -> Vec<usize> {
        (0..self.rows.len()).filter(|&position| self.rows[position].record.is_ok()).collect()
    }

    /// The records at these positions.
    pub fn at<'b>(&'b self, positions: &'b [usize]) -> impl Iterator<Item = &'b str> {
        positions.iter().filter_map(|&position| self.rows[position].record.as_deref().ok())
    }
}

/// How large a batch may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows: usize,
    /// Of the body of a request.
    pub bytes: usize,
}

/// The body of a request; `params` is JSON, and so is each record.
pub fn body<'r>(params: &str, records: impl Iterator<Item = &'r str>) -> String {
    let mut body = format!(r#"{{"publicParams":{params},"data":["#);
    for (position, record) in records.enumerate() {
        if position > 0 {
            body.push(',');
        }
        body.push_str(record);
    }
    body.push_str("]}");
    body
}

/// The `Idempotency-Key` of a request: the same for the same body of the same batch of the same run, and no other.
///
/// The run is part of it: without it, a file imported again on the same day would get the old outcome.
pub fn key(run: &str, batch: u64, round: u32, body: &str) -> String {
    format!("{run}-{batch}-{round}-{}", &sha256_hex(body.as_bytes())[..32])
}

/// Groups rows into batches.
pub struct Batches<I> {
    rows: I,
    limits: Limits,
    /// The size of a body without records.
    frame: usize,
    /// The row that did not fit the last batch.
    held: Option<Row>,
    number: u64,
    chain: String,
}

impl<I: Iterator<Item = io::Result<Row>>> Batches<I> {
    pub fn new(rows: I, limits: Limits, params: &str) -> Self {
        let frame = body(params, std::iter::empty()).len();
        Self { rows, limits, frame, held: None, number: 0, chain: String::new() }
    }

    fn next_row(&mut self) -> io::Result<Option<Row>> {
        match self.held.take() {
            Some(row) => Ok(Some(row)),
            None => self.rows.next().transpose(),
        }
    }

    fn next_batch(&mut self) -> io::Result<Option<Batch>> {
        let mut rows = Vec::new();
        let mut bytes = self.frame;
        while rows.len() < self.limits.rows
            && let Some(mut row) = self.next_row()?
        {
            if row.record.as_ref().is_ok_and(|record| self.frame + record.len() > self.limits.bytes) {
                row.record = Err(format!("超过一个请求的上限{}字节", self.limits.bytes));
            }
            // A row that is not sent takes memory, too.
            let size = row.record.as_ref().map_or(row.text.len(), |record| record.len() + 1);
            if !rows.is_empty() && bytes + size > self.limits.bytes + 1 {
                self.held = Some(row);
                break;
            }
            bytes += size;
            rows.push(row);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        self.chain = chain(&self.chain, &rows);
        let number = self.number;
        self.number += 1;
        Ok(Some(Batch { number, rows, chain: self.chain.clone() }))
    }
}

impl<I: Iterator<Item = io::Result<Row>>> Iterator for Batches<I> {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

fn chain(before: &str, rows: &[Row]) -> String {
    let mut hash = Sha256::new();
    hash.update(before);
    for row in rows {
        hash.update(row.text.len().to_le_bytes());
        hash.update(&row.text);
    }
    sha256_hex(&hash.finalize())
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: &str = "{}";

    fn row(record: &str) -> io::Result<Row> {
        Ok(Row { text: record.into(), record: Ok(record.to_owned()) })
    }

    fn batches(records: &[&str], limits: Limits) -> Vec<Batch> {
        let rows = records.iter().map(|record| row(record));
        Batches::new(rows, limits, PARAMS).map(|batch| batch.expect("no fault")).collect()
    }

    fn sizes(records: &[&str], limits: Limits) -> Vec<usize> {
        batches(records, limits).iter().map(|batch| batch.rows.len()).collect()
    }

    #[test]
    fn a_batch_ends_at_the_first_of_its_limits() {
        assert_eq!(sizes(&["{}"; 7], Limits { rows: 3, bytes: 1_000 }), [3, 3, 1]);
        assert_eq!(sizes(&[], Limits { rows: 3, bytes: 1_000 }), [0; 0]);
        for count in 1..=4 {
            let bytes = body(PARAMS, std::iter::repeat_n(r#"{"a":1}"#, count)).len();
            assert_eq!(sizes(&[r#"{"a":1}"#; 4], Limits { rows: 9, bytes })[0], count);
            if count > 1 {
                assert_eq!(sizes(&[r#"{"a":1}"#; 4], Limits { rows: 9, bytes: bytes - 1 })[0], count - 1);
            }
        }
    }

    #[test]
    fn a_record_that_fits_no_request_is_a_bad_row() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
        let batches = batches(&["{}", &long, "{}"], Limits { rows: 9, bytes: 100 });
        let records: Vec<_> =
            batches.iter().flat_map(|batch| &batch.rows).map(|row| row.record.is_ok()).collect();
        assert_eq!(records, [true, false, true]);
    }

    #[test]
    fn the_chain_tells_inputs_apart() {
        let limits = Limits { rows: 2, bytes: 1_000 };
        let last = |records: &[&str]| batches(records, limits).last().map(|batch| batch.chain.clone());
        assert_eq!(last(&["1", "2", "3"]), last(&["1", "2", "3"]));
        for other in [&["0", "2", "3"], &["12", "", "3"], &["2", "1", "3"], &["1", "2", "4"]] {
            assert_ne!(last(&["1", "2", "3"]), last(other));
        }
    }

    #[test]
    fn a_key_belongs_to_a_run_a_batch_a_round_and_a_body() {
        let one = key("r", 1, 0, "{}");
        assert_eq!(one, key("r", 1, 0, "{}"));
        for other in [key("s", 1, 0, "{}"), key("r", 2, 0, "{}"), key("r", 1, 1, "{}"), key("r", 1, 0, "[]")]
        {
            assert_ne!(one, other);
        }
        assert!(one.len() <= 255 && one.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
