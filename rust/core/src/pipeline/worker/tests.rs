use super::*;
use crate::config::{DetectionConfig, Limits, Mode, ReplayConfig, SourceConfig};
use crate::inbox::queue::{ItemSender, queue};
use crate::pipeline::output::Output;
use crate::tx::PendingTransaction;
use crossbeam_channel::Receiver;

fn config() -> SensorConfig {
    SensorConfig {
        sensor: "test".into(),
        chain_id: 1,
        chain_spec: None,
        mode: Mode::default(),
        source: SourceConfig::Replay(ReplayConfig {
            paths: Vec::new(),
            speed: 0.0,
        }),
        contracts: Vec::new(),
        detection: DetectionConfig {
            threshold: 0.7,
            rules: Vec::new(),
            monitored_only: false,
        },
        simulation: None,
        model: None,
        capture: None,
        emit: Emit::Alerts,
        limits: Limits::default(),
    }
}

struct Pipeline {
    worker: Worker,
    items: ItemSender,
    inbox: ItemReceiver,
    events: Receiver<Event>,
    last_words: LastWords,
}

impl Pipeline {
    fn new() -> Self {
        let (config, stats) = (config(), Arc::<Stats>::default());
        let (output, events, _) = Output::new(16, true, stats.clone());
        let last_words = output.last_words();
        let (items, inbox) = queue(&config.limits, stats.clone());
        let worker = Worker::new(
            &config,
            Arc::new(ChainSpec::of(1)),
            Stages::load(&config).unwrap(),
            None,
            None,
            None,
            output,
            stats,
            Arc::default(),
            Arc::default(),
            u64::MAX,
        );
        Self {
            worker,
            items,
            inbox,
            events,
            last_words,
        }
    }

    /// What it says of its failure before the end.
    fn fails(self) -> (&'static str, String) {
        let thread = self.worker.start(self.inbox, self.last_words).unwrap();
        thread.join().unwrap();
        let Event::Broken(broken) = self.events.recv().unwrap() else {
            panic!("why nothing follows comes first");
        };
        assert!(matches!(self.events.recv().unwrap(), Event::End));
        (broken.thread, broken.reason)
    }
}

#[test]
fn a_pipeline_that_panics_says_so_before_the_end() {
    let mut pipeline = Pipeline::new();
    // A mistake of our own: there is no slot for what comes.
    pipeline.worker.slots.clear();
    let (tx, at) = (Box::new(PendingTransaction::default()), Instant::now());
    pipeline.items.send(Item::Transaction { tx, at }).unwrap();
    let (thread, reason) = pipeline.fails();
    assert_eq!(thread, "ids-pipeline");
    assert!(reason.contains("index out of bounds"), "{reason}");
}

#[test]
fn a_source_that_fails_is_named_and_ends_the_run() {
    let pipeline = Pipeline::new();
    let broken = critical("a source", || panic!("has a hole")).unwrap_err();
    pipeline.items.send(Item::Broken(broken)).unwrap();
    assert_eq!(pipeline.fails(), ("a source", "has a hole".to_owned()));
}
