//! What must hold for the response to an import and for what it stored, with faults and without (contract, sections 4
//! to 7 and 9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_json::value::RawValue;

use super::reply::{Members, Reply, member, parse, text};
use super::request::{MAX_RECORDS, Request};
use super::world::{CODES, Ending, World, is_retryable};

/// Codes caused by the record itself: no fault replaces them.
const OF_THE_RECORD: [&str; 3] = ["INVALID_FIELD", "MISSING_IDENTIFIER", "MISSING_GROUPS"];

/// The effects that faults of the database may have; without faults, none is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Records may end as `STORE_ERROR`.
    pub store_error: bool,
    /// Records may end as `TIMEOUT`.
    pub timeout: bool,
    /// The token or the key could not be checked: 503.
    pub unavailable: bool,
    /// The tenant's item is malformed: 500.
    pub internal_error: bool,
}

impl Faults {
    pub const NONE: Self =
        Self { store_error: false, timeout: false, unavailable: false, internal_error: false };

    /// Any call may have failed.
    pub const OF_CALLS: Self = Self { store_error: true, timeout: true, unavailable: true, ..Self::NONE };
}

/// A request, and the conditions under which it ran.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What existed before.
    pub world: &'a World,
    pub tenant: &'a str,
    pub body: &'a [u8],
    pub max_records: usize,
    pub faults: Faults,
}

/// The results of an import according to its response, and what it may have stored.
pub struct Verdict {
    /// The code of each record that failed, `None` for a success. Empty unless the status is 200.
    pub codes: Vec<Option<&'static str>>,
    /// How each record ends without faults.
    pub endings: Vec<Ending>,
    /// The memberships that the import leaves without faults.
    pub goal: BTreeSet<(String, String)>,
    before: BTreeSet<(String, String)>,
    tenant: String,
    status: u64,
}

impl<'a> Case<'a> {
    /// Without faults, and with the default limit.
    pub fn new(world: &'a World, tenant: &'a str, body: &'a [u8]) -> Self {
        Self { world, tenant, body, max_records: MAX_RECORDS, faults: Faults::NONE }
    }

    /// # Errors
    /// The response is wrong.
    pub fn judge(&self, reply: &Reply<'_>) -> Result<Verdict, String> {
        let data = reply.data()?;
        ensure!(reply.status != 503 || self.faults.unavailable, "a 503 without a fault");
        ensure!(reply.status != 500 || self.faults.internal_error, "a 500 without a fault");
        let mut world = self.world.clone();
        let (mut codes, mut endings) = (Vec::new(), Vec::new());
        if reply.status == 200 {
            let request = Request::read(self.body, self.max_records)
                .map_err(|error| format!("imported an invalid body: {error}"))?;
            endings = world.import(self.tenant, &request.params, &request.meanings());
            let result: Members<'_> = parse(data)?;
            codes = read(&result, &request)?;
            self.codes_agree(&codes, &endings)?;
            matches_agree(result.get("matches").copied(), &request.params, &codes, &endings)?;
            if request.params["dryRun"] == true {
                world.memberships.clone_from(&self.world.memberships);
            }
        }
        Ok(Verdict {
            codes,
            endings,
            goal: world.memberships,
            before: self.world.memberships.clone(),
            tenant: self.tenant.to_owned(),
            status: reply.status,
        })
    }

    /// The verdict on a request that must succeed.
    ///
    /// # Errors
    /// It was rejected, or the response is wrong.
    pub fn imported(&self, reply: &Reply<'_>) -> Result<Verdict, String> {
        ensure!(reply.status == 200, "not imported: {}", reply.body);
        self.judge(reply)
    }

    /// Each code is the model's, or that of a fault that may have replaced it.
    fn codes_agree(&self, codes: &[Option<&str>], endings: &[Ending]) -> Result<(), String> {
        for (index, (code, ending)) in codes.iter().zip(endings).enumerate() {
            let replaceable = !ending.code.is_some_and(|code| OF_THE_RECORD.contains(&code));
            let holds = match *code {
                code if code == ending.code => true,
                Some("STORE_ERROR") => self.faults.store_error && replaceable,
                Some("TIMEOUT") => self.faults.timeout && replaceable,
                _ => false,
            };
            ensure!(holds, "record {index} ended as {code:?}, {:?} without faults", ending.code);
        }
        Ok(())
    }
}

