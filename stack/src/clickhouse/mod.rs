//! One ClickHouse server.

mod client;
mod config;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use client::{ClickHouseClient, Password};

use crate::{Cancellation, Installation, Launch, StackError, Supervised, port, serving};

/// The user that Postback works as.
pub const USER: &str = "postback";

/// How long a server may take to stop in order.
const GRACE: Duration = Duration::from_secs(30);

/// How often other ports are tried when another program takes the chosen ones first.
const PORT_TRIES: usize = 5;

/// The program that holds the server, built from `src/bin/clickhouse-host.rs`.
const HOST: &str = "clickhouse-host";

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ClickHouseOptions {
    /// Its directory, made if needed: settings, logs and data. Kept when the server ends.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1 for HTTP; `None` chooses a free one.
    pub http_port: Option<u16>,
    /// The port on 127.0.0.1 for ClickHouse's own protocol; `None` chooses a free one.
    pub tcp_port: Option<u16>,
    /// The password of the user `postback`; `None` takes the directory's last random one, or makes
    /// one.
    pub password: Option<Password>,
    /// Settings of the user `postback`: names and values, such as `max_memory_usage`.
    pub settings: Vec<(String, String)>,
}

impl ClickHouseOptions {
    /// In this directory, on free ports, with a random password.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            http_port: None,
            tcp_port: None,
            password: None,
            settings: Vec::new(),
        }
    }
}

/// A server; killed when dropped.
///
/// It has one user, `postback`, who may do everything but manage users. The server's own user
/// `default` has no password (it is the one that starts the listeners) and no access to any table.
#[derive(Debug)]
pub struct ClickHouseServer {
    library: PathBuf,
    host: PathBuf,
    directory: PathBuf,
    password: Password,
    ports: Ports,
    process: Supervised,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    http: u16,
    tcp: u16,
}

impl ClickHouseServer {
    /// Starts a server and waits until the user `postback` can use it: well under a second.
    ///
    /// A directory that was used before keeps its tables.
    ///
    /// # Errors
    /// When it ends, does not serve within two minutes, a port is taken, the program
    /// `clickhouse-host` was not built, or when cancelled.
    pub fn start(
        installation: &Installation,
        options: ClickHouseOptions,
        cancellation: &Cancellation,
    ) -> Result<Self, StackError> {
        let directory = &options.data_dir;
        std::fs::create_dir_all(directory).map_err(StackError::io("create", directory))?;
        let password = match &options.password {
            Some(password) => password.clone(),
            None => config::random_password(directory)?,
        };
        config::write(directory, &password, &options.settings)?;
        let library = installation.clickhouse_library.clone();
        let host = find_host()?;
        let mut tries = 1;
        loop {
            let ports = choose_ports(&options)?;
            match launch(&host, &library, directory, ports, &password, cancellation) {
                Err(StackError::Ended { .. }) if lost_a_port(ports) && tries < PORT_TRIES => {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(process) => {
                    let directory = options.data_dir;
                    return Ok(Self {
                        library,
                        host,
                        directory,
                        password,
                        ports,
                        process,
                    });
                }
            }
        }
    }

    /// Where HTTP clients find it: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.ports)
    }

    /// The port on 127.0.0.1 for HTTP.
    #[must_use]
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    /// The port on 127.0.0.1 for ClickHouse's own protocol.
    #[must_use]
    pub fn tcp_port(&self) -> u16 {
        self.ports.tcp
    }

    /// The password of the user `postback`.
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.password
    }

    /// Asks the server as the user `postback`.
    #[must_use]
    pub fn client(&self) -> ClickHouseClient {
        client(self.ports, &self.password)
    }

    /// The server's log; every start appends to it.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.join(config::SERVER_LOG)
    }

    /// The process: to freeze, thaw or watch it.
    #[must_use]
    pub fn process(&self) -> &Supervised {
        &self.process
    }

    /// Stops it in order; blocks until it has ended, half a minute at most.
    pub fn stop(&self) {
        self.process.stop(GRACE);
    }

    /// Kills it (SIGKILL); blocks until it has ended.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Gives the user `postback` other settings, from the next start on.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn set_settings(&self, settings: &[(String, String)]) -> Result<(), StackError> {
        config::write(&self.directory, &self.password, settings)
    }

    /// Starts it again on its directory and ports, after killing it if it still runs.
    ///
    /// # Errors
    /// As [`start`](Self::start); the server is down then.
    pub fn restart(&mut self, cancellation: &Cancellation) -> Result<(), StackError> {
        self.process.kill();
        let Self {
            library,
            host,
            directory,
            password,
            ports,
            ..
        } = self;
        self.process = launch(host, library, directory, *ports, password, cancellation)?;
        Ok(())
    }
}

fn url(ports: Ports) -> String {
    format!("http://127.0.0.1:{}", ports.http)
}

fn client(ports: Ports, password: &Password) -> ClickHouseClient {
    ClickHouseClient::new(url(ports), USER, password.clone())
}

fn choose_ports(options: &ClickHouseOptions) -> Result<Ports, StackError> {
    let [http, tcp] = port::free()?;
    let choose = |wanted: Option<u16>, free, purpose| match wanted {
        None => Ok(free),
        Some(port) if port::is_free(port) => Ok(port),
        Some(port) => Err(StackError::PortTaken { port, purpose }),
    };
    Ok(Ports {
        http: choose(options.http_port, http, "ClickHouse's HTTP")?,
        tcp: choose(options.tcp_port, tcp, "ClickHouse's own protocol")?,
    })
}

/// Whether a server that ended may have done so because another program took a port first.
fn lost_a_port(ports: Ports) -> bool {
    !port::is_free(ports.http) || !port::is_free(ports.tcp)
}

/// Looks for the host beside the running program: `target/debug/xtask`, or a test in
/// `target/debug/deps/`.
fn find_host() -> Result<PathBuf, StackError> {
    let own = std::env::current_exe();
    let own = own.map_err(StackError::io("find", Path::new("the running program")))?;
    let directories = own.ancestors().skip(1).take(2);
    directories
        .clone()
        .map(|directory| directory.join(HOST))
        .find(|host| host.is_file())
        .ok_or(StackError::NoClickHouseHost {
            looked_at: directories.last().unwrap_or(&own).join(HOST),
        })
}

/// Starts the host and waits until it serves. Paths are relative to the server's directory, so that
/// no character of it can mean something to ClickHouse; but the path of the data must be absolute,
/// or a table with `fsync_part_directory` cannot find its directory (`data/data/…`).
fn launch(
    host: &Path,
    library: &Path,
    directory: &Path,
    ports: Ports,
    password: &Password,
    cancellation: &Cancellation,
) -> Result<Supervised, StackError> {
    let log = directory.join("clickhouse-host.log");
    let absolute = std::path::absolute(directory).map_err(StackError::io("find", directory))?;
    let mut data_path = OsString::from("--path=");
    data_path.push(absolute.join(config::DATA));
    let process = Launch::new(host)
        .args([library.as_os_str(), config::FIFO.as_ref()])
        .args(config::arguments(ports.http, ports.tcp))
        .args([data_path])
        .current_dir(directory)
        .log(&log)
        .spawn()?;
    let client = client(ports, password);
    serving::wait("ClickHouse", &process, &log, cancellation, || {
        client.check()
    })?;
    Ok(process)
}
