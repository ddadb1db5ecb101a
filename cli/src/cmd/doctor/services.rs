//! Whether ingest and consumer run and are ready, by their own words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use postback_common::config::Settings;

use super::check::Check;

const WITHIN: Duration = Duration::from_secs(3);

/// Longest answer that is read.
const LONGEST: u64 = 64 * 1024;

pub(super) async fn ingest(settings: &Settings) -> Vec<Check> {
    ready("ingest", "postback-ingest", settings.ingest.admin_listen).await
}

pub(super) async fn consumer(settings: &Settings) -> Vec<Check> {
    ready(
        "consumer",
        "postback-consumer",
        settings.consumer.admin_listen,
    )
    .await
}

async fn ready(name: &'static str, program: &str, listen: SocketAddr) -> Vec<Check> {
    let address = reachable(listen);
    let url = format!("http://{address}/readyz");
    let asked = tokio::task::spawn_blocking(move || ask(&url)).await;
    match asked {
        Ok(Ok((true, body))) => ready_at(name, address, &body),
        Ok(Ok((false, body))) => unready(name, address, &body),
        Ok(Err(words)) => {
            let what = format!("no answer at {address}: {words}");
            let remedy = format!(
                "start {program}; where it runs on another host, run doctor there, and here with --without {name}"
            );
            vec![Check::broken(name, what, remedy)]
        }
        Err(error) => vec![Check::broken(name, error.to_string(), "run doctor again")],
    }
}

/// An address that listens everywhere is asked on this host.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let here = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        given => given,
    };
    SocketAddr::new(here, listen.port())
}

/// Whether it is ready, and its words.
fn ask(url: &str) -> Result<(bool, String), String> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(WITHIN))
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(LONGEST)
        .read_to_string();
    let body = body.map_err(|error| error.to_string())?;
    Ok((answer.status().is_success(), body))
}

/// Ready, and one check per probe that something else stands in for: as the spool for Kafka, until
/// it is needed.
fn ready_at(name: &'static str, address: SocketAddr, body: &str) -> Vec<Check> {
    let log = see(address);
    let doubts = said(body, "warn ").map(|(reason, remedy)| {
        let what = format!("ready at {address}, but {reason}");
        Check::doubtful(name, what, remedy.unwrap_or(&log))
    });
    let mut checks: Vec<Check> = doubts.collect();
    if checks.is_empty() {
        checks.push(Check::well(name, format!("ready at {address}")));
    }
    checks
}

/// One check per failed probe.
fn unready(name: &'static str, address: SocketAddr, body: &str) -> Vec<Check> {
    let log = see(address);
    let faults = said(body, "fail ").map(|(reason, remedy)| {
        Check::broken(name, format!("not ready: {reason}"), remedy.unwrap_or(&log))
    });
    let mut checks: Vec<Check> = faults.collect();
    if checks.is_empty() {
        checks.push(Check::broken(
            name,
            format!("not ready at {address}"),
            log.clone(),
        ));
    }
    checks
}

fn see(address: SocketAddr) -> String {
    format!("see http://{address}/readyz and the log")
}

/// What probes say that begin with `state`: the name with the reason, and the remedy. A line is
/// `STATE NAME: REASON: REMEDY`, or without a remedy where waiting is all there is.
fn said<'a>(
    body: &'a str,
    state: &'a str,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
    let lines = body
        .lines()
        .filter_map(move |line| line.strip_prefix(state));
    lines.map(|line| match line.rsplit_once(": ") {
        Some((reason, remedy)) if reason.contains(": ") => (reason, Some(remedy)),
        _ => (line, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_probe_is_a_line_of_its_own() {
        let address = "127.0.0.1:9100".parse().unwrap();
        let body = "ok   http\nfail kafka: no broker answers: start Kafka\nfail topic: missing: run `postback migrate`\n";
        let expected = [
            Check::broken(
                "ingest",
                "not ready: kafka: no broker answers",
                "start Kafka",
            ),
            Check::broken(
                "ingest",
                "not ready: topic: missing",
                "run `postback migrate`",
            ),
        ];
        assert_eq!(unready("ingest", address, body), expected);
        assert_eq!(unready("ingest", address, "").len(), 1);
    }

    #[test]
    fn a_probe_that_another_stands_in_for_is_to_be_seen_to() {
        let address = "127.0.0.1:9100".parse().unwrap();
        let body =
            "ok   kafka\nwarn spool: /a: cannot be used: list: not found: make it\nok   stranded\n";
        let expected = [Check::doubtful(
            "ingest",
            "ready at 127.0.0.1:9100, but spool: /a: cannot be used: list: not found",
            "make it",
        )];
        assert_eq!(ready_at("ingest", address, body), expected);
        let body = "warn kafka: not checked yet\n";
        let expected = [Check::doubtful(
            "ingest",
            "ready at 127.0.0.1:9100, but kafka: not checked yet",
            "see http://127.0.0.1:9100/readyz and the log",
        )];
        assert_eq!(ready_at("ingest", address, body), expected);
        let expected = [Check::well("ingest", "ready at 127.0.0.1:9100")];
        assert_eq!(ready_at("ingest", address, "ok   kafka\n"), expected);
    }

    #[test]
    fn everywhere_is_asked_here() {
        for (listen, asked) in [
            ("0.0.0.0:9100", "127.0.0.1:9100"),
            ("[::]:9100", "[::1]:9100"),
            ("10.0.0.7:9100", "10.0.0.7:9100"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
