//! Whose code an account runs in place of its own: a delegation (EIP-7702), or a minimal proxy (EIP-1167 and its kin).

use alloy_primitives::{Address, hex};

const DELEGATION: [u8; 3] = hex!("ef0100");
/// The code of minimal proxies before and after the address. They are compared as a whole: of code that only begins like one,
/// something else may run.
const PROXIES: [(&[u8], &[u8]); 5] = [
    // EIP-1167; what OpenZeppelin and Solady append as immutable arguments is no code that is reached.
    (
        &hex!("363d3d373d3d3d363d73"),
        &hex!("5af43d82803e903d91602b57fd5bf3"),
    ),
    // 0age's, which Solady uses.
    (
        &hex!("3d3d3d3d363d3d37363d73"),
        &hex!("5af43d3d93803e602a57fd5bf3"),
    ),
    // EIP-7511, and Solady's with PUSH0.
    (
        &hex!("365f5f375f5f365f73"),
        &hex!("5af43d5f5f3e5f3d91602a57fd5bf3"),
    ),
    (
        &hex!("5f5f365f5f37365f73"),
        &hex!("5af43d5f5f3e6029573d5ffd5b3d5ff3"),
    ),
    // Vyper's before 0.2.9.
    (
        &hex!("366000600037611000600036600073"),
        &hex!("5af4602c57600080fd5b6110006000f3"),
    ),
];
/// EIP-1167's for an address that begins with zeros: PUSHn for PUSH20, and a jump so much nearer.
const SHORT_HEAD: [u8; 9] = hex!("363d3d373d3d3d363d");
const SHORT_TAIL: [u8; 10] = hex!("5af43d82803e903d9160");
const SHORT_END: [u8; 4] = hex!("57fd5bf3");
const PUSH0: u8 = 0x5f;
const PUSH32: u8 = 0x7f;
const GAS: u8 = 0x5a;
const DELEGATECALL: u8 = 0xf4;
/// CREATE, CALL, CALLCODE, DELEGATECALL and CREATE2.
const ACTS: [u8; 5] = [0xf0, 0xf1, 0xf2, DELEGATECALL, 0xf5];
/// Bytes of code that has no room for more than to pass calls on.
const STUB: usize = 60;

/// The account that `code` delegates to, where it does nothing else.
pub fn implementation(code: &[u8]) -> Option<Address> {
    if let Some(delegate) = code.strip_prefix(&DELEGATION) {
        return (delegate.len() == 20).then(|| Address::from_slice(delegate));
    }
    let proxies = PROXIES.iter();
    let mut named = proxies.filter_map(|(head, tail)| {
        let (address, rest) = code.strip_prefix(*head)?.split_first_chunk::<20>()?;
        rest.starts_with(tail).then(|| Address::from(*address))
    });
    named
        .next()
        .or_else(|| shortened(code))
        .or_else(|| stub(code))
}

/// Whether anything in `code` calls with effect, creates, or runs other code.
pub fn acts(code: &[u8]) -> bool {
    instructions(code).any(|(opcode, _)| ACTS.contains(&opcode))
}

/// Whom code runs that is little more than one DELEGATECALL, whatever it has around it: the address is what is pushed right
/// before the gas.
fn stub(code: &[u8]) -> Option<Address> {
    if code.len() >= STUB {
        return None;
    }
    let mut acting = instructions(code).filter(|(opcode, _)| ACTS.contains(opcode));
    if acting.next()?.0 != DELEGATECALL || acting.next().is_some() {
        return None;
    }
    let before = instructions(code).take_while(|(opcode, _)| *opcode != DELEGATECALL);
    let before: Vec<_> = before.collect();
    let [.., (_, address), (gas, _)] = before.as_slice() else {
        return None;
    };
    let is_gas = *gas == GAS || (PUSH0..=PUSH32).contains(gas);
    let is_address = (12..=20).contains(&address.len());
    (is_gas && is_address).then(|| Address::left_padding_from(address))
}

/// Each with what it pushes. Nothing else can be reached: a jump into what is pushed fails, and one into metadata does not.
fn instructions(code: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = code;
    std::iter::from_fn(move || {
        let (opcode, after) = rest.split_first()?;
        let pushed = match *opcode {
            push @ PUSH0..=PUSH32 => usize::from(push - PUSH0).min(after.len()),
            _ => 0,
        };
        let (pushed, after) = after.split_at(pushed);
        rest = after;
        Some((*opcode, pushed))
    })
}

