//! How each scene is played.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::account::Account;
use super::stage::{SESSION, Setting, Stage};
use super::{Chance, Length, Scene, crashes, renames};
use crate::wait;

/// Plays a scene from beginning to end.
///
/// # Panics
/// When the stage cannot be set, or when loading does not go on by itself.
#[must_use]
pub fn run(scene: Scene, length: &Length) -> Account {
    let setting = Setting {
        name: scene.name(),
        is_cluster: scene == Scene::ThreeBrokers,
        rate: length.rate,
        // One insert is to be interrupted, which has everything that was sent.
        batch_wait: Duration::from_millis(if scene == Scene::Renames { 2_000 } else { 200 }),
        seed: length.seed,
    };
    let mut stage = Stage::set(setting);
    if scene == Scene::Renames {
        return renames::play(&mut stage);
    }
    let traffic = stage.begin(setting);
    let mut chance = Chance::new(length.seed);
    match scene {
        Scene::CrashPoints => crashes::play(&mut stage, &mut chance),
        Scene::Kills | Scene::ThreeBrokers => kills(&mut stage, &mut chance, length.interruptions),
        Scene::Rebalances => rebalances(&mut stage, &mut chance, length.interruptions),
        Scene::Renames => {}
    }
    let watcher = traffic.end_sending();
    let mut account = Account::draw(&stage);
    if scene == Scene::CrashPoints {
        let again = load_again(&mut stage);
        account.broken.extend(again.broken);
        account.notes.push(format!(
            "group deleted: {} copies, of {} messages",
            again.copies, again.messages
        ));
    }
    account.add(watcher.end());
    account
}

/// A consumer alone.
fn one(stage: &mut Stage) -> usize {
    let member = stage.add_member(true);
    stage.start(member);
    stage.wait_until_ready(member);
    member
}

fn kills(stage: &mut Stage, chance: &mut Chance, length: Duration) {
    let member = one(stage);
    let end = Instant::now() + length;
    let (mut consumers, mut servers, mut brokers) = (0, 0, 0);
    while Instant::now() < end {
        sleep(chance.millis(200, 1_500));
        // A broker takes as long to come back as ten of the others.
        match chance.below(20) {
            1..12 => {
                stage.kill(member);
                stage.start(member);
                consumers += 1;
            }
            12..20 if brokers > 0 => {
                stage.restart_clickhouse();
                servers += 1;
            }
            _ => {
                let broker = chance.below(stage.brokers.len() as u64);
                stage.restart_broker(usize::try_from(broker).expect("few"));
                brokers += 1;
            }
        }
    }
    stage.notes.push(format!(
        "killed: consumer {consumers} times, ClickHouse {servers}, a broker {brokers}"
    ));
}

/// Members at most.
const MEMBERS: usize = 3;

fn rebalances(stage: &mut Stage, chance: &mut Chance, length: Duration) {
    for number in 0..MEMBERS {
        // One of them keeps its name while it is away.
        let member = stage.add_member(number == 2);
        stage.start(member);
    }
    stage.wait_until_ready(0);
    let mut notes = Vec::new();
    // One is taken for dead, and comes back with its batches in hand.
    stand_still(stage, 0);
    notes.push("paused");
    let end = Instant::now() + length;
    while Instant::now() < end {
        sleep(chance.millis(200, 2_500));
        let member = chance.chosen(&[0, 1, 2]);
        notes.push(match (stage.program(member).is_some(), chance.below(8)) {
            (false, _) => {
                stage.start(member);
                stage.disturbances += 1;
                "started"
            }
            (true, 0..3) => {
                stage.terminate(member);
                "ended"
            }
            (true, 3..7) => {
                stage.kill(member);
                "killed"
            }
            (true, _) => {
                stand_still(stage, member);
                "paused"
            }
        });
    }
    for member in 0..MEMBERS {
        if stage.program(member).is_none() {
            stage.start(member);
        }
    }
    stage.notes.push(notes.join(" "));
}

/// A member does nothing for longer than the group waits for it, and goes on.
fn stand_still(stage: &mut Stage, member: usize) {
    let program = stage.program(member).expect("it runs");
    program.process().freeze().expect("it can be frozen");
    sleep(SESSION + Duration::from_secs(2));
    program.process().thaw().expect("it can be thawed");
    stage.disturbances += 1;
}

/// The group's offsets are gone: everything is read again from the beginning.
fn load_again(stage: &mut Stage) -> Account {
    for member in 0..stage.members.len() {
        stage.terminate(member);
    }
    let group = stage.pipeline.group(1);
    stage.pipeline.topic.forget_group(&group);
    let before = stage.disturbances;
    let member = one(stage);
    wait::until_true("everything is read again", || stage.lag(member) == Some(0));
    // All of it is copies.
    stage.disturbances = u64::MAX / 1_000_000;
    let account = Account::draw(stage);
    stage.disturbances = before;
    account
}

/// Times until loading goes on.
#[derive(Debug)]
pub struct BackAtWork {
    /// After a kill of the only consumer, which a supervisor starts again a second later.
    pub after_a_kill: Duration,
    /// The same with an `instance_id`.
    pub after_a_kill_of_a_static_member: Duration,
    /// From the moment when a killed ClickHouse answers again.
    pub after_clickhouse: Duration,
}

/// What `RestartSec` of the systemd unit says.
const SUPERVISOR: Duration = Duration::from_secs(1);

/// Measures how long it takes until loading goes on.
///
/// # Panics
/// When it does not.
#[must_use]
pub fn back_at_work(length: &Length) -> BackAtWork {
    let setting = Setting {
        name: "back_at_work",
        is_cluster: false,
        rate: length.rate,
        batch_wait: Duration::from_millis(200),
        seed: length.seed,
    };
    let mut stage = Stage::set(setting);
    let traffic = stage.begin(setting);
    let kill = |stage: &mut Stage, is_static| {
        let member = stage.add_member(is_static);
        stage.start(member);
        stage.wait_until_ready(member);
        let _ = stage.time_until_more();
        let begin = Instant::now();
        stage.kill(member);
        sleep(SUPERVISOR);
        stage.start(member);
        let _ = stage.time_until_more();
        (member, begin.elapsed())
    };
    let (member, after_a_kill) = kill(&mut stage, false);
    stage.terminate(member);
    let (_, after_a_kill_of_a_static_member) = kill(&mut stage, true);
    stage.clickhouse.kill();
    sleep(Duration::from_secs(5));
    stage.restart_clickhouse();
    let after_clickhouse = stage.time_until_more();
    drop(traffic.end_sending().end());
    BackAtWork {
        after_a_kill,
        after_a_kill_of_a_static_member,
        after_clickhouse,
    }
}
