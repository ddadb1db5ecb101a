//! Several brokers on one machine, each its own process and directory.

use std::path::Path;

use super::{KafkaOptions, KafkaServer, Place, Ports, config, format, spawn, wait_until_serving};
use crate::{Cancellation, Installation, StackError, port, random};

/// Starts three brokers in subdirectories of this one and waits until clients can use each: what is
/// in three copies survives the loss of one.
///
/// # Errors
/// As [`KafkaServer::start`]; none runs then.
pub fn start_cluster(
    installation: &Installation,
    directory: &Path,
    cancellation: &Cancellation,
) -> Result<[KafkaServer; 3], StackError> {
    let [a, b, c, first, second, third] = port::free()?;
    let controllers = vec![first, second, third];
    let cluster_id = random::cluster_id()?;
    let begin = |node: usize, clients: u16, controller: u16| {
        let mut options = KafkaOptions::new(directory.join(format!("kafka-{node}")));
        options.heap_mib = 256;
        options.place = Some(Place {
            node,
            controllers: controllers.clone(),
            cluster_id: cluster_id.clone(),
        });
        let ports = Ports {
            clients,
            controller,
            secured: None,
        };
        let data = &options.data_dir;
        std::fs::create_dir_all(data).map_err(StackError::io("create", data))?;
        config::write(&options, ports)?;
        format(installation, &options, cancellation)?;
        // One alone has no quorum to serve with: all are started before one is waited for.
        Ok::<_, StackError>(KafkaServer {
            installation: installation.clone(),
            process: spawn(installation, &options)?,
            cluster_id: cluster_id.clone(),
            options,
            ports,
        })
    };
    let brokers = [
        begin(1, a, first)?,
        begin(2, b, second)?,
        begin(3, c, third)?,
    ];
    for broker in &brokers {
        let KafkaServer {
            options,
            cluster_id,
            ports,
            process,
            ..
        } = broker;
        wait_until_serving(options, *ports, cluster_id, process, cancellation)?;
    }
    Ok(brokers)
}
