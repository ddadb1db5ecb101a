//! Two places, and the first confirmation counts: Kafka by a stand-in, the spool on a disk in memory
//! that hangs and fails on demand.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use postback_ingest::breaker::Route;
use postback_ingest::kafka::Producer;
use postback_ingest::limits::Limits;
use postback_ingest::spool::{Left, SpoolFigures, SpoolProbes, watch};
use postback_ingest::storage::{Record, Storage, Way};
use postback_service::lifecycle::Shutdown;
use postback_service::probes::Readiness;
use postback_spool::disk::{ForgetfulDisk, RealDisk};
use postback_spool::{Options, Spool, Step};
use tokio::time::Instant;

use crate::support::{Ingest, Kafka, LIMIT, PATH, get, settings, until};

/// A minute for the answer: one that waited for the deadline would fail the test's own limit.
const PATIENT: &str = "answer_within_ms = 60000\nkafka_wait_ms = 50\nspool_dir = \"/spool\"\n";
const DUE_SOON: &str = "answer_within_ms = 300\nkafka_wait_ms = 50\nspool_dir = \"/spool\"\n";

struct Bench {
    ingest: Ingest,
    disk: ForgetfulDisk,
}

impl Bench {
    async fn start(kafka: Kafka, lines: &str) -> Self {
        let bench = Self::unopened(kafka, lines, ForgetfulDisk::new(1)).await;
        until("the spool is open", || bench.spool_is_ready()).await;
        bench
    }

    async fn unopened(kafka: Kafka, lines: &str, disk: ForgetfulDisk) -> Self {
        let (settings, limits) = (settings(lines, ""), Limits::default());
        let shared = Arc::new(disk.clone());
        let ingest = Ingest::on(Some(shared), kafka, &settings, limits).await;
        Self { ingest, disk }
    }

    fn spool_is_ready(&self) -> bool {
        let status = self.ingest.spooler.as_ref().unwrap().status();
        status.is_some_and(|status| status.ready.is_ok())
    }

    /// Sends a postback; its number is its query. Returns the status.
    async fn send(&self, number: u32) -> u16 {
        let answer = self.ingest.exchange(get(&format!("{PATH}?{number}"))).await;
        let status = answer.split(' ').nth(1).unwrap();
        status.parse().unwrap()
    }

    /// The numbers of what Kafka was offered, in that order, repeats included.
    fn offered(&self) -> Vec<u32> {
        let records = self.ingest.kafka.records();
        let number = |record: &serde_json::Value| {
            let query = record["query"]["utf8"].as_str().unwrap();
            query.parse().unwrap()
        };
        records.iter().map(number).collect()
    }

    async fn drained(&self, numbers: &[u32]) {
        let all: BTreeSet<u32> = numbers.iter().copied().collect();
        until("everything is in Kafka", || {
            let offered: BTreeSet<u32> = self.offered().into_iter().collect();
            all.is_subset(&offered) && self.figure("records ") == 0
        })
        .await;
    }

