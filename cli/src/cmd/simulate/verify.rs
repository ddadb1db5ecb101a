//! `postback simulate verify LEDGER`

mod sheet;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use postback_common::config::Settings;
use postback_common::record::RawRecord;
use postback_simulator::Amount;
use postback_simulator::audit::{Audit, Comparison, Counted, Group, Received};
use postback_store::StoreError;
use postback_store::reports::Reader;
use postback_store::reports::received::{self, Extent};
use uuid::Uuid;

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag;
use crate::servers::Trouble;

/// The sender's clock and the receiver's may differ by so much.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// How often loading is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Compare a simulated network's ledger with the tables, count by count and sum by sum
#[derive(Debug, Args)]
#[command(after_help = "Example: postback simulate verify ledger.jsonl\n\n\
    Compared are the ids that the receiver gave, the outcomes, and for each currency, kind and status the \
    conversions, their money and how many lack a click id; a conversion counts once, by what was processed \
    last. What was never answered may be there or not; where it is, it is compared too. Needs memory for \
    the ids of the ledger. Exit code 3 when something differs.")]
pub(super) struct Verify {
    /// The file that `postback simulate run` has written
    ledger: PathBuf,
    /// Wait so long for what Kafka has to be loaded, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Show what is equal, too
    #[arg(long)]
    all: bool,
}

impl Verify {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let audit = read(&self.ledger)?;
        let Some(run) = audit.run() else {
            return Err(Failure::Usage(format!(
                "{} does not begin as a ledger does\n  give the file that `postback simulate run` has written",
                self.ledger.display()
            )));
        };
        let settings = load(options, console)?.settings;
        let trouble = |error| Trouble::of_clickhouse(&error, &settings.clickhouse);
        let reader = Reader::of_active(&settings.clickhouse)
            .await
            .map_err(trouble)?;
        let waiting = self.wait_until_loaded(&reader, &settings, console).await?;
        let comparison = match audit.sent() {
            Some(sent) => compare(&audit, &reader, &extent(&run.source, sent))
                .await
                .map_err(trouble)?,
            None => audit.compare(&[], &[], &[]),
        };
        let about = sheet::About {
            audit: &audit,
            comparison: &comparison,
            waiting,
            all: self.all,
            generation: reader.generation(),
        };
        about.sheet().write(options, console)?;
        Ok(if about.is_equal() {
            Ending::Done
        } else {
            Ending::Found
        })
    }

    /// How many records still wait when the time is over.
    async fn wait_until_loaded(
        &self,
        reader: &Reader,
        settings: &Settings,
        console: &mut Console,
    ) -> Result<u64, Failure> {
        let until = Instant::now() + Duration::from_secs(self.wait);
        let mut is_told = false;
        loop {
            let lag = lag::of_generation(settings, reader.generation()).await;
            let lag = lag.map_err(|words| Trouble::new(words, "see `postback doctor`"))?;
            if lag.waiting() == 0 || Instant::now() >= until {
                return Ok(lag.waiting());
            }
            if !is_told {
                console.note("Waiting until what Kafka has is loaded");
                is_told = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn read(file: &Path) -> Result<Audit, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "{} is no ledger: {error}\n  give the file that `postback simulate run` has written",
            file.display()
        ))
    };
    let opened = File::open(file).map_err(|error| refused(&error))?;
    Audit::read(BufReader::new(opened)).map_err(|error| refused(&error))
}

fn extent(source: &str, (first, last): (Timestamp, Timestamp)) -> Extent {
    Extent {
        source: source.to_owned(),
        from: first - CLOCKS,
        to: last + CLOCKS,
    }
}

async fn compare(
    audit: &Audit,
    reader: &Reader,
    extent: &Extent,
) -> Result<Comparison, StoreError> {
    let rows = reader.received(extent).await?;
    let rows: Vec<Received> = rows
        .iter()
        .map(|row| Received {
            id: row.id.as_u128(),
            is_accepted: row.outcome == "accepted",
        })
        .collect();
    let unknown = audit.to_be_recognised(&rows);
    let mut queries = Vec::new();
    // In pieces that a request takes.
    for piece in unknown.chunks(1_000) {
        let ids: Vec<Uuid> = piece.iter().copied().map(Uuid::from_u128).collect();
        let raw = reader.raw_of(extent, &ids).await?;
        queries.extend(raw.iter().filter_map(query));
    }
    let conversions = reader.counted(extent).await?;
    let conversions: Vec<Counted> = conversions.into_iter().map(counted).collect();
    Ok(audit.compare(&rows, &conversions, &queries))
}

fn query(raw: &received::Raw) -> Option<(u128, Vec<u8>)> {
    let record = RawRecord::decode(raw.raw.as_bytes()).ok()?;
    Some((raw.id.as_u128(), record.query.as_bytes().to_vec()))
}

fn counted(row: received::Counted) -> Counted {
    Counted {
        id: row.postback_id.as_u128(),
        group: Group {
            currency: row.currency,
            kind: row.kind,
            status: row.status,
        },
        sale: row.sale_amount.map(|money| Amount::from_scaled(money.0)),
        commission: row.commission.map(|money| Amount::from_scaled(money.0)),
        has_click: row.has_click,
    }
}
