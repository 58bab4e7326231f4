//! Runtime code of small contracts, put together from expressions that leave one word and statements that leave none.

use super::{Address, U256, selector};
use revm::bytecode::opcode::*;

#[derive(Debug, Clone, Default)]
pub struct Asm(Vec<u8>);

/// Where calls leave what they are answered.
const ANSWER: u64 = 0x400;

impl Asm {
    fn op(mut self, ops: &[u8]) -> Self {
        self.0.extend_from_slice(ops);
        self
    }

    fn push(self, word: U256) -> Self {
        self.op(&[PUSH32]).op(&word.to_be_bytes::<32>())
    }

    pub fn then(self, next: Self) -> Self {
        self.op(&next.0)
    }
}

pub fn nothing() -> Asm {
    Asm::default()
}

// Expressions.

pub fn word(value: u64) -> Asm {
    wide(U256::from(value))
}

pub fn wide(value: U256) -> Asm {
    nothing().push(value)
}

pub fn account(address: Address) -> Asm {
    wide(U256::from_be_slice(address.as_slice()))
}

/// The same without the zeros that it begins with, as compilers write a constant.
pub fn short(address: Address) -> Asm {
    let zeros = address.iter().take_while(|byte| **byte == 0).count();
    let rest = &address[zeros..];
    let bytes = u8::try_from(rest.len()).expect("at most 20");
    nothing().op(&[PUSH0 + bytes]).op(rest)
}

/// The n-th argument.
pub fn arg(n: usize) -> Asm {
    wide(U256::from(4 + 32 * n)).op(&[CALLDATALOAD])
}

pub fn caller() -> Asm {
    nothing().op(&[CALLER])
}

/// Wei that came with this call.
pub fn paid() -> Asm {
    nothing().op(&[CALLVALUE])
}

pub fn myself() -> Asm {
    nothing().op(&[ADDRESS])
}

/// Wei that this contract has.
pub fn own_balance() -> Asm {
    nothing().op(&[SELFBALANCE])
}

pub fn load(slot: Asm) -> Asm {
    slot.op(&[SLOAD])
}

/// The slot of a key in a mapping at a place.
pub fn entry(key: Asm, place: Asm) -> Asm {
    // The place may be a mapping's own, which is hashed in the same memory.
    place.then(key).op(&[
        PUSH0, MSTORE, PUSH1, 32, MSTORE, PUSH1, 64, PUSH0, KECCAK256,
    ])
}

/// Creates a contract with the code of another, of which it must be the first use of memory.
pub fn copy_of(template: Address, length: usize) -> Asm {
    let length = (length as u16).to_be_bytes();
    let mut init = vec![PUSH2, length[0], length[1], PUSH0, PUSH0, PUSH20];
    init.extend(template.as_slice());
    init.extend([EXTCODECOPY, PUSH2, length[0], length[1], PUSH0, RETURN]);
    wide(U256::from_be_slice(&init)).op(&[PUSH0, MSTORE, PUSH1, 32, PUSH0, PUSH0, CREATE])
}

/// Who signed a message: `ecrecover(message, v, r, s)`.
pub fn signer(message: Asm, v: Asm, r: Asm, s: Asm) -> Asm {
    let mut code = nothing();
    for (n, word) in (0_u64..).zip([message, v, r, s]) {
        code = code.then(word).push(U256::from(32 * n)).op(&[MSTORE]);
    }
    code.op(&[PUSH1, 32])
        .push(U256::from(ANSWER))
        .op(&[PUSH1, 128, PUSH0, PUSH1, 1, GAS, STATICCALL])
        .then(or_revert())
        .then(answer())
}

pub fn add(a: Asm, b: Asm) -> Asm {
    a.then(b).op(&[ADD])
}

pub fn sub(a: Asm, b: Asm) -> Asm {
    b.then(a).op(&[SUB])
}

pub fn mul(a: Asm, b: Asm) -> Asm {
    a.then(b).op(&[MUL])
}

pub fn div(a: Asm, b: Asm) -> Asm {
    b.then(a).op(&[DIV])
}

