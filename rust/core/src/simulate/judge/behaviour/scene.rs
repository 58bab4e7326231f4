//! Who does what to whom: the frames that count, with the contract in whose name each runs.

use crate::chain::forks::is_precompile;
use crate::decode::Verb;
use crate::evidence::trace::{CallKind, Frame, Trace};
use alloy_primitives::Address;
use hashbrown::HashSet;

/// One frame that stands.
pub struct Act<'a> {
    pub frame: &'a Frame,
    /// Its own index, and its parent's among the acts; `None` for the transaction.
    pub parent: Option<usize>,
    /// In whose name it is asked for.
    pub caller: Address,
    /// In whose name it runs: a delegated call's is its caller's.
    pub context: Address,
    /// `None` where it has none, as a creation or a plain payment.
    pub selector: Option<[u8; 4]>,
    /// `None` where the selector is not well-known, or there is none.
    pub verb: Option<Verb>,
}

impl Act<'_> {
    /// Whether it runs code in the name of the contract that it calls or makes.
    pub fn enters(&self) -> bool {
        !delegates(self.frame.kind)
    }

    pub fn calls(&self) -> bool {
        self.frame.kind == CallKind::Call
    }

    pub fn reads(&self) -> bool {
        self.frame.kind == CallKind::StaticCall
    }

    /// Neither static nor a token's everyday business.
    pub fn is_action(&self) -> bool {
        self.calls() && self.selector.is_some() && !self.verb.is_some_and(Verb::of_token)
    }

    /// The `n`th word of its arguments.
    pub fn word(&self, n: usize) -> Option<&[u8; 32]> {
        let start = 4 + 32 * n;
        self.frame.input.get(start..start + 32)?.try_into().ok()
    }
}

/// A trace without what did nothing or was not recorded everywhere.
pub struct Scene<'a> {
    /// In the order entered; the first is the transaction.
    pub acts: Vec<Act<'a>>,
    pub sender: Address,
    pub lead: HashSet<Address>,
    pub cluster: HashSet<Address>,
    /// Created in it, and not idle.
    pub created: HashSet<Address>,
    /// Of these, destroyed in it.
    pub destroyed: usize,
}

impl<'a> Scene<'a> {
    /// `None` where the transaction failed or has no frame.
    pub fn of(trace: &'a Trace) -> Option<Self> {
        let acts = acts(trace);
        let root = acts.first()?;
        let (sender, callee) = (root.frame.from, root.context);
        let asking: HashSet<_> = acts.iter().skip(1).map(|act| act.caller).collect();
        let asked: HashSet<_> = acts
            .iter()
            .filter(|act| !act.frame.kind.creates())
            .filter_map(|act| act.frame.to)
            .collect();
        // Stores of gas are creations of many idle contracts: a sign of its own recorder's years, not of attacks.
        let idle = |act: &Act| {
            act.frame.kind.creates()
                && act.parent.is_some()
                && !asking.contains(&act.context)
                && !asked.contains(&act.context)
        };
        let created: HashSet<_> = acts
            .iter()
            .filter(|act| act.frame.kind.creates() && !idle(act))
            .map(|act| act.context)
            .collect();
        let mut lead: HashSet<_> = created.intersection(&asking).copied().collect();
        lead.insert(callee);
        let mut cluster = created.clone();
        cluster.extend([sender, callee]);
        let destroyed: HashSet<_> = trace
            .frames
            .iter()
            .zip(trace.stands())
            .filter(|(frame, stands)| *stands && frame.kind == CallKind::SelfDestruct)
            .map(|(frame, _)| frame.from)
            .collect();
        let destroyed = destroyed.intersection(&created).count();
        let idle: Vec<_> = acts.iter().map(idle).collect();
        Some(Self {
            acts: without(acts, &idle),
            sender,
            lead,
            cluster,
            created,
            destroyed,
        })
    }

    /// Acts that are no delegated calls.
    pub fn entries(&self) -> impl Iterator<Item = &Act<'a>> {
        self.acts.iter().filter(|act| act.enters())
    }
}

/// Frames that stand, but for calls of precompiles and destructions.
fn acts(trace: &Trace) -> Vec<Act<'_>> {
    let mut acts: Vec<Act> = Vec::with_capacity(trace.frames.len());
    let mut places: Vec<Option<usize>> = Vec::with_capacity(trace.frames.len());
    for ((index, frame), stands) in trace.frames.iter().enumerate().zip(trace.stands()) {
        let parent = match index {
            0 => None,
            _ => places.get(frame.parent as usize).copied().flatten(),
        };
        let counts = stands
            && frame.kind != CallKind::SelfDestruct
            && (index == 0 || parent.is_some() && !frame.to.as_ref().is_some_and(is_precompile));
        let Some(to) = frame.to.filter(|_| counts) else {
            places.push(None);
            continue;
        };
        let caller = parent.map_or(frame.from, |parent| acts[parent].context);
        let selector = match frame.kind.creates() {
            true => None,
            false => frame.input.first_chunk().copied(),
        };
        places.push(Some(acts.len()));
        acts.push(Act {
            frame,
            parent,
            caller,
            context: if delegates(frame.kind) && parent.is_some() {
                caller
            } else {
                to
            },
            selector,
            verb: selector.and_then(Verb::of),
        });
    }
    acts
}

/// Without idle creations: these have asked for nothing, so no act's parent is lost.
fn without<'a>(acts: Vec<Act<'a>>, idle: &[bool]) -> Vec<Act<'a>> {
    let mut places = Vec::with_capacity(acts.len());
    let mut kept = 0;
    for idle in idle {
        places.push(kept);
        kept += usize::from(!idle);
    }
    let kept = acts.into_iter().zip(idle).filter(|(_, idle)| !**idle);
    kept.map(|(mut act, _)| {
        act.parent = act.parent.map(|parent| places[parent]);
        act
    })
    .collect()
}

fn delegates(kind: CallKind) -> bool {
    matches!(kind, CallKind::DelegateCall | CallKind::CallCode)
}
