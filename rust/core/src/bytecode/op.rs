//! Opcodes by name, as far as one is asked for.

pub const STOP: u8 = 0x00;
pub const MUL: u8 = 0x02;
pub const DIV: u8 = 0x04;
pub const SUB: u8 = 0x03;
pub const EXP: u8 = 0x0a;
pub const LT: u8 = 0x10;
pub const GT: u8 = 0x11;
pub const EQ: u8 = 0x14;
pub const ISZERO: u8 = 0x15;
pub const AND: u8 = 0x16;
pub const XOR: u8 = 0x18;
pub const KECCAK256: u8 = 0x20;
pub const BALANCE: u8 = 0x31;
pub const ORIGIN: u8 = 0x32;
pub const CALLER: u8 = 0x33;
pub const CALLVALUE: u8 = 0x34;
pub const CALLDATALOAD: u8 = 0x35;
pub const CALLDATACOPY: u8 = 0x37;
pub const CODECOPY: u8 = 0x39;
pub const GASPRICE: u8 = 0x3a;
pub const EXTCODESIZE: u8 = 0x3b;
pub const EXTCODECOPY: u8 = 0x3c;
pub const RETURNDATASIZE: u8 = 0x3d;
pub const RETURNDATACOPY: u8 = 0x3e;
pub const COINBASE: u8 = 0x41;
pub const TIMESTAMP: u8 = 0x42;
pub const NUMBER: u8 = 0x43;
pub const CHAINID: u8 = 0x46;
pub const SELFBALANCE: u8 = 0x47;
pub const POP: u8 = 0x50;
pub const MLOAD: u8 = 0x51;
pub const MSTORE8: u8 = 0x53;
pub const SLOAD: u8 = 0x54;
pub const SSTORE: u8 = 0x55;
pub const JUMP: u8 = 0x56;
pub const JUMPI: u8 = 0x57;
pub const GAS: u8 = 0x5a;
pub const JUMPDEST: u8 = 0x5b;
pub const MCOPY: u8 = 0x5e;
pub const PUSH0: u8 = 0x5f;
pub const PUSH1: u8 = 0x60;
pub const PUSH4: u8 = 0x63;
pub const PUSH20: u8 = 0x73;
pub const PUSH32: u8 = 0x7f;
pub const DUP1: u8 = 0x80;
pub const DUP2: u8 = 0x81;
pub const DUP16: u8 = 0x8f;
pub const SWAP1: u8 = 0x90;
pub const SWAP16: u8 = 0x9f;
pub const LOG0: u8 = 0xa0;
pub const LOG4: u8 = 0xa4;
pub const CREATE: u8 = 0xf0;
pub const CALL: u8 = 0xf1;
pub const CALLCODE: u8 = 0xf2;
pub const RETURN: u8 = 0xf3;
pub const DELEGATECALL: u8 = 0xf4;
pub const CREATE2: u8 = 0xf5;
pub const STATICCALL: u8 = 0xfa;
pub const REVERT: u8 = 0xfd;
pub const INVALID: u8 = 0xfe;
pub const SELFDESTRUCT: u8 = 0xff;
// EIP-8024.
pub const DUPN: u8 = 0xe6;
pub const SWAPN: u8 = 0xe7;
pub const EXCHANGE: u8 = 0xe8;

/// Whether it only moves items of the stack, or puts one there.
#[inline]
pub const fn is_of_stack(opcode: u8) -> bool {
    matches!(opcode, POP | PUSH0..=SWAP16 | DUPN..=EXCHANGE)
}

/// Whether it only computes, moves memory, or goes somewhere: nothing of it is seen from outside, and nothing is decided.
#[inline]
pub const fn is_of_calculation(opcode: u8) -> bool {
    matches!(opcode, 0x01..=0x0b | MLOAD..=MSTORE8 | JUMP | GAS | JUMPDEST | MCOPY)
}

/// Whether it calls, stores or tells: a step of what a contract does to others.
#[inline]
pub const fn is_of_steps(opcode: u8) -> bool {
    matches!(
        opcode,
        CALL | DELEGATECALL | STATICCALL | SSTORE | 0xa1..=0xa3
    )
}

/// Whether nothing goes on behind it.
#[inline]
pub const fn ends(opcode: u8) -> bool {
    matches!(
        opcode,
        STOP | JUMP | RETURN | REVERT | INVALID | SELFDESTRUCT
    )
}

/// Stack items an opcode takes and gives; pushes, dups and swaps are handled apart.
pub const fn arity(opcode: u8) -> (u32, u32) {
    match opcode {
        0x01..=0x07 | 0x0a..=0x0b | 0x10..=0x14 | 0x16..=0x18 | 0x1a..=0x1d | 0x20 => (2, 1),
        0x08 | 0x09 => (3, 1),
        0x15 | 0x19 | 0x1e | 0x31 | 0x35 | 0x3b | 0x3f | 0x40 | 0x49 | 0x51 | 0x54 | 0x5c => (1, 1),
        0x30 | 0x32..=0x34 | 0x36 | 0x38 | 0x3a | 0x3d | 0x41..=0x48 | 0x4a | 0x58..=0x5a => (0, 1),
        0x37 | 0x39 | 0x3e | 0x5e => (3, 0),
        0x3c => (4, 0),
        0x50 | 0x56 | 0xff => (1, 0),
        0x52 | 0x53 | 0x55 | 0x57 | 0x5d | 0xa0 | 0xf3 | 0xfd => (2, 0),
        0xa1 => (3, 0),
        0xa2 => (4, 0),
        0xa3 => (5, 0),
        0xa4 => (6, 0),
        0xf0 => (3, 1),
        0xf1 | 0xf2 => (7, 1),
        0xf4 | 0xfa => (6, 1),
        0xf5 => (4, 1),
        _ => (0, 0),
    }
}
