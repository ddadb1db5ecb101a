//! One whole pipeline for one test: configuration, topic, database, ingest and consumer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postback_simulator::{Delivery, Ledger, Registration, Sender};
use postback_stack::{Launch, port};
use serde_json::Value;
use tempfile::TempDir;

use crate::database::Database;
use crate::program::{self, Finished, Program};
use crate::servers::{self, Servers};
use crate::topic::Topic;
use crate::{secret, wait};

const INGEST: &str = "postback-ingest";
const CONSUMER: &str = "postback-consumer";

/// What a test wants to be different.
#[derive(Debug, Clone)]
pub struct Setup {
    name: String,
    servers: Servers,
    reached_at: Option<String>,
    sources: Vec<(String, String)>,
    partitions: u32,
    lines: BTreeMap<&'static str, String>,
    answer_within: Duration,
    batch_wait: Duration,
}

impl Setup {
    /// A pipeline on the run's servers. `name` names its topic, database and logs.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::on(name, Servers::from_environment())
    }

    /// A pipeline on servers of the test's own.
    #[must_use]
    pub fn on(name: &str, servers: Servers) -> Self {
        Self {
            name: name.to_owned(),
            servers,
            reached_at: None,
            sources: Vec::new(),
            partitions: 3,
            lines: BTreeMap::new(),
            answer_within: Duration::from_secs(60),
            batch_wait: Duration::from_millis(200),
        }
    }

    /// Configures these brokers; the test itself reaches them at the servers' own address.
    #[must_use]
    pub fn reaching(mut self, brokers: &str) -> Self {
        self.reached_at = Some(brokers.to_owned());
        self
    }

    /// Adds a source with this query as its template, such as `u1=<u1>&is_event=<is_event>`.
    #[must_use]
    pub fn source(mut self, name: &str, template: &str) -> Self {
        self.sources.push((name.to_owned(), template.to_owned()));
        self
    }

    /// Gives ingest the contract's own 250 ms for an answer. Other tests give it a minute: what they
    /// ask must not depend on how busy the machine is, and a record that Kafka confirms late is
    /// refused, but loaded all the same.
    #[must_use]
    pub fn answering_in_time(mut self) -> Self {
        self.answer_within = Duration::from_millis(250);
        self
    }

    /// Lets a batch that is not full wait so long for more.
    #[must_use]
    pub fn collecting_for(mut self, wait: Duration) -> Self {
        self.batch_wait = wait;
        self
    }

    /// Gives the topic so many partitions.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// Adds lines to a section, such as `("ingest", "max_body_bytes = 1024")`.
    #[must_use]
    pub fn lines(mut self, section: &'static str, lines: &str) -> Self {
        writeln!(self.lines.entry(section).or_default(), "{lines}").expect("text grows");
        self
    }

    /// Writes the configuration. Nothing runs yet.
    ///
    /// # Panics
    /// When the disk or the ports are not to be had.
    #[must_use]
    pub fn prepare(self) -> Pipeline {
        let name = secret::fresh_name(&self.name);
        let [ingest, ingest_admin, consumer_admin] = port::free().expect("free ports");
        let pipeline = Pipeline {
            directory: tempfile::tempdir().expect("a directory"),
            logs: servers::log_directory(),
            topic: Topic::new(&self.servers.brokers, &name),
            refused_topic: Topic::new(&self.servers.brokers, &format!("{name}_refused")),
            database: self.servers.database(&name),
            address: SocketAddr::from(([127, 0, 0, 1], ingest)),
            ingest_admin: SocketAddr::from(([127, 0, 0, 1], ingest_admin)),
            consumer_admin: SocketAddr::from(([127, 0, 0, 1], consumer_admin)),
            sources: self
                .sources
                .iter()
                .map(|(name, template)| Source::new(name, template))
                .collect(),
            setup: self,
            name,
        };
        pipeline.write_configuration();
        pipeline
    }

    /// Writes the configuration, makes topic and tables, and starts ingest and consumer.
    ///
    /// # Panics
    /// When one of them does not get ready.
    #[must_use]
    pub fn start(self) -> Running {
        let pipeline = self.prepare();
        pipeline.migrate();
        let ingest = pipeline.start_ingest();
        pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
        let consumer = pipeline.start_consumer();
        pipeline.wait_until_ready(pipeline.consumer_admin, &consumer);
        Running {
            ingest,
            consumer,
            pipeline,
        }
    }
}

/// A source of the configuration, with its secret key.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its URL key.
    pub key: String,
    template: String,
}

impl Source {
    fn new(name: &str, template: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: secret::fresh(),
            template: template.to_owned(),
        }
    }

    /// The configuration says another template from the next time on that it is written.
    pub fn configure_template(&mut self, template: &str) {
        template.clone_into(&mut self.template);
    }

    /// The path of its postbacks.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/postback/{}", self.key)
    }
}

