//! The place of one demo: its configuration, and what only it uses on the servers.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use postback_simulator::{Field, Registration};
use postback_stack::{Cancellation, ClickHouseClient, Launch, StackError, port};

use crate::report;
use crate::servers::Servers;

/// The source's name.
const SOURCE: &str = "rakuten-us";

/// The currency of a postback that has none.
const CURRENCY: &str = "USD";

/// How long a command may take to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Where a demo happens.
pub(crate) struct Site {
    directory: PathBuf,
    servers: Servers,
    /// The URL key, a secret of this demo alone.
    key: String,
    /// Topic, consumer group and database are named after it.
    name: String,
    ports: [u16; 3],
}

impl Site {
    /// Makes the configuration in this directory.
    pub(super) fn create(directory: &Path, servers: Servers) -> anyhow::Result<Self> {
        let site = Self {
            directory: directory.to_owned(),
            // Our own servers hold nothing else; on others this demo must not meet anything.
            name: if servers.are_own() {
                "postback".to_owned()
            } else {
                format!("demo_{}", random()?)
            },
            servers,
            key: random()?,
            ports: port::free()?,
        };
        let path = site.configuration();
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(site.text().as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(site)
    }

    /// Removes what the demo made on servers that stay.
    pub(super) fn remove(&self) {
        if self.servers.are_own() {
            self.servers.stop();
            return;
        }
        let database = self.database();
        if let Err(error) = self
            .clickhouse()
            .query(&format!("DROP DATABASE IF EXISTS {database}"))
        {
            report::step(&format!("The database {database} stays: {error}"));
        }
        report::step(&format!(
            "The topics {name}.raw and {name}.refused stay in Kafka; to remove them:\n  \
             kafka-topics.sh --bootstrap-server {brokers} --delete --topic '{name}[.](raw|refused)'",
            name = self.name,
            brokers = self.servers.brokers,
        ));
    }

    /// The configuration file.
    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.join("postback.toml")
    }

    /// Where a program of the demo writes what it prints.
    pub(super) fn log(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}.log"))
    }

    /// The database of this demo.
    pub(super) fn database(&self) -> &str {
        &self.name
    }

    /// Where ClickHouse is, and its user.
    pub(super) fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Asks ClickHouse.
    pub(super) fn clickhouse(&self) -> ClickHouseClient {
        self.servers.clickhouse()
    }

    /// Where the network sends to.
    pub(super) fn ingest_address(&self) -> SocketAddr {
        loopback(self.ports[0])
    }

    /// The admin listeners of ingest and consumer.
    pub(super) fn admin_addresses(&self) -> [SocketAddr; 2] {
        [loopback(self.ports[1]), loopback(self.ports[2])]
    }

    /// The URL to register with the network, key and template included.
    pub(super) fn url(&self) -> String {
        format!(
            "http://{}/postback/{}?{}",
            self.ingest_address(),
            self.key,
            query()
        )
    }

    /// The source as the simulated network knows it.
    pub(super) fn registration(&self) -> anyhow::Result<Registration> {
        Ok(Registration::new(SOURCE, &self.url(), CURRENCY)?)
    }

    /// A program of this build with this configuration, and nothing of Postback's from the
    /// environment: it would win over the file.
    pub(super) fn program(&self, name: &str) -> anyhow::Result<Launch> {
        let own = std::env::current_exe()?;
        let program = own.with_file_name(name);
        if !program.is_file() {
            bail!("{} was not built", program.display());
        }
        let launch = Launch::new(program).args(["-c".into(), self.configuration()]);
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let ours = variables.filter(|name| name.starts_with("POSTBACK__"));
        Ok(ours.fold(launch, Launch::env_remove))
    }

    /// Runs a command of `postback` that shows something.
    ///
    /// # Errors
    /// When it ends with another status than 0.
    pub(super) fn postback(
        &self,
        arguments: &[&str],
        cancellation: &Cancellation,
    ) -> anyhow::Result<()> {
        let process = self.program("postback")?.args(arguments).spawn()?;
        let status = process.wait(cancellation, GRACE)?;
        if !status.success() {
            bail!("`postback {}` failed ({status})", arguments.join(" "));
        }
        Ok(())
    }

    /// Makes topics and tables.
    pub(super) fn migrate(&self, cancellation: &Cancellation) -> anyhow::Result<()> {
        let log = self.log("migrate");
        let process = self
            .program("postback")?
            .args(["migrate"])
            .log(&log)
            .spawn()?;
        let status = process.wait(cancellation, GRACE)?;
        if !status.success() {
            let what = "`postback migrate`".to_owned();
            return Err(StackError::CommandFailed { what, status, log }.into());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let [ingest_admin, consumer_admin] = self.admin_addresses();
        format!(
            "# A demo's configuration. postback.example.toml has every key.\n\
             [kafka]\nbrokers = \"{brokers}\"\ntopic = \"{name}.raw\"\nrefused_topic = \"{name}.refused\"\n\n\
             [clickhouse]\nurl = \"{url}\"\ndatabase = \"{database}\"\nuser = \"{user}\"\npassword = \"{password}\"\n\n\
             [ingest]\nlisten = \"{listen}\"\nadmin_listen = \"{ingest_admin}\"\nspool_dir = '{spool}'\n\n\
             [consumer]\nadmin_listen = \"{consumer_admin}\"\ngroup = \"{name}\"\n\n\
             [[source]]\nname = \"{SOURCE}\"\nnetwork = \"rakuten\"\ncurrency = \"{CURRENCY}\"\n\n\
             [[source.key]]\nkey = \"{key}\"\n\n\
             [[source.template]]\nurl = \"{template}\"\n",
            brokers = self.servers.brokers,
            url = self.servers.clickhouse_url,
            database = self.database(),
            user = self.servers.clickhouse_user,
            password = self.servers.clickhouse_password.reveal(),
            listen = self.ingest_address(),
            spool = self.directory.join("spool").display(),
            name = self.name,
            key = self.key,
            template = self.url(),
        )
    }
}

/// Every field of the network; the click id renamed, as publishers do.
fn query() -> String {
    let parameter = |field: Field| match field.name() {
        "u1" => "unique_id=<u1>".to_owned(),
        name => format!("{name}=<{name}>"),
    };
    Field::ALL.map(parameter).join("&")
}

/// 128 random bits in hexadecimal, from the kernel.
fn random() -> anyhow::Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    let other = std::fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    // A UUID has 122 random bits; the first half of a second one makes up for it.
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_hexdigit)
            .collect::<String>()
    };
    Ok(format!("{}{}", digits(&text), &digits(&other)[..8]))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    #[test]
    fn random_names_differ_and_have_enough_bits() {
        let (one, other) = (super::random().unwrap(), super::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 40);
    }

    #[test]
    fn the_template_renames_the_click_id() {
        let query = super::query();
        assert!(query.contains("unique_id=<u1>") && query.contains("is_event=<is_event>"));
    }
}
