//! The answer, always in the platform's envelope (contract, sections 2 and 7).

use lambda_http::http::StatusCode;
use serde::Serialize;

use crate::config::MAX_PAYLOAD_BYTES;
use crate::failure::MAX_MESSAGE_BYTES;
use crate::record::{FailedRecord, SentRecord};
use crate::refusal::Refusal;

/// An answer on its way to the caller.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// A header besides the content type.
    pub header: Option<(&'static str, &'static str)>,
    /// The envelope as JSON text.
    pub body: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    code: &'a str,
    error_code: &'a str,
    msg: &'a str,
    data: Option<&'a ImportResult<'a, 'a>>,
}

/// What became of an import: `data` of the envelope.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult<'r, 'a> {
    import_success_num: usize,
    message: &'static str,
    import_fail_num: usize,
    error_data: Option<Vec<FailedRecord<'r, 'a>>>,
    status: i8,
}

impl<'r, 'a> ImportResult<'r, 'a> {
    /// The result of an import of `records` records, of which these failed, in the order sent.
    pub fn new(records: usize, failed: Vec<FailedRecord<'r, 'a>>) -> Self {
        let import_fail_num = failed.len();
        let import_success_num = records - import_fail_num;
        let (status, message) = match (import_success_num, import_fail_num) {
            (_, 0) => (1, "成功"),
            (0, _) => (-1, "失败"),
            _ => (2, "部分导入成功"),
        };
        let error_data = (import_fail_num > 0).then_some(failed);
        Self { import_success_num, message, import_fail_num, error_data, status }
    }

    /// How many records were imported, and how many failed.
    pub fn counts(&self) -> (usize, usize) {
        (self.import_success_num, self.import_fail_num)
    }
}

impl Answer {
    /// The answer to an import that ran to its end.
    pub fn result(result: &ImportResult<'_, '_>) -> Self {
        Self::new(StatusCode::OK, "SUCCESS", "ok", Some(result), None)
    }

    /// The answer to a request that was refused.
    pub fn refusal(refusal: &Refusal) -> Self {
        Self::new(refusal.status(), refusal.code(), &refusal.message(), None, refusal.header())
    }

    fn new(
        status: StatusCode,
        error_code: &str,
        msg: &str,
        data: Option<&ImportResult<'_, '_>>,
        header: Option<(&'static str, &'static str)>,
    ) -> Self {
        let envelope = Envelope { code: status.as_str(), error_code, msg, data };
        let body = serde_json::to_string(&envelope).expect("BUG: the envelope holds only what JSON can");
        Self { status, header, body }
    }
}

/// What Lambda adds around an answer's body and the envelope around the records, generously.
const FRAME_BYTES: usize = 4096;

/// What a failed record has besides the fields sent: names, code, message and punctuation, each
/// quote counted twice.
const FAILURE_BYTES: usize = 256 + MAX_MESSAGE_BYTES;

/// Whether the answer to a body of `body_bytes` holding these records fits what Lambda can return,
/// whichever of them fail. Reckoned before anything is done, so that no outcome is lost later.
///
/// Lambda returns a body as a string inside JSON (AWS Lambda quotas: 6 MB), so a quote, a
/// backslash or a line break of the body counts twice.
pub fn answer_fits(body_bytes: usize, records: &[SentRecord<'_>]) -> bool {
    let overhead = FRAME_BYTES + records.len() * FAILURE_BYTES;
    if overhead + 2 * body_bytes <= MAX_PAYLOAD_BYTES {
        return true;
    }
    let escaped =
        |text: &str| text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | ..b' ')).count();
    let fields = records.iter().flat_map(SentRecord::fields);
    let sent: usize = fields.map(|(name, raw)| name.len() + "\"\":,\"\"".len() + escaped(raw.get())).sum();
    overhead + sent <= MAX_PAYLOAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, FieldFault};
    use serde_json::Value;
    use serde_json::value::RawValue;

    const LONGEST: Failure =
        Failure::InvalidField { field: "audienceUserId", fault: FieldFault::GroupNameTooLong };

    fn records(elements: &[Box<RawValue>]) -> Vec<SentRecord<'_>> {
        elements.iter().map(|element| SentRecord::parse(element).expect("an object")).collect()
    }

    fn raw(json: String) -> Box<RawValue> {
        RawValue::from_string(json).expect("JSON")
    }

    /// The size of the answer as Lambda returns it, should every record fail.
    fn answer_bytes(records: &[SentRecord<'_>], failure: Failure) -> usize {
        let failed = records.iter().map(|sent| FailedRecord { sent, failure }).collect();
        let answer = Answer::result(&ImportResult::new(records.len(), failed));
        serde_json::to_string(&answer.body).expect("a string").len()
    }

    #[test]
    fn the_counts_decide_the_status() {
        let elements = [raw("{}".to_owned()), raw("{}".to_owned())];
        let records = records(&elements);
        let data = |failed: usize| {
            let failed =
                records[..failed].iter().map(|sent| FailedRecord { sent, failure: Failure::NotMatched });
            let body = Answer::result(&ImportResult::new(2, failed.collect())).body;
            serde_json::from_str::<Value>(&body).expect("JSON")["data"].take()
        };
        for (failed, status, message) in [(0, 1, "成功"), (1, 2, "部分导入成功"), (2, -1, "失败")] {
            let data = data(failed);
            assert_eq!((&data["status"], &data["message"]), (&status.into(), &message.into()));
            assert_eq!(
                (&data["importSuccessNum"], &data["importFailNum"]),
                (&(2 - failed).into(), &failed.into())
            );
            assert_eq!(data["errorData"].as_array().map(Vec::len), (failed > 0).then_some(failed));
        }
    }

    #[test]
    fn an_answer_that_fits_by_reckoning_fits() {
        // Every byte of these fields counts twice in the answer.
        let worst =
            raw(format!(r#"{{"phone":"{}","groups":{{"x"{}:1}}}}"#, r#"\""#.repeat(150), "\n".repeat(90)));
        let empty = raw("{}".to_owned());
        for element in [worst, empty] {
            let mut fitting = 0;
            for count in [1_000, 5_000, 20_000] {
                let elements = vec![element.clone(); count];
                let records = records(&elements);
                let bytes =
                    answer_bytes(&records, LONGEST).max(answer_bytes(&records, Failure::MissingIdentifier));
                if answer_fits(element.get().len() * count, &records) {
                    assert!(bytes + FRAME_BYTES / 2 <= MAX_PAYLOAD_BYTES, "{count} records: {bytes} bytes");
                    fitting += 1;
                } else {
                    assert!(bytes > MAX_PAYLOAD_BYTES / 4, "{count} records of {bytes} bytes refused");
                }
            }
            assert!((1..3).contains(&fitting), "both sides of the limit are tried");
        }
    }

    #[test]
    fn the_largest_body_of_the_default_limits_always_fits() {
        const { assert!(FRAME_BYTES + 5_000 * FAILURE_BYTES + 2 * 2_097_152 <= MAX_PAYLOAD_BYTES) }
    }
}
