//! The flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use lexopt::ValueExt;
use lexopt::prelude::*;
use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;

/// What `--help` prints.
pub const HELP: &str = "\
Imports a file of customer groups: CSV with a header line, or JSON Lines.

Usage: import-file INPUT --url URL --match MODE [FLAGS]
       (cargo run --release -p import-file -- INPUT ...)

  INPUT               the file, or - for standard input (which needs --format and --failed)
  --url URL           the whole address of the import
  --match MODE        off: a row is the customer audienceUserId; exact; fuzzy
  --identify-way N    the order of fuzzy matching: 1 (default) or 2
  --opt add|delete    put customers into groups (default), or take them out
  --dry-run           everything except the writes
  --failed FILE       where failed rows go, with their reasons (default: INPUT with .failed before its extension)
  --format FORMAT     csv or jsonl (default: by the name of INPUT)
  --encoding NAME     utf-8 (default) or gbk, which Excel writes in China; failed rows are written in the same
  --batch N           the most rows of a request (default 1000)
  --batch-bytes N     the largest request, in bytes (default 2097152)
  --concurrency N     the most requests at a time (default 4)
  --timeout SECONDS   how long a request may take (default 35)
  --patience SECONDS  how long a request that fails is repeated before the run stops (default 300)
  --token-file FILE   holds the token (default: the environment's X_TOKEN or IMPORT_TOKEN)
  --restart           discard an unfinished run of this file, and overwrite its failed rows
  --help              print this text, and end

A run that stopped or was killed is resumed when the same command is run again.
Exit status: 0 every row was imported, 2 some rows failed, 1 the run did not finish.";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Csv,
    Jsonl,
}

/// The command line, with its defaults.
#[derive(Debug)]
pub struct Options {
    /// None is standard input.
    pub input: Option<PathBuf>,
    pub url: String,
    /// `publicParams` as JSON.
    pub params: String,
    pub format: Format,
    pub encoding: Encoding,
    pub failed: PathBuf,
    pub state: PathBuf,
    pub batch: usize,
    pub batch_bytes: usize,
    pub concurrency: usize,
    pub timeout: Duration,
    pub patience: Duration,
    pub token_file: Option<PathBuf>,
    pub restart: bool,
    pub dry_run: bool,
}

/// A command line that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    // Without a source, whose text it has already.
    #[error("{0}; --help lists the flags")]
    Parse(String),
    #[error("{0} is missing; --help lists the flags")]
    Missing(&'static str),
    #[error("{0} must be {1}")]
    Value(&'static str, &'static str),
    #[error("--format csv or --format jsonl is missing: the name of the input does not show it")]
    Format,
    #[error("an Excel workbook cannot be read: save it as CSV UTF-8")]
    Workbook,
    #[error(
        "a token cannot be an argument, which all users of the machine can see: set X_TOKEN or --token-file"
    )]
    Token,
    #[error("--failed is the input itself")]
    FailedIsInput,
}

impl From<lexopt::Error> for OptionsError {
    fn from(error: lexopt::Error) -> Self {
        Self::Parse(error.to_string())
    }
}

impl Options {
    /// Reads the arguments after the program's name; `None` is a request for help.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Self>, OptionsError> {
        let mut given = Given::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("url") => given.url = Some(parser.value()?.string()?),
                Long("match") => given.matching = Some(parser.value()?.string()?),
                Long("identify-way") => given.identify_way = Some(parser.value()?.string()?),
                Long("opt") => given.opt = Some(parser.value()?.string()?),
                Long("dry-run") => given.dry_run = true,
                Long("failed") => given.failed = Some(parser.value()?.into()),
                Long("format") => given.format = Some(one_of(&mut parser, "--format", "csv or jsonl")?),
                Long("encoding") => given.encoding = one_of(&mut parser, "--encoding", "utf-8 or gbk")?,
                Long("batch") => given.batch = Some(number(&mut parser, "--batch")?),
                Long("batch-bytes") => given.batch_bytes = Some(number(&mut parser, "--batch-bytes")?),
                Long("concurrency") => given.concurrency = Some(number(&mut parser, "--concurrency")?),
                Long("timeout") => given.timeout = Some(number(&mut parser, "--timeout")?),
                Long("patience") => given.patience = Some(number(&mut parser, "--patience")?),
                Long("token-file") => given.token_file = Some(parser.value()?.into()),
                Long("restart") => given.restart = true,
                Long("token" | "x-token") => return Err(OptionsError::Token),
                Value(input) if given.input.is_none() => given.input = Some(input.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        given.complete().map(Some)
    }
}