/// What the last call was answered: its first word.
pub fn answer() -> Asm {
    word(ANSWER).op(&[MLOAD])
}

// Statements.

pub fn store(slot: Asm, value: Asm) -> Asm {
    value.then(slot).op(&[SSTORE])
}

/// Reverts where the called one does.
pub fn call(to: Asm, signature: &str, arguments: &[Asm]) -> Asm {
    call_paying(to, word(0), signature, arguments)
}

pub fn call_paying(to: Asm, wei: Asm, signature: &str, arguments: &[Asm]) -> Asm {
    asked(signature, arguments)
        .then(wei)
        .then(to)
        .op(&[GAS, CALL])
        .then(or_revert())
}

pub fn ask(to: Asm, signature: &str, arguments: &[Asm]) -> Asm {
    asked(signature, arguments)
        .then(to)
        .op(&[GAS, STATICCALL])
        .then(or_revert())
}

/// Runs the code of another as this contract's own.
pub fn delegate(to: Asm, signature: &str) -> Asm {
    // Whose code it is may be hashed for, where the calldata is to stand.
    let kept = ANSWER + 32;
    to.then(word(kept))
        .op(&[MSTORE])
        .then(asked(signature, &[]))
        .then(word(kept))
        .op(&[MLOAD, GAS, DELEGATECALL])
        .then(or_revert())
}

/// Plain ether.
pub fn pay(to: Asm, wei: Asm) -> Asm {
    nothing()
        .op(&[PUSH0, PUSH0, PUSH0, PUSH0])
        .then(wei)
        .then(to)
        .op(&[GAS, CALL])
        .then(or_revert())
}

/// Calls with calldata given whole: what stands in this call's own, from a byte on, `length` bytes.
pub fn forward(to: Asm, from: usize, length: usize) -> Asm {
    wide(U256::from(length))
        .push(U256::from(from))
        .op(&[PUSH0, CALLDATACOPY, PUSH0, PUSH0])
        .push(U256::from(length))
        .op(&[PUSH0, PUSH0])
        .then(to)
        .op(&[GAS, CALL])
        .then(or_revert())
}

/// `Transfer(from, to, amount)`
pub fn transferred(from: Asm, to: Asm, amount: Asm) -> Asm {
    let event = alloy_primitives::keccak256("Transfer(address,address,uint256)");
    amount
        .op(&[PUSH0, MSTORE])
        .then(to)
        .then(from)
        .push(event.into())
        .op(&[PUSH1, 32, PUSH0, LOG3])
}

/// `Transfer(from, to, number)` of ERC-721
pub fn handed_over(from: Asm, to: Asm, number: Asm) -> Asm {
    let event = alloy_primitives::keccak256("Transfer(address,address,uint256)");
    number
        .then(to)
        .then(from)
        .push(event.into())
        .op(&[PUSH0, PUSH0, LOG4])
}

/// The hash of this call's arguments, so many words.
pub fn hashed_arguments(words: u64) -> Asm {
    let length = U256::from(32 * words);
    nothing()
        .push(length)
        .op(&[PUSH1, 4, PUSH0, CALLDATACOPY])
        .push(length)
        .op(&[PUSH0, KECCAK256])
}

pub fn returns_both(first: Asm, second: Asm) -> Asm {
    first
        .op(&[PUSH0, MSTORE])
        .then(second)
        .op(&[PUSH1, 32, MSTORE, PUSH1, 64, PUSH0, RETURN])
}

pub fn returns(value: Asm) -> Asm {
    value.op(&[PUSH0, MSTORE, PUSH1, 32, PUSH0, RETURN])
}

fn asked(signature: &str, arguments: &[Asm]) -> Asm {
    let mut code = nothing();
    // Arguments may call, so that the calldata is written after all of them.
    for argument in arguments.iter().rev() {
        code = code.then(argument.clone());
    }
    let mut head = [0; 32];
    head[..4].copy_from_slice(&selector(signature));
    code = code.push(U256::from_be_bytes(head)).op(&[PUSH0, MSTORE]);
    for n in 0..arguments.len() {
        code = code.push(U256::from(4 + 32 * n)).op(&[MSTORE]);
    }
    code.op(&[PUSH1, 32])
        .push(U256::from(ANSWER))
        .push(U256::from(4 + 32 * arguments.len()))
        .op(&[PUSH0])
}

