//! What runs beside the connections: heads are followed; blocks, code and single transactions are fetched.

use super::endpoint::Endpoint;
use crate::inbox::queue::ItemSender;
use crate::node::blocks;
use crate::node::blocks::Contents;
use crate::node::canonical::Chain;
use crate::node::code::{CodeFetcher, CodeQueue};
use crate::node::fetch::Fetcher;
use crate::node::guard::lasting;
use crate::node::heads::{Announced, Follower};
use crate::node::report::{Outbox, Reporter};
use crate::node::routes::Routes;
use crate::stats::Stats;
use alloy_primitives::B256;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What the tasks are given.
pub struct Background {
    pub routes: Rc<Routes>,
    pub items: ItemSender,
    pub stats: Arc<Stats>,
    pub announced: mpsc::Receiver<Announced>,
    pub codes: CodeQueue,
    pub wanted: mpsc::Receiver<B256>,
}

impl Background {
    /// Each task ends only with the pipeline, or where nobody can ask any more. Missed transactions go the way of the
    /// endpoint that announced their block.
    pub fn spawn(
        self,
        endpoints: &[Rc<Endpoint>],
        report: impl Fn(String) -> Reporter,
        outbox: Rc<Outbox>,
    ) -> JoinSet<()> {
        let Self {
            routes,
            items,
            stats,
            mut announced,
            codes,
            wanted,
        } = self;
        let mut tasks = JoinSet::new();
        let head = Rc::new(Cell::new(0));
        let (new_blocks, mut blocks) = mpsc::channel(blocks::WAITING);
        let follower = Follower {
            routes: routes.clone(),
            items: items.clone(),
            head: head.clone(),
            blocks: new_blocks,
            reporter: report("heads".into()),
        };
        tasks.spawn_local(async move {
            let mut chain = Chain::default();
            let follow = async || follower.follow(&mut chain, &mut announced).await;
            lasting(follow, &follower.reporter).await;
        });
        let contents = Contents {
            routes: routes.clone(),
            items: items.clone(),
            reporter: report("blocks".into()),
        };
        let sources = endpoints.to_vec();
        tasks.spawn_local(async move {
            let mined = async |index: u16, object, arrival| match sources.get(usize::from(index)) {
                Some(source) => source.deliver.send_object(object, arrival, true).await,
                None => Ok(()),
            };
            let fetch = async || contents.fetch(&mut blocks, &mined).await;
            lasting(fetch, &contents.reporter).await;
        });
        let code = CodeFetcher {
            routes: routes.clone(),
            items: items.clone(),
            stats: stats.clone(),
            looks_inside: codes.looks_inside.clone(),
            head,
            reporter: report("code".into()),
        };
        tasks.spawn_local(code.serve(codes));
        let fetcher = Fetcher {
            routes,
            items: items.clone(),
            stats,
            reporter: report("fetch".into()),
        };
        tasks.spawn_local(fetcher.serve(wanted));
        tasks.spawn_local(async move { outbox.deliver(&items).await });
        tasks
    }
}
