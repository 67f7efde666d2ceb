//! What holds for every answer, whatever was sent and whatever the database did (contract, sections 2, 4 and 7).

use std::collections::HashMap;

use group_import::request::ImportRequest;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::MAX_RECORDS;

/// What Lambda returns at most.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// What each status says in `errorCode`.
const CODES: [(u64, &str); 12] = [
    (200, "SUCCESS"),
    (201, "IN_PROGRESS"),
    (400, "PARAM_ERROR"),
    (401, "TOKEN_ERROR"),
    (403, "FORBIDDEN"),
    (404, "NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (413, "PAYLOAD_TOO_LARGE"),
    (415, "UNSUPPORTED_MEDIA_TYPE"),
    (422, "IDEMPOTENCY_KEY_REUSED"),
    (500, "INTERNAL_ERROR"),
    (503, "SERVICE_UNAVAILABLE"),
];

/// The members of an object, each as its JSON text: what was sent comes back in them as it was.
type Members<'a> = HashMap<String, &'a RawValue>;

/// An answer as API Gateway gets it.
pub struct Reply {
    pub status: u64,
    pub body: String,
}

impl Reply {
    pub fn read(json: &str) -> Self {
        assert!(json.len() <= MAX_PAYLOAD_BYTES, "{} bytes", json.len());
        let reply: Value = serde_json::from_str(json).expect("a reply is JSON");
        assert_eq!(reply["headers"]["Content-Type"], "application/json");
        assert_eq!(reply["isBase64Encoded"], false);
        Self {
            status: reply["statusCode"].as_u64().expect("a status"),
            body: reply["body"].as_str().expect("a body").to_owned(),
        }
    }
}

/// A failed record of an answer.
pub struct Failed {
    /// Its index in `data`.
    pub index: usize,
    pub code: String,
}

/// `data` of an answer of 200.
pub struct Imported {
    pub failed: Vec<Failed>,
    /// `matches` where they are listed.
    pub matches: Option<Value>,
}

/// An answer whose form is as it must be.
pub enum Checked {
    Imported(Imported),
    Other(u64),
}

impl Checked {
    pub fn new(reply: &Reply, body: &[u8]) -> Self {
        let envelope: Members<'_> = serde_json::from_str(&reply.body).expect("the envelope is JSON");
        let mut keys: Vec<_> = envelope.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "data", "errorCode", "msg"]);
        assert_eq!(envelope["code"].get(), format!("\"{}\"", reply.status));
        let code = text(envelope["errorCode"]);
        assert!(CODES.contains(&(reply.status, &*code)), "{} {code}", reply.status);
        assert!(!text(envelope["msg"]).is_empty());
        if reply.status == 200 {
            return Self::Imported(imported(envelope["data"], body));
        }
        let in_progress = reply.status == 201;
        assert_eq!(envelope["data"].get() == "null", !in_progress, "{}", reply.body);
        Self::Other(reply.status)
    }

    /// What is the database's fault comes only where it has one.
    pub fn failures_have_a_cause(&self, fault: bool, malformed_tenant: bool) {
        match self {
            Self::Other(500) => assert!(malformed_tenant, "500"),
            Self::Other(503) => assert!(fault, "503"),
            Self::Other(_) => {}
            Self::Imported(result) => {
                let outage = result.failed.iter().any(|failed| is_outage(&failed.code));
                assert!(fault || !outage, "an outage without a fault");
            }
        }
    }
}

pub fn is_outage(code: &str) -> bool {
    code == "STORE_ERROR" || code == "TIMEOUT"
}

fn imported(data: &RawValue, body: &[u8]) -> Imported {
    let request = ImportRequest::parse(body, MAX_RECORDS).expect("what was imported is an import");
    let data: Members<'_> = serde_json::from_str(data.get()).expect("an object");
    let number = |name: &str| data[name].get().parse::<usize>().expect("a number");
    let (succeeded, failed) = (number("importSuccessNum"), number("importFailNum"));
    assert_eq!(succeeded + failed, request.records.len());
    let (status, message) = match (succeeded, failed) {
        (_, 0) => ("1", "成功"),
        (0, _) => ("-1", "失败"),
        _ => ("2", "部分导入成功"),
    };
    assert_eq!((data["status"].get(), &*text(data["message"])), (status, message));
    let matches =
        data.get("matches").map(|raw| serde_json::from_str(raw.get()).expect("matches are plain JSON"));
    assert_eq!(matches.is_some(), request.params.explain);
    assert_eq!(data.len(), 5 + usize::from(matches.is_some()));
    assert_eq!(data["errorData"].get() == "null", failed == 0);
    let failed_records = sent_back(data["errorData"], &request);
    assert_eq!(failed_records.len(), failed);
    Imported { failed: failed_records, matches }
}

/// The failed records: in the order sent, to the letter, and fit to be posted back.
fn sent_back(error_data: &RawValue, request: &ImportRequest<'_>) -> Vec<Failed> {
    let records: Option<Vec<&RawValue>> = serde_json::from_str(error_data.get()).expect("a list or null");
    let mut sent = request.records.iter().enumerate();
    let failed = records.into_iter().flatten().map(|record| {
        let members: Members<'_> = serde_json::from_str(record.get()).expect("an object");
        let code = text(members["errorCode"]);
        assert_eq!(members["retryable"].get(), is_outage(&code).to_string(), "{code}");
        assert!(!text(members["errorMsg"]).is_empty());
        let is_this = |record: &group_import::request::record::SentRecord<'_>| {
            record.fields().count() + 3 == members.len()
                && record
                    .fields()
                    .all(|(name, raw)| members.get(name).is_some_and(|back| back.get() == raw.get()))
                && match record.check(request.params.matching) {
                    Err(failure) => failure.code() == code,
                    Ok(_) => !["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS"].contains(&&*code),
                }
        };
        let (index, _) = sent.find(|(_, record)| is_this(record)).expect("a record as it was sent, in order");
        Failed { index, code }
    });
    let failed: Vec<_> = failed.collect();
    if !failed.is_empty() {
        let again =
            format!(r#"{{"publicParams":{{"isMatching":false,"optType":"add"}},"data":{error_data}}}"#);
        let again = ImportRequest::parse(again.as_bytes(), MAX_RECORDS).expect("it can be posted back");
        assert_eq!(again.records.len(), failed.len());
    }
    failed
}

fn text(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).expect("a string")
}
