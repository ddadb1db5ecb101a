//! How this crate talks to ClickHouse: over HTTP, with the settings that each role needs.

use std::future::Future;
use std::time::Duration;

use clickhouse::{Client, Compression};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use postback_common::config::ClickHouseSettings;

use crate::error::{Kind, READONLY, SETTING_CONSTRAINT_VIOLATION, StoreError};

/// A host that is away may swallow packets; the operating system would wait two minutes.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// ClickHouse closes idle connections after 3 s (`keep_alive_timeout`); we do so sooner, or a
/// request could meet a closing connection.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// Longest time for a statement that is no insert of rows and no report.
pub(crate) const STATEMENT_WITHIN: Duration = Duration::from_secs(30);

/// For statements that carry the rules of sources as literals: each has 3 KiB and more, and the server
/// reads 256 KiB of a statement unless told otherwise.
pub(crate) const LONG_STATEMENT: (&str, &str) = ("max_query_size", "1073741824");

/// An answer is whole, or an error. By its profile a user may have limits behind which ClickHouse
/// stops and answers 200 with what it has until then (`…_overflow_mode = 'break'`, `'any'`, `limit`):
/// sums would be parts, and a replay would pass over records. The limits themselves stay. A value that
/// the user has anyway may be sent by anyone, also in read-only mode.
const WHOLE: [(&str, &str); 14] = [
    ("read_overflow_mode", "throw"),
    ("read_overflow_mode_leaf", "throw"),
    ("group_by_overflow_mode", "throw"),
    ("sort_overflow_mode", "throw"),
    ("result_overflow_mode", "throw"),
    ("timeout_overflow_mode", "throw"),
    ("timeout_overflow_mode_leaf", "throw"),
    ("set_overflow_mode", "throw"),
    ("join_overflow_mode", "throw"),
    ("transfer_overflow_mode", "throw"),
    ("distinct_overflow_mode", "throw"),
    ("limit", "0"),
    ("offset", "0"),
    // Nor is it what the tables had a minute ago.
    ("use_query_cache", "0"),
];

/// What a profile may say and our own statements are not written for.
const MEANT: [(&str, &str); 3] = [
    ("aggregate_functions_null_for_empty", "0"),
    ("group_by_use_nulls", "0"),
    ("data_type_default_nullable", "0"),
];

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Asks questions, makes tables.
    Query,
    /// Inserts batches.
    Load,
}

/// Makes a client for the configured server, user and database. Connects to nothing yet.
///
/// # Errors
/// [`StoreError`] of [`Kind::Setup`] where an `https` server is configured and this host has no
/// root certificates.
pub fn client(settings: &ClickHouseSettings, role: Role) -> Result<Client, StoreError> {
    let client = server_client(settings)?.with_database(&settings.database);
    let client = with_settings(client, &MEANT);
    Ok(match role {
        Role::Query => client,
        Role::Load => with_load_settings(client),
    })
}

/// The same for what a person asks, who may mean what the user's profile says.
pub(crate) fn persons_client(settings: &ClickHouseSettings) -> Result<Client, StoreError> {
    Ok(server_client(settings)?.with_database(&settings.database))
}

/// Without a database, which may not be there yet.
pub(crate) fn server_client(settings: &ClickHouseSettings) -> Result<Client, StoreError> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_WITHIN));
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector.enforce_http(false);
    let mut pool = HttpClient::builder(TokioExecutor::new());
    pool.pool_idle_timeout(IDLE_FOR);
    // Root certificates are read only where they are needed: a container may have none.
    let client = if settings.url.starts_with("https:") {
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| no_roots(&error))?;
        let connector = tls.https_or_http().enable_http1().wrap_connector(connector);
        Client::with_http_client(pool.build(connector))
    } else {
        Client::with_http_client(pool.build(connector))
    };
    let client = client
        .with_url(&settings.url)
        .with_user(&settings.user)
        .with_product_info("postback", env!("CARGO_PKG_VERSION"));
    let client = with_settings(client, &WHOLE);
    Ok(match &settings.password {
        Some(password) => client.with_password(password.expose()),
        None => client,
    })
}

