//! Random customers and records, drawn from pools so small that matches, conflicts and ambiguities
//! all happen often.
//!
//! Customer number 3 has the identifiers `c3`, `u3`, `o3` and `13800000003`, unless it lacks one or
//! has that of another number; a record about number 3 likewise.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::request::{FIELDS, IDENTIFIERS};
use super::world::{Customer, Outages, World};

/// The identifiers besides the ID.
const ATTRIBUTES: [&str; IDENTIFIERS.len() - 1] = {
    let [_, attributes @ ..] = IDENTIFIERS;
    attributes
};

/// The tenants of every world.
pub const TENANTS: [&str; 2] = ["t1", "t2"];

/// Every setting of `publicParams`, without `optType`: its name, and its JSON.
pub fn modes() -> [(&'static str, Value); 4] {
    [
        ("off", json!({"isMatching": false})),
        ("exact", json!({"isMatching": true, "matchingType": 1})),
        ("fuzzy 1", json!({"isMatching": true, "matchingType": 2, "identifyWay": 1})),
        ("fuzzy 2", json!({"isMatching": true, "matchingType": 2, "identifyWay": 2})),
    ]
}

/// An import: its tenant, its parameters and its records.
#[derive(Clone, Debug)]
pub struct Import {
    pub tenant: &'static str,
    /// Which of [`modes`].
    pub mode: &'static str,
    pub params: Value,
    pub records: Vec<Value>,
}

/// Imports of any tenant and mode, about numbers below `pool`.
pub fn import(pool: u32, records: std::ops::Range<usize>) -> impl Strategy<Value = Import> {
    let params = (select(modes().to_vec()), select(vec!["add", "delete"]), any::<bool>());
    let import = (params, select(TENANTS.to_vec()), vec(record(pool), records));
    import.prop_map(|(((mode, mut params), opt_type, as_doubles), tenant, records)| {
        params["optType"] = opt_type.into();
        for number in ["matchingType", "identifyWay"] {
            if let (true, Some(value)) = (as_doubles, params[number].as_f64()) {
                params[number] = value.into();
            }
        }
        Import { tenant, mode, params, records }
    })
}

/// Worlds of up to `most` customers numbered below `pool`, with some memberships, and at times with a crowd.
pub fn world(pool: u32, most: usize) -> impl Strategy<Value = World> {
    let crowds = prop_oneof![4 => Just(Vec::new()), 1 => crowd(vec![98, 100, 101])];
    world_with(crowds, pool, most)
}

/// Like [`world`], with a crowd of up to thousands of customers.
pub fn crowded_world(pool: u32, most: usize) -> impl Strategy<Value = World> {
    world_with(crowd(vec![1, 2, 99, 100, 101, 3_000]), pool, most)
}

/// Customers who share identifiers of number 0, of one of these sizes.
fn crowd(sizes: Vec<u32>) -> impl Strategy<Value = Vec<Customer>> {
    (select(TENANTS.to_vec()), select(sizes), any::<[bool; ATTRIBUTES.len()]>()).prop_map(
        |(tenant, size, shared)| {
            let shared = ATTRIBUTES.iter().zip(shared).filter(|(_, is_shared)| *is_shared);
            let attributes: BTreeMap<_, _> =
                shared.map(|(field, _)| (*field, identifier(field, 0))).collect();
            let member = |number| Customer {
                attributes: attributes.clone(),
                ..Customer::new(tenant, &format!("x{number}"))
            };
            (0..size).map(member).collect()
        },
    )
}

fn world_with(
    crowd: impl Strategy<Value = Vec<Customer>>,
    pool: u32,
    most: usize,
) -> impl Strategy<Value = World> {
    let memberships = vec((select(TENANTS.to_vec()), 0..pool, 0..GROUPS), 0..most);
    (vec(customer(pool), 0..most), memberships, crowd).prop_map(|(drawn, memberships, crowd)| {
        let mut world = World::default();
        for customer in drawn {
            let is_this = |other: &Customer| (&other.tenant, &other.id) == (&customer.tenant, &customer.id);
            if !world.customers.iter().any(is_this) {
                world.customers.push(customer);
            }
        }
        world.customers.extend(crowd);
        for (tenant, number, group) in memberships {
            world.memberships.insert((format!("{tenant}#c{number}"), group_name(group)));
        }
        world
    })
}

/// Any number of outages of look-ups and writes about numbers below `pool`.
pub fn outages(pool: u32) -> impl Strategy<Value = Outages> {
    let code = || select(vec!["STORE_ERROR", "TIMEOUT"]);
    let look_up = (select(IDENTIFIERS.to_vec()), 0..pool, code())
        .prop_map(|(field, number, code)| (field, identifier(field, number), code));
    let write = (0..pool, 0..GROUPS, code())
        .prop_map(|(number, group, code)| (identifier("audienceUserId", number), group_name(group), code));
    (vec(look_up, 0..8), vec(write, 0..8)).prop_map(|(look_ups, writes)| Outages { look_ups, writes })
}

/// The value of an identifier: none, that of its own number, or that of another.
/// Number 0 is popular: its customers fill more than a page of a response.
fn choice(pool: u32) -> impl Strategy<Value = Option<Option<u32>>> {
    prop_oneof![
        3 => Just(None),
        5 => Just(Some(None)),
        1 => (0..pool).prop_map(|other| Some(Some(other))),
        1 => Just(Some(Some(0))),
    ]
}

fn customer(pool: u32) -> impl Strategy<Value = Customer> {
    // One person may be two customers, which share what identifies the person.
    let person = prop_oneof![2 => Just(None), 1 => (0..pool).prop_map(Some)];
    let choices = ATTRIBUTES.map(|_| choice(pool));
    (select(TENANTS.to_vec()), 0..pool, person, choices).prop_map(|(tenant, number, person, choices)| {
        let mut customer = Customer::new(tenant, &identifier("audienceUserId", number));
        for (field, choice) in ATTRIBUTES.into_iter().zip(choices) {
            let number = choice.map(|other| other.or(person).unwrap_or(number));
            customer.attributes.extend(number.map(|number| (field, identifier(field, number))));
        }
        customer
    })
}

/// The identifier of this number, in the form stored in the table.
fn identifier(field: &str, number: u32) -> String {
    match field {
        "audienceUserId" => format!("c{number}"),
        "phone" => format!("138{number:08}"),
        _ => format!("{}{number}", &field[..1]),
    }
}

fn record(pool: u32) -> impl Strategy<Value = Value> {
    let fields = IDENTIFIERS.map(|field| sent_identifier(field, pool));
    // With a single identifier a record is matched more often, and more often ambiguous.
    let only = prop_oneof![2 => Just(None), 1 => select(IDENTIFIERS.to_vec()).prop_map(Some)];
    (0..pool, only, fields, groups(), misnamed()).prop_map(|(number, only, identifiers, groups, misnamed)| {
        let mut record = Map::new();
        for (field, sent) in IDENTIFIERS.into_iter().zip(identifiers) {
            match sent {
                _ if only.is_some_and(|only| only != field) => {}
                Sent::Absent => {}
                Sent::As(value) => drop(record.insert(field.to_owned(), value)),
                Sent::Number { number: other, before, form, after } => {
                    let value = form(&identifier(field, other.unwrap_or(number)));
                    record.insert(field.to_owned(), format!("{before}{value}{after}").into());
                }
            }
        }
        if let Some(groups) = groups {
            record.insert("groups".to_owned(), groups);
        }
        if let Some((field, variant, value)) = misnamed {
            let value = value.or_else(|| record.remove(field)).unwrap_or_default();
            record.insert(variant, value);
        }
        Value::Object(record)
    })
}

/// Rarely a field, a variant of its name, and the variant's value; `None` moves that of the field.
fn misnamed() -> impl Strategy<Value = Option<(&'static str, String, Option<Value>)>> {
    let variants: Vec<fn(&str) -> String> =
        vec![|name| name.to_uppercase(), |name| format!("{}-{}_", &name[..1], &name[1..])];
    let values =
        vec![None, None, None, Some(json!(null)), Some(json!("\u{200b} ")), Some(json!(7)), Some(json!("x"))];
    let drawn = (select(FIELDS.to_vec()), select(variants), select(values))
        .prop_map(|(field, variant, value)| Some((field, variant(field), value)));
    prop_oneof![14 => Just(None), 1 => drawn]
}

#[derive(Clone, Debug)]
enum Sent {
    Absent,
    /// The identifier of a number, the record's own if `None`, as it is typed or pasted.
    Number {
        number: Option<u32>,
        before: &'static str,
        form: fn(&str) -> String,
        after: &'static str,
    },
    As(Value),
}

fn sent_identifier(field: &'static str, pool: u32) -> BoxedStrategy<Sent> {
    let as_is: fn(&str) -> String = str::to_owned;
    let full_width =
        |phone: &str| phone.chars().map(|digit| char::from_u32(digit as u32 + 0xfee0).unwrap()).collect();
    let dashed = |phone: &str| phone.replacen("138", "138\u{2011}", 1).replace("00", "0\u{a0}0");
    let (before, forms, after) = match field {
        "phone" => (
            vec!["", "", " ", "+86", "0086", "86", "(+86) ", " 8-6 ", "\u{202a}\u{ff0b}86"],
            vec![as_is, as_is, as_is, full_width, dashed],
            vec!["", "", " ", "\r\n", ".0", "\u{202c}"],
        ),
        _ => (
            vec!["", "", "", " ", "\u{3000}\t", "\u{feff}"],
            vec![as_is],
            vec!["", "", " ", "\r\n", "\u{200b} "],
        ),
    };
    let decorated = (choice(pool), select(before), select(forms), select(after)).prop_map(
        |(choice, before, form, after)| {
            choice.map_or(Sent::Absent, |number| Sent::Number { number, before, form, after })
        },
    );
    let blank = vec![json!(null), json!(""), json!(" \u{2003}\n"), json!("\u{200b}\u{feff} \u{2060}")];
    let blank = select(blank).prop_map(Sent::As);
    let longest = select(vec![json!("x".repeat(1024)), json!(" ".to_owned() + &"é".repeat(512))]);
    prop_oneof![60 => decorated, 6 => blank, 1 => invalid().prop_map(Sent::As), 1 => longest.prop_map(Sent::As)]
        .boxed()
}

/// Invalid values of an identifier: not a string, too long, or with a character that it may not have.
fn invalid() -> impl Strategy<Value = Value> {
    let texts =
        ["1\u{0}2", "1\t2", "\u{1f}1", "1\u{7f}", "1 \u{1c}", "1\u{fffd}", "\u{fffd}"].map(Value::from);
    let mut values = vec![json!(7), json!(true), json!([]), json!({"a": "b"}), json!("x".repeat(1025))];
    values.extend(texts);
    select(values)
}

const GROUPS: u32 = 5;

fn group_name(number: u32) -> String {
    ["vip", "新客", "g 3", "四", "e"][number as usize].to_owned()
}

fn groups() -> impl Strategy<Value = Option<Value>> {
    let separator = select(vec![",", ",", " , ", ",,", ",\u{3000}", "\u{200b},\u{feff}"]);
    let names = vec((0..GROUPS, separator), 1..5).prop_map(|names| {
        let joined: String =
            names.into_iter().map(|(number, separator)| group_name(number) + separator).collect();
        Some(joined.into())
    });
    let hundred: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let odd = vec![
        None,
        Some(json!(null)),
        Some(json!(" ,\t,, ")),
        Some(json!("\u{200b},\u{feff}")),
        Some(json!("vip,\u{fffd}")),
        Some(json!(["vip"])),
        Some(json!("n".repeat(256))),
        Some(json!("vip,\ta\u{1}b")),
        Some(json!("vip\u{7f}")),
        Some(json!("vip,".to_owned() + &"n".repeat(257))),
        Some(json!(hundred.join(",") + ",7, 8")),
        Some(json!(hundred.join(",") + ",100")),
    ];
    prop_oneof![40 => names, 4 => select(odd)]
}
