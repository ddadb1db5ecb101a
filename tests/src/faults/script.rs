//! How each fault comes and goes.

use std::time::Instant;

use postback_stack::Cancellation;

use super::account::{Account, Marks};
use super::disk;
use super::stage::{Stage, last};
use super::{Fault, Length};

/// Plays a fault from beginning to end.
///
/// # Panics
/// When the stage cannot be set, or when ingest does not get back to normal by itself.
#[must_use]
pub fn run(fault: Fault, length: &Length) -> Account {
    let mut stage = Stage::set(fault);
    let sender = stage.begin_load(length);
    last(length.before);
    let began = Instant::now();
    let scene = play(fault, length, &mut stage);
    let ended = Instant::now();
    stage.wait_until_normal();
    let normal = Instant::now();
    last(length.after);
    let ledger = sender.end();
    let slow_syncs = stage.disk.slow_syncs().into_iter();
    let ingest = stage.ingest.take().expect("ingest runs");
    let exit_code = ingest.terminate();
    let since = |instant: Instant| instant.saturating_duration_since(ledger.start);
    let marks = Marks {
        began: since(began),
        ended: since(ended),
        normal: since(normal),
        killed: scene
            .killed
            .map(|(killed, gone)| (since(killed), since(gone))),
        topic_gone: scene.topic_gone.map(since),
        slow_syncs: slow_syncs
            .map(|(began, ended)| (since(began), since(ended)))
            .collect(),
    };
    let records = stage.pipeline.topic.records();
    let mut account = Account::draw(fault.promise(), &ledger, &records, &marks);
    account.hold(exit_code == 0, || format!("exit code {exit_code}"));
    let spooled = stage.spooled_bytes();
    account.hold(spooled == 0, || {
        format!("{spooled} bytes are left in the spool")
    });
    let set_aside = stage.set_aside();
    account.hold(set_aside == 0, || {
        format!("{set_aside} files are set aside")
    });
    account.hold(!scene.disk_works, || "no sync met the fault".to_owned());
    account
}

/// What happened in a scene.
#[derive(Default)]
struct Scene {
    /// When ingest was killed, and when it was gone.
    killed: Option<(Instant, Instant)>,
    /// From when on the broker knew of no topic.
    topic_gone: Option<Instant>,
    /// The disk was to fail, and did not.
    disk_works: bool,
}

fn play(fault: Fault, length: &Length, stage: &mut Stage) -> Scene {
    let mut scene = Scene::default();
    match fault {
        Fault::KafkaFrozen => {
            freeze(stage);
            last(length.fault);
            thaw(stage);
        }
        Fault::KafkaAway => {
            stage.kafka.kill();
            last(length.fault);
            stage
                .kafka
                .restart(&Cancellation::new())
                .expect("Kafka starts again");
        }
        Fault::TopicMadeAgain => {
            stage.pipeline.topic.remove();
            crate::wait::until_true("the topic is gone", || !stage.pipeline.topic.exists());
            scene.topic_gone = Some(Instant::now());
            last(length.fault);
            stage.make_topic();
        }
        Fault::DiskHangs => {
            stage.disk.begin(disk::Fault::Hang);
            last(length.fault);
            stage.disk.end(disk::Fault::Hang);
        }
        Fault::DiskHangsAndKafkaFrozen => {
            disk_and_kafka(disk::Fault::Hang, stage, &mut scene, |_, _| {
                last(length.fault);
            });
        }
        Fault::DiskFailsAndKafkaFrozen => {
            disk_and_kafka(disk::Fault::Eio, stage, &mut scene, |_, _| {
                last(length.fault);
            });
        }
        Fault::IngestKilled => kill(stage, &mut scene),
        Fault::IngestKilledAndKafkaFrozen => {
            freeze(stage);
            kill_in_the_middle(length, stage, &mut scene);
            thaw(stage);
        }
        Fault::IngestKilledAndNowhereToStore => {
            disk_and_kafka(disk::Fault::Hang, stage, &mut scene, |stage, scene| {
                kill_in_the_middle(length, stage, scene);
            });
        }
    }
    scene
}

fn disk_and_kafka(
    fault: disk::Fault,
    stage: &mut Stage,
    scene: &mut Scene,
    meanwhile: impl FnOnce(&mut Stage, &mut Scene),
) {
    stage.disk.begin(fault);
    freeze(stage);
    meanwhile(stage, scene);
    thaw(stage);
    stage.disk.end(fault);
    scene.disk_works = !stage.disk.was_met(fault);
}

fn kill_in_the_middle(length: &Length, stage: &mut Stage, scene: &mut Scene) {
    last(length.fault / 2);
    kill(stage, scene);
    last(length.fault / 2);
}

/// What a supervisor does: it starts what has ended.
fn kill(stage: &mut Stage, scene: &mut Scene) {
    let killed = Instant::now();
    stage.kill_ingest();
    scene.killed = Some((killed, Instant::now()));
    stage.start_ingest();
}

fn freeze(stage: &Stage) {
    let frozen = stage.kafka.process().freeze();
    assert!(frozen.expect("it can be frozen"), "Kafka runs");
}

fn thaw(stage: &Stage) {
    let thawed = stage.kafka.process().thaw();
    assert!(thawed.expect("it can be thawed"), "Kafka runs");
}