fn with_settings(client: Client, settings: &[(&str, &str)]) -> Client {
    settings.iter().fold(client, |client, (name, value)| {
        client.with_setting(*name, *value)
    })
}

fn no_roots(error: &std::io::Error) -> StoreError {
    StoreError::own(
        Kind::Setup,
        "connect by TLS",
        error.to_string(),
        "install root certificates (Debian package ca-certificates), or set SSL_CERT_FILE",
    )
}

/// - `async_insert=0`: on by default since 26.x, several times slower for batches, and its answer
///   would come before the rows are stored if a profile also had `wait_for_async_insert=0`.
/// - `max_partitions_per_insert_block=0`: a replay touches hundreds of months at once, and the
///   refusal would carry the code of real pressure by too many parts.
/// - `insert_deduplicate=0`: the server logs a block's hash before it stores the block, so a
///   repetition after a crash could be dropped silently; the tables' keys fold it instead.
/// - `optimize_on_insert=0`: on by default, it folds the rows of each block before it is stored, for
///   a third to a half of what an insert costs the server. Merges and `FINAL` fold them anyway.
/// - `wait_end_of_query=1`: the status line is sent after the rows are stored.
/// - `max_execution_time=0`: an insert is bounded here ([`crate::insert`]). Where a profile gave less
///   than a batch takes, the same batch would be sent for ever.
///
/// Nothing is compressed on the way: LZ4 is a tenth of what the consumer costs, and unpacking costs
/// the server.
fn with_load_settings(client: Client) -> Client {
    client
        .with_compression(Compression::None)
        .with_setting("async_insert", "0")
        .with_setting("max_partitions_per_insert_block", "0")
        .with_setting("insert_deduplicate", "0")
        .with_setting("optimize_on_insert", "0")
        .with_setting("wait_end_of_query", "1")
        .with_setting("max_execution_time", "0")
}

/// Whether settings that are sent with a statement reach ClickHouse. Some proxies (chproxy) leave them
/// out and say nothing: inserts, limits and `readonly` would not be what they are meant to be.
///
/// # Errors
/// [`StoreError`] of [`Kind::Setup`] where they do not; otherwise as the server answers.
pub async fn settings_arrive(client: &Client) -> Result<(), StoreError> {
    let attempt = "send settings to ClickHouse";
    // A text for the log of queries: it changes nothing, and no profile has the same one.
    let query = client
        .query_raw("SELECT getSetting('log_comment')")
        .with_setting("log_comment", MARK);
    match run(attempt, query.fetch_one::<String>()).await {
        Ok(found) if found == MARK => Ok(()),
        Ok(_) => Err(StoreError::own(
            Kind::Setup,
            attempt,
            "what answers passes on statements without their settings",
            "a proxy between drops them: point clickhouse.url at the server itself, or let the proxy pass parameters on",
        )),
        // Who may not set it was heard.
        Err(error) if is_about_settings(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

const MARK: &str = "postback looks whether settings arrive";

/// Whether the server refuses settings that a statement came with, or that stand in it.
pub(crate) fn is_about_settings(error: &StoreError) -> bool {
    match error.code {
        Some(READONLY) => error.message.starts_with("Cannot modify '"),
        Some(code) => code == SETTING_CONSTRAINT_VIOLATION,
        None => false,
    }
}

/// Runs one request of the client library: bounded in time, its error classified.
pub(crate) async fn run<T>(
    attempt: &str,
    request: impl Future<Output = clickhouse::error::Result<T>>,
) -> Result<T, StoreError> {
    run_within(STATEMENT_WITHIN, attempt, request).await
}

pub(crate) async fn run_within<T>(
    within: Duration,
    attempt: &str,
    request: impl Future<Output = clickhouse::error::Result<T>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(within, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StoreError::from_client(attempt, &error)),
        Err(_) => Err(StoreError::timed_out(attempt, within)),
    }
}
