//! Where it happens: servers of its own, a configuration, a topic with records.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::ToSpan as _;
use postback_stack::{
    Cancellation, ClickHouseClient, Installation, Launch, Stack, StackOptions, Supervised, port,
};
use serde::Deserialize;
use tempfile::TempDir;

use crate::bench::place::released;
use crate::project::Project;

/// The topic, as the configuration has it by default.
const TOPIC: &str = "postbacks.raw";

/// The database, as the configuration has it by default.
const DATABASE: &str = "postback";

/// What everything that is started here prints.
const LOG: &str = "programs.log";

/// How long a command may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The place of one benchmark; what it started and wrote goes with it.
pub(in super::super) struct Site {
    stack: Stack,
    binaries: PathBuf,
    admin: SocketAddr,
    // The last field: the servers end before their directory goes.
    directory: TempDir,
}

/// What a topic was filled with.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(in super::super) struct Filled {
    pub(in super::super) records: u64,
    /// Of all values together.
    pub(in super::super) bytes: u64,
}

impl Site {
    /// Starts Kafka and ClickHouse.
    pub(in super::super) fn make(
        project: &Project,
        installation: &Installation,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Self> {
        // Not where the system keeps temporary files, which may be memory.
        std::fs::create_dir_all(project.target())?;
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(project.target())?;
        let options = StackOptions::new(directory.path());
        let stack = Stack::start(installation, options, cancellation)?;
        let [admin, ingest] = port::free()?;
        let site = Self {
            binaries: released()?,
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, admin)),
            stack,
            directory,
        };
        let text = format!(
            "[ingest]\nlisten = \"127.0.0.1:{ingest}\"\nspool_dir = '{spool}'\n\n\
             [consumer]\nadmin_listen = \"{admin}\"\n\n\
             [[source]]\nname = \"rakuten-us\"\nnetwork = \"rakuten\"\ncurrency = \"USD\"\nenabled = false\n\
             [[source]]\nname = \"rakuten-uk\"\nnetwork = \"rakuten\"\nenabled = false\n\
             [[source]]\nname = \"partner\"\nnetwork = \"generic\"\nenabled = false\n\
             [[source]]\nname = \"shop\"\nnetwork = \"orders\"\nenabled = false\n",
            spool = site.directory.path().join("spool").display(),
            admin = site.admin,
        );
        std::fs::write(site.configuration(), text)?;
        Ok(site)
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("postback.toml")
    }

    /// What the programs printed last.
    pub(in super::super) fn printed(&self) -> String {
        let log = self.directory.path().join(LOG);
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// The consumer's admin listener.
    pub(in super::super) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(in super::super) fn brokers(&self) -> String {
        self.stack.kafka.brokers()
    }

    pub(in super::super) fn topic(&self) -> &'static str {
        TOPIC
    }

    pub(in super::super) fn clickhouse_pid(&self) -> u32 {
        self.stack.clickhouse.process().pid()
    }

    /// A released program, which knows of these servers by its environment and of nothing else.
    fn program(&self, name: &str) -> Launch {
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let launch = Launch::new(self.binaries.join(name)).log(self.directory.path().join(LOG));
        variables
            .filter(|name| name.starts_with("POSTBACK__") || name == "RUST_LOG")
            .fold(launch, Launch::env_remove)
            .envs(self.stack.environment())
    }

    /// Runs a command of `postback`.
    pub(in super::super) fn postback(
        &self,
        arguments: &[&str],
        cancellation: &Cancellation,
    ) -> anyhow::Result<()> {
        self.command("postback-loader", arguments, cancellation)
    }

    /// Runs a command of `postback` about the consumers of that group.
    pub(in super::super) fn command(
        &self,
        group: &str,
        arguments: &[&str],
        cancellation: &Cancellation,
    ) -> anyhow::Result<()> {
        let command = self
            .program("postback")
            .envs([("POSTBACK__CONSUMER__GROUP", group)])
            .args(["-c".into(), self.configuration()])
            .args(arguments)
            .spawn()?;
        let ended = command.wait(cancellation, GRACE)?;
        // 3: it ran, and found something that a person would want to know.
        if !matches!(ended.code(), Some(0 | 3)) {
            bail!(
                "`postback {}` failed: {}",
                arguments.join(" "),
                self.printed()
            );
        }
        Ok(())
    }

    /// Fills the topic.
    pub(in super::super) fn fill(
        &self,
        records: u64,
        cancellation: &Cancellation,
    ) -> anyhow::Result<Filled> {
        let filling = self.filling(records, 1, None)?;
        if !filling.wait(cancellation, GRACE)?.success() {
            bail!("the topic is not filled: {}", self.printed());
        }
        serde_json::from_str(self.printed().lines().last().unwrap_or_default())
            .context("postback-fill-topic said nothing")
    }

    /// Begins to fill the topic, as fast as it can or at a rate.
    pub(in super::super) fn filling(
        &self,
        records: u64,
        seed: u64,
        rate: Option<u32>,
    ) -> anyhow::Result<Supervised> {
        let today = jiff::Timestamp::now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        let program = self
            .program("postback-fill-topic")
            .args(["--brokers".to_owned(), self.brokers()])
            .args(["--topic", TOPIC])
            .args(["--records".to_owned(), records.to_string()])
            .args(["--seed".to_owned(), seed.to_string()])
            .args([
                "--last-day".to_owned(),
                today.checked_sub(1.day())?.to_string(),
            ]);
        let program = match rate {
            Some(rate) => program.args(["--rate".to_owned(), rate.to_string()]),
            None => program,
        };
        Ok(program.spawn()?)
    }

    /// Starts a consumer of a group that has read nothing yet.
    pub(in super::super) fn consumer(&self, group: &str) -> anyhow::Result<Supervised> {
        let group = [("POSTBACK__CONSUMER__GROUP", group.to_ascii_lowercase())];
        Ok(self
            .program("postback-consumer")
            .args(["-c".into(), self.configuration()])
            .envs(group)
            // As the unit of deploy/systemd has it.
            .envs([("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "100")])
            .spawn()?)
    }

    fn client(&self) -> ClickHouseClient {
        self.stack.clickhouse.client().in_database(DATABASE)
    }

    /// Asks ClickHouse.
    pub(in super::super) fn query(&self, sql: &str) -> anyhow::Result<String> {
        Ok(self.client().query(sql)?)
    }

    /// Runs a statement that may take long.
    pub(in super::super) fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.post("wait_end_of_query=1", sql, &[]).map(drop)
    }

    /// Rows of a view or table.
    pub(in super::super) fn count(&self, view: &str) -> anyhow::Result<u64> {
        let count = self.query(&format!("SELECT count() FROM {view}"))?;
        count.trim().parse().context("no count")
    }

    /// On disk, compressed, over all active parts.
    pub(in super::super) fn bytes_a_row(&self, table: &str) -> anyhow::Result<f64> {
        let bytes = self.query(&format!(
            "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts \
             WHERE active AND database = currentDatabase() AND table = '{table}'"
        ))?;
        bytes.trim().parse().context("no size")
    }

    /// Writes the result of a query to a file, as the server sends it in Native.
    pub(in super::super) fn take_rows(&self, sql: &str, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.directory.path().join(name);
        let mut answer = self.post("", &format!("{sql} FORMAT Native"), &[])?;
        let mut file = std::fs::File::create(&path)?;
        std::io::copy(&mut answer.body_mut().as_reader(), &mut file)?;
        Ok(path)
    }

    /// Inserts such a file's bytes.
    pub(in super::super) fn put_rows(
        &self,
        table: &str,
        settings: &str,
        rows: &[u8],
    ) -> anyhow::Result<()> {
        let insert = format!("INSERT INTO {table} FORMAT Native");
        self.post(settings, &insert, rows).map(drop)
    }

    fn post(
        &self,
        settings: &str,
        sql: &str,
        body: &[u8],
    ) -> anyhow::Result<ureq::http::Response<ureq::Body>> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let clickhouse = &self.stack.clickhouse;
        let mut answer = agent
            .post(format!("{}/?{settings}", clickhouse.url()))
            .query("database", DATABASE)
            .query("query", sql)
            .header("X-ClickHouse-User", postback_stack::clickhouse::USER)
            .header("X-ClickHouse-Key", clickhouse.password().reveal())
            .send(body)?;
        if answer.status() != 200 {
            bail!("{sql}: {}", answer.body_mut().read_to_string()?);
        }
        Ok(answer)
    }
}
