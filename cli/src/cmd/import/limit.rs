//! How long the record of a row may be.

use postback_common::config::{Settings, record_bytes_max};

/// What a record's length may still grow by behind its judgement (its time has up to nine digits of a
/// second), and what Kafka's client and broker count with it.
const ROOM: usize = 1_024;

/// Every topic takes a record of so many bytes.
const ANY_TOPIC: usize = 1024 * 1024;

/// What a record of a row may have, so that the producer and the topic take it.
pub(super) fn most_bytes(settings: &Settings) -> usize {
    let taken = record_bytes_max(&settings.ingest);
    let given = settings.kafka.options.get("message.max.bytes");
    let given = given.and_then(|given| given.expose().parse().ok());
    given.unwrap_or(taken).min(taken.max(ANY_TOPIC)) - ROOM
}

/// Quotes, and what else JSON marks, take more bytes in a record than in a file.
pub(super) fn too_long(bytes: usize, most: usize) -> String {
    format!(
        "the row's record has {} KiB, and Kafka takes {} KiB at most",
        bytes.div_ceil(1024),
        most / 1024
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_record_may_be_as_long_as_producer_and_topic_take_it() {
        let most = |more: &str| {
            let text = format!("[kafka]\nbrokers = \"a:1\"\n{more}");
            let settings = postback_common::config::read(Path::new("t.toml"), &text, []);
            most_bytes(&settings.unwrap())
        };
        let given = |bytes: u32| {
            most(&format!(
                "options = {{ \"message.max.bytes\" = {bytes} }}\n"
            ))
        };
        // Six times 16 and 64 KiB, and 128 KiB.
        assert_eq!(most(""), 622_592 - 1_024);
        assert_eq!(given(700_000), 700_000 - 1_024);
        // The producer would send it, and the topic's limit is lower.
        assert_eq!(given(20_000_000), 1_048_576 - 1_024);
        let larger = most("[ingest]\nmax_body_bytes = 524288\n");
        assert_eq!(larger, 6 * (16_384 + 524_288) + 131_072 - 1_024);
    }
}
