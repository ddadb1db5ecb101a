//! `[consumer]`

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::ingest::as_millis;
use super::section::Section;

/// How `postback-consumer` reads and loads.
#[derive(Debug, Clone, Serialize)]
pub struct ConsumerSettings {
    /// Address and port for `/healthz`, `/readyz`, `/metrics`. Default `127.0.0.1:9101`.
    pub admin_listen: SocketAddr,
    /// Consumer group, without the generation: generation 1 is loaded by `{group}-g1`,
    /// refusals by `{group}-refused`. Default
    /// `postback-loader`.
    pub group: String,
    /// Names this member for good (`group.instance.id`), so that a restart takes its partitions
    /// back at once. Must differ between members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// A batch is loaded when it has this many postbacks. Default 75,000.
    pub batch_max_rows: usize,
    /// … or this many bytes of raw records. Default 64 MiB.
    pub batch_max_bytes: usize,
    /// … or when its first record has waited this long. Default 1,000 ms.
    #[serde(rename = "batch_max_wait_ms", serialize_with = "as_millis")]
    pub batch_max_wait: Duration,
}

impl ConsumerSettings {
    /// The consumer group that loads refusals.
    #[must_use]
    pub fn refused_group(&self) -> String {
        format!("{}-refused", self.group)
    }

    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let admin = section.parsed("admin_listen", "write address:port, such as 127.0.0.1:9101");
        let group = section.checked(
            "group",
            "give a short name, such as postback-loader",
            group_name,
        );
        Self {
            admin_listen: admin.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9101))),
            group: group.unwrap_or_else(|| "postback-loader".to_owned()),
            instance_id: section.checked(
                "instance_id",
                "give a short name of its own to each member",
                group_name,
            ),
            batch_max_rows: section.number("batch_max_rows", 75_000, 1..=1_000_000),
            batch_max_bytes: section.number("batch_max_bytes", 64 << 20, 1_024..=1 << 30),
            batch_max_wait: Duration::from_millis(section.number(
                "batch_max_wait_ms",
                1_000,
                1..=600_000,
            )),
        }
    }
}

/// Kafka takes any group name; ours become part of metric labels and other group names.
fn group_name(text: &str) -> Result<String, &'static str> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=200).contains(&text.len()) && text.bytes().all(legal) {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 200 letters, digits, '.', '_' and '-'")
    }
}
