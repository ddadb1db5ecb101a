//! The broker's settings.

use std::path::Path;

use super::secured::{LISTENER, Secured};
use super::{KafkaOptions, Ports};
use crate::StackError;

/// The settings' file in the broker's directory.
pub(super) const PROPERTIES: &str = "server.properties";

/// The logging's file in the broker's directory.
pub(super) const LOGGING: &str = "log4j2.xml";

/// The data in the broker's directory.
const DATA: &str = "data";

/// Everything to standard output; but not each of the 300 settings at every start.
const LOG4J2: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration>
  <Appenders>
    <Console name="stdout">
      <PatternLayout pattern="%d{ISO8601}{UTC}Z %-5p %c{1} %m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.common.config.AbstractConfig" level="warn"/>
    <Root level="info"><AppenderRef ref="stdout"/></Root>
  </Loggers>
</Configuration>
"#;

/// Writes the settings for these ports.
pub(super) fn write(options: &KafkaOptions, ports: Ports) -> Result<(), StackError> {
    for (name, text) in [
        (PROPERTIES, properties(options, ports)),
        (LOGGING, LOG4J2.to_owned()),
    ] {
        let path = options.data_dir.join(name);
        std::fs::write(&path, text).map_err(StackError::io("write", &path))?;
    }
    Ok(())
}

fn properties(options: &KafkaOptions, ports: Ports) -> String {
    let Ports {
        clients,
        controller,
        secured,
    } = ports;
    let mut listeners = format!("PLAINTEXT://127.0.0.1:{clients}");
    if let Some(secured) = secured {
        listeners += &format!(",{LISTENER}://127.0.0.1:{secured}");
    }
    let (node, controllers) = match &options.place {
        Some(place) => (place.node, &place.controllers[..]),
        None => (1, &[controller][..]),
    };
    let voters: Vec<String> = (1..)
        .zip(controllers)
        .map(|(node, port)| format!("{node}@127.0.0.1:{port}"))
        .collect();
    // Of three copies two must be there; one broker alone holds the only copy of everything.
    let copies = controllers.len().min(3).to_string();
    let in_sync = (controllers.len().min(3) / 2 + 1).to_string();
    let ours = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", node.to_string()),
        (
            "listeners",
            format!("{listeners},CONTROLLER://127.0.0.1:{controller}"),
        ),
        ("advertised.listeners", listeners),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        // Named here and not in the data, so that the next start may use another port.
        ("controller.quorum.voters", voters.join(",")),
        ("log.dirs", DATA.to_owned()),
        // A typing error in a topic's name must not make a topic.
        ("auto.create.topics.enable", "false".to_owned()),
        ("offsets.topic.replication.factor", copies.clone()),
        ("transaction.state.log.replication.factor", copies.clone()),
        ("transaction.state.log.min.isr", in_sync.clone()),
        ("min.insync.replicas", in_sync.clone()),
        ("share.coordinator.state.topic.replication.factor", copies),
        ("share.coordinator.state.topic.min.isr", in_sync),
        // Fewer files; groups of tests are few.
        ("offsets.topic.num.partitions", "8".to_owned()),
        ("transaction.state.log.num.partitions", "8".to_owned()),
        (
            "share.coordinator.state.topic.num.partitions",
            "8".to_owned(),
        ),
        // The first member of a group need not wait for a second one.
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
    ];
    let mut text = String::new();
    for (name, value) in ours {
        push(&mut text, name, &value);
    }
    let secured = options.secured.iter().flat_map(Secured::properties);
    for (name, value) in secured {
        push(&mut text, &name, &value);
    }
    // Java's properties keep the last of two equal names.
    for (name, value) in &options.settings {
        push(&mut text, name, value);
    }
    text
}

fn push(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push('=');
    text.push_str(value);
    text.push('\n');
}

/// The identity of the cluster in this directory; `None` when it was never formatted.
pub(super) fn cluster_id(directory: &Path) -> Result<Option<String>, StackError> {
    let path = directory.join(DATA).join("meta.properties");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text
            .lines()
            .find_map(|line| line.strip_prefix("cluster.id="))
            // As Java writes it.
            .map(|id| id.replace('\\', ""))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StackError::io("read", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_s_setting_comes_after_ours() {
        let mut options = KafkaOptions::new("unused");
        options
            .settings
            .push(("offsets.topic.num.partitions".to_owned(), "3".to_owned()));
        let text = properties(
            &options,
            Ports {
                clients: 1,
                controller: 2,
                secured: Some(3),
            },
        );
        assert!(text.contains(
            "listeners=PLAINTEXT://127.0.0.1:1,SASL_SSL://127.0.0.1:3,CONTROLLER://127.0.0.1:2\n"
        ));
        let ours = text.find("offsets.topic.num.partitions=8\n").unwrap();
        let theirs = text.find("offsets.topic.num.partitions=3\n").unwrap();
        assert!(ours < theirs);
    }
}
