//! What must hold for every response, whatever was sent (contract, section 2).

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The maximum size of a response in Lambda.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// `errorCode` of each status.
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

/// The headers that only one status has.
const HEADERS: [(u64, &str, &str); 2] = [(405, "Allow", "POST"), (503, "Retry-After", "1")];

/// The members of an object as JSON text, which preserves what was sent verbatim.
pub(crate) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// A response as API Gateway forwards it.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    pub status: u64,
    pub headers: &'a Value,
    pub body: &'a str,
}

impl<'a> Reply<'a> {
    /// Parses what API Gateway gets.
    ///
    /// # Errors
    /// Something does not hold.
    pub fn open(reply: &'a Value) -> Result<Self, String> {
        let bytes = reply.to_string().len();
        ensure!(bytes <= MAX_PAYLOAD_BYTES, "{bytes} bytes are more than Lambda returns");
        ensure!(reply["isBase64Encoded"] == false, "isBase64Encoded is not false");
        let reply = Self {
            status: reply["statusCode"].as_u64().ok_or("there is no status")?,
            headers: &reply["headers"],
            body: reply["body"].as_str().ok_or("there is no body")?,
        };
        reply.data()?;
        Ok(reply)
    }

    /// `data` of the envelope.
    ///
    /// # Errors
    /// Something about the headers or the envelope does not hold.
    pub fn data(&self) -> Result<&'a RawValue, String> {
        let Self { status, headers, body } = *self;
        ensure!(headers["Content-Type"] == "application/json", "Content-Type is {}", headers["Content-Type"]);
        let id = headers["X-Request-Id"].as_str().unwrap_or_default();
        ensure!(!id.is_empty(), "X-Request-Id is {}", headers["X-Request-Id"]);
        for (of, name, value) in HEADERS {
            let expected = if status == of { json!(value) } else { Value::Null };
            ensure!(headers[name] == expected, "{name} of a {status} is {}", headers[name]);
        }
        let envelope: Members<'a> =
            serde_json::from_str(body).map_err(|error| format!("the body is no object: {error}"))?;
        let keys = envelope.keys().map(String::as_str);
        ensure!(keys.eq(["code", "data", "errorCode", "msg"]), "the envelope has {:?}", envelope.keys());
        let (code, msg) = (text(&envelope, "errorCode")?, text(&envelope, "msg")?);
        ensure!(text(&envelope, "code")? == status.to_string(), "the code of a {status} differs");
        ensure!(CODES.contains(&(status, &code)), "the errorCode of a {status} is {code}");
        ensure!(!msg.is_empty() && (status != 200 || msg == "ok"), "the msg of a {status} is {msg:?}");
        let data = envelope["data"];
        let is_expected = match status {
            200 => {
                agrees(&parse(data)?)?;
                true
            }
            201 => {
                parse::<Value>(data)?
                    == json!({
                        "importSuccessNum": 0, "importFailNum": 0, "status": 0, "message": "进行中", "errorData": null,
                    })
            }
            _ => data.get() == "null",
        };
        ensure!(is_expected, "data of a {status} is {data}");
        Ok(data)
    }

    /// `errorData`, verbatim.
    ///
    /// # Errors
    /// The response is invalid, or is not that of a completed import.
    pub fn error_data(&self) -> Result<&'a str, String> {
        let data: Members<'a> = parse(self.data()?)?;
        Ok(member(&data, "errorData")?.get())
    }
}

/// Numbers, status, message and `errorData` of a result (contract, section 7) agree.
fn agrees(result: &Members<'_>) -> Result<(), String> {
    let number = |name| parse::<usize>(member(result, name)?);
    let (succeeded, failed) = (number("importSuccessNum")?, number("importFailNum")?);
    let expected = match (succeeded, failed) {
        (_, 0) => (1, "成功"),
        (0, _) => (-1, "失败"),
        _ => (2, "部分导入成功"),
    };
    let (status, message) = (parse::<i8>(member(result, "status")?)?, text(result, "message")?);
    ensure!((status, &*message) == expected, "status {status}, {message}, with {failed} failed");
    let error_data = member(result, "errorData")?;
    ensure!((error_data.get() == "null") == (failed == 0), "errorData with {failed} failed: {error_data}");
    Ok(())
}

/// The outcome of an invocation as API Gateway gets it, or would get it of a direct event (contract, section 11): a text
/// returned, or type and message of an error.
///
/// # Panics
/// An invocation by API Gateway failed, or `errorType` is not the `errorCode` of a rejection.
pub fn of_invocation(outcome: Result<String, [String; 2]>, is_direct: bool) -> Value {
    match outcome {
        Ok(envelope) if is_direct => of_direct(200, &envelope),
        Ok(reply) => serde_json::from_str(&reply).expect("a reply is JSON"),
        Err([error_type, message]) => {
            assert!(is_direct, "every API event has a reply: {error_type}, {message}");
            let status = CODES.iter().find(|(status, code)| *code == error_type && *status > 201);
            let (status, code) = status.unwrap_or_else(|| panic!("errorType is {error_type}"));
            let envelope =
                json!({"code": status.to_string(), "errorCode": code, "msg": message, "data": null});
            of_direct(*status, &envelope.to_string())
        }
    }
}

fn of_direct(status: u64, envelope: &str) -> Value {
    let mut headers = json!({"Content-Type": "application/json", "X-Request-Id": "direct"});
    for (of, name, value) in HEADERS {
        if status == of {
            headers[name] = value.into();
        }
    }
    json!({"statusCode": status, "headers": headers, "body": envelope, "isBase64Encoded": false})
}

pub(crate) fn parse<'a, T: serde::Deserialize<'a>>(json: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|error| format!("{error}: {:.200}", json.get()))
}

pub(crate) fn member<'a>(members: &Members<'a>, name: &str) -> Result<&'a RawValue, String> {
    members.get(name).copied().ok_or_else(|| format!("there is no {name}"))
}

pub(crate) fn text(members: &Members<'_>, name: &str) -> Result<String, String> {
    parse(member(members, name)?)
}
