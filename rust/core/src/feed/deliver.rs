//! From one endpoint to the pipeline's inbox.

use crate::evidence::AnomalyKind;
use crate::inbox::queue::{Closed, ItemSender};
use crate::inbox::{Item, Raw};
use crate::node::report::{Reporter, emit};
use crate::node::transport::Arrival;
use crate::stats::Stats;
use alloy_primitives::B256;
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a transaction waits for room in the queue before it is dropped and counted.
const PATIENCE: Duration = Duration::from_millis(50);

/// Delivers what one endpoint gave.
pub struct Deliver {
    pub endpoint: u16,
    /// Of one transaction; longer ones are left out.
    pub frame_bytes: usize,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub reporter: Rc<Reporter>,
}

impl Deliver {
    /// A whole notification with a transaction in it.
    #[inline]
    pub async fn offer_notification(&self, frame: Bytes, arrival: Arrival) -> Result<(), Closed> {
        self.stats.received.add(1);
        if !self.fits(&frame) {
            return Ok(());
        }
        let item = Item::Notification(self.raw(frame, arrival));
        self.items.offer(item, PATIENCE).await
    }

    /// That a hash was announced. A figure: where there is no room, nothing but the figure is lost.
    pub fn announced(&self, hash: B256, arrival: Arrival) -> Result<(), Closed> {
        let item = Item::Announced {
            hash,
            endpoint: self.endpoint,
            at: arrival.at,
        };
        self.items.try_send(item).map(drop)
    }

    /// A transaction object that a node gave on its announcement.
    pub async fn offer_object(&self, object: Bytes, arrival: Arrival) -> Result<(), Closed> {
        match self.object(object, arrival) {
            Some(item) => self.items.offer(item, PATIENCE).await,
            None => Ok(()),
        }
    }

    /// A transaction object that nobody will announce again, however long it takes. `missed`: pending, or mined, while
    /// nobody listened.
    pub async fn send_object(
        &self,
        object: Bytes,
        arrival: Arrival,
        missed: bool,
    ) -> Result<(), Closed> {
        let Some(item) = self.object(object, arrival) else {
            return Ok(());
        };
        if missed {
            self.stats.recovered.add(1);
        }
        emit(&self.items, item).await
    }

    fn object(&self, bytes: Bytes, arrival: Arrival) -> Option<Item> {
        self.stats.received.add(1);
        self.fits(&bytes)
            .then(|| Item::Object(self.raw(bytes, arrival)))
    }

    fn raw(&self, bytes: Bytes, arrival: Arrival) -> Raw {
        Raw {
            bytes,
            endpoint: self.endpoint,
            at: arrival.at,
            unix_ms: arrival.unix_ms,
        }
    }

    fn fits(&self, transaction: &Bytes) -> bool {
        let fits = transaction.len() <= self.frame_bytes;
        if !fits {
            let said = format!("a transaction of {} bytes is left out", transaction.len());
            self.reporter.report(AnomalyKind::OversizedFrame, &said);
        }
        fits
    }
}
