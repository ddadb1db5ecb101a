//! The server's settings, users and arguments.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Password;
use crate::{StackError, hash, random};

/// The fifo in the server's directory that keeps its listening query running.
pub(super) const FIFO: &str = "listen.fifo";

/// The server's log in its directory.
pub(super) const SERVER_LOG: &str = "clickhouse.log";

/// The random password's file in the server's directory.
const PASSWORD: &str = "password";

const CONFIG: &str = "<clickhouse>\n  <users_config>users.xml</users_config>\n</clickhouse>\n";

/// Where the tables are, in the server's directory.
pub(super) const DATA: &str = "data";

/// Arguments of `clickhouse local` that make it listen on 127.0.0.1 for as long as the fifo has a
/// writer. `--path` is missing.
pub(super) fn arguments(http_port: u16, tcp_port: u16) -> Vec<String> {
    let query = format!(
        "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; \
         SELECT * FROM file('{FIFO}', 'LineAsString', 'line String') FORMAT Null"
    );
    vec![
        "clickhouse-local".to_owned(),
        "--config-file=config.xml".to_owned(),
        format!("--logger.log={SERVER_LOG}"),
        "--logger.level=information".to_owned(),
        "--listen_host=127.0.0.1".to_owned(),
        format!("--http_port={http_port}"),
        format!("--tcp_port={tcp_port}"),
        "--query".to_owned(),
        query,
    ]
}

/// Writes the settings.
pub(super) fn write(
    directory: &Path,
    password: &Password,
    settings: &[(String, String)],
) -> Result<(), StackError> {
    write_private(&directory.join("config.xml"), CONFIG)?;
    write_private(&directory.join("users.xml"), &users(password, settings))
}

/// The user `default` starts the listeners, so it must have no password; it may do nothing else
/// that the server lets us forbid. The settings are those of the other user.
fn users(password: &Password, settings: &[(String, String)]) -> String {
    let hash = hash::sha256(password.reveal());
    let settings: String = (settings.iter())
        .map(|(name, value)| format!("<{name}>{value}</{name}>"))
        .collect();
    format!(
        "<clickhouse>
  <profiles><default/><{user}>{settings}</{user}></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT READ ON FILE</query>
        <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
      </grants>
    </default>
    <{user}>
      <password_sha256_hex>{hash}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>{user}</profile>
      <quota>default</quota>
    </{user}>
  </users>
</clickhouse>
",
        user = super::USER,
    )
}

/// The password that this directory was given, or a new one.
pub(super) fn random_password(directory: &Path) -> Result<Password, StackError> {
    let path = directory.join(PASSWORD);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Password::new(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let password = random::password()?;
            write_private(&path, &password)?;
            Ok(Password::new(password))
        }
        Err(error) => Err(StackError::io("read", &path)(error)),
    }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, text: &str) -> Result<(), StackError> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(StackError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_kept_and_stored_as_its_hash() {
        let directory = tempfile::tempdir().unwrap();
        let first = random_password(directory.path()).unwrap();
        let second = random_password(directory.path()).unwrap();
        assert_eq!(first.reveal(), second.reveal());
        let limit = [("max_memory_usage".to_owned(), "7".to_owned())];
        let users = users(&Password::new("secret"), &limit);
        assert!(users.contains(&hash::sha256("secret")) && !users.contains("secret"));
        assert!(users.contains("<postback><max_memory_usage>7</max_memory_usage></postback>"));
    }
}
