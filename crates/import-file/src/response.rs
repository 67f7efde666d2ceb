//! What a response means for the batch that was sent. No I/O.

use raw_fields::Fields;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Why a row was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: String,
    pub message: String,
    pub retryable: bool,
}

/// The outcome of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Response {
    /// The import ran: the records that failed, by their positions among those sent.
    Ended(Vec<(usize, Reason)>),
    /// The import is still running.
    InProgress,
    /// The outcome of the import is unknown: the same request may be sent again.
    Again(String),
    /// The request will never be accepted as it is.
    Rejected(String),
}

/// The address of the import.
const ADDRESS: &str = "/api/integrate/audience/info/batchAdd";

/// Temporary statuses: those of API Gateway come without the envelope. What a 500 has done is unknown.
const TEMPORARY: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

impl Response {
    /// Reads the response to a request with these records.
    pub fn read(status: u16, body: &[u8], sent: &[&str]) -> Self {
        let envelope: Option<Envelope<'_>> = serde_json::from_slice(body).ok();
        let said = match &envelope {
            Some(Envelope { error_code, msg, .. }) => format!("{status} {error_code} {msg}"),
            None => format!("{status} {}", beginning(body)),
        };
        match (status, envelope) {
            (200, Some(Envelope { error_code: "SUCCESS", data: Some(data), .. })) => {
                data.failed(sent).map_or_else(
                    || Self::Rejected(format!("{said}: not a response to what was sent")),
                    Self::Ended,
                )
            }
            (201, Some(Envelope { error_code: "IN_PROGRESS", .. })) => Self::InProgress,
            (404, _) => {
                Self::Rejected(format!("{said}; --url must be the whole address, https://HOST{ADDRESS}"))
            }
            (status, _) if TEMPORARY.contains(&status) => Self::Again(said),
            _ => Self::Rejected(said),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    error_code: &'a str,
    #[serde(default)]
    msg: String,
    #[serde(borrow)]
    data: Option<ImportResult<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportResult<'a> {
    import_success_num: usize,
    import_fail_num: usize,
    #[serde(borrow)]
    error_data: Option<Vec<&'a RawValue>>,
}

impl ImportResult<'_> {
    /// The failed records by position; `None` if they are not among those sent.
    fn failed(self, sent: &[&str]) -> Option<Vec<(usize, Reason)>> {
        let failed = self.error_data.unwrap_or_default();
        let adds_up = failed.len() == self.import_fail_num
            && self.import_success_num.checked_add(failed.len()) == Some(sent.len());
        adds_up.then(|| locate(&failed, sent))?
    }
}

/// The fields that a failed record shows as they were sent, then its reason.
const NAMES: [&str; 8] =
    ["audienceUserId", "openid", "unionid", "phone", "groups", "errorCode", "errorMsg", "retryable"];
const SENT_FIELDS: usize = 5;

/// Finds the failed records among those sent. They come in the order sent, so one pass finds them all; of identical
/// records all fail or none.
fn locate(failed: &[&RawValue], sent: &[&str]) -> Option<Vec<(usize, Reason)>> {
    let mut sent = sent.iter().enumerate();
    let find = |raw: &&RawValue| {
        let failed = Fields::parse(&NAMES, raw.get()).ok()?;
        let (position, _) = sent.find(|(_, record)| is_same(&failed, record))?;
        let text = |field| failed.get(field).and_then(raw_fields::text).map(String::from);
        let retryable = failed.get(7).is_some_and(|raw| raw.get() == "true");
        Some((position, Reason { code: text(5)?, message: text(6).unwrap_or_default(), retryable }))
    };
    failed.iter().map(find).collect()
}

fn is_same(failed: &Fields<'_, 8>, record: &str) -> bool {
    let Ok(record) = Fields::parse(&NAMES, record) else { return false };
    (0..SENT_FIELDS).all(|field| failed.get(field).map(RawValue::get) == record.get(field).map(RawValue::get))
}

/// The beginning of what is not an envelope, on one line.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(code: &str, retryable: bool) -> Reason {
        Reason { code: code.to_owned(), message: "m".to_owned(), retryable }
    }

    fn ended(succeeded: usize, failed: &[&str], sent: &[&str]) -> Response {
        let body = format!(
            r#"{{"code":"200","errorCode":"SUCCESS","msg":"ok","data":{{"importSuccessNum":{succeeded},
            "importFailNum":{},"status":2,"message":"x","errorData":[{}]}}}}"#,
            failed.len(),
            failed.join(",")
        );
        Response::read(200, body.as_bytes(), sent)
    }

    #[test]
    fn failed_records_are_found_by_what_was_sent() {
        let sent = [
            r#"{"phone":1e9,"groups":"a","note":1}"#,
            r#"{ "groups" : "a" , "phone":10000000000000000000000 }"#,
            r#"{"phone":"\u0031","groups":"a"}"#,
            r#"{"phone":"1","groups":"a"}"#,
        ];
        let failed = [
            r#"{"phone":10000000000000000000000,"groups":"a","errorCode":"X","errorMsg":"m","retryable":false}"#,
            r#"{"phone":"1","groups":"a","errorCode":"TIMEOUT","errorMsg":"m","retryable":true}"#,
        ];
        let expected = vec![(1, reason("X", false)), (3, reason("TIMEOUT", true))];
        assert_eq!(ended(2, &failed, &sent), Response::Ended(expected));
    }

    #[test]
    fn identical_records_all_have_their_reason() {
        let failed = r#"{"groups":"a","errorCode":"X","errorMsg":"m","retryable":false}"#;
        let sent = [r#"{"groups":"a"}"#, r#"{"groups":"b"}"#, r#"{"groups":"a","note":1}"#];
        let expected = vec![(0, reason("X", false)), (2, reason("X", false))];
        assert_eq!(ended(1, &[failed; 2], &sent), Response::Ended(expected));
    }

    #[test]
    fn a_response_to_another_request_is_rejected() {
        let failed = r#"{"groups":"z","errorCode":"X","errorMsg":"m","retryable":false}"#;
        for (succeeded, failed) in [(1, vec![failed]), (1, vec![]), (3, vec![]), (2, vec!["{}"])] {
            let response = ended(succeeded, &failed, &[r#"{"groups":"a"}"#, "{}"]);
            assert!(matches!(response, Response::Rejected(_)), "{response:?}");
        }
        for body in ["", "<html>", "{}", r#"{"errorCode":"SUCCESS","msg":"ok","data":null}"#] {
            assert!(matches!(Response::read(200, body.as_bytes(), &["{}"]), Response::Rejected(_)), "{body}");
        }
    }

    #[test]
    fn temporary_statuses_are_retried() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let response = Response::read(status, br#"{"message":"Too Many Requests"}"#, &["{}"]);
            assert!(matches!(&response, Response::Again(why) if why.contains("Too Many")), "{response:?}");
        }
        for status in [301, 400, 401, 403, 405, 413, 415, 422, 501] {
            let body = json!({"code": status.to_string(), "errorCode": "E", "msg": "因此", "data": null});
            let response = Response::read(status, body.to_string().as_bytes(), &["{}"]);
            assert_eq!(response, Response::Rejected(format!("{status} E 因此")));
        }
        let missing = Response::read(404, b"", &["{}"]);
        assert!(matches!(&missing, Response::Rejected(why) if why.contains("--url")), "{missing:?}");
        let data = r#"{"importSuccessNum":0,"importFailNum":0,"status":0,"message":"x","errorData":null}"#;
        let body = format!(r#"{{"code":"201","errorCode":"IN_PROGRESS","msg":"x","data":{data}}}"#);
        assert_eq!(Response::read(201, body.as_bytes(), &["{}"]), Response::InProgress);
    }
}
