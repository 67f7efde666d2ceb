//! The response, always in the platform's envelope (contract, sections 2 and 7).

use lambda_http::http::StatusCode;
use serde::Serialize;

use crate::config::MAX_PAYLOAD_BYTES;
use crate::http::rejection;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::request::failure::FAILURE_BYTES;
use crate::request::fields;
use crate::request::record::{FailedRecord, SentRecord};
use crate::resolution::report::{Matches, Report};

/// The response to a request.
#[derive(PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: StatusCode,
    /// `errorCode` of the envelope.
    pub code: &'static str,
    /// `msg` of the envelope.
    pub msg: String,
    /// A header in addition to those of every response.
    pub header: Option<(&'static str, &'static str)>,
    /// The envelope as JSON text.
    pub body: String,
}

opaque_debug!(Response);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    code: &'a str,
    error_code: &'a str,
    msg: &'a str,
    data: Option<&'a Data<'a, 'a>>,
}

/// The result of an import: `data` of the envelope.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Data<'r, 'a> {
    import_success_num: usize,
    message: &'static str,
    import_fail_num: usize,
    error_data: Option<Vec<FailedRecord<'r, 'a>>>,
    status: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<&'r Matches>,
}

impl<'r, 'a> Data<'r, 'a> {
    /// The result of the import of `request` with this report.
    pub fn new(request: &'r Request<'a>, report: &'r Report) -> Self {
        let failed = report.failures.iter();
        let failed: Vec<_> = failed
            .map(|&(index, failure)| FailedRecord { index, sent: &request.records[index], failure })
            .collect();
        let import_fail_num = failed.len();
        let import_success_num = request.records.len() - import_fail_num;
        let (status, message) = match (import_success_num, import_fail_num) {
            (_, 0) => (1, "成功"),
            (0, _) => (-1, "失败"),
            _ => (2, "部分导入成功"),
        };
        let error_data = (import_fail_num > 0).then_some(failed);
        let dry_run = request.params.dry_run.then_some(true);
        let matches = report.matches.as_ref();
        Self { import_success_num, message, import_fail_num, error_data, status, dry_run, matches }
    }

    /// The result of an import that another invocation is running (contract, section 8).
    pub fn in_progress() -> Self {
        Self { status: 0, message: "进行中", ..Self::default() }
    }
}

impl Response {
    /// The response to a completed import.
    pub fn result(result: &Data<'_, '_>) -> Self {
        Self::new(StatusCode::OK, "SUCCESS", "ok", Some(result))
    }

    /// The response to an import that was completed earlier with the same `Idempotency-Key`.
    pub fn replay(result: &Data<'_, '_>) -> Self {
        Self { header: Some(("Idempotent-Replayed", "true")), ..Self::result(result) }
    }

    /// The response to an import that another invocation is running.
    pub fn in_progress() -> Self {
        Self::new(StatusCode::CREATED, "IN_PROGRESS", "导入进行中", Some(&Data::in_progress()))
    }

    /// The response to a rejected request.
    pub fn rejection(rejection: &Rejection) -> Self {
        let (status, code, message) = rejection::report(rejection);
        Self { header: rejection::header(rejection), ..Self::new(status, code, &message, None) }
    }

    fn new(status: StatusCode, code: &'static str, msg: &str, data: Option<&Data<'_, '_>>) -> Self {
        let envelope = Envelope { code: status.as_str(), error_code: code, msg, data };
        let body = serde_json::to_string(&envelope).expect("BUG: the envelope can be serialised");
        Self { status, code, msg: msg.to_owned(), header: None, body }
    }
}

/// An upper bound on what Lambda adds to a body, and the envelope to the records.
const FRAME_BYTES: usize = 4096;

/// The most records of a request: the response to more could exceed what Lambda returns, even if nothing of them is sent
/// back.
pub const MOST_RECORDS: usize = (MAX_PAYLOAD_BYTES - FRAME_BYTES) / FAILURE_BYTES;

