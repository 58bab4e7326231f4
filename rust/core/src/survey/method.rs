//! How a block can be told of, and what is known of whom to ask how.

/// What a survey is read from, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `debug_traceBlockByHash` with the `callTracer`: geth, reth, Erigon, Nethermind, anvil.
    CallTracer,
    /// `trace_block`: Erigon, Nethermind, reth, anvil.
    TraceBlock,
    /// Receipts, and `debug_traceBlockByHash` with the `prestateTracer`: where a trace is too large to be answered, for one call
    /// with a megabyte of input is cheap and a block of them is not. What factories create is seen, with its storage; who made it is
    /// not known, and whoever signed stands for that. Of payments, transactions' own alone are seen, and those of the wrapped asset.
    /// There is no init code.
    Diffs,
    /// `eth_getBlockReceipts`, or `eth_getTransactionReceipt` one by one, and `eth_getCode`: any node. As before, but what a factory
    /// creates is not seen when it is created: when a transaction calls it for the first time, or one of its logs is seen, as long as
    /// it is young.
    Receipts,
}

/// Blocks over which a method that does not work is not tried: as many at the most.
const PAUSE: u32 = 64;
/// Failures in a row after which one does not work: a node that is overloaded fails now and then, and blocks can be made that
/// cannot be traced. The pause is short at first, and twice as long each time.
const FAILURES: u32 = 3;
/// JSON-RPC 2.0: the method does not exist; EIP-1474: it is not supported.
const NOT_THERE: [i64; 2] = [-32_601, -32_004];

/// Why a method told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// The node does not have it.
    NotThere,
    Otherwise,
}

impl Failed {
    pub fn of(code: Option<i64>) -> Self {
        match code.is_some_and(|code| NOT_THERE.contains(&code)) {
            true => Self::NotThere,
            false => Self::Otherwise,
        }
    }
}

impl Method {
    pub const ALL: [Self; 4] = [
        Self::CallTracer,
        Self::TraceBlock,
        Self::Diffs,
        Self::Receipts,
    ];

    /// As statistics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CallTracer => "call_tracer",
            Self::TraceBlock => "trace_block",
            Self::Diffs => "diffs",
            Self::Receipts => "receipts",
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// In a row.
    failures: u32,
    /// Blocks until it is tried again.
    pause: u32,
}

/// What is known of each method.
#[derive(Debug, Default)]
pub struct Methods([Record; Method::ALL.len()]);

impl Methods {
    /// Those to try for the next block, the best first: what failed lately is left out, and tried again now and then. The last is
    /// never left out.
    pub fn next(&mut self) -> Vec<Method> {
        let mut next = Vec::new();
        for (method, record) in Method::ALL.into_iter().zip(&mut self.0) {
            match record.pause {
                0 => next.push(method),
                _ if method == Method::Receipts => next.push(method),
                _ => record.pause -= 1,
            }
        }
        next
    }

    pub fn worked(&mut self, method: Method) {
        self.0[method as usize] = Record::default();
    }

    pub fn failed(&mut self, method: Method, failed: Failed) {
        let record = &mut self.0[method as usize];
        record.failures = record.failures.saturating_add(1);
        record.pause = match failed {
            Failed::NotThere => PAUSE,
            Failed::Otherwise if record.failures < FAILURES => 0,
            Failed::Otherwise => PAUSE.min(1 << (record.failures - 1).min(PAUSE.ilog2())),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_node_does_not_have_is_asked_for_again_now_and_then() {
        let mut methods = Methods::default();
        assert_eq!(methods.next(), Method::ALL);
        methods.failed(Method::CallTracer, Failed::of(Some(-32_601)));
        for _ in 0..PAUSE {
            assert_eq!(methods.next(), Method::ALL[1..]);
        }
        assert_eq!(methods.next(), Method::ALL);
        methods.worked(Method::CallTracer);
        assert_eq!(methods.next(), Method::ALL);
    }

    #[test]
    fn one_that_fails_now_and_then_is_kept_and_one_that_goes_on_failing_is_not() {
        let mut methods = Methods::default();
        let hiccup = Failed::of(None);
        for _ in 0..10 {
            (1..FAILURES).for_each(|_| methods.failed(Method::CallTracer, hiccup));
            assert_eq!(methods.next(), Method::ALL);
            methods.worked(Method::CallTracer);
        }
        (1..FAILURES).for_each(|_| methods.failed(Method::CallTracer, hiccup));
        for pause in [4, 8, 16, 32, 64, 64] {
            assert_eq!(methods.next()[0], Method::CallTracer);
            methods.failed(Method::CallTracer, hiccup);
            let left_out = (0..pause).all(|_| methods.next()[0] == Method::TraceBlock);
            assert!(left_out, "{pause}");
        }
    }

    proptest! {
        #[test]
        fn there_is_always_one_to_try(failures in prop::collection::vec((0..4_usize, any::<bool>()), 0..200)) {
            let mut methods = Methods::default();
            for (method, there) in failures {
                let failed = if there { Failed::Otherwise } else { Failed::NotThere };
                methods.failed(Method::ALL[method], failed);
                prop_assert_eq!(methods.next().last().copied(), Some(Method::Receipts));
            }
        }
    }
}
