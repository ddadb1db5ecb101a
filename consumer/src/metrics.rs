//! What the consumer counts: all metrics `postback_consumer_…` and, of a generation that readers do
//! not see, `postback_standby_…`.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use postback_common::reason::Rejection;
use postback_service::metrics::prometheus_client::metrics::counter::Counter;
use postback_service::metrics::prometheus_client::metrics::family::Family;
use postback_service::metrics::prometheus_client::metrics::gauge::Gauge;
use postback_service::metrics::prometheus_client::metrics::histogram::Histogram;
use postback_service::metrics::prometheus_client::registry::Registry;
use postback_service::metrics::{Latency, Metrics};
use postback_store::Kind;

use crate::progress::Partition;
use crate::tally::Tally;

/// One label. Values come from the configuration, an enum, or the topic's partitions.
type Label = [(&'static str, String); 1];
type Amount = Gauge<u64, AtomicU64>;
type Seconds = Gauge<f64, AtomicU64>;

/// Upper bounds in seconds: from a small batch on an idle server to the time-out of an insert.
const SECONDS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 240.0,
];
/// What loading waits for, rather than blaming a row.
const WAITED_FOR: [Kind; 5] = [
    Kind::Outage,
    Kind::Pressure,
    Kind::TooLarge,
    Kind::Setup,
    Kind::Unknown,
];
const ROWS: [f64; 8] = [1.0, 10.0, 100.0, 1e3, 5e3, 1e4, 5e4, 1e5];
const BYTES: [f64; 8] = [1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 5e7, 1e8];

/// A time as Prometheus has it.
pub(crate) fn unix_seconds(at: Timestamp) -> f64 {
    let millis = at.as_millisecond();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are below 2^53")]
    let seconds = millis as f64 / 1_000.0;
    seconds
}

/// All handles. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerMetrics {
    postbacks: Family<Label, Counter>,
    rejections: Family<Label, Counter>,
    rows: Family<Label, Counter>,
    refused_rows: Family<Label, Counter>,
    lag: Family<Label, Amount>,
    unread_age: Family<Label, Seconds>,
    held: Family<Label, Gauge>,
    waiting: Family<Label, Gauge>,
    batch_rows: Histogram,
    batch_bytes: Histogram,
    /// How old the oldest record of a batch was when its load began.
    pub(crate) batch_age: Latency,
    /// How long a batch's load took, waiting included.
    pub(crate) batch_seconds: Latency,
    /// Partitions that are ours.
    pub(crate) assigned: Gauge,
    /// Assignments and revocations.
    pub(crate) rebalances: Counter,
    commits: Family<Label, Counter>,
    reloads: Family<Label, Counter>,
    /// Records of a source that the configuration does not have.
    pub(crate) unknown_sources: Counter,
    /// Offsets that Kafka passed over.
    pub(crate) skipped_offsets: Counter,
    pub(crate) log_restarts: Counter,
    changed_sources: Gauge,
}

impl ConsumerMetrics {
    /// Registers those about what readers see. What can be known ahead begins at 0.
    pub(crate) fn of_active(metrics: &mut Metrics) -> Self {
        Self::register(metrics.part("consumer"))
    }

    /// Registers those about a generation beside it.
    pub(crate) fn of_standby(metrics: &mut Metrics) -> Self {
        Self::register(metrics.part("standby"))
    }

    fn register(part: &mut Registry) -> Self {
        let all = Self {
            postbacks: Family::default(),
            rejections: Family::default(),
            rows: Family::default(),
            refused_rows: Family::default(),
            lag: Family::default(),
            unread_age: Family::default(),
            held: Family::default(),
            waiting: Family::default(),
            batch_rows: Histogram::new(ROWS),
            batch_bytes: Histogram::new(BYTES),
            batch_age: Latency::new(&SECONDS),
            batch_seconds: Latency::new(&SECONDS),
            assigned: Gauge::default(),
            rebalances: Counter::default(),
            commits: Family::default(),
            reloads: Family::default(),
            unknown_sources: Counter::default(),
            skipped_offsets: Counter::default(),
            log_restarts: Counter::default(),
            changed_sources: Gauge::default(),
        };
        all.begin_at_zero();
        all.name_in(part);
        all
    }

    fn begin_at_zero(&self) {
        for outcome in ["accepted", "rejected"] {
            drop(self.postbacks.get_or_create(&label("outcome", outcome)));
        }
        for reason in Rejection::ALL {
            drop(
                self.rejections
                    .get_or_create(&label("reason", reason.as_str())),
            );
        }
        for table in ["conversions", "postbacks"] {
            drop(self.rows.get_or_create(&label("table", table)));
            drop(self.refused_rows.get_or_create(&label("table", table)));
        }
        for result in ["done", "failed"] {
            drop(self.commits.get_or_create(&label("result", result)));
            drop(self.reloads.get_or_create(&label("result", result)));
        }
        self.wait_for(None);
    }

