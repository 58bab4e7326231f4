//! Which monitored contracts a new one holds, and where: they say what it may be aimed at, and what to pause.

use super::named::Named;
use crate::evidence::{Contained, Deployment, Place};
use crate::pipeline::contact::Contacts;
use alloy_primitives::Address;

/// Each once, by the first of the places that it is in.
pub fn of(deployment: &Deployment, contacts: &Contacts, named: &Named) -> Vec<Contained> {
    let mut contained: Vec<Contained> = Vec::new();
    let mut add = |place, found: Vec<u16>| {
        let found = found.into_iter();
        let addresses = found.map(|index| contacts.addresses()[usize::from(index)]);
        put(
            &mut contained,
            &deployment.address,
            contacts,
            place,
            addresses,
        );
    };
    add(Place::Code, contacts.in_bytes(&deployment.code));
    if let Some(runs) = &deployment.runs {
        add(Place::Code, contacts.in_bytes(&runs.code));
    }
    // What the code has is not among the arguments any more.
    add(Place::Arguments, contacts.in_bytes(&deployment.init_code));
    let stored = deployment.stored.iter();
    let stored: Vec<u8> = stored
        .flat_map(|(_, value)| value.to_be_bytes::<32>())
        .collect();
    add(Place::Storage, contacts.in_bytes(&stored));
    add_named(&mut contained, &deployment.address, contacts, named);
    let called = deployment.called.iter().copied();
    put(
        &mut contained,
        &deployment.address,
        contacts,
        Place::Called,
        called,
    );
    contained
}

/// What a block tells that it keeps in storage.
pub fn add_named(
    contained: &mut Vec<Contained>,
    account: &Address,
    contacts: &Contacts,
    named: &Named,
) {
    put(
        contained,
        account,
        contacts,
        Place::Storage,
        named.of(account),
    );
}

/// Those that are monitored, and that `contained` has not yet.
fn put(
    contained: &mut Vec<Contained>,
    account: &Address,
    contacts: &Contacts,
    place: Place,
    addresses: impl Iterator<Item = Address>,
) {
    for address in addresses {
        let Some(index) = contacts.index(&address) else {
            continue;
        };
        // A monitored contract is no threat to itself by its address.
        if address != *account && contained.iter().all(|one| one.address != address) {
            contained.push(Contained {
                contract: contacts.name(index),
                address,
                place,
            });
        }
    }
}
