use super::*;
use crate::config::{DetectionConfig, Limits, ReplayConfig, SourceConfig};
use crate::inbox::queue::queue;
use crate::pipeline::output::Output;
use crate::tx::PendingTransaction;

fn config() -> SensorConfig {
    SensorConfig {
        sensor: "test".into(),
        chain_id: 1,
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

#[test]
fn a_pipeline_that_panics_says_so_before_the_end() {
    let (config, stats) = (config(), Arc::<Stats>::default());
    let (output, events, _) = Output::new(16, true, stats.clone());
    let last_words = output.last_words();
    let mut worker = Worker::new(
        &config,
        Stages::load(&config).unwrap(),
        None,
        None,
        None,
        output,
        stats.clone(),
        Arc::default(),
        Arc::default(),
        u64::MAX,
    );
    // A mistake of our own: there is no slot for what comes.
    worker.slots.clear();
    let (items, inbox) = queue(&config.limits, stats);
    let tx = Box::new(PendingTransaction::default());
    items
        .send(Item::Transaction {
            tx,
            at: Instant::now(),
        })
        .unwrap();
    worker.start(inbox, last_words).unwrap().join().unwrap();
    let Event::Broken(broken) = events.recv().unwrap() else {
        panic!("why nothing follows comes first");
    };
    assert_eq!(broken.thread, "ids-pipeline");
    assert!(broken.reason.contains("index out of bounds"), "{broken:?}");
    assert!(matches!(events.recv().unwrap(), Event::End));
}

#[test]
fn a_source_that_fails_is_named_and_ends_the_run() {
    let (config, stats) = (config(), Arc::<Stats>::default());
    let (output, events, _) = Output::new(16, true, stats.clone());
    let last_words = output.last_words();
    let worker = Worker::new(
        &config,
        Stages::load(&config).unwrap(),
        None,
        None,
        None,
        output,
        stats.clone(),
        Arc::default(),
        Arc::default(),
        u64::MAX,
    );
    let (items, inbox) = queue(&config.limits, stats);
    let broken = critical("a source", || panic!("has a hole")).unwrap_err();
    items.send(Item::Broken(broken)).unwrap();
    worker.start(inbox, last_words).unwrap().join().unwrap();
    let Event::Broken(broken) = events.recv().unwrap() else {
        panic!("why nothing follows comes first");
    };
    assert_eq!((broken.thread, &*broken.reason), ("a source", "has a hole"));
    assert!(matches!(events.recv().unwrap(), Event::End));
}
