//! `postback simulate run`

mod stage;
mod summary;

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use jiff::{SignedDuration, Timestamp};
use postback_common::config::{Settings as Configuration, SourceSettings};
use postback_common::secret::Secret;
use postback_service::lifecycle::shutdown_on_signal;
use postback_simulator::network::{ApiTrouble, Conduct, Credentials, Terms};
use postback_simulator::{Authorization, Field, Network, Push, Settings, Shares, Template};

use crate::arguments::Options;
use crate::cmd::door::{self, Door};
use crate::cmd::{load, source};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use stage::Stage;

/// The network that is played.
const NETWORK: &str = "rakuten";

/// More than this behind its schedule, and a run says so, in milliseconds.
const BEHIND_MS: u128 = 100;

/// Push made-up transactions to a source as Rakuten does
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback simulate run --source rakuten-us --rate 50 --for 1m\n  \
    postback simulate run --source rakuten-us --url http://127.0.0.1:8080 --postbacks 10000 --seed 7\n\n\
    Each postback is due at its time, whatever became of those before it, and has one attempt of 400 ms, \
    connecting included. After failures in a row the network disables the endpoint and tells nobody: ask \
    its API, as one asks the real one. The ledger holds everything sent, answered and kept back:\n\
    `postback simulate verify` compares it with the tables.\n\n\
    Without --postbacks and --for it runs until Ctrl-C. Ctrl-C and SIGTERM end every run in order: what is \
    under way gets its answer, the ledger is whole, and the exit code is that of any other end. A second \
    one ends at once (130).\n\n\
    What it sends counts in reports like everything else: use a source and an account of its own.\n\n\
    Exit code 3 when something was not acknowledged, or the schedule was not kept.")]
pub(super) struct Run {
    #[command(flatten)]
    door: Door,
    /// Postbacks a second
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1_000_000))]
    rate: u32,
    /// How many in all
    #[arg(long, value_name = "NUMBER")]
    postbacks: Option<u64>,
    /// For how long: 90s, 5m, 1h
    #[arg(long = "for", value_name = "TIME", value_parser = time, conflicts_with = "postbacks")]
    time: Option<Duration>,
    /// Equal seeds give equal transactions [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Days of simulated time that the transactions are spread over, ending yesterday
    #[arg(long, default_value_t = 30, value_parser = RangedU64ValueParser::<u16>::new().range(1..=365))]
    days: u16,
    /// The file of the ledger, which must not exist yet
    #[arg(long, value_name = "FILE", default_value = "ledger.jsonl")]
    ledger: PathBuf,
    /// Failures in a row that disable the endpoint; 0: never
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    disable_after: u32,
    /// How long the network waits for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 400, value_parser = RangedU64ValueParser::<u64>::new().range(1..=60_000))]
    patience_ms: u64,
    /// Most connections at once
    #[arg(long, value_name = "NUMBER", default_value_t = 4_096, value_parser = RangedU64ValueParser::<u32>::new().range(1..=60_000))]
    connections: u32,
    /// Where the network's API listens; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9102")]
    api: SocketAddr,
    /// The publisher's client_id for the API
    #[arg(long, value_name = "ID", default_value = "simulator")]
    client_id: String,
    /// The publisher's client_secret for the API: no secret, it guards invented data
    #[arg(long, value_name = "TEXT", default_value = "simulator")]
    client_secret: String,
    /// Share of the API's requests that meet a trouble, such as 429=0.1 or truncated=0.05
    #[arg(long, value_name = "KIND=SHARE", value_parser = trouble)]
    api_trouble: Vec<(ApiTrouble, f64)>,
    /// How long the API takes for each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = RangedU64ValueParser::<u64>::new().range(0..=60_000))]
    api_latency_ms: u64,
}

fn trouble(text: &str) -> Result<(ApiTrouble, f64), String> {
    let (kind, share) = text
        .split_once('=')
        .ok_or("write KIND=SHARE, such as 429=0.1")?;
    let found = ApiTrouble::ALL
        .into_iter()
        .find(|known| known.as_str() == kind);
    let found = found.ok_or_else(|| {
        let kinds = ApiTrouble::ALL.map(ApiTrouble::as_str).join(", ");
        format!("there is no such trouble; there are: {kinds}")
    })?;
    let share = share
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    Ok((
        found,
        share.ok_or("write the share from 0 to 1, such as 0.1")?,
    ))
}

fn time(text: &str) -> Result<Duration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    let time = parsed.ok().and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "write a time such as 90s, 5m or 1h".to_owned())
}

