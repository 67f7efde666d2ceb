//! The customers and memberships that exist when an event arrives.

use testing::model::world::{Customer, World};

/// The valid token of the events, and its tenant.
pub const TOKEN: &str = "demo-token";
pub const TENANT: &str = "demo";

/// The initial customers and memberships, including those that the events in `events/` name.
pub fn world() -> World {
    let customer = |tenant: &str, id: &str, unionid: &str, openid: &str, phone: &str| {
        let given = [("unionid", unionid), ("openid", openid), ("phone", phone)].into_iter();
        let attributes = given.filter(|(_, value)| !value.is_empty());
        let attributes = attributes.map(|(field, value)| (field, value.to_owned())).collect();
        Customer { attributes, ..Customer::new(tenant, id) }
    };
    let mut customers = vec![
        customer(TENANT, "c0001", "u0001", "o0001", "13800000001"),
        customer(TENANT, "c0002", "u0002", "", "13800000002"),
        customer(TENANT, "c0003", "u0003", "o0003", ""),
        customer(TENANT, "c0101", "", "o0101", "13800000101"),
        customer(TENANT, "c0102", "", "o0102", "13800000101"),
        customer(TENANT, "c0105", "", "", ""),
        customer("rival", "r0001", "u0009", "o0001", "13800000001"),
        customer("rival", "c0001", "u0001", "o0009", ""),
    ];
    // More than fit into a page.
    customers.extend((1..=12).map(|number| customer(TENANT, &format!("p{number}"), "u", "", "")));
    let memberships = [("c0001", "spring"), ("c0002", "vip"), ("c0003", "spring")];
    let memberships = memberships.map(|(id, group)| (format!("{TENANT}#{id}"), group.to_owned()));
    World { customers, memberships: memberships.into() }
}
