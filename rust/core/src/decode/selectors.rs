//! Functions by selector: the built-in table, and the users' ABIs.

use super::abi::{TypeId, Types};
use alloy_json_abi::Function;
use hashbrown::HashMap;

/// One signature a line; see the file's head.
const BUILTIN: &str = include_str!("../../data/functions.txt");
/// Safe's `multiSend(bytes)`: the bytes hold packed transactions, not ABI words.
const MULTI_SEND: [u8; 4] = [0x8d, 0x80, 0xff, 0x0a];

/// A function that calldata can be read by.
#[derive(Debug)]
pub(super) struct KnownFunction {
    /// The arguments as a tuple.
    pub arguments: TypeId,
    pub packed_transactions: bool,
    /// As written, for people.
    pub declaration: Function,
}

/// Selector to function.
pub(super) type FunctionTable = HashMap<[u8; 4], KnownFunction>;

/// The built-in table. The file is part of the crate and a test reads every line, so bad lines cannot get here.
pub(super) fn builtin(types: &mut Types) -> FunctionTable {
    table(functions(), types)
}

/// The built-in table's functions, as written.
pub fn functions() -> impl Iterator<Item = Function> {
    let lines = BUILTIN
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.filter_map(|line| Function::parse(line).ok())
}

/// Functions whose argument types do not compile are left out: their calls are read by word scan.
pub(super) fn table(functions: impl Iterator<Item = Function>, types: &mut Types) -> FunctionTable {
    let mut table = FunctionTable::new();
    for declaration in functions {
        let selector = declaration.selector().0;
        if let Some(arguments) = types.compile(&declaration) {
            let packed_transactions = selector == MULTI_SEND;
            table.insert(
                selector,
                KnownFunction {
                    arguments,
                    packed_transactions,
                    declaration,
                },
            );
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_line_parses_compiles_and_is_unique() {
        let mut types = Types::default();
        let mut seen = HashMap::new();
        for line in BUILTIN
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let function = Function::parse(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert!(types.compile(&function).is_some(), "{line}");
            if let Some(other) = seen.insert(function.selector(), line) {
                panic!("{line} and {other} share a selector");
            }
        }
        assert_eq!(builtin(&mut types).len(), seen.len());
        assert!((250..=600).contains(&seen.len()), "{}", seen.len());
    }

    #[test]
    fn builtin_selectors_are_those_on_chain() {
        let table = builtin(&mut Types::default());
        // Taken from transactions on mainnet, not computed here.
        for (selector, signature) in [
            (0xa9059cbb_u32, "transfer(address,uint256)"),
            (0x3593564c, "execute(bytes,bytes[],uint256)"),
            (0x5ae401dc, "multicall(uint256,bytes[])"),
            (
                0x6a761202,
                "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            ),
            (0x8d80ff0a, "multiSend(bytes)"),
            (0x82ad56cb, "aggregate3((address,bool,bytes)[])"),
            (
                0x1fad948c,
                "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)",
            ),
            (
                0x12aa3caf,
                "swap(address,(address,address,address,address,uint256,uint256,uint256),bytes,bytes)",
            ),
            (
                0xe9e05c42,
                "depositTransaction(address,uint256,uint64,bool,bytes)",
            ),
        ] {
            assert_eq!(
                table[&selector.to_be_bytes()].declaration.signature(),
                signature
            );
        }
    }
}