    fn name_in(&self, part: &mut Registry) {
        let help = "Postbacks loaded, by outcome: repetitions after a crash or rebalance included";
        part.register("postbacks", help, self.postbacks.clone());
        let help = "Reasons of rejected postbacks; one postback can have several";
        part.register("rejections", help, self.rejections.clone());
        part.register("rows", "Rows inserted, by table", self.rows.clone());
        let help = "Rows that ClickHouse refused for themselves, by table";
        part.register("refused_rows", help, self.refused_rows.clone());
        let help = "Records of a partition behind the committed offset";
        part.register("lag_records", help, self.lag.clone());
        let help = "How long ago the broker took the oldest record of a partition that is not loaded; 0 where there is none";
        part.register("unread_age_seconds", help, self.unread_age.clone());
        let help = "1 while a partition of ours is held because of what it contains";
        part.register("partition_held", help, self.held.clone());
        let help = "1 while loading waits for ClickHouse, by the kind of trouble";
        part.register("waiting", help, self.waiting.clone());
        part.register(
            "batch_rows",
            "Postbacks in a batch",
            self.batch_rows.clone(),
        );
        let help = "Bytes of a batch: its raw records, and what several orders in one have each";
        part.register("batch_bytes", help, self.batch_bytes.clone());
        let help = "Age of a batch when its load began";
        part.register("batch_age_seconds", help, self.batch_age.clone());
        let help = "Time to load a batch, waiting included";
        part.register("batch_load_seconds", help, self.batch_seconds.clone());
        part.register(
            "assigned_partitions",
            "Partitions of this member",
            self.assigned.clone(),
        );
        part.register(
            "rebalances",
            "Assignments and revocations",
            self.rebalances.clone(),
        );
        part.register(
            "commits",
            "Commits of offsets, by result",
            self.commits.clone(),
        );
        part.register(
            "reloads",
            "Reloads of the sources, by result",
            self.reloads.clone(),
        );
        let help = "Records of a source that the configuration does not have";
        part.register("unknown_source_records", help, self.unknown_sources.clone());
        let help = "Offsets without a record between two records read, or between what the group had committed and the first one; none in a topic made by migrate";
        part.register("skipped_offsets", help, self.skipped_offsets.clone());
        let help = "Partitions whose log began anew below what was read: the topic was deleted and made again, or cut short";
        part.register("log_restarts", help, self.log_restarts.clone());
        let help = "Sources of which the file says something else than what is loaded by";
        part.register("changed_sources", help, self.changed_sources.clone());
    }

    /// A batch is about to be loaded.
    pub(crate) fn batch(&self, rows: usize, bytes: usize) {
        self.batch_rows.observe(as_f64(rows));
        self.batch_bytes.observe(as_f64(bytes));
    }

    /// Rows were inserted.
    pub(crate) fn inserted(&self, table: &'static str, rows: usize) {
        self.rows
            .get_or_create(&label("table", table))
            .inc_by(rows as u64);
    }

    /// Records so counted are stored.
    pub(crate) fn stored(&self, tally: &Tally) {
        for (reason, many) in &tally.reasons {
            self.reject(*reason, *many);
        }
        for (outcome, many) in [("accepted", tally.accepted), ("rejected", tally.rejected)] {
            self.postbacks
                .get_or_create(&label("outcome", outcome))
                .inc_by(many);
        }
    }

    fn reject(&self, reason: Rejection, many: u64) {
        self.rejections
            .get_or_create(&label("reason", reason.as_str()))
            .inc_by(many);
    }

    /// ClickHouse refused a row of this table for itself.
    pub(crate) fn refused(&self, table: &'static str) {
        self.refused_rows
            .get_or_create(&label("table", table))
            .inc();
    }

    /// What loading waits for; `None`: nothing.
    pub(crate) fn wait_for(&self, kind: Option<Kind>) {
        for each in WAITED_FOR {
            let gauge = self.waiting.get_or_create(&label("reason", each.as_str()));
            gauge.set(i64::from(kind == Some(each)));
        }
    }

    pub(crate) fn lag(&self, partition: Partition, records: u64) {
        self.lag
            .get_or_create(&of_partition(partition))
            .set(records);
    }

    pub(crate) fn unread_age(&self, partition: Partition, seconds: f64) {
        self.unread_age
            .get_or_create(&of_partition(partition))
            .set(seconds);
    }

    pub(crate) fn hold(&self, partition: Partition, is_held: bool) {
        self.held
            .get_or_create(&of_partition(partition))
            .set(i64::from(is_held));
    }

    /// Somebody else measures this partition now.
    pub(crate) fn forget(&self, partition: Partition) {
        self.lag.remove(&of_partition(partition));
        self.unread_age.remove(&of_partition(partition));
        self.held.remove(&of_partition(partition));
    }

    pub(crate) fn commit(&self, is_done: bool) {
        self.commits.get_or_create(&result(is_done)).inc();
    }

    /// So many sources wait for a replay, or to be accepted as they are.
    pub(crate) fn changed_sources(&self, sources: usize) {
        let sources = i64::try_from(sources).unwrap_or(i64::MAX);
        self.changed_sources.set(sources);
    }

    pub(crate) fn reload(&self, is_done: bool) {
        self.reloads.get_or_create(&result(is_done)).inc();
    }
}

fn label(name: &'static str, value: &str) -> Label {
    [(name, value.to_owned())]
}

fn of_partition(partition: Partition) -> Label {
    label("partition", &partition.to_string())
}

fn result(is_done: bool) -> Label {
    label("result", if is_done { "done" } else { "failed" })
}

/// For histograms only: exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "a bucket does not need the last digit"
)]
fn as_f64(count: usize) -> f64 {
    count as f64
}
