//! What is known of a block so far, of which answer after answer tells more.

use super::block::{Block, Sent};
use super::receipts::Receipt;
use super::{Method, Payment, Survey};
use crate::evidence::trace::Trace;
use crate::evidence::transfers::Asset;
use crate::simulate::creations::Counts;
use crate::simulate::creations::Creations;

/// Payments of one block.
const PAYMENTS: usize = 1 << 16;

pub struct Reading<'a> {
    pub block: &'a Block,
    pub creations: Creations,
    pub payments: Vec<Payment>,
    /// By transaction.
    pub told: Vec<bool>,
    untraced: u64,
    method: Option<Method>,
}

impl<'a> Reading<'a> {
    pub fn of(block: &'a Block) -> Self {
        let sent = block.transactions.iter();
        let unreadable = sent.clone().filter(|sent| sent.is_none()).count() as u64;
        let counts = Counts {
            transactions: block.transactions.len() as u64,
            malformed: unreadable,
            untold: unreadable,
            left_out: block.left_out,
            ..Counts::default()
        };
        Self {
            block,
            creations: Creations::new(counts),
            payments: Vec::new(),
            // What cannot be read cannot be told of either.
            told: sent.map(Option::is_none).collect(),
            untraced: 0,
            method: None,
        }
    }

    pub fn is_complete(&self) -> bool {
        self.told.iter().all(|told| *told)
    }

    pub fn untold(&self) -> impl Iterator<Item = &'a Sent> {
        let sent = self.block.transactions.iter().zip(&self.told);
        sent.filter_map(|(sent, told)| sent.as_ref().filter(|_| !told))
    }

    pub fn trace(&mut self, method: Method, index: usize, sent: &Sent, trace: &Trace) {
        if std::mem::replace(&mut self.told[index], true) {
            return;
        }
        self.method = self.method.max(Some(method));
        let origin = self.block.origin(sent);
        self.creations.of_trace(&origin, trace, |_| ());
        let native = trace.transfers().into_iter();
        let native = native.filter(|moved| moved.asset == Asset::Native && moved.from != moved.to);
        self.pay(native.map(|moved| Payment {
            tx: sent.hash,
            token: None,
            from: moved.from,
            to: moved.to,
            amount: moved.amount,
        }));
    }

    /// By a method that has receipts.
    pub fn receipt(&mut self, method: Method, index: usize, sent: &Sent, receipt: &Receipt) {
        self.told[index] = true;
        self.untraced += 1;
        self.method = self.method.max(Some(method));
        if !receipt.succeeded() {
            self.creations.counts.failed += u64::from(sent.to.is_none());
            return;
        }
        let to = sent.to.or_else(|| sent.creates());
        let to = to.filter(|to| *to != sent.from && !sent.value.is_zero());
        self.pay(to.map(|to| Payment {
            tx: sent.hash,
            token: None,
            from: sent.from,
            to,
            amount: sent.value,
        }));
    }

    pub fn pay(&mut self, payments: impl IntoIterator<Item = Payment>) {
        for payment in payments {
            match self.payments.len() < PAYMENTS {
                true => self.payments.push(payment),
                false => self.creations.counts.left_out += 1,
            }
        }
    }

    pub fn survey(self) -> Survey {
        let untold = self.untold().count() as u64;
        let Creations {
            deployments,
            mut counts,
            ..
        } = self.creations;
        counts.untold += untold;
        counts.untraced += self.untraced + counts.untold;
        let sent = self.block.transactions.iter().flatten();
        Survey {
            number: self.block.number,
            hash: self.block.hash,
            parent: self.block.parent,
            timestamp: self.block.timestamp,
            method: self.method,
            deployments,
            payments: self.payments,
            signers: sent.map(|sent| (sent.hash, sent.from)).collect(),
            counts,
        }
    }
}
