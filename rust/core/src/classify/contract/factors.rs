//! What moved a contract's score, in words: features by the thing that they are about.

use crate::bytecode::contract::{self, Anatomy, HASHED, NAMES, OFFERED};
use crate::bytecode::op;
use crate::bytecode::roles::Roles;
use std::ops::Range;
use std::sync::LazyLock;

/// What people are told; each feature is in one of these.
pub const GROUPS: [&str; 13] = [
    "opcode_sequences",
    "functions_called",
    "functions_offered",
    "flash_loans",
    "hard_coded_addresses",
    "round_amounts",
    "caller_gates",
    "storage_and_events",
    "errors",
    "size",
    "metadata_missing",
    "calls_per_function",
    "operations",
];

const SEQUENCES: usize = 0;
const FUNCTIONS_CALLED: usize = 1;
const FUNCTIONS_OFFERED: usize = 2;

/// By the beginning of a feature's name, the first that fits; what nothing fits is of the last group.
const BEGINNINGS: [(&str, usize); 30] = [
    ("calls_flash", 3),
    ("calls_to_flash", 3),
    ("offers_flash", 3),
    ("offers_callback", 3),
    ("callbacks_of_all", 3),
    ("function_addresses", 4),
    ("addresses", 4),
    ("each_address", 4),
    ("rate_push20", 4),
    ("function_amounts", 5),
    ("amounts", 5),
    ("gates", 6),
    ("rate_caller", 6),
    ("rate_origin", 6),
    ("each_sstore", 7),
    ("each_sload", 7),
    ("each_log", 7),
    ("rate_sload", 7),
    ("rate_sstore", 7),
    ("rate_log", 7),
    ("errors", 8),
    ("function_errors", 8),
    ("size", 9),
    ("function_instructions", 9),
    ("metadata", 10),
    ("functions_offered", FUNCTIONS_OFFERED),
    ("offers", FUNCTIONS_OFFERED),
    ("functions_call", FUNCTIONS_CALLED),
    ("calls_", FUNCTIONS_CALLED),
    ("function_", 11),
];

/// Of each named feature.
static GROUP_OF: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let group = |name: &&str| {
        let mut fits = BEGINNINGS
            .iter()
            .filter(|(start, _)| name.starts_with(start));
        fits.next().map_or(GROUPS.len() - 1, |(_, group)| *group)
    };
    NAMES.iter().map(group).collect()
});

/// Gives a row the baseline's values of one group's features; hashed ones become 0.
pub fn without(group: usize, row: &mut [f32], baseline: &[f32]) {
    let hashed: Range<usize> = match group {
        SEQUENCES => 0..contract::SEQUENCES,
        FUNCTIONS_CALLED => contract::SEQUENCES..HASHED - OFFERED,
        FUNCTIONS_OFFERED => HASHED - OFFERED..HASHED,
        _ => 0..0,
    };
    row[hashed].fill(0.0);
    let named = row[HASHED..].iter_mut().zip(baseline);
    for ((value, usual), of) in named.zip(GROUP_OF.iter()) {
        if *of == group {
            *value = *usual;
        }
    }
}

/// A number that says how much of it there is.
pub fn value(group: usize, anatomy: &Anatomy) -> f32 {
    let count =
        |opcodes: &[u8]| -> u32 { opcodes.iter().map(|opcode| anatomy.count(*opcode)).sum() };
    let calls = count(&[op::CALL, op::STATICCALL, op::DELEGATECALL, op::CALLCODE]);
    match GROUPS[group] {
        "functions_called" => anatomy.called.len() as f32,
        "functions_offered" => anatomy.offered.len() as f32,
        "flash_loans" => {
            let selectors = anatomy.called.iter().chain(&anatomy.offered);
            let of_loans = selectors
                .map(|selector| Roles::of(*selector))
                .filter(|roles| roles.has(Roles::FLASH_LOAN) || roles.has(Roles::FLASH_CALLBACK));
            of_loans.count() as f32
        }
        "hard_coded_addresses" => anatomy.addresses.len() as f32,
        "round_amounts" => (anatomy.amounts.whole + anatomy.amounts.thousandths) as f32,
        "caller_gates" => {
            let gates = &anatomy.gates;
            (gates.fixed + gates.stored + gates.signer + gates.other) as f32
        }
        "storage_and_events" => {
            count(&[op::SSTORE, op::SLOAD, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4]) as f32
        }
        "errors" => (anatomy.error_sites + anatomy.panic_sites) as f32,
        "metadata_missing" => f32::from(u8::from(!anatomy.metadata)),
        "calls_per_function" => calls as f32 / anatomy.offered.len().max(1) as f32,
        // Of the others bytes are as good as any.
        _ => anatomy.size as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_features_and_no_beginning_is_in_vain() {
        for (group, name) in GROUPS.iter().enumerate().skip(SEQUENCES + 1) {
            assert!(GROUP_OF.contains(&group), "{name}");
        }
        for (start, _) in BEGINNINGS {
            assert!(NAMES.iter().any(|name| name.starts_with(start)), "{start}");
        }
        let of = |name| GROUPS[GROUP_OF[NAMES.iter().position(|other| *other == name).unwrap()]];
        assert_eq!(of("calls_flash_loan"), "flash_loans");
        assert_eq!(of("calls_market"), "functions_called");
        assert_eq!(of("function_calls"), "calls_per_function");
        assert_eq!(of("rate_exponent"), "operations");
    }

    #[test]
    fn a_group_is_taken_out_and_nothing_else() {
        let width = HASHED + NAMES.len();
        let baseline = vec![7.0; NAMES.len()];
        let mut changed = vec![0; width];
        for group in 0..GROUPS.len() {
            let mut row = vec![1.0; width];
            without(group, &mut row, &baseline);
            let differs = row.iter().map(|value| usize::from(*value != 1.0));
            changed
                .iter_mut()
                .zip(differs)
                .for_each(|(sum, one)| *sum += one);
        }
        assert!(changed.iter().all(|times| *times == 1));
    }
}
