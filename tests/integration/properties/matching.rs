//! Records resolved and settled by the crate's pure core, compared with the reference model.

use std::collections::BTreeSet;

use fastrand::Rng;
use group_import::request::Request;
use group_import::request::failure::{Failure, Outage};
use group_import::request::identifier::{Identifier, Identifiers};
use group_import::request::record::Record;
use group_import::resolution::customer::Outcome;
use group_import::resolution::lookup::{Customer, Found, Lookup, LookupResult};
use group_import::resolution::matching::Resolution;
use group_import::resolution::membership::WritePlan;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use serde_json::json;

use super::{Coverage, check, many};
use testing::model::draw::{self, Import};
use testing::model::request::IDENTIFIERS;
use testing::model::world::{CODES, Ending, MOST_LISTED, Outages, World};

const POOL: u32 = 6;

/// The result of an import by the core.
struct Run {
    /// For each record its customer, if any, and its code if it failed.
    endings: Vec<(Option<String>, Option<&'static str>)>,
    /// Every value that was looked up.
    looked_up: BTreeSet<(&'static str, String)>,
    memberships: BTreeSet<(String, String)>,
}

/// Runs the core as the function does, with lookups in memory instead of the database. `seed` determines how many
/// values a call takes, how many calls run at once, and in which order they end.
fn run(world: &World, outages: &Outages, import: &Import, seed: u64) -> Result<Run, TestCaseError> {
    let body = json!({"publicParams": import.params, "data": import.records}).to_string();
    let request = Request::parse(body.as_bytes(), import.records.len()).expect("an import");
    let matching = request.params.matching;
    let checked: Vec<_> = request.records.iter().map(|sent| sent.check(request.params)).collect();
    let valid: Vec<&Record<'_>> = checked.iter().filter_map(|record| record.as_ref().ok()).collect();

    let mut random = Rng::with_seed(seed);
    let (size, most_running) = (random.usize(1..10), random.usize(1..5));
    let (mut looked_up, mut put_back) = (BTreeSet::new(), BTreeSet::new());
    let identifiers = valid.iter().map(|record| &record.identifiers);
    let mut resolution = Resolution::new(matching, identifiers);
    let mut running: Vec<Lookup<'_>> = Vec::new();
    loop {
        while running.len() < most_running
            && let Some(lookup) = resolution.next_lookup(random.u8(..4) == 0, |_| size)
        {
            prop_assert!((1..=size).contains(&lookup.values.len()), "{} values", lookup.values.len());
            for value in &lookup.values {
                let value = (lookup.identifier.field(), value.to_string());
                let again = put_back.contains(&value);
                prop_assert!(!again || lookup.values.len() == 1, "{value:?} is not looked up alone");
                prop_assert!(looked_up.insert(value) != again, "{:?} is looked up twice", lookup.values);
            }
            running.push(lookup);
        }
        if running.is_empty() {
            break;
        }
        let lookup = running.swap_remove(random.usize(..running.len()));
        if random.u8(..8) == 0 {
            let values = lookup.values.iter();
            put_back.extend(values.map(|value| (lookup.identifier.field(), value.to_string())));
            resolution.put_back(lookup);
            continue;
        }
        let results =
            lookup.values.iter().map(|value| look_up(world, outages, import.tenant, &lookup, value));
        let results = results.collect();
        resolution.learn(lookup, results);
    }
    let outcomes: Vec<Outcome> = resolution.outcomes().collect();

    let plan = WritePlan::new(outcomes.iter().zip(valid.iter().map(|record| &record.groups)));
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
        written.push(outage.map_or(Ok(()), |code| Err(outage_from(code))));
    }

    let mut settled = outcomes.iter().zip(plan.settle(&written));
    let endings = checked.iter().map(|record| match record {
        Ok(_) => {
            let (outcome, end) = settled.next().expect("one end for each valid record");
            (outcome.as_ref().ok().map(|matched| matched.customer.clone()), end.err().map(Failure::code))
        }
        Err(failure) => (None, Some(failure.code())),
    });
    Ok(Run { endings: endings.collect(), looked_up, memberships })
}

fn look_up(world: &World, outages: &Outages, tenant: &str, lookup: &Lookup<'_>, value: &str) -> LookupResult {
    let identifier = lookup.identifier;
    if let Some(code) = outages.of_look_up(identifier.field(), value) {
        return Err(outage_from(code));
    }
    let customers = world.customers.iter().filter(|customer| customer.tenant == tenant);
    let found = customers.filter(|customer| customer.has(identifier.field(), value));
    if identifier != Identifier::AudienceUserId {
        return Ok(Found::listed(found.map(|customer| customer.id.clone()).collect(), lookup.most));
    }
    let customers = found.map(|customer| {
        let mut identifiers = Identifiers::default();
        for identifier in Identifier::ALL {
            identifiers.set(identifier, customer.attributes.get(identifier.field()).cloned().map(Into::into));
        }
        let identifiers = lookup.with_identifiers.then(|| Box::new(identifiers));
        Customer { id: customer.id.clone(), identifiers }
    });
    Ok(Found::Customers(customers.collect()))
}

fn outage_from(code: &str) -> Outage {
    if code == "TIMEOUT" { Outage::Timeout } else { Outage::StoreError }
}

/// Compares a run with the reference model, and counts the events.
fn agree(
    (mut world, outages, import, seed): (World, Outages, Import, u64),
    coverage: &Coverage,
) -> TestCaseResult {
    let run = run(&world, &outages, &import, seed)?;
    let endings = world.import_through(&outages, import.tenant, &import.params, &import.records);
    for (index, (ending, found)) in endings.iter().zip(&run.endings).enumerate() {
        let expected = (ending.customer.clone(), ending.code);
        prop_assert_eq!(found, &expected, "record {}: {}", index, import.records[index]);
        coverage.happened(format!("{}: {}", import.mode, ending.code.unwrap_or("success")));
        if let Some(field) = deciding_field(ending, &import) {
            coverage.happened(format!("{} by {field}", import.mode));
        }
    }
    prop_assert_eq!(run.endings.len(), endings.len());
    prop_assert_eq!(&run.memberships, &world.memberships);
    // Exactly the values that an undecided record needs are looked up, and the customers that must be compared.
    let needed: BTreeSet<_> = endings.into_iter().flat_map(|ending| ending.reads).collect();
    prop_assert!(run.looked_up.is_superset(&needed), "{:?} of {:?}", run.looked_up, needed);
    for (field, value) in run.looked_up.difference(&needed) {
        let is_candidate = import.mode == "exact" && *field == "audienceUserId" && has_unlisted(&world);
        prop_assert!(is_candidate, "{field} {value} is not needed");
    }
    // No record names one of the crowd.
    if run.looked_up.iter().any(|(field, value)| *field == "audienceUserId" && value.starts_with('x')) {
        coverage.happened("a candidate is compared");
    }
    Ok(())
}

/// Whether an identifier has more customers than are listed: all have identifiers of number 0.
fn has_unlisted(world: &World) -> bool {
    world.customers.iter().filter(|customer| customer.id.starts_with('x')).count() + 40 > MOST_LISTED
}

/// The identifier that matched a fuzzy record to its customer.
fn deciding_field(ending: &Ending, import: &Import) -> Option<&'static str> {
    let fuzzy = import.mode.starts_with("fuzzy") && ending.customer.is_some();
    fuzzy.then(|| ending.reads.last().expect("a match has a lookup").0)
}

