//! The encoding of the input. UTF-8 is read as it is; GBK is decoded on the way in, and encoded again for the failed
//! rows, so that they can be imported by the same command.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult, GB18030};
use serde::{Deserialize, Serialize};

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Utf8,
    /// As GB 18030, of which GBK and GB 2312 are parts.
    Gbk,
}

/// Why bytes are not text.
#[derive(Debug, thiserror::Error)]
pub enum EncodingError {
    #[error("line {0} is not UTF-8: save the file as UTF-8, or name its encoding by --encoding gbk")]
    NotUtf8(u64),
    #[error("line {0} is not GBK: check --encoding")]
    NotGbk(u64),
    #[error("the input is UTF-8, not GBK: leave out --encoding")]
    Utf8,
    #[error("the input is {0}")]
    NotText(&'static str),
}

impl From<EncodingError> for io::Error {
    fn from(error: EncodingError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

impl FromStr for Encoding {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gbk" | "gb2312" | "gb18030" => Ok(Self::Gbk),
            _ => Err(()),
        }
    }
}

/// Files that are saved by mistake, by how they begin.
const NOT_TEXT: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "an Excel workbook or another archive: save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save it as CSV"),
    (b"\x1f\x8b", "compressed: decompress it first"),
    (b"\xff\xfe", "UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "UTF-16: save it as UTF-8"),
];

/// So much text in Chinese is not valid UTF-8 by chance if it is GBK.
const CERTAIN_CHARACTERS: usize = 8;

impl Encoding {
    /// Reads an input as UTF-8.
    ///
    /// # Errors
    /// The input cannot be read, or is evidently something else.
    pub fn decode(self, mut input: impl BufRead + 'static) -> io::Result<Box<dyn Read>> {
        let beginning = input.fill_buf()?;
        if let Some((_, what)) = NOT_TEXT.iter().find(|(mark, _)| beginning.starts_with(mark)) {
            return Err(EncodingError::NotText(what).into());
        }
        match self {
            Self::Utf8 => Ok(Box::new(input)),
            Self::Gbk if is_utf8(beginning) => Err(EncodingError::Utf8.into()),
            Self::Gbk => Ok(Box::new(Decoding::new(input))),
        }
    }

    /// What text is written to a file of this encoding.
    pub fn encode(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Utf8 => text.into(),
            Self::Gbk => GB18030.encode(&String::from_utf8_lossy(text)).0.into_owned().into(),
        }
    }
}

fn is_utf8(beginning: &[u8]) -> bool {
    let valid = match str::from_utf8(beginning) {
        Ok(text) => text,
        // A character cut at the end of the buffer is none that is wrong.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&beginning[..error.valid_up_to()]).expect("BUG: valid up to there")
        }
        Err(_) => return false,
    };
    valid.starts_with('\u{feff}')
        || valid.chars().filter(|char| !char.is_ascii()).nth(CERTAIN_CHARACTERS - 1).is_some()
}

/// Whether bytes are UTF-8, possibly cut inside the last character.
pub fn is_utf8_so_far(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none())
}

/// Decodes GBK.
struct Decoding<R> {
    input: R,
    decoder: Decoder,
    decoded: String,
    from: usize,
    line: u64,
    ended: bool,
}

impl<R: BufRead> Decoding<R> {
    fn new(input: R) -> Self {
        let decoder = GB18030.new_decoder_without_bom_handling();
        Self { input, decoder, decoded: String::new(), from: 0, line: 1, ended: false }
    }

    fn decode(&mut self) -> io::Result<()> {
        let raw = self.input.fill_buf()?;
        self.ended = raw.is_empty();
        self.decoded.clear();
        self.from = 0;
        let most = self.decoder.max_utf8_buffer_length_without_replacement(raw.len());
        self.decoded.reserve(most.expect("BUG: a buffer is small"));
        let (result, read) =
            self.decoder.decode_to_string_without_replacement(raw, &mut self.decoded, self.ended);
        self.input.consume(read);
        self.line += self.decoded.bytes().filter(|byte| *byte == b'\n').count() as u64;
        match result {
            DecoderResult::Malformed(..) => Err(EncodingError::NotGbk(self.line).into()),
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.from == self.decoded.len() && !self.ended {
            self.decode()?;
        }
        let left = &self.decoded.as_bytes()[self.from..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.from += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn decode(encoding: Encoding, bytes: &[u8], capacity: usize) -> Result<String, String> {
        let input = BufReader::with_capacity(capacity, io::Cursor::new(bytes.to_vec()));
        let mut text = String::new();
        let decoded = encoding.decode(input).and_then(|mut decoded| decoded.read_to_string(&mut text));
        decoded.map(|_| text).map_err(|error| error.to_string())
    }

    #[test]
    fn gbk_is_decoded_wherever_a_buffer_ends() {
        // 㐀 and 😀 have four bytes in GB 18030.
        let text = "客户,分组\n张三,新客㐀😀\n".repeat(3);
        let (bytes, ..) = GB18030.encode(&text);
        for capacity in 1..bytes.len() {
            assert_eq!(decode(Encoding::Gbk, &bytes, capacity), Ok(text.clone()), "{capacity}");
        }
        assert_eq!(Encoding::Gbk.encode(text.as_bytes()), bytes);
        assert_eq!(Encoding::Utf8.encode(text.as_bytes()), text.as_bytes());
    }

    #[test]
    fn another_encoding_is_reported_with_its_line() {
        let error = decode(Encoding::Gbk, b"a\nb\n\xff\n", 100).expect_err("not GBK");
        assert!(error.starts_with("line 3 is not GBK"), "{error}");
        let cut = decode(Encoding::Gbk, b"a\n\xc0", 100).expect_err("half a character");
        assert!(cut.starts_with("line 2 is not GBK"), "{cut}");
        for text in ["\u{feff}a,b", "会员等级,会员分组"] {
            let error = decode(Encoding::Gbk, text.as_bytes(), 100).expect_err("UTF-8");
            assert!(error.contains("leave out --encoding"), "{error}");
        }
    }

    #[test]
    fn what_is_no_text_is_named() {
        for (bytes, named) in [
            (&b"PK\x03\x04..."[..], "Excel"),
            (b"\xd0\xcf\x11\xe0\xa1", "Excel"),
            (b"\x1f\x8b\x08", "compressed"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
        ] {
            for encoding in [Encoding::Utf8, Encoding::Gbk] {
                let error = decode(encoding, bytes, 100).expect_err("no text");
                assert!(error.contains(named), "{error}");
            }
        }
    }
}
