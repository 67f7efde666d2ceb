//! Records resolved and settled by the crate's pure core, against the model.

use std::collections::BTreeSet;

use group_import::request::ImportRequest;
use group_import::request::failure::{Failure, Outage};
use group_import::request::identifier::Identifier;
use group_import::request::record::Record;
use group_import::resolution::customer::{LookupResult, Outcome, Resolution};
use group_import::resolution::membership::WritePlan;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult};
use serde_json::json;

use super::{Coverage, check, config};
use reference::draw::{self, Import};
use reference::world::{CODES, Ending, Outages, World};

const POOL: u32 = 6;

/// So many that the rarest ending, an ambiguous exact match, is not left out by chance.
fn many() -> Config {
    let config = config();
    Config { cases: config.cases * 4, ..config }
}

/// What the core made of an import.
struct Run {
    /// For each record its customer, if it means one, and its code, if it failed.
    endings: Vec<(Option<String>, Option<&'static str>)>,
    /// Every value that was looked up.
    asked: BTreeSet<(&'static str, String)>,
    memberships: BTreeSet<(String, String)>,
}

/// Drives the core as the function does, with a look-up in memory in the place of the database.
fn run(world: &World, outages: &Outages, import: &Import) -> Result<Run, TestCaseError> {
    let body = json!({"publicParams": import.params, "data": import.records}).to_string();
    let request = ImportRequest::parse(body.as_bytes(), import.records.len()).expect("an import");
    let matching = request.params.matching;
    let checked: Vec<_> = request.records.iter().map(|sent| sent.check(matching)).collect();
    let sound: Vec<&Record<'_>> = checked.iter().filter_map(|record| record.as_ref().ok()).collect();

    let mut asked = BTreeSet::new();
    let mut resolution = Resolution::new(matching, sound.iter().map(|record| &record.identifiers));
    while let Some(wave) = resolution.next_wave() {
        prop_assert!(!wave.is_empty(), "a wave asks for nothing");
        for lookup in wave {
            let mut answers = Vec::new();
            for &value in &lookup.values {
                let new = asked.insert((lookup.identifier.field(), value.to_owned()));
                prop_assert!(new, "{:?} {value} is asked for twice", lookup.identifier);
                answers.push(look_up(world, outages, import.tenant, lookup.identifier, value));
            }
            resolution.learn(lookup, &answers);
        }
    }
    let outcomes: Vec<Outcome> = resolution.outcomes().collect();

    let plan = WritePlan::new(outcomes.iter().zip(sound.iter().map(|record| &record.groups)));
    let mut memberships = world.memberships.clone();
    let mut planned = BTreeSet::new();
    let mut written = Vec::new();
    for membership in &plan.memberships {
        let item = (format!("{}#{}", import.tenant, membership.customer), membership.group.to_owned());
        prop_assert!(planned.insert(item.clone()), "{item:?} is written twice");
        let outage = outages.of_write(membership.customer, membership.group);
        match outage {
            Some(_) => false,
            None if import.params["optType"] == "add" => memberships.insert(item),
            None => memberships.remove(&item),
        };
        written.push(outage.map_or(Ok(()), |code| Err(of_code(code))));
    }

    let mut settled = outcomes.iter().zip(plan.settle(&written));
    let endings = checked.iter().map(|record| match record {
        Ok(_) => {
            let (outcome, end) = settled.next().expect("one end for each sound record");
            (outcome.as_ref().ok().map(|matched| matched.customer.clone()), end.err().map(Failure::code))
        }
        Err(failure) => (None, Some(failure.code())),
    });
    Ok(Run { endings: endings.collect(), asked, memberships })
}

fn look_up(
    world: &World,
    outages: &Outages,
    tenant: &str,
    identifier: Identifier,
    value: &str,
) -> LookupResult {
    if let Some(code) = outages.of_look_up(identifier.field(), value) {
        return Err(of_code(code));
    }
    let found = world.customers.iter().filter(|customer| {
        customer.tenant == tenant
            && match identifier {
                Identifier::Unionid => customer.unionid.as_deref() == Some(value),
                Identifier::Openid => customer.openid.as_deref() == Some(value),
                Identifier::Phone => customer.phone.as_deref() == Some(value),
                Identifier::AudienceUserId => customer.id == value,
            }
    });
    Ok(found.map(|customer| customer.id.clone()).collect())
}

fn of_code(code: &str) -> Outage {
    if code == "TIMEOUT" { Outage::Timeout } else { Outage::StoreError }
}

/// Compares a run with the model, and counts what happened.
fn agree((mut world, outages, import): (World, Outages, Import), coverage: &Coverage) -> TestCaseResult {
    let run = run(&world, &outages, &import)?;
    let endings = world.import_through(&outages, import.tenant, &import.params, &import.records);
    for (index, (ending, found)) in endings.iter().zip(&run.endings).enumerate() {
        let expected = (ending.customer.clone(), ending.code);
        prop_assert_eq!(found, &expected, "record {}: {}", index, import.records[index]);
        coverage.happened(format!("{}: {}", import.mode, ending.code.unwrap_or("success")));
        if let Some(field) = decider(ending, &import) {
            coverage.happened(format!("{} by {field}", import.mode));
        }
        if ending.code.is_none() {
            let customer = ending.customer.as_deref().expect("a success has a customer");
            let failed = ending.groups.iter().any(|group| outages.of_write(customer, group).is_some());
            prop_assert!(!failed, "record {} is a success without all of its memberships", index);
        }
    }
    prop_assert_eq!(run.endings.len(), endings.len());
    prop_assert_eq!(&run.memberships, &world.memberships);
    // What is asked for is what some record still undecided needs, no more and no less.
    let needed: BTreeSet<_> = endings.into_iter().flat_map(|ending| ending.reads).collect();
    prop_assert_eq!(run.asked, needed);
    Ok(())
}

/// The identifier that led a fuzzy record to its customer.
fn decider(ending: &Ending, import: &Import) -> Option<&'static str> {
    let fuzzy = import.mode.starts_with("fuzzy") && ending.customer.is_some();
    fuzzy.then(|| ending.reads.last().expect("a match was read").0)
}

/// Everything that can happen to records when the database fails with `outages`.
fn possible(outages: &[&str]) -> Vec<String> {
    let mut possible = Vec::new();
    for (mode, _) in draw::modes() {
        let fuzzy = mode.starts_with("fuzzy");
        let can = |code: &&str| match *code {
            "NOT_MATCHED" | "AMBIGUOUS" => mode != "off",
            // An ID is that of one customer: it leaves an exact record unambiguous, not undecidable.
            "CONFLICT" => mode == "exact",
            "STORE_ERROR" | "TIMEOUT" => outages.contains(code),
            _ => true,
        };
        let codes = CODES.iter().copied().filter(can).chain(["success"]);
        possible.extend(codes.map(|code| format!("{mode}: {code}")));
        let fields = ["unionid", "openid", "phone", "audienceUserId"].into_iter().filter(|_| fuzzy);
        possible.extend(fields.map(|field| format!("{mode} by {field}")));
    }
    possible
}

#[test]
fn every_record_ends_as_the_contract_says() {
    let coverage = Coverage::default();
    let cases = (draw::world(POOL, 40), Just(Outages::default()), draw::import(POOL, 1..40));
    check(many(), &cases, |case| agree(case, &coverage));
    coverage.is(possible(&[]));
}

#[test]
fn every_record_ends_as_the_contract_says_whatever_calls_fail() {
    let coverage = Coverage::default();
    let cases = (draw::world(POOL, 40), draw::outages(POOL), draw::import(POOL, 1..40));
    check(many(), &cases, |case| agree(case, &coverage));
    coverage.is(possible(&["STORE_ERROR", "TIMEOUT"]));
}

#[test]
fn the_order_of_the_records_changes_no_ending_and_no_membership() {
    let cases = (draw::world(POOL, 40), draw::outages(POOL), draw::import(POOL, 1..40));
    check(config(), &cases, |(world, outages, import)| {
        let there = run(&world, &outages, &import)?;
        let mut back = import.clone();
        back.records.reverse();
        let mut back = run(&world, &outages, &back)?;
        back.endings.reverse();
        prop_assert_eq!(back.endings, there.endings);
        prop_assert_eq!(back.memberships, there.memberships);
        prop_assert_eq!(back.asked, there.asked);
        Ok(())
    });
}