fn shortened(code: &[u8]) -> Option<Address> {
    let (push, rest) = code.strip_prefix(&SHORT_HEAD)?.split_first()?;
    let length = push.checked_sub(PUSH0).filter(|n| (12..20).contains(n))?;
    let (address, rest) = rest.split_at_checked(usize::from(length))?;
    let (jump, end) = rest.strip_prefix(&SHORT_TAIL)?.split_first()?;
    // 0x2b with all twenty bytes.
    let jumps = *jump == 0x17 + length && end.starts_with(&SHORT_END);
    jumps.then(|| Address::left_padding_from(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OTHER: Address = Address::repeat_byte(0xbe);

    fn of(head: &[u8], tail: &[u8]) -> Vec<u8> {
        [head, OTHER.as_slice(), tail].concat()
    }

    #[test]
    fn whose_code_a_clone_or_a_delegation_runs_is_in_its_own() {
        for (head, tail) in PROXIES {
            let code = of(head, tail);
            assert_eq!(implementation(&code), Some(OTHER), "{}", hex::encode(head));
            let with_arguments = [&code[..], &[0x5b, 0xff]].concat();
            assert_eq!(implementation(&with_arguments), Some(OTHER));
        }
        assert_eq!(implementation(&of(&DELEGATION, &[])), Some(OTHER));
        let push16 = [&SHORT_HEAD[..], &[0x6f], &[0x42; 16]].concat();
        let short = [&push16[..], &SHORT_TAIL, &[0x27], &SHORT_END].concat();
        assert_eq!(
            implementation(&short),
            Some(Address::left_padding_from(&[0x42; 16]))
        );
    }

    #[test]
    fn code_that_only_begins_like_a_clone_is_none() {
        for (head, tail) in PROXIES {
            for at in 0..tail.len() {
                // As long as code that does more.
                let mut code = [of(head, tail), vec![0; STUB]].concat();
                code[head.len() + 20 + at] ^= 1;
                assert_eq!(implementation(&code), None);
            }
            assert_eq!(implementation(&of(head, &[])), None);
        }
        assert_eq!(implementation(&of(&DELEGATION, &[0])), None);
        assert_eq!(implementation(&DELEGATION), None);
    }

    #[test]
    fn a_stub_leads_to_what_it_runs_however_it_is_written() {
        let clone = of(PROXIES[0].0, PROXIES[0].1);
        assert_eq!(implementation(&[&[0x5b][..], &clone].concat()), Some(OTHER));
        let stub = |address: &[u8], gas: &[u8], more: &[u8]| {
            let copies = hex!("365f5f375f5f365f");
            let push = [0x5f + address.len() as u8];
            [&copies[..], &push, address, gas, &[0xf4], more].concat()
        };
        let address = OTHER.as_slice();
        assert_eq!(implementation(&stub(address, &[GAS], &[])), Some(OTHER));
        assert_eq!(
            implementation(&stub(&[7; 18], &hex!("62ffffff"), &[0xf3])),
            Some(Address::left_padding_from(&[7; 18]))
        );
        // What is pushed is perhaps not whom it calls.
        assert_eq!(
            implementation(&stub(address, &[0x50, 0x54, GAS], &[])),
            None
        );
        assert_eq!(implementation(&stub(address, &[GAS], &[0xf1])), None);
        assert_eq!(implementation(&stub(address, &[GAS], &[0; STUB])), None);
    }

    #[test]
    fn what_is_pushed_does_nothing() {
        assert!(acts(&hex!("60f4f4")) && acts(&hex!("5f5ff0")));
        assert!(!acts(&hex!("61f4f1")) && !acts(&hex!("60f4")) && !acts(&[]));
    }

    proptest! {
        #[test]
        fn any_code_has_an_answer(head in 0..PROXIES.len() + 2, code in prop::collection::vec(any::<u8>(), 0..60)) {
            let heads = PROXIES.iter().map(|(head, _)| *head);
            let heads: Vec<_> = heads.chain([&SHORT_HEAD[..], &DELEGATION]).collect();
            implementation(&[heads[head], &code].concat());
            implementation(&code);
            acts(&code);
        }
    }
}
