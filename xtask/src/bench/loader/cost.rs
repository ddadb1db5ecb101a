//! What a load costs, from `/proc` and from the server's list of parts.

use std::time::{Duration, Instant};

use postback_stack::Cancellation;
use serde::Serialize;

use super::super::host;
use super::site::Site;

/// No merge and no other part for so long: the tables have settled.
const QUIET: Duration = Duration::from_secs(4);

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// One way of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// The consumer, both tables.
    Both,
    /// The consumer, conversions alone stored.
    One,
    /// ClickHouse's Kafka engine, a table like conversions.
    Engine,
    /// Ready-made rows of conversions.
    FloorConversions,
    /// Ready-made rows of postbacks.
    FloorPostbacks,
}

impl Way {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Both => "(a) consumer, `conversions` and `postbacks`",
            Self::One => "(b) consumer, `conversions` stored, `postbacks` thrown away",
            Self::Engine => "(c) Kafka engine and view, a table like `conversions`",
            Self::FloorConversions => "(d) ready-made rows, `conversions`",
            Self::FloorPostbacks => "(d) ready-made rows, `postbacks`",
        }
    }
}

/// CPU in seconds for a million records (of the floor: rows).
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cost {
    pub(super) way: Way,
    pub(super) rows: u64,
    pub(super) rows_per_second: f64,
    /// Of the program that loads, from its start; 0 where there is none.
    pub(super) loader_cpu: f64,
    /// Of ClickHouse until everything was stored.
    pub(super) clickhouse_cpu_loading: f64,
    /// Of ClickHouse until the merges that follow had ended, too.
    pub(super) clickhouse_cpu: f64,
    /// Most memory of the program that loads.
    pub(super) loader_resident_mib: f64,
    /// Most memory of ClickHouse.
    pub(super) clickhouse_resident_mib: f64,
    /// Bytes a row on disk once merged, of each table that was filled.
    pub(super) bytes_a_row: Vec<(String, f64)>,
}

impl Cost {
    pub(super) fn cpu(&self) -> f64 {
        self.loader_cpu + self.clickhouse_cpu
    }
}

/// A load that is being measured.
pub(super) struct Measurement<'a> {
    site: &'a Site,
    began: Instant,
    cpu: f64,
    clickhouse_resident_mib: f64,
    loader_resident_mib: f64,
}

impl<'a> Measurement<'a> {
    /// Waits until the server has nothing left to do, and begins.
    pub(super) fn begin(site: &'a Site, cancellation: &Cancellation) -> anyhow::Result<Self> {
        settle(site, cancellation)?;
        Ok(Self {
            site,
            cpu: host::cpu(site.clickhouse_pid())?,
            began: Instant::now(),
            clickhouse_resident_mib: 0.0,
            loader_resident_mib: 0.0,
        })
    }

    /// Looks at the memory; to be called again and again.
    pub(super) fn look(&mut self, loader: Option<u32>) -> anyhow::Result<()> {
        let own = host::resident_mib(self.site.clickhouse_pid())?;
        self.clickhouse_resident_mib = self.clickhouse_resident_mib.max(own);
        if let Some(loader) = loader {
            let resident = host::resident_mib(loader)?;
            self.loader_resident_mib = self.loader_resident_mib.max(resident);
        }
        Ok(())
    }

    /// Everything is stored by now; `took` is how long that took where it was earlier.
    pub(super) fn end(
        self,
        way: Way,
        rows: u64,
        loader_cpu: f64,
        took: Option<Duration>,
        tables: &[&str],
        cancellation: &Cancellation,
    ) -> anyhow::Result<Cost> {
        let took = took.unwrap_or_else(|| self.began.elapsed());
        let pid = self.site.clickhouse_pid();
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let millions = rows as f64 / 1e6;
        let loading = host::cpu(pid)? - self.cpu;
        settle(self.site, cancellation)?;
        let settled = host::cpu(pid)? - self.cpu;
        let sizes = tables.iter().map(|table| {
            let bytes = self.site.bytes_a_row(table)?;
            Ok(((*table).to_owned(), bytes))
        });
        Ok(Cost {
            way,
            rows,
            rows_per_second: millions * 1e6 / took.as_secs_f64(),
            loader_cpu: loader_cpu / millions,
            clickhouse_cpu_loading: loading / millions,
            clickhouse_cpu: settled / millions,
            loader_resident_mib: self.loader_resident_mib,
            clickhouse_resident_mib: self.clickhouse_resident_mib,
            bytes_a_row: sizes.collect::<anyhow::Result<_>>()?,
        })
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Waits for the merges that follow a load.
pub(super) fn settle(site: &Site, cancellation: &Cancellation) -> anyhow::Result<()> {
    let mut last = String::new();
    let mut since = Instant::now();
    loop {
        let now = site.query(
            "SELECT (SELECT count() FROM system.merges), groupArray(name) FROM \
             (SELECT name FROM system.parts WHERE active AND database = currentDatabase() ORDER BY name)",
        )?;
        if now != last || !now.starts_with("0\t") {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > QUIET {
            return Ok(());
        }
        cancellation.sleep(LOOK)?;
    }
}
