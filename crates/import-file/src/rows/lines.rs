//! A table of CSV as lines of fields.

use std::io::{self, BufRead};

use csv_core::ReadRecordResult;

use super::MAX_ROW_BYTES;

/// One line of the table, over as many lines of the file as its quotes hold together.
pub struct Line {
    /// The number of its first line in the file.
    pub number: u64,
    pub fields: Vec<Vec<u8>>,
    pub raw: Vec<u8>,
    /// Why its fields are not to be trusted.
    pub fault: Option<String>,
}

/// Splits bytes into lines of fields.
///
/// A quote that is never closed would swallow the rest of the file. So a line over the limit, or one that is open at
/// the end, is taken to end where its first line ends, and the rest is read anew.
pub struct Lines<R> {
    reader: R,
    splitter: Splitter,
    /// Bytes to be read before those of the reader.
    again: Vec<u8>,
    again_from: usize,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, splitter: Splitter::new(), again: Vec::new(), again_from: 0, number: 1 }
    }

    pub fn next(&mut self) -> io::Result<Option<Line>> {
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let number = self.number;
        self.splitter.clear();
        let mut raw = Vec::new();
        let fault = loop {
            // Not by `fill`, which would borrow the splitter, too.
            let input = match &self.again[self.again_from..] {
                [] => self.reader.fill_buf()?,
                again => again,
            };
            if input.is_empty() {
                // An end of line ends every line but one that is open.
                let (_, has_ended) = self.splitter.feed(b"\n");
                break (!has_ended).then(|| "的引号没有结束".to_owned());
            }
            // Cut at the limit, wherever a buffer ends: the same bytes must make the same rows.
            let input = &input[..input.len().min(MAX_ROW_BYTES + 1 - raw.len())];
            let (taken, has_ended) = self.splitter.feed(input);
            raw.extend_from_slice(&input[..taken]);
            self.consume(taken);
            if has_ended {
                break None;
            }
            if raw.len() > MAX_ROW_BYTES {
                break Some(format!("超过{MAX_ROW_BYTES}字节，或引号没有结束"));
            }
        };
        if fault.is_some() {
            raw = self.first_line(raw)?;
            self.splitter.clear();
            self.splitter.feed(&raw);
            self.splitter.feed(b"");
        }
        Ok(Some(Line { number, fields: self.splitter.fields(), raw, fault }))
    }

    /// Cuts `raw` after its first line and has the rest read again. A line longer than `raw` is cut, and its rest lost.
    fn first_line(&mut self, mut raw: Vec<u8>) -> io::Result<Vec<u8>> {
        if let Some(end) = raw.iter().position(|&byte| byte == b'\n') {
            let mut again = raw.split_off(end + 1);
            self.number -= count_lines(&again);
            again.extend_from_slice(&self.again[self.again_from..]);
            (self.again, self.again_from) = (again, 0);
            raw.pop();
            return Ok(raw);
        }
        loop {
            let input = self.fill()?;
            let end = input.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(input.len(), |end| end + 1);
            self.consume(taken);
            if end.is_some() || taken == 0 {
                return Ok(raw);
            }
        }
    }

    /// Whether something follows.
    fn skip_line_ends(&mut self) -> io::Result<bool> {
        loop {
            let input = self.fill()?;
            if input.is_empty() {
                return Ok(false);
            }
            let ends = input.iter().take_while(|byte| b"\r\n".contains(byte)).count();
            if ends == 0 {
                return Ok(true);
            }
            self.consume(ends);
        }
    }

    fn fill(&mut self) -> io::Result<&[u8]> {
        if self.again_from < self.again.len() {
            return Ok(&self.again[self.again_from..]);
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        if self.again_from < self.again.len() {
            self.number += count_lines(&self.again[self.again_from..self.again_from + bytes]);
            self.again_from += bytes;
        } else {
            let input = self.reader.fill_buf().expect("BUG: consumed bytes are in the buffer");
            self.number += count_lines(&input[..bytes]);
            self.reader.consume(bytes);
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Finds the fields and the end of one line.
struct Splitter {
    core: csv_core::Reader,
    bytes: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    count: usize,
}

impl Splitter {
    fn new() -> Self {
        Self { core: csv_core::Reader::new(), bytes: vec![0; 1024], length: 0, ends: vec![0; 16], count: 0 }
    }

    fn clear(&mut self) {
        self.core.reset();
        (self.length, self.count) = (0, 0);
    }

    /// Takes bytes until the line ends: how many, and whether it did. No bytes mean the end of the input.
    fn feed(&mut self, input: &[u8]) -> (usize, bool) {
        let mut taken = 0;
        loop {
            let (result, read, written, ended) = self.core.read_record(
                &input[taken..],
                &mut self.bytes[self.length..],
                &mut self.ends[self.count..],
            );
            taken += read;
            self.length += written;
            self.count += ended;
            match result {
                ReadRecordResult::InputEmpty => return (taken, false),
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => return (taken, true),
            }
        }
    }

    fn fields(&self) -> Vec<Vec<u8>> {
        let starts = std::iter::once(0).chain(self.ends[..self.count].iter().copied());
        starts.zip(&self.ends[..self.count]).map(|(start, &end)| self.bytes[start..end].to_vec()).collect()
    }
}