impl Run {
    pub(super) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let source = source::find(&self.door.source, &loaded.settings)?;
        if source.network.as_str() != NETWORK {
            return Err(Failure::Usage(format!(
                "source {} is of network {}, and only {NETWORK} is played\n  name a source of network {NETWORK}",
                source.name, source.network
            )));
        }
        let url = self.registered(source, &loaded.settings)?;
        let settings = self.settings(&url)?;
        let network = self.network(source)?;
        network.behave(Conduct {
            latency: Duration::from_millis(self.api_latency_ms),
            troubles: self.api_trouble.clone(),
            seed: settings.seed,
            ..Conduct::default()
        });
        network
            .set_up(url.expose(), Timestamp::now())
            .map_err(|error| Failure::Usage(error.to_string()))?;
        let seed = settings.seed;
        // Before the ledger is begun: a run that cannot be leaves no file behind.
        let api = stage::listen(self.api).await?;
        let stage = Stage {
            network: network.clone(),
            push: self.push(),
            settings,
            events: self.events(),
            api,
            ledger: self.open_ledger()?,
            head: self.head(source, seed),
            stop: shutdown_on_signal().map_err(Failure::failed)?,
        };
        let end = stage.play(console).await?;
        let told = summary::Told {
            end: &end,
            ledger: &self.ledger,
            seed,
            is_active: network.is_active(),
        };
        told.sheet().write(options, console)?;
        Ok(told.ending())
    }

    /// The URL as it is registered with the network.
    fn registered(
        &self,
        source: &SourceSettings,
        configuration: &Configuration,
    ) -> Result<Secret, Failure> {
        let base = self.door.url(source, &door::listener(configuration))?;
        let query = source.newest_query();
        let url = match query {
            Some(query) => format!("{}?{query}", base.expose()),
            None => {
                let fields = Field::ALL.map(|field| format!("{field}=<{field}>"));
                format!("{}?{}", base.expose(), fields.join("&"))
            }
        };
        Ok(Secret::new(url))
    }

    fn settings(&self, url: &Secret) -> Result<Settings, Failure> {
        let template =
            Template::parse(url.expose()).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut shares = Shares::lifelike();
        if !template.carries(Field::ProcessDate) {
            // Nobody could tell which of two revisions is the later one.
            shares.revised = 0;
        }
        let mut bits = [0; 4];
        getrandom::fill(&mut bits).map_err(Failure::failed)?;
        Ok(Settings {
            seed: self.seed.unwrap_or_else(|| u32::from_le_bytes(bits).into()),
            days: self.days,
            shares,
            ..Settings::until(Timestamp::now())
        })
    }

    fn network(&self, source: &SourceSettings) -> Result<Network, Failure> {
        let authorization = self.door.authorization(source)?;
        Ok(Network::new(Terms {
            publisher_id: Settings::until(Timestamp::now()).publisher_id,
            source: source.name.to_string(),
            currency: source.currency.clone().unwrap_or_default(),
            disable_after: self.disable_after,
            kept_transactions: 100_000,
            authorization: authorization.map(|secret| Authorization::new(secret.expose())),
            credentials: Credentials {
                client_id: self.client_id.clone(),
                client_secret: self.client_secret.clone(),
            },
        }))
    }

    fn push(&self) -> Push {
        Push {
            rate: self.rate,
            patience: Duration::from_millis(self.patience_ms),
            connections_max: usize::try_from(self.connections).unwrap_or(usize::MAX),
        }
    }

    /// How many there are to be.
    fn events(&self) -> u64 {
        let in_time = |time: Duration| {
            let events = time.as_millis() * u128::from(self.rate) / 1_000;
            u64::try_from(events).unwrap_or(u64::MAX).max(1)
        };
        let all = self.postbacks.or(self.time.map(in_time));
        all.unwrap_or(u64::MAX)
    }

    fn head(&self, source: &SourceSettings, seed: u64) -> postback_simulator::ledger::line::Run {
        postback_simulator::ledger::line::Run {
            version: postback_simulator::ledger::line::VERSION,
            source: source.name.to_string(),
            currency: source.currency.clone().unwrap_or_default(),
            seed,
            started_at: Timestamp::now(),
            rate: self.rate,
            patience_ms: self.patience_ms,
            disable_after: self.disable_after,
        }
    }

    fn open_ledger(&self) -> Result<std::fs::File, Failure> {
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.ledger);
        opened.map_err(|error| {
            let file = self.ledger.display();
            Failure::Usage(format!(
                "the ledger {file} cannot be begun: {error}\n  name a new file with --ledger, in a folder that may be written"
            ))
        })
    }
}