/// Skips the revert where the top of the stack is not 0; places are relative by `PC`.
fn or_revert() -> Asm {
    // PC PUSH1 8 ADD JUMPI PUSH0 PUSH0 REVERT JUMPDEST: the destination is 8 bytes behind PC.
    nothing().op(&[PC, PUSH1, 8, ADD, JUMPI, PUSH0, PUSH0, REVERT, JUMPDEST])
}

/// A contract of functions; anything else, plain ether too, runs `fallback`.
pub fn contract(functions: &[(&str, Asm)], fallback: Asm) -> Vec<u8> {
    const ENTRY: usize = 11;
    let head = [PUSH0, CALLDATALOAD, PUSH1, 0xe0, SHR];
    let mut code = head.to_vec();
    let mut bodies = vec![fallback.op(&[STOP]).0];
    let mut place = head.len() + ENTRY * functions.len() + bodies[0].len();
    for (signature, body) in functions {
        code.extend([DUP1, PUSH4]);
        code.extend(selector(signature));
        code.extend([EQ, PUSH2]);
        code.extend((place as u16).to_be_bytes());
        code.push(JUMPI);
        let body = [&[JUMPDEST][..], &body.0, &[STOP]].concat();
        place += body.len();
        bodies.push(body);
    }
    code.extend(bodies.concat());
    code
}

/// Moves a token whose balances are by address in storage.
pub fn moved(from: fn() -> Asm, to: fn() -> Asm, amount: fn() -> Asm) -> Asm {
    store(from(), sub(load(from()), amount()))
        .then(store(to(), add(load(to()), amount())))
        .then(transferred(from(), to(), amount()))
        .then(returns(word(1)))
}

/// An ERC-20 without allowances: balances by address in storage.
pub fn token() -> Vec<u8> {
    contract(
        &[
            (
                "transfer(address,uint256)",
                moved(caller, || arg(0), || arg(1)),
            ),
            (
                "transferFrom(address,address,uint256)",
                moved(|| arg(0), || arg(1), || arg(2)),
            ),
            ("balanceOf(address)", returns(load(arg(0)))),
        ],
        nothing(),
    )
}

/// Unique tokens: owners by number, counts of them by address in storage.
pub fn collection() -> Vec<u8> {
    let moved = store(arg(2), arg(1))
        .then(store(arg(0), sub(load(arg(0)), word(1))))
        .then(store(arg(1), add(load(arg(1)), word(1))))
        .then(handed_over(arg(0), arg(1), arg(2)));
    contract(
        &[
            ("transferFrom(address,address,uint256)", moved),
            ("balanceOf(address)", returns(load(arg(0)))),
        ],
        nothing(),
    )
}

/// Wraps ether: balances by address in storage.
pub fn wrapper() -> Vec<u8> {
    let wraps =
        store(caller(), add(load(caller()), paid())).then(transferred(word(0), caller(), paid()));
    let unwraps = store(caller(), sub(load(caller()), arg(0)))
        .then(transferred(caller(), word(0), arg(0)))
        .then(pay(caller(), arg(0)));
    contract(
        &[
            ("deposit()", wraps),
            ("withdraw(uint256)", unwraps),
            ("balanceOf(address)", returns(load(arg(0)))),
            (
                "transfer(address,uint256)",
                moved(caller, || arg(0), || arg(1)),
            ),
        ],
        nothing(),
    )
}

/// Lends what it has of a token, and calls the borrower, who is to pay it back.
pub fn bank(token: Address) -> Vec<u8> {
    let hand_out = call(
        account(token),
        "transfer(address,uint256)",
        &[caller(), arg(0)],
    );
    let flash = hand_out.then(call(caller(), "borrowed()", &[]));
    contract(&[("flash(uint256)", flash)], nothing())
}

/// Works an expression out for what it reads.
pub fn look(expression: Asm) -> Asm {
    expression.op(&[POP])
}