/// Every event of records.
fn possible() -> Vec<String> {
    let mut possible = vec!["a candidate is compared".to_owned()];
    for (mode, _) in draw::modes() {
        let fuzzy = mode.starts_with("fuzzy");
        let can = |code: &&str| match *code {
            "NOT_MATCHED" | "AMBIGUOUS" => mode != "off",
            // An ID belongs to one customer: an exact record with an ID cannot be ambiguous, but can conflict.
            "CONFLICT" => mode == "exact",
            _ => true,
        };
        let codes = CODES.iter().copied().filter(can).chain(["success"]);
        possible.extend(codes.map(|code| format!("{mode}: {code}")));
        let fields = IDENTIFIERS.into_iter().filter(|_| fuzzy);
        possible.extend(fields.map(|field| format!("{mode} by {field}")));
    }
    possible
}

#[test]
fn records_match_the_reference_model() {
    let coverage = Coverage::default();
    let worlds = prop_oneof![2 => draw::world(POOL, 40), 1 => draw::crowded_world(POOL, 20)];
    let outages = prop_oneof![Just(Outages::default()), draw::outages(POOL)];
    let cases = (worlds, outages, draw::import(POOL, 1..40), any::<u64>());
    // Enough for the rarest result, an ambiguous exact match.
    check(many(12), &cases, |case| agree(case, &coverage));
    coverage.is(possible());
}
