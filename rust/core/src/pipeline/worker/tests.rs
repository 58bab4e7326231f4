use super::*;
use crate::capture::samples::{Dice, signed};
use crate::config::SimulationConfig;
use crate::config::{DetectionConfig, Limits, Mode, ReplayConfig, SourceConfig};
use crate::inbox::queue::{ItemSender, queue};
use crate::pipeline::output::Output;
use crate::pipeline::triage::{Course, Occurrence, Policy};
use crate::simulate::judge::simulator::Simulator;
use crate::tx::PendingTransaction;
use crossbeam_channel::Receiver;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{SystemTime, UNIX_EPOCH};

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
        early: None,
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
            Some(Desk::new(None, false)),
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

/// What the host's clock says; a test sets it.
static WALL_MS: AtomicU64 = AtomicU64::new(1_800_000_000_000);

fn wall() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(WALL_MS.load(SeqCst))
}

#[test]
fn a_host_that_sets_its_clock_forward_fails_no_running_simulation() {
    let (config, stats) = (config(), Arc::<Stats>::default());
    let limits = SimulationConfig::default();
    let chain = Arc::new(ChainSpec::of(1));
    let simulator = Simulator::new(&[], &limits, chain, None, Arc::default(), 0.7).unwrap();
    let triage = Triage::new(Policy::new(&config, &limits, false), stats.clone());
    let runner = Runner::Replay(Box::new(simulator));
    let mut pipeline = Pipeline::new();
    let worker = &mut pipeline.worker;
    worker.simulating = Some(Simulating { triage, runner });
    worker.clock = Clock::Live {
        since: Instant::now(),
        wall,
    };
    let tx = Box::new(PendingTransaction::default());
    let (hash, at) = (tx.hash, Instant::now());
    worker.take(Item::Transaction { tx, at });
    worker.filled = 0;
    worker.slots[0].contacts = vec![0];
    let (slot, now_ms) = (&mut worker.slots[0], worker.clock.elapsed_ms());
    let triage = &mut worker.simulating.as_mut().unwrap().triage;
    let course = triage.judged(slot, 0.9, 0.9, now_ms, &mut Vec::new());
    assert_eq!(course, Course::Held);
    WALL_MS.fetch_add(3_600_000, SeqCst);
    worker.triage(Occurrence::Time);
    let triage = &worker.simulating.as_ref().unwrap().triage;
    // The triage of a live sensor, looked at as a replay does: it waits still.
    assert!(triage.awaits_record(&hash).is_some());
    assert!(
        pipeline.events.try_recv().is_err(),
        "nobody is told of anything"
    );
}

#[test]
fn who_repeats_a_lie_does_not_use_up_the_one_chance_of_the_truth() {
    let object = signed(&mut Dice(1), 2).object;
    let mut lie = object.clone();
    // What the first stage does not look at.
    lie["accessList"] = serde_json::json!([]);
    let raw = |object: &serde_json::Value| Raw {
        bytes: serde_json::to_vec(object).unwrap().into(),
        endpoint: 0,
        at: Instant::now(),
        unix_ms: 1,
    };
    let mut intake = Pipeline::new().worker.intake;
    let told = |object| {
        let raw = raw(object);
        let tx = intake.parse(&raw, Form::Object).unwrap();
        let hash = tx.hash;
        let mut slot = Slot {
            tx,
            ..Slot::default()
        };
        let admission = intake.admit(&mut slot, Some((&raw, Form::Object)));
        intake.reconsider(hash);
        admission
    };
    let all = [&lie, &lie, &lie, &object, &object].map(told);
    use Admission::{Admitted, Again, Known};
    assert_eq!(all, [Admitted, Known, Known, Again, Known]);
}