/// The flags as given.
#[derive(Default)]
struct Given {
    input: Option<PathBuf>,
    url: Option<String>,
    matching: Option<String>,
    identify_way: Option<String>,
    opt: Option<String>,
    dry_run: bool,
    failed: Option<PathBuf>,
    format: Option<Format>,
    encoding: Encoding,
    batch: Option<u32>,
    batch_bytes: Option<u32>,
    concurrency: Option<u32>,
    timeout: Option<u32>,
    patience: Option<u32>,
    token_file: Option<PathBuf>,
    restart: bool,
}

impl Given {
    fn complete(self) -> Result<Options, OptionsError> {
        let input = self.input.clone().ok_or(OptionsError::Missing("the file to import"))?;
        let url = self.url.clone().ok_or(OptionsError::Missing("--url"))?;
        if !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(OptionsError::Value(
                "--url",
                "the whole address, beginning with https:// or http://",
            ));
        }
        let params = self.params()?;
        let input = (input != Path::new("-")).then_some(input);
        let format = match (self.format, &input) {
            (Some(format), _) => format,
            (None, Some(input)) => by_name(input)?,
            (None, None) => return Err(OptionsError::Format),
        };
        let failed = match (self.failed, &input) {
            (Some(failed), _) => failed,
            (None, Some(input)) => {
                beside(input, if self.dry_run { "dry-run-failed" } else { "failed" }, format)
            }
            (None, None) => return Err(OptionsError::Missing("--failed")),
        };
        if input.as_ref().is_some_and(|input| is_same(input, &failed)) {
            return Err(OptionsError::FailedIsInput);
        }
        let mut state = input.as_ref().unwrap_or(&failed).clone().into_os_string();
        state.push(if self.dry_run { ".dry-run-state" } else { ".import-state" });
        Ok(Options {
            input,
            url,
            params,
            format,
            encoding: self.encoding,
            failed,
            state: state.into(),
            batch: self.batch.unwrap_or(1_000) as usize,
            batch_bytes: self.batch_bytes.unwrap_or(2_097_152) as usize,
            concurrency: self.concurrency.unwrap_or(4) as usize,
            // A little longer than an HTTP API waits for its function.
            timeout: Duration::from_secs(self.timeout.unwrap_or(35).into()),
            patience: Duration::from_secs(self.patience.unwrap_or(300).into()),
            token_file: self.token_file,
            restart: self.restart,
            dry_run: self.dry_run,
        })
    }

    fn params(&self) -> Result<String, OptionsError> {
        let opt_type = self.opt.as_deref().unwrap_or("add");
        if !["add", "delete"].contains(&opt_type) {
            return Err(OptionsError::Value("--opt", "add or delete"));
        }
        let way = self.identify_way.as_deref().unwrap_or("1");
        if !["1", "2"].contains(&way) {
            return Err(OptionsError::Value("--identify-way", "1 or 2"));
        }
        if self.identify_way.is_some() && self.matching.as_deref() != Some("fuzzy") {
            return Err(OptionsError::Value("--identify-way", "left out, unless --match is fuzzy"));
        }
        let matching = match self.matching.as_deref().ok_or(OptionsError::Missing("--match"))? {
            "off" => r#""isMatching":false"#.to_owned(),
            "exact" => r#""isMatching":true,"matchingType":1"#.to_owned(),
            "fuzzy" => format!(r#""isMatching":true,"matchingType":2,"identifyWay":{way}"#),
            _ => return Err(OptionsError::Value("--match", "off, exact or fuzzy")),
        };
        let dry_run = if self.dry_run { r#","dryRun":true"# } else { "" };
        Ok(format!(r#"{{{matching},"optType":"{opt_type}"{dry_run}}}"#))
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(()),
        }
    }
}

/// The value of a flag that has few.
fn one_of<T: FromStr>(
    parser: &mut lexopt::Parser,
    flag: &'static str,
    values: &'static str,
) -> Result<T, OptionsError> {
    parser.value()?.string()?.parse().map_err(|_| OptionsError::Value(flag, values))
}

fn number(parser: &mut lexopt::Parser, flag: &'static str) -> Result<u32, OptionsError> {
    let number = parser.value()?.string()?.parse().ok().filter(|number| *number > 0);
    number.ok_or(OptionsError::Value(flag, "a whole number, at least 1"))
}

fn by_name(path: &Path) -> Result<Format, OptionsError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "csv" => Ok(Format::Csv),
        "jsonl" | "ndjson" => Ok(Format::Jsonl),
        "xls" | "xlsx" => Err(OptionsError::Workbook),
        _ => Err(OptionsError::Format),
    }
}