    /// Records in the spool; or another figure.
    fn figure(&self, name: &str) -> u64 {
        let status = self.ingest.spooler.as_ref().unwrap().status().unwrap();
        match name {
            "records " => status.records,
            "set aside" => status.counts.set_aside_records,
            "unwanted" => status.counts.unwanted_records,
            "committed" => status.counts.committed_records,
            "released" => status.counts.released_records,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_kafka_is_silent_the_spool_answers_and_all_gets_there_by_itself() {
    let bench = Bench::start(Kafka::Silent, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    assert!(bench.ingest.breaker.is_open(), "1 waited in vain");
    for number in 2..=20 {
        assert_eq!(bench.send(number).await, 200);
    }
    assert_eq!(bench.figure("records "), 20);
    // 1 waited, and the drain tries it once more; of the rest only a probe now and then.
    let offered = bench.offered().len();
    assert!(
        offered < 10,
        "{offered} of 20 were offered to a silent Kafka"
    );

    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.ingest.kafka.confirm_all();
    bench.drained(&(1..=20).collect::<Vec<_>>()).await;
    until("Kafka comes first again", || {
        !bench.ingest.breaker.is_open()
    })
    .await;
    bench.ingest.kafka.take();
    assert_eq!(bench.send(21).await, 200);
    assert_eq!(bench.offered(), [21]);
    assert_eq!(bench.figure("committed"), 20, "21 did not touch the disk");
    for (way, answers) in [("kafka", 1.0), ("spool", 20.0), ("refused", 0.0)] {
        let name = format!("postback_ingest_answer_seconds_count{{way=\"{way}\"}}");
        assert_eq!(bench.ingest.metric(&name), answers, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spool_is_drained_oldest_first() {
    let bench = Bench::start(Kafka::SaysNo, PATIENT).await;
    for number in 1..=50 {
        assert_eq!(bench.send(number).await, 200);
    }
    bench.ingest.kafka.turn(Kafka::Silent);
    bench.ingest.kafka.take();
    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.ingest.kafka.confirm_all();
    bench.drained(&(2..=50).collect::<Vec<_>>()).await;
    let mut offered = bench.offered();
    offered.dedup();
    assert!(offered.is_sorted(), "{offered:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_refuses_for_itself_is_set_aside_and_blocks_nothing() {
    let bench = Bench::start(Kafka::RefusesIt, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    assert!(!bench.ingest.breaker.is_open(), "Kafka is well");
    until("it is set aside", || bench.figure("set aside") == 1).await;
    assert_eq!(bench.figure("records "), 0);
    bench.ingest.kafka.turn(Kafka::Confirms);
    assert_eq!(bench.send(2).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shares_a_batch_with_a_refused_record_is_not_set_aside() {
    let bench = Bench::start(Kafka::SaysNo, PATIENT).await;
    for number in 1001..=1040 {
        assert_eq!(bench.send(number).await, 200);
    }
    let kafka = &bench.ingest.kafka;
    // As it stands in the record: a time or an id may have these digits, too.
    kafka.turn(Kafka::RefusesBatchesWith("\"utf8\":\"1017\""));
    until("everything has left the spool", || {
        bench.figure("records ") == 0
    })
    .await;
    assert_eq!(bench.figure("set aside"), 1, "1017 alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_disk_is_not_noticed_while_kafka_confirms() {
    let bench = Bench::start(Kafka::Confirms, PATIENT).await;
    bench.disk.close_gate();
    for number in 1..=5 {
        assert_eq!(bench.send(number).await, 200);
    }
    assert_eq!(bench.offered(), [1, 2, 3, 4, 5]);
    bench.disk.open_gate();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_disk_hangs_kafka_is_tried_even_if_it_was_away() {
    let bench = Bench::start(Kafka::QueueFull, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    assert!(bench.ingest.breaker.is_open());
    // The drain cannot close the breaker meanwhile: it waits for the first confirmation, too.
    bench
        .ingest
        .kafka
        .turn(Kafka::ConfirmsAfter(Duration::from_millis(500)));
    bench.disk.close_gate();
    assert_eq!(bench.send(2).await, 200, "by Kafka: the disk hangs");
    assert!(bench.offered().contains(&2));
    assert_eq!(bench.figure("committed"), 1);
    bench.disk.open_gate();
    until("the hanging record is left out, or written", || {
        bench.figure("unwanted") + bench.figure("committed") == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_known_to_hang_both_places_are_offered_at_once() {
    let bench = Bench::start(Kafka::QueueFull, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    let (kafka, breaker) = (&bench.ingest.kafka, &bench.ingest.breaker);
    assert!(breaker.is_open());
    kafka.turn(Kafka::Silent);
    let spooler = bench.ingest.spooler.clone().unwrap();
    let storage = Storage::new(
        Arc::clone(kafka) as Arc<dyn Producer>,
        bench.ingest.missing.clone(),
        Arc::clone(breaker),
        Some(Arc::clone(&spooler)),
    );
    bench.disk.close_gate();
    let now = Instant::now();
    // Whoever comes at the same time is no probe.
    assert_ne!(breaker.route(now.into_std()), Route::Kafka);
    let mut unknowing = pin!(storage.store(&Numbered(2), now, now + LIMIT));
    assert!(once(unknowing.as_mut()).await.is_pending());
    assert!(!bench.offered().contains(&2), "the disk seems well");
    until("the disk is known to hang", || {
        spooler.has_stalled(breaker.wait())
    })
    .await;
    let mut knowing = pin!(storage.store(&Numbered(3), now, now + LIMIT));
    assert!(once(knowing.as_mut()).await.is_pending());
    assert!(bench.offered().contains(&3), "before any time has passed");
    bench.disk.open_gate();
    assert_eq!(knowing.await, Ok(Way::Spool));
}

/// Polled once.
async fn once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// A record that says its number as those of [`Bench::send`] do.
struct Numbered(u32);

impl Record for Numbered {
    fn lend<T>(&self, reads: impl FnOnce(&[u8]) -> T) -> T {
        reads(format!("{{\"query\":{{\"utf8\":\"{}\"}}}}", self.0).as_bytes())
    }

    fn at_micros(&self) -> u64 {
        0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_neither_503_at_the_deadline_and_the_record_is_kept_all_the_same() {
    let bench = Bench::start(Kafka::Silent, DUE_SOON).await;
    bench.disk.close_gate();
    assert_eq!(bench.send(1).await, 503);
    assert_eq!(bench.ingest.refusals("not_confirmed"), 1.0);
    bench.disk.open_gate();
    until("it is on the disk", || bench.figure("committed") == 1).await;
    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.ingest.kafka.confirm_all();
    bench.drained(&[1]).await;
    assert_eq!(bench.figure("released"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_faults_cost_nothing_while_kafka_confirms_and_mend_by_themselves() {
    type Fault = (&'static str, fn(&ForgetfulDisk), fn(&ForgetfulDisk));
    let faults: [Fault; 4] = [
        (
            "full",
            |d| d.set_capacity(Some(0)),
            |d| d.set_capacity(None),
        ),
        (
            "read-only",
            |d| d.set_read_only(true),
            |d| d.set_read_only(false),
        ),
        ("EIO", |d| d.fail_syncs(u32::MAX), |d| d.fail_syncs(0)),
        (
            "gone",
            |d| d.delete_tree("/spool".as_ref()).unwrap(),
            |_| {},
        ),
    ];
    for (name, breaks, mends) in faults {
        let bench = Bench::start(Kafka::Confirms, PATIENT).await;
        breaks(&bench.disk);
        assert_eq!(bench.send(1).await, 200, "{name}: Kafka has it");
        bench.ingest.kafka.turn(Kafka::QueueFull);
        if name != "gone" {
            // The first may still find the segment that was made before the fault.
            bench.send(2).await;
            until("the fault is seen", || !bench.spool_is_ready()).await;
            assert_eq!(bench.send(3).await, 503, "{name}: neither has it");
            assert!(bench.ingest.refusals("nowhere_to_store") >= 1.0, "{name}");
        }
        mends(&bench.disk);
        // A directory that is gone is noticed by the next write, and made again.
        if name == "gone" {
            bench.send(4).await;
        }
        until("the spool takes records again", || bench.spool_is_ready()).await;
        assert_eq!(bench.send(5).await, 200, "{name}: mended");
        bench.ingest.kafka.turn(Kafka::Confirms);
        bench.drained(&[1, 5]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_opened_at_the_start_is_opened_later() {
    let disk = ForgetfulDisk::new(2);
    disk.set_read_only(true);
    let bench = Bench::unopened(Kafka::Confirms, PATIENT, disk).await;
    assert_eq!(bench.send(1).await, 200, "Kafka suffices");
    let spooler = bench.ingest.spooler.clone().unwrap();
    until("it is known why", || spooler.trouble().is_some()).await;
    bench.ingest.kafka.turn(Kafka::SaysNo);
    assert_eq!(bench.send(2).await, 503);
    bench.disk.set_read_only(false);
    until("it is open", || bench.spool_is_ready()).await;
    assert_eq!(bench.send(3).await, 200);
}

/// What a process leaves that died with postback 1 in its spool, and how many bytes that is.
fn left_by_the_dead() -> (ForgetfulDisk, u64) {
    let (disk, record) = (ForgetfulDisk::new(3), br#"{"query":{"utf8":"1"}}"#);
    let shared = Arc::new(disk.clone());
    let opened = Spool::with_committer(shared, "/spool".as_ref(), Options::default());
    let (spool, mut committer) = opened.unwrap();
    spool.submit(record, 1, |_| {}).unwrap();
    assert_eq!(committer.step(), Step::Committed);
    // Heads of the file and of the record.
    (disk, 40 + 32 + record.len() as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_process_left_is_drained_from_a_full_disk_and_makes_room() {
    let (disk, bytes) = left_by_the_dead();
    disk.set_capacity(Some(disk.used()));
    let bench = Bench::unopened(Kafka::SaysNo, PATIENT, disk).await;
    let status = || bench.ingest.spooler.as_ref().unwrap().status();
    until("what waits is told", || {
        status().is_some_and(|status| status.bytes == bytes)
    })
    .await;
    assert!(!bench.spool_is_ready());
    assert_eq!(bench.send(2).await, 503);
    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.drained(&[1]).await;
    until("there is room again", || bench.spool_is_ready()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_was_taken_over_the_end_says_what_lies_there_or_that_it_does_not_know() {
    type Trouble = fn(&ForgetfulDisk);
    let (_, bytes) = left_by_the_dead();
    let lies_there = Left {
        bytes,
        ..Left::default()
    };
    let unknown = Left {
        unknown: true,
        ..Left::default()
    };
    let troubles: [(Trouble, Left); 2] = [
        (|disk| disk.set_read_only(true), lies_there),
        (|disk| disk.set_listable("/spool".as_ref(), false), unknown),
    ];
    for (breaks, expected) in troubles {
        let (disk, _) = left_by_the_dead();
        breaks(&disk);
        let mut bench = Bench::unopened(Kafka::Confirms, PATIENT, disk).await;
        let drainer = bench.ingest.drainer.take().unwrap();
        assert_eq!(drainer.finish(LIMIT).await, expected);
        assert!(bench.offered().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_bridged_by_the_spool() {
    let bench = Bench::start(Kafka::Silent, PATIENT).await;
    bench.ingest.missing.set(true);
    for number in 1..=3 {
        assert_eq!(bench.send(number).await, 200);
    }
    assert!(bench.offered().is_empty(), "nothing is offered to no topic");
    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.ingest.missing.set(false);
    bench.drained(&[1, 2, 3]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_over_is_shown_and_stays_at_the_end() {
    let place = tempfile::tempdir().unwrap();
    // Not even root can open this lock.
    let lock = place.path().join("p-0123456789abcdef/lock");
    std::fs::create_dir_all(&lock).unwrap();
    let lines = format!("spool_dir = {:?}", place.path());
    let settings = settings(&lines, "");
    let disk = Arc::new(RealDisk);
    let mut ingest = Ingest::on(Some(disk), Kafka::Confirms, &settings, Limits::default()).await;
    let spooler = Arc::clone(ingest.spooler.as_ref().unwrap());
    let stranded = || {
        spooler
            .status()
            .is_some_and(|status| status.stranded.len() == 1)
    };
    until("it is found", stranded).await;
    let readiness = Readiness::new();
    let probes = SpoolProbes {
        spool: readiness.one_of("storage", "spool"),
        stranded: readiness.notice("stranded"),
    };
    let figures = SpoolFigures::new(Arc::clone(&spooler));
    let end = Shutdown::new();
    let watching = watch(Arc::clone(&spooler), figures, probes, end.clone());
    let watching = tokio::spawn(watching);
    until("it is told", || {
        let report = readiness.report();
        let told = report.iter().map(ToString::to_string).collect::<String>();
        told.contains("warn stranded: a directory in") && told.contains("chown")
    })
    .await;
    assert!(readiness.is_ready(), "it takes records all the same");
    end.cancel();
    watching.await.unwrap();
    spooler.close(LIMIT);
    let left = ingest.drainer.take().unwrap().finish(LIMIT).await;
    let expected = Left {
        stranded: 1,
        ..Left::default()
    };
    assert_eq!(left, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_it_drains_what_it_can_and_says_what_is_left() {
    let mut bench = Bench::start(Kafka::SaysNo, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    let drainer = bench.ingest.drainer.take().unwrap();
    let left = drainer.finish(Duration::from_millis(50)).await;
    assert_eq!(left.records, 1);

    let mut bench = Bench::start(Kafka::SaysNo, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    bench.ingest.kafka.turn(Kafka::Confirms);
    bench.ingest.spooler.as_ref().unwrap().close(LIMIT);
    let drainer = bench.ingest.drainer.take().unwrap();
    assert_eq!(drainer.finish(LIMIT).await, Left::default());
    assert!(bench.disk.files().is_empty(), "{:?}", bench.disk.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_end_waits_for_the_drain_the_spool_takes_records() {
    let mut bench = Bench::start(Kafka::SaysNo, PATIENT).await;
    assert_eq!(bench.send(1).await, 200);
    let drainer = bench.ingest.drainer.take().unwrap();
    assert!(!drainer.comes_to_rest(Duration::from_millis(50)).await);
    assert_eq!(bench.send(2).await, 200);
    bench.ingest.kafka.turn(Kafka::Confirms);
    assert!(drainer.comes_to_rest(LIMIT).await);
    bench.ingest.kafka.turn(Kafka::SaysNo);
    assert_eq!(bench.send(3).await, 200);
    bench.ingest.spooler.as_ref().unwrap().close(LIMIT);
    let left = drainer.finish(Duration::ZERO).await;
    assert_eq!(left.records, 1, "the one that came last");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_spool_that_is_permitted_takes_the_longest_record() {
    // 6 * (61,440 + 524,288) + 131,072, and 1,024 for the heads around it.
    let (longest, least) = (3_645_440, 3_646_464);
    let limits = "max_query_bytes = 61440\nmax_body_bytes = 524288\n";
    let lines = format!("{PATIENT}{limits}spool_max_bytes = {least}");
    let bench = Bench::start(Kafka::Silent, &lines).await;
    let spooler = bench.ingest.spooler.clone().unwrap();
    assert!(spooler.submit(&vec![b'x'; longest + 1], 0).is_err());
    let spooled = spooler.submit(&vec![b'x'; longest], 0).unwrap();
    assert!(spooled.await.is_ok());
    assert_eq!(bench.figure("records "), 1);
}