/// How many bytes are left for `matches`, counted as a string inside JSON, in the response to a body
/// of `body_bytes` if every record fails; `None` if the failed records alone exceed what Lambda can
/// return. Without `explain` there are no `matches`, and only whether it is `None` matters. Checked
/// before anything is written, so that no response is lost after the writes.
///
/// Lambda returns a body as a string inside JSON (AWS Lambda quotas: 6 MB), so a quote, a
/// backslash or a line break of the body counts twice.
pub fn room_for_matches(body_bytes: usize, request: &Request<'_>) -> Option<usize> {
    let left = MAX_PAYLOAD_BYTES.checked_sub(FRAME_BYTES + request.records.len() * FAILURE_BYTES)?;
    if !request.params.explain && 2 * body_bytes <= left {
        return Some(0);
    }
    // The name of a variant needs no escape.
    let members = request.records.iter().flat_map(SentRecord::members);
    let sent = members.map(|(name, raw)| name.len() + "\"\":,\"\"".len() + fields::escaped_bytes(raw));
    left.checked_sub(sent.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::failure::{Failure, FieldFault};
    use serde_json::Value;

    const LONGEST: Failure =
        Failure::InvalidField { field: "audienceUserId", fault: FieldFault::GroupNameTooLong };

    const MISNAMED: Failure = Failure::InvalidField { field: "audienceUserId", fault: FieldFault::Misnamed };

    /// An import of `count` records like `element`.
    fn body(element: &str, count: usize) -> String {
        let params = r#"{"isMatching":false,"optType":"add"}"#;
        format!(r#"{{"publicParams":{params},"data":[{}]}}"#, vec![element; count].join(","))
    }

    fn report(failed: usize, failure: Failure) -> Report {
        Report { failures: (0..failed).map(|index| (index, failure)).collect(), matches: None }
    }

    #[test]
    fn counts_determine_the_status() {
        let body = body("{}", 2);
        let request = Request::parse(body.as_bytes(), 2).expect("an import");
        for (failed, status, message) in [(0, 1, "成功"), (1, 2, "部分导入成功"), (2, -1, "失败")] {
            let body = Response::result(&Data::new(&request, &report(failed, Failure::NotMatched))).body;
            let data = serde_json::from_str::<Value>(&body).expect("JSON")["data"].take();
            assert_eq!((&data["status"], &data["message"]), (&status.into(), &message.into()));
            assert_eq!(
                (&data["importSuccessNum"], &data["importFailNum"]),
                (&(2 - failed).into(), &failed.into())
            );
            assert_eq!(data["errorData"].as_array().map(Vec::len), (failed > 0).then_some(failed));
            assert_eq!(data.get("matches"), None);
        }
    }

    #[test]
    fn size_estimate_is_an_upper_bound() {
        // Every byte of these fields counts twice in the response.
        let (quotes, lines) = (r#"\""#.repeat(150), "\n".repeat(90));
        let worst = format!(r#"{{"phone":"{quotes}","groups":{{"x"{lines}:1}}}}"#);
        let dashes = "-".repeat(40);
        let variants = format!(
            r#"{{"audienceUser_Id{dashes}":"{quotes}","_audienceUserId":1,"Groups":{{"x"{lines}:1}},"OPENID":[]}}"#
        );
        for element in [&*worst, &*variants, "{}"] {
            let mut fitting = 0;
            for count in [1_000, 5_000, 6_500, 20_000] {
                let body = body(element, count);
                let request = Request::parse(body.as_bytes(), count).expect("an import");
                let bytes = |failure| {
                    let response = Response::result(&Data::new(&request, &report(count, failure)));
                    serde_json::to_string(&response.body).expect("a string").len()
                };
                let bytes = bytes(LONGEST).max(bytes(MISNAMED)).max(bytes(Failure::MissingIdentifier));
                if room_for_matches(body.len(), &request).is_some() {
                    assert!(bytes + FRAME_BYTES / 2 <= MAX_PAYLOAD_BYTES, "{count} records: {bytes} bytes");
                    fitting += 1;
                } else {
                    assert!(bytes > MAX_PAYLOAD_BYTES / 4, "{count} records of {bytes} bytes rejected");
                }
            }
            assert!((1..4).contains(&fitting), "both sides of the limit are tested");
        }
    }

    #[test]
    fn matches_may_use_the_remaining_bytes() {
        let room = |body: &str| {
            let mut request = Request::parse(body.as_bytes(), 1).expect("an import");
            let quick = room_for_matches(body.len(), &request).expect("it fits");
            request.params.explain = true;
            (quick, room_for_matches(body.len(), &request).expect("it fits"))
        };
        let (_, without) = room(&body("{}", 1));
        assert!((6_250_000..MAX_PAYLOAD_BYTES).contains(&without), "{without}");
        // A name with its punctuation, and a value whose quotes and backslashes count twice.
        let (quick, exact) = room(&body(r#"{"phone":"a\"b","other":"not sent back"}"#, 1));
        assert_eq!(without - exact, "phone".len() + 6 + r#"\"a\\\"b\""#.len());
        assert!(quick <= exact, "the quick bound is stricter");
        let (_, exact) = room(&body(r#"{"Phone":1,"_Phone":"a\"b","Phone":[]}"#, 1));
        assert_eq!(without - exact, "Phone_Phone".len() + 12 + "[]".len() + r#"\"a\\\"b\""#.len());
    }

    #[test]
    fn default_limits_always_fit() {
        const { assert!(FRAME_BYTES + 5_000 * FAILURE_BYTES + 2 * 2_097_152 <= MAX_PAYLOAD_BYTES) }
    }
}