/// `list.csv` becomes `list.failed.csv`.
fn beside(input: &Path, word: &str, format: Format) -> PathBuf {
    let extension = input.extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or(match format {
        Format::Csv => "csv",
        Format::Jsonl => "jsonl",
    });
    input.with_extension(format!("{word}.{extension}"))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, OptionsError> {
        let options = Options::parse(line.split_whitespace().map(OsString::from))?;
        Ok(options.expect("no call for help"))
    }

    #[test]
    fn a_file_and_a_mode_are_enough() {
        let options = parse("a/list.csv --url http://h/ --match off").expect("complete");
        assert_eq!(options.params, r#"{"isMatching":false,"optType":"add"}"#);
        assert_eq!(options.format, Format::Csv);
        assert_eq!(options.failed, Path::new("a/list.failed.csv"));
        assert_eq!(options.state, Path::new("a/list.csv.import-state"));
    }

    #[test]
    fn a_dry_run_keeps_its_files_apart() {
        let options = parse("l.jsonl --url=http://u --match=fuzzy --identify-way 2 --opt delete --dry-run");
        let options = options.expect("complete");
        assert_eq!(
            options.params,
            r#"{"isMatching":true,"matchingType":2,"identifyWay":2,"optType":"delete","dryRun":true}"#
        );
        assert_eq!(options.failed, Path::new("l.dry-run-failed.jsonl"));
        assert_eq!(options.state, Path::new("l.jsonl.dry-run-state"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (line, named) in [
            ("", "the file to import is missing"),
            ("--url U --match off", "the file to import is missing"),
            ("l.csv --match off", "--url is missing"),
            ("l.csv --url example.com --match off", "--url must be the whole address"),
            ("l.csv --url U", "--match is missing"),
            ("l.txt --url U --match off", "--format csv or --format jsonl is missing"),
            ("l.XLSX --url U --match off", "save it as CSV UTF-8"),
            ("l.csv --url U --match off --format xml", "--format must be csv or jsonl"),
            ("l.csv --url U --match off --encoding big5", "--encoding must be utf-8 or gbk"),
            ("- --url U --match off --format csv", "--failed"),
            ("l.csv --url U --match off --failed l.csv", "--failed"),
            ("l.csv --url U --match both", "--match must be off, exact or fuzzy"),
            ("l.csv --url U --match off --opt put", "--opt must be add or delete"),
            ("l.csv --url U --match fuzzy --identify-way 3", "--identify-way must be 1 or 2"),
            ("l.csv --url U --match exact --identify-way 1", "--identify-way must be left out"),
            ("l.csv --url U --match off --batch 0", "--batch must be a whole number"),
            ("l.csv --url U --match off --timeout many", "--timeout must be a whole number"),
            ("l.csv --url U --match off --token secret", "X_TOKEN"),
            ("l.csv k.csv --url U --match off", "k.csv"),
            ("l.csv --url U --match off --unknown", "--unknown"),
        ] {
            let error = parse(&line.replace(" U", " https://h/")).expect_err(line);
            assert!(std::error::Error::source(&error).is_none(), "said once");
            let error = error.to_string();
            assert!(error.contains(named) && !error.contains("secret"), "{line}: {error}");
        }
    }
}
