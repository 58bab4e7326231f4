//! When the source is ready: every endpoint has been tried, and one at least is subscribed.

use crate::inbox::Item;
use crate::inbox::queue::{Closed, ItemSender};
use crate::node::report::emit;
use std::cell::RefCell;

pub struct Readiness {
    items: ItemSender,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Endpoints whose first attempt is not over.
    untried: Vec<u16>,
    subscribed: bool,
    told: bool,
}

impl Readiness {
    pub fn new(endpoints: u16, items: ItemSender) -> Self {
        let state = State {
            untried: (0..endpoints).collect(),
            ..State::default()
        };
        Self {
            items,
            state: RefCell::new(state),
        }
    }

    /// An endpoint's attempt to subscribe is over. Says `Ready` where that was what everyone waited for.
    pub async fn attempted(&self, endpoint: u16, subscribed: bool) -> Result<(), Closed> {
        let ready = {
            let mut state = self.state.borrow_mut();
            state.untried.retain(|other| *other != endpoint);
            state.subscribed |= subscribed;
            let ready = state.untried.is_empty() && state.subscribed && !state.told;
            state.told |= ready;
            ready
        };
        if ready {
            emit(&self.items, Item::Ready).await
        } else {
            Ok(())
        }
    }
}
