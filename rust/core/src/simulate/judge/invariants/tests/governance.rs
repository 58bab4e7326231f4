use super::assembler::*;
use super::*;
use crate::config::MonitoredContract;

const TOKEN: Address = Address::repeat_byte(0x70);
const BANK: Address = Address::repeat_byte(0xba);
const GOVERNOR: Address = Address::repeat_byte(0x60);
const ATTACK: Address = Address::repeat_byte(0xaa);

/// `before` and `meanwhile` are what the borrower does before it borrows votes, and while it has them.
fn judged(before: Asm, meanwhile: Asm) -> Vec<Violation> {
    let mut world = World::new();
    world.place(TOKEN, token());
    world.place(BANK, bank(TOKEN));
    let execute = store(word(7), arg(0));
    world.place(
        GOVERNOR,
        contract(&[("execute(uint256)", execute)], nothing()),
    );
    let attack = before.then(call(account(BANK), "flash(uint256)", &[word(500)]));
    let repay = call(
        account(TOKEN),
        "transfer(address,uint256)",
        &[account(BANK), word(500)],
    );
    let borrowed = meanwhile.then(repay);
    world.place(
        ATTACK,
        contract(&[("attack()", attack), ("borrowed()", borrowed)], nothing()),
    );
    let banks = U256::from_be_slice(BANK.as_slice());
    world.store(TOKEN, banks, U256::from(1_000));
    let contract = MonitoredContract {
        name: "Governor".into(),
        address: GOVERNOR,
        ..MonitoredContract::default()
    };
    world.judge(MALLORY, ATTACK, 0, encode("attack()", &[]), contract)
}

fn execute() -> Asm {
    call(account(GOVERNOR), "execute(uint256)", &[word(3)])
}

#[test]
fn a_proposal_carried_out_with_borrowed_votes_alarms() {
    let found = judged(nothing(), execute());
    let governance = named(&found, "governance").expect("fires");
    assert!(judge(&found).alarm);
    assert!(
        governance.explanation.contains("500 units"),
        "{}",
        governance.explanation
    );
}

#[test]
fn a_proposal_carried_out_before_anything_is_borrowed_is_silent() {
    assert_eq!(judged(execute(), nothing()), []);
}

#[test]
fn borrowing_without_a_proposal_is_silent() {
    assert_eq!(judged(nothing(), nothing()), []);
}