/// `data` of a 200: its shape, and the codes of the records.
fn read(result: &Members<'_>, request: &Request<'_>) -> Result<Vec<Option<&'static str>>, String> {
    let number = |name| parse::<usize>(member(result, name)?);
    let (succeeded, failed) = (number("importSuccessNum")?, number("importFailNum")?);
    let records = request.records.len();
    ensure!(succeeded + failed == records, "{succeeded} and {failed} of {records} records");
    let explained = result.contains_key("matches");
    ensure!(explained == (request.params["explain"] == true), "matches: {explained}");
    let dry_run = result.get("dryRun").map(|raw| raw.get());
    let expected = (request.params["dryRun"] == true).then_some("true");
    ensure!(dry_run == expected, "dryRun of the result is {dry_run:?}");
    let optional = usize::from(explained) + usize::from(dry_run.is_some());
    ensure!(result.len() == 5 + optional, "data has {:?}", result.keys());

    let error_data = member(result, "errorData")?;
    let codes = if failed == 0 { vec![None; records] } else { failures(error_data, request)? };
    let listed = codes.iter().flatten().count();
    ensure!(listed == failed, "errorData has {listed} records of {failed}");
    let mut ended = BTreeMap::new();
    for (sent, code) in request.records.iter().zip(&codes) {
        ensure!(*ended.entry(sent).or_insert(code) == code, "equal records ended differently: {sent:?}");
    }
    Ok(codes)
}

/// The failed records: ready to be resent, in the order sent, verbatim, each with its index.
fn failures(error_data: &RawValue, request: &Request<'_>) -> Result<Vec<Option<&'static str>>, String> {
    let body = format!(r#"{{"publicParams":{{"isMatching":false,"optType":"add"}},"data":{error_data}}}"#);
    let again = Request::read(body.as_bytes(), request.records.len())
        .map_err(|error| format!("errorData cannot be resent: {error}"))?;
    let mut codes = vec![None; request.records.len()];
    let mut places = request.records.iter().zip(&mut codes).enumerate();
    for (failed, members) in again.records.iter().zip(parse::<Vec<Members<'_>>>(error_data)?) {
        let index: usize = parse(member(&members, "index")?)?;
        let place = places.find(|(place, _)| *place == index);
        let (_, (sent, place)) = place.ok_or_else(|| format!("index {index} is not in the order sent"))?;
        ensure!(sent == failed, "record {index} is not as it was sent: {failed:?}");
        ensure!(members.len() == failed.members().count() + 4, "a failed record has {:?}", members.keys());
        let code = text(&members, "errorCode")?;
        let code = CODES.into_iter().find(|known| *known == code).ok_or(format!("errorCode is {code}"))?;
        let retryable = member(&members, "retryable")?.get();
        ensure!(retryable == is_retryable(code).to_string(), "retryable of {code} is {retryable}");
        ensure!(!text(&members, "errorMsg")?.is_empty(), "errorMsg is empty");
        *place = Some(code);
    }
    Ok(codes)
}

/// `matches` equals the model's, in its order, and lists every success.
fn matches_agree(
    matches: Option<&RawValue>,
    params: &Value,
    codes: &[Option<&str>],
    endings: &[Ending],
) -> Result<(), String> {
    let Some(matches) = matches else { return Ok(()) };
    let mut listed = parse::<Vec<Value>>(matches)?.into_iter().peekable();
    for (index, (code, ending)) in codes.iter().zip(endings).enumerate() {
        let expected = ending.explained(index, params);
        let is_listed = listed.next_if(|entry| Some(entry) == expected.as_ref()).is_some();
        ensure!(is_listed || code.is_some(), "matches lack record {index}, or differ from {expected:?}");
    }
    ensure!(listed.peek().is_none(), "matches has {:?}", listed.next());
    Ok(())
}

impl Verdict {
    /// # Errors
    /// The memberships stored now are wrong.
    pub fn stored(&self, stored: &BTreeSet<(String, String)>) -> Result<(), String> {
        if self.status == 500 {
            // The import may be partly done.
            return Ok(());
        }
        let lost: Vec<_> = self.before.intersection(&self.goal).filter(|it| !stored.contains(it)).collect();
        let may_be = |it: &_| self.before.contains(it) || self.goal.contains(it);
        let stray: Vec<_> = stored.iter().filter(|it| !may_be(it)).collect();
        ensure!(lost.is_empty() && stray.is_empty(), "lost {lost:?}, stray {stray:?}");
        for (index, ending) in self.successes() {
            for it in ending.memberships(&self.tenant) {
                let holds = stored.contains(&it) == self.goal.contains(&it);
                ensure!(holds, "record {index} succeeded, but {it:?} is not as requested");
            }
        }
        Ok(())
    }

    /// The records that succeeded according to the response, each with its index.
    pub fn successes(&self) -> impl Iterator<Item = (usize, &Ending)> {
        let ended = self.endings.iter().zip(&self.codes).enumerate();
        ended.filter(|(_, (_, code))| code.is_none()).map(|(index, (ending, _))| (index, ending))
    }
}
