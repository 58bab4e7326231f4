//! What a trace says about the transaction, as a row of numbers for the verdict model.
//!
//! Training has recorded traces: of several recorders, without logs, of several chains. So nothing here looks at what
//! differs between recorders rather than between transactions: gas, words of errors, logs, what failed (it did nothing),
//! calls of precompiles (some recorders leave them out), absent against empty outputs. No address is looked at either but
//! to tell whether two are the same. Live traces are read the same way, so that training and serving agree.
//!
//! Time is linear in frames, but for sorting; memory as well.

mod calls;
mod conduct;
mod consent;
mod movements;
mod readings;
mod scene;
#[cfg(test)]
mod tests;

use crate::evidence::trace::Trace;
use scene::Scene;

/// Raise it whenever a formula, the order, or the table of functions behind a feature changes.
pub const SCHEMA_VERSION: u32 = 3;

macro_rules! features {
    ($($(#[doc = $doc:literal])* $name:ident,)+) => {
        /// One transaction's features, in the order of the schema. Counts are ln(1 + n) unless said otherwise.
        ///
        /// *Lead*: the transaction's callee, and contracts created in it that call others. *Cluster*: sender, lead, and all
        /// contracts created. *Entry*: a frame that is no delegated call. *Action*: a call that is neither static nor a
        /// token's transfer, approval or balance. Verbs: see `behaviour/verbs.rs`.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct TraceFeatures {
            $($(#[doc = $doc])* pub $name: f32,)+
        }

        /// Names, in the order of the schema.
        pub const NAMES: [&str; FEATURES] = [$(stringify!($name)),+];

        impl TraceFeatures {
            /// As the model takes them.
            pub fn row(&self) -> TraceRow {
                [$(self.$name),+]
            }
        }
    };
}

/// Number of features.
pub const FEATURES: usize = 98;
/// One row of the model's input.
pub type TraceRow = [f32; FEATURES];

features! {
    /// Entries.
    frames,
    /// Deepest frame, not as a logarithm.
    depth,
    /// Share of frames that are delegated calls.
    delegate_share,
    /// Share of entries that are static calls.
    static_share,
    /// Contracts entered.
    contracts,
    /// Contracts asked for what tokens answer.
    tokens,
    /// Entries per contract.
    frames_per_contract,
    /// Entries of the lead, with calldata, while it waits for another contract.
    callbacks,
    /// Calls, with calldata, of any other contract while it waits for another.
    reentries,
    /// Contracts among these, not as a logarithm.
    reentered,
    /// Static calls of a contract while it waits for another.
    reads_while_open,
    /// Contracts created that call or are called.
    created,
    /// … that call.
    created_leading,
    /// Calls of contracts created.
    calls_to_created,
    /// Contracts created and destroyed.
    destroyed,
    /// Most calls of one function of one contract.
    repeat,
    /// … that is an action.
    repeat_action,
    /// … asked for by the lead.
    repeat_by_lead,
    /// Functions of contracts that are actions.
    distinct_actions,
    n_callback,
    n_flash,
    n_swap,
    n_liquidate,
    n_borrow,
    n_repay,
    n_mint,
    n_burn,
    n_deposit,
    n_withdraw,
    n_sync,
    n_claim,
    n_approve,
    n_transfer_from,
    n_transfer,
    n_price,
    n_balance,
    n_admin,
    /// Selectors called that are not in the table of well-known functions.
    unknown_selectors,
    /// … as a share of the selectors called.
    unknown_share,
    /// Pairs of putting in (deposit, mint) and taking out (withdraw, burn).
    deposit_withdraw,
    /// Pairs of borrowing and repaying.
    borrow_repay,
    /// Share of entries asked for by the lead.
    lead_share,
    /// Entries asked for by the lead.
    lead_calls,
    /// Contracts it asks.
    lead_callees,
    /// … that are no tokens.
    lead_contracts,
    /// Selectors it uses.
    lead_selectors,
    /// Approvals it gives.
    lead_approvals,
    /// Balances it reads.
    lead_balances,
    /// … its own.
    lead_own_balances,
    /// … of others.
    lead_foreign_balances,
    /// Prices it reads.
    lead_prices,
    /// Share of its calls that are static.
    lead_static_share,
    /// Whether the transaction calls a well-known function, or none.
    root_known,
    /// Bytes of its arguments.
    root_bytes,
    /// Entries where it has no more than one word of arguments or is a creation, else 0.
    root_terse,
    /// Whether it sends ether.
    root_value,
    /// Calls of a contract to itself.
    self_calls,
    /// Whether a contract sends ether to the sender.
    pays_sender,
    /// Transfers.
    transfers,
    /// Assets moved.
    assets,
    /// Accounts that take no part in the calls and whose tokens are moved.
    pulled,
    /// Assets of which the cluster has more afterwards, not as a logarithm.
    gains,
    /// … less.
    losses,
    /// Whether it gains and loses nothing.
    free_gain,
    /// Its largest gain as a share of all that moved of that asset.
    gain_share,
    /// The gain as a share of what the account that lost most of that asset moved of it.
    drained,
    /// … of what all together have more of.
    drain_share,
    /// Accounts outside the cluster that have less of something.
    losers,
    /// Assets of which the sender has more, not as a logarithm.
    sender_gains,
    /// Share of transfers from or to the lead.
    lead_flow_share,
    /// Transfers from it.
    lead_pays,
    /// Transfers to it.
    lead_gets,
    /// Partners to whom it paid an asset and from whom it got the same.
    round_trips,
    /// Most transfers of one asset from one account to another.
    repeat_transfer,
    /// Most transfers of one asset.
    largest_flow,
    /// Transfers from the sender.
    sender_pays,
    /// Transfers to the sender.
    sender_gets,
    /// Share of transfers from the sender.
    sender_share,
    /// Largest share of its balance that an account outside the cluster gave away at once, by the balance told next.
    impact_out,
    /// Largest share of its balance that one got at once.
    impact_in,
    /// Such transfers of more than a fifth.
    impacts,
    /// Largest change of a view's answer, |ln| of the ratio, at most 20; balances left out.
    view_moved,
    /// Views whose answer changed by more than 3 %, balances left out.
    views_moved,
    /// Largest change of a balance told, |ln| of the ratio, at most 20.
    balance_moved,
    /// Most times that one view was asked the same.
    views_repeated,
    /// Calls that the transaction's own frame makes.
    root_calls,
    /// Codes that the lead runs in its own name, but for the one that a proxy hands the transaction to.
    lead_libraries,
    /// Functions of the lead that others call, but for callbacks.
    lead_answers,
    /// Approvals it gives without limit.
    lead_unlimited,
    /// Amounts that it asks for of which more than half of the decimal digits are zeros.
    round_amounts,
    /// Calls that name the sender among their arguments.
    sender_named,
    /// … the lead, by others.
    lead_named,
    /// Calls that take a token from the sender.
    sender_pulled,
    /// Transfers of a token of no more than one unit.
    empty_transfers,
    /// Share of transfers that are of an amount of their own.
    distinct_amounts,
    /// Accounts outside the cluster whose tokens somebody else takes, unless something looks signed.
    pulled_unsigned,
    /// Approvals that others give to the cluster.
    approved_by_others,
    /// Transfers from outside the cluster of exactly what its owner was told to have before.
    emptied,
}

/// The features of a trace; all zero where nothing of it stands.
pub fn extract(trace: &Trace) -> TraceFeatures {
    let mut features = TraceFeatures::default();
    if let Some(scene) = Scene::of(trace) {
        calls::fill(&scene, &mut features);
        movements::fill(&scene, trace, &mut features);
        readings::fill(&scene, &mut features);
        conduct::fill(&scene, &mut features);
        consent::fill(&scene, &mut features);
    }
    features
}

/// ln(1 + n).
fn log(count: usize) -> f32 {
    (count as f64).ln_1p() as f32
}

/// `part` of `whole`, 0 of nothing.
fn share(part: usize, whole: usize) -> f32 {
    (part as f64 / whole.max(1) as f64) as f32
}