/// A configured pipeline. Topics and database are removed when it is dropped.
#[derive(Debug)]
pub struct Pipeline {
    directory: TempDir,
    logs: PathBuf,
    name: String,
    setup: Setup,
    /// Its topic.
    pub topic: Topic,
    /// Its topic of refusals.
    pub refused_topic: Topic,
    /// Its database.
    pub database: Database,
    /// Where ingest listens for networks.
    pub address: SocketAddr,
    /// Where ingest's admin listener is.
    pub ingest_admin: SocketAddr,
    /// Where the consumer's admin listener is.
    pub consumer_admin: SocketAddr,
    /// The sources, in the order of the set-up.
    pub sources: Vec<Source>,
}

/// A pipeline with both services running.
#[derive(Debug)]
pub struct Running {
    /// postback-ingest
    pub ingest: Program,
    /// postback-consumer
    pub consumer: Program,
    /// What they work on.
    pub pipeline: Pipeline,
}

impl Pipeline {
    /// The configuration file.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("postback.toml")
    }

    /// Writes the configuration file; again after the sources were changed.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write_configuration(&self) {
        std::fs::write(self.configuration(), self.configuration_text())
            .expect("the configuration can be written");
    }

    fn configuration_text(&self) -> String {
        let Servers {
            brokers,
            clickhouse_url,
            clickhouse_user,
            clickhouse_password,
        } = &self.setup.servers;
        let brokers = self.setup.reached_at.as_ref().unwrap_or(brokers);
        let lines = |section| self.setup.lines.get(section).map_or("", String::as_str);
        let mut text = format!(
            "[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{}\"\nrefused_topic = \"{}\"\npartitions = {}\n{}\n\
             [clickhouse]\nurl = \"{clickhouse_url}\"\ndatabase = \"{}\"\nuser = \"{clickhouse_user}\"\npassword = \"{clickhouse_password}\"\n{}\n\
             [ingest]\nlisten = \"{}\"\nadmin_listen = \"{}\"\nanswer_within_ms = {}\n{}\n\
             [consumer]\nadmin_listen = \"{}\"\ngroup = \"{}\"\nbatch_max_wait_ms = {}\n{}\n",
            self.topic.name(),
            self.refused_topic.name(),
            self.setup.partitions,
            lines("kafka"),
            self.database.name(),
            lines("clickhouse"),
            self.address,
            self.ingest_admin,
            self.setup.answer_within.as_millis(),
            lines("ingest"),
            self.consumer_admin,
            self.name,
            self.setup.batch_wait.as_millis(),
            lines("consumer"),
        );
        for Source {
            name,
            key,
            template,
        } in &self.sources
        {
            let url = format!("https://pb.example/postback/{key}?{template}");
            writeln!(
                text,
                "[[source]]\nname = \"{name}\"\nnetwork = \"rakuten\"\n{}\n[[source.key]]\nkey = \"{key}\"\n[[source.template]]\nurl = \"{url}\"\n",
                lines("source"),
            )
            .expect("text grows");
        }
        text
    }

    /// Its database, for another thread.
    #[must_use]
    pub fn reader(&self) -> Database {
        self.setup.servers.database(&self.name).kept()
    }

    /// The consumer group that loads a generation.
    #[must_use]
    pub fn group(&self, generation: u32) -> String {
        format!("{}-g{generation}", self.name)
    }

    /// The file that keeps what a program prints.
    #[must_use]
    pub fn log(&self, program: &str) -> PathBuf {
        self.logs.join(format!("{}.{program}.log", self.name))
    }

    /// Runs `postback -c CONFIGURATION …`.
    #[must_use]
    pub fn postback(&self, arguments: &[&str]) -> Finished {
        self.run("postback", arguments)
    }

    /// Runs any of the binaries with the configuration, to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, binary: &str, arguments: &[&str]) -> Finished {
        let file = self.configuration();
        let all = [&["-c", path(&file)], arguments].concat();
        program::run(binary, &all, self.directory.path(), &self.log("commands"))
    }

    /// Makes topic and tables.
    ///
    /// # Panics
    /// When `postback migrate` fails.
    pub fn migrate(&self) {
        let finished = self.postback(&["migrate"]);
        assert_eq!(finished.code, 0, "{}", finished.shown());
    }

    /// Starts ingest; it may not be ready yet.
    #[must_use]
    pub fn start_ingest(&self) -> Program {
        self.start(INGEST)
    }

    /// Starts ingest in a way of the caller's: `prepare` gets its name and its arguments.
    #[must_use]
    pub fn start_ingest_by(&self, prepare: impl FnOnce(&str, &[&str]) -> Launch) -> Program {
        let file = self.configuration();
        Program::launch(prepare(INGEST, &["-c", path(&file)]), &self.log(INGEST))
    }

    /// Starts ingest as a supervisor does that holds its socket; it may not be ready yet. See
    /// [`Program::start_with_socket`].
    #[must_use]
    pub fn start_ingest_with_socket(&self, socket: OwnedFd, notify: Option<&Path>) -> Program {
        let file = self.configuration();
        let arguments = ["-c", path(&file)];
        Program::start_with_socket(INGEST, &arguments, &self.log(INGEST), socket, notify)
    }

    /// Starts a consumer with these variables in its environment; it may not be ready yet.
    #[must_use]
    pub fn start_consumer_with(&self, variables: &[(&str, String)]) -> Program {
        let file = self.configuration();
        let launch = Launch::new(program::binary(CONSUMER))
            .args(["-c", path(&file)])
            .envs(variables.iter().map(|(name, value)| (name, value)));
        Program::launch(launch, &self.log(CONSUMER))
    }

    /// Starts the consumer; it may not be ready yet.
    #[must_use]
    pub fn start_consumer(&self) -> Program {
        self.start(CONSUMER)
    }

    fn start(&self, binary: &str) -> Program {
        self.start_with(binary, &[])
    }

    /// Starts any of the binaries with the configuration.
    #[must_use]
    pub fn start_with(&self, binary: &str, arguments: &[&str]) -> Program {
        let file = self.configuration();
        let all = [&["-c", path(&file)], arguments].concat();
        Program::start(binary, &all, &self.log(binary))
    }

    /// Waits until a service's `/readyz` says yes.
    ///
    /// # Panics
    /// When the service ends instead.
    pub fn wait_until_ready(&self, admin: SocketAddr, program: &Program) {
        wait::until_true("the service is ready", || {
            assert!(
                program.process().is_running(),
                "it ended: {}",
                program.output()
            );
            get(admin, "/readyz").is_some_and(|(status, _)| status == 200)
        });
    }

    /// What `/readyz` of a service says: status and text; `None` while nobody listens.
    #[must_use]
    pub fn readiness(&self, admin: SocketAddr) -> Option<(u16, String)> {
        get(admin, "/readyz")
    }

    /// The simulator's registration of a source.
    ///
    /// # Panics
    /// When the template is none.
    #[must_use]
    pub fn registration(&self, source: usize) -> Registration {
        self.registered_as(source, &self.sources[source].template)
    }

    /// The registration of a source whose URL the network knows otherwise than the configuration.
    ///
    /// # Panics
    /// When the template is none.
    #[must_use]
    pub fn registered_as(&self, source: usize, template: &str) -> Registration {
        let Source { name, key, .. } = &self.sources[source];
        let url = format!("http://{}/postback/{key}?{template}", self.address);
        Registration::new(name, &url, "USD").expect("a URL template")
    }

    /// Sends deliveries over some connections and returns the ledger.
    ///
    /// # Panics
    /// When the sender cannot start.
    #[must_use]
    pub fn send(&self, deliveries: Vec<Delivery>) -> Ledger {
        Sender::new(self.address, 8)
            .with_patience(2 * self.setup.answer_within)
            .send_blocking(deliveries, |_| {})
            .expect("the sender runs")
    }

    /// Waits until the view `postbacks` has at least this many rows, then checks that it has no more.
    ///
    /// # Panics
    /// When they do not come, or too many do.
    pub fn wait_until_loaded(&self, postbacks: u64) {
        let count = || self.database.count("SELECT count() FROM {db}.postbacks");
        wait::until_true(&format!("{postbacks} postbacks are loaded"), || {
            count() >= postbacks
        });
        assert_eq!(count(), postbacks, "postbacks in the table");
    }

    /// Waits until everything that a ledger says was acknowledged is in the view `postbacks`. There
    /// may be more: what was sent but not answered.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_until_loaded_at_least(&self, ledger: &Ledger) {
        let ids: Vec<String> = ledger
            .acknowledged_ids()
            .iter()
            .map(|id| format!("'{id}'"))
            .collect();
        let found = format!(
            "SELECT count() FROM {{db}}.postbacks WHERE id IN ({})",
            ids.join(",")
        );
        wait::until_true("everything acknowledged is loaded", || {
            self.database.count(&found) == ids.len() as u64
        });
    }

    /// Rows and meta that a command of the CLI prints.
    ///
    /// # Panics
    /// When the command fails or prints no JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.postback(&[&["-o", "json"], arguments].concat());
        assert_eq!(finished.code, 0, "{}", finished.shown());
        serde_json::from_str(&finished.stdout).expect("the command prints JSON")
    }

    /// Rows and meta of a report, by the CLI.
    ///
    /// # Panics
    /// When the command fails or prints no JSON.
    #[must_use]
    pub fn report(&self, arguments: &[&str]) -> Value {
        self.json(&[&["report"], arguments].concat())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.topic.remove();
        self.refused_topic.remove();
    }
}

/// GETs a page of an admin listener: status and text; `None` while nobody answers.
#[must_use]
pub fn get(admin: SocketAddr, page: &str) -> Option<(u16, String)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(wait::LIMIT))
        .proxy(None)
        .build()
        .into();
    let mut answer = agent.get(format!("http://{admin}{page}")).call().ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), text))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}
