//! Which monitored contracts a new one holds, and where: they say what it may be aimed at, and what to pause.

use crate::evidence::{Contained, Deployment, Place};
use crate::pipeline::contact::Contacts;

/// Each once, by the first of the places that it is in.
pub fn of(deployment: &Deployment, contacts: &Contacts) -> Vec<Contained> {
    let mut contained: Vec<Contained> = Vec::new();
    let mut add = |place: Place, found: Vec<u16>| {
        for index in found {
            let address = contacts.addresses()[usize::from(index)];
            // A contract of a monitored one's own is no threat to it by that.
            let is_itself = deployment.address == address;
            if !is_itself && contained.iter().all(|one| one.address != address) {
                contained.push(Contained {
                    contract: contacts.name(index),
                    address,
                    place,
                });
            }
        }
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
    let called = deployment.called.iter();
    let called = called.filter_map(|called| contacts.index(called));
    add(Place::Called, called.collect());
    contained
}
