//! Mutates the parts of an input in their own form: a body unescaped, not as it is escaped in its event.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

/// Mutates what follows the event, and returns the new length of the input; `None` if it would be too long.
pub fn of_faults(data: &mut [u8], size: usize, max_size: usize) -> Option<usize> {
    let end = end_of_event(&data[..size]);
    let begin = end + 1;
    if begin >= max_size {
        return None;
    }
    data[end] = 0;
    Some(
        begin
            + libfuzzer_sys::fuzzer_mutate(&mut data[begin..], size.saturating_sub(begin), max_size - begin),
    )
}

/// Mutates the body of the event, and returns the new length of the input; `None` if there is no event with a body,
/// or the input would be too long.
pub fn of_body(data: &mut [u8], size: usize, max_size: usize) -> Option<usize> {
    let end = end_of_event(&data[..size]);
    let mut event: Value = serde_json::from_slice(&data[..end]).ok()?;
    let body = event.get("body")?.as_str()?;
    let mut body = if event["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body).ok()?
    } else {
        body.as_bytes().to_vec()
    };
    let before = body.len();
    body.resize(max_size, 0);
    let after = libfuzzer_sys::fuzzer_mutate(&mut body, before, max_size);
    (event["body"], event["isBase64Encoded"]) = match str::from_utf8(&body[..after]) {
        Ok(text) => (text.into(), false.into()),
        Err(_) => (BASE64_STANDARD.encode(&body[..after]).into(), true.into()),
    };

    let event = event.to_string();
    let faults = size - end;
    if event.len() + faults > max_size {
        return None;
    }
    data.copy_within(end..size, event.len());
    data[..event.len()].copy_from_slice(event.as_bytes());
    Some(event.len() + faults)
}

fn end_of_event(input: &[u8]) -> usize {
    input.iter().position(|byte| *byte == 0).unwrap_or(input.len())
}
