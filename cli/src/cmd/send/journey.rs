//! The way of a test postback, step by step, as far as it comes.

use std::time::Duration;

use jiff::tz::TimeZone;
use postback_common::config::ClickHouseSettings;
use postback_simulator::PATIENCE;
use postback_simulator::exchange::Answer;
use postback_store::reports::Reader;
use postback_store::reports::trace::{Conversion, Postback};
use tokio::time::Instant;
use uuid::Uuid;

use super::delivery::{Failed, Target, Times};
use super::log::Log;
use crate::ending::Ending;
use crate::output::{Cell, Sheet, money, printable, text};
use crate::range::shown;

/// How to see what waits on disk.
const SPOOLED: &str = "`postback spool status` on ingest's machine shows what waits on its disk, and ingest brings it to Kafka by itself";

/// How often Kafka and ClickHouse are asked.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// One step.
struct Step {
    name: &'static str,
    is_good: bool,
    took: Option<Duration>,
    detail: String,
}

/// All steps so far.
pub(super) struct Journey {
    to: String,
    steps: Vec<Step>,
    id: Option<Uuid>,
    status: Option<u16>,
    times: Times,
    sent: Instant,
    conversion: Option<Conversion>,
    remedies: Vec<String>,
    /// Whether it was seen in Kafka; `None`: that could not be looked at.
    in_kafka: Option<bool>,
}

impl Journey {
    pub(super) fn begin(to: String) -> Self {
        Self {
            to,
            steps: Vec::new(),
            id: None,
            status: None,
            times: Times::default(),
            sent: Instant::now(),
            conversion: None,
            remedies: Vec::new(),
            in_kafka: None,
        }
    }

    fn step(
        &mut self,
        name: &'static str,
        is_good: bool,
        took: Option<Duration>,
        detail: impl Into<String>,
    ) {
        self.steps.push(Step {
            name,
            is_good,
            took,
            detail: detail.into(),
        });
    }

    /// Sends it; the id that it was given, if it was taken.
    pub(super) async fn deliver(
        &mut self,
        target: &Target,
        sending: impl FnOnce(),
    ) -> Option<Uuid> {
        self.sent = Instant::now();
        let (times, answer) = target.send(sending).await;
        if let Some(connect) = times.connect {
            self.step("connected", true, Some(connect), self.to.clone());
        }
        if let Some(tls) = times.tls {
            self.step("tls", true, Some(tls), "certificate accepted");
        }
        let answered = times.answer;
        self.times = times;
        match answer {
            Ok(answer) => self.answered(&answer, answered),
            Err(failed) => {
                self.failed(&failed);
                None
            }
        }
    }

    fn failed(&mut self, failed: &Failed) {
        let Failed {
            part,
            detail,
            remedy,
        } = failed;
        self.step(part, false, None, format!("failed: {detail}"));
        self.remedies.push((*remedy).to_owned());
    }

    fn answered(&mut self, answer: &Answer, took: Option<Duration>) -> Option<Uuid> {
        let is_taken = (200..300).contains(&answer.status);
        self.status = Some(answer.status);
        self.id = answer
            .postback_id
            .as_deref()
            .and_then(|id| Uuid::try_parse(id).ok());
        let body = String::from_utf8_lossy(&answer.body);
        let body: String = printable(body.trim()).chars().take(80).collect();
        self.step(
            "answered",
            is_taken,
            took,
            format!("{} {body}", answer.status),
        );
        let total = self.times.total;
        let (is_in_time, limit) = (total <= PATIENCE, PATIENCE.as_millis());
        let verdict = if is_in_time { "within" } else { "beyond" };
        self.step(
            "in time",
            is_in_time,
            Some(total),
            format!("{verdict} the {limit} ms that networks give, seen from here"),
        );
        if !is_in_time {
            self.remedies.push("a network counts this as a failure: see latencies in ingest's /metrics, and the way between here and there".to_owned());
        }
        if !is_taken {
            self.remedies.push(refusal(answer.status).to_owned());
            return None;
        }
        if self.id.is_none() {
            self.step(
                "id",
                false,
                None,
                "the answer has no x-postback-id: something else than postback-ingest gave it",
            );
            self.remedies
                .push("see what listens there, or name another place with --url".to_owned());
        }
        self.id
    }

    /// Looks for it among what came to the topic since.
    pub(super) async fn through_kafka(&mut self, log: Log, id: Uuid, until: Instant) {
        let topic = log.topic().to_owned();
        match log.find(id, until).await {
            Ok(Some((partition, offset))) => {
                let place = format!("{topic}, partition {partition}, offset {offset}");
                self.in_kafka = Some(true);
                self.step("in Kafka", true, Some(self.sent.elapsed()), place);
            }
            Ok(None) => {
                let detail = format!("not in topic {topic} so far");
                self.step("in Kafka", false, None, detail);
                self.in_kafka = Some(false);
                self.remedies.push(format!("it was taken, so it is safe, and most likely waits on ingest's disk because Kafka did not take it: {SPOOLED}"));
            }
            Err(words) => self.kafka_is_away(&words),
        }
    }

    fn kafka_is_away(&mut self, words: &str) {
        self.step("in Kafka", false, None, format!("not known: {words}"));
        self.remedies.push(format!("it was taken, so it is safe: in Kafka, or on ingest's disk until Kafka is back; bring Kafka back, or correct kafka.brokers where only this machine does not reach it. {SPOOLED}"));
    }

    /// Waits for its row.
    pub(super) async fn reach_its_row(
        &mut self,
        settings: &ClickHouseSettings,
        id: Uuid,
        until: Instant,
    ) {
        loop {
            match row(settings, id).await {
                Ok(Some((postback, conversion))) => return self.loaded(&postback, conversion),
                Ok(None) if Instant::now() < until => tokio::time::sleep(LOOK).await,
                Ok(None) => return self.no_row(),
                Err(error) => {
                    self.step(
                        "loaded",
                        false,
                        None,
                        format!("not known: {}", error.message),
                    );
                    self.remedies.push(error.remedy.to_string());
                    return;
                }
            }
        }
    }

    fn no_row(&mut self) {
        self.step("loaded", false, None, "no row so far");
        // Where Kafka has it not, no consumer can help.
        if self.in_kafka == Some(true) {
            self.remedies.push("see `postback doctor` whether a consumer runs and how far it is; then `postback trace` with the id".to_owned());
        }
    }

    fn loaded(&mut self, postback: &Postback, conversion: Option<Conversion>) {
        let took = Some(self.sent.elapsed());
        let is_accepted = postback.outcome == "accepted";
        let reasons = postback.reasons.join(", ");
        let detail = if is_accepted {
            "accepted".to_owned()
        } else {
            format!("rejected: {reasons}")
        };
        self.step("loaded", is_accepted, took, detail);
        if let Some(conversion) = &conversion {
            let detail = format!("{}, {}", conversion.kind, conversion.status);
            self.step("conversion", true, took, detail);
        } else if is_accepted {
            self.step("conversion", false, None, "its row is not there");
        } else {
            self.remedies.push("`postback source show` says what each parameter means; correct the template, or choose other values with --set".to_owned());
        }
        self.conversion = conversion;
    }

    /// Whether it is certain that it was not stored. A 503 is not: what was too late for the answer
    /// may still be.
    pub(super) fn is_refused(&self) -> bool {
        self.status
            .is_some_and(|status| (400..500).contains(&status))
    }

    pub(super) fn ending(&self) -> Ending {
        if self.steps.iter().all(|step| step.is_good) {
            Ending::Done
        } else {
            Ending::Found
        }
    }

    pub(super) fn sheet(&self, zone: &TimeZone) -> Sheet {
        let mut sheet = Sheet::new(&[
            text("step", "Step"),
            text("good", "Good"),
            crate::output::number("ms", "ms"),
            text("detail", "Detail"),
        ]);
        sheet.rows = self
            .steps
            .iter()
            .map(|step| {
                vec![
                    Cell::text(step.name),
                    Cell::Flag(step.is_good),
                    step.took
                        .map_or(Cell::Missing, |took| Cell::Text(millis(took))),
                    Cell::Text(printable(&step.detail)),
                ]
            })
            .collect();
        sheet.fact("id", self.id.map(|id| id.to_string()));
        sheet.fact("status", self.status);
        sheet.fact("total_ms", millis(self.times.total));
        if let Some(conversion) = &self.conversion {
            sheet.notes.extend(read(conversion, zone));
        }
        let remedies = self
            .remedies
            .iter()
            .map(|remedy| format!("remedy: {remedy}"));
        sheet.notes.extend(remedies);
        if let Some(id) = self.id {
            sheet
                .notes
                .push(format!("Everything about it: postback trace {id} --as id"));
        }
        sheet
    }
}

/// `12.3`.
fn millis(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1_000.0)
}

/// What was understood.
fn read(conversion: &Conversion, zone: &TimeZone) -> Vec<String> {
    let time =
        |at: Option<jiff::Timestamp>| at.map_or_else(|| "missing".to_owned(), |at| shown(at, zone));
    let amount = |amount: Option<postback_store::reports::Money>, currency: &str| {
        amount.map_or_else(
            || "missing".to_owned(),
            |amount| format!("{} {currency}", money(amount.0)),
        )
    };
    let or_missing = |text: &str| {
        if text.is_empty() {
            "missing".to_owned()
        } else {
            printable(text)
        }
    };
    let mut lines = vec![format!(
        "Understood: order {}, transaction {}, click {}, sale {}, commission {}, occurred {}",
        or_missing(&conversion.order_id),
        or_missing(&conversion.transaction_id),
        or_missing(&conversion.click_id),
        amount(conversion.sale_amount, &conversion.currency),
        amount(conversion.commission, &conversion.commission_currency),
        time(conversion.occurred_at),
    )];
    if !conversion.flags.is_empty() {
        lines.push(format!("Flags: {}", conversion.flags.join(", ")));
    }
    lines
}

/// What to do about a refusal.
const fn refusal(status: u16) -> &'static str {
    match status {
        404 => {
            "ingest knows no such key, or the source is disabled there: let it read the configuration again (SIGHUP), and see `postback source ls`"
        }
        403 => {
            "the source's allow_from does not let this machine in; send from an address that it names"
        }
        401 => {
            "ingest, or a proxy before it, wants another user or password: let ingest read the configuration again (SIGHUP), or give --user and --password-file"
        }
        503 => "ingest has nowhere to store: see `postback doctor`",
        _ => "see `postback report` and ingest's log; `postback doctor` checks the services",
    }
}

async fn row(
    settings: &ClickHouseSettings,
    id: Uuid,
) -> Result<Option<(Postback, Option<Conversion>)>, postback_store::StoreError> {
    let reader = Reader::of_active(settings).await?;
    let Some(postback) = reader.postback(id).await? else {
        return Ok(None);
    };
    // A test postback is no array of orders.
    let conversion = reader.conversions_of(&postback).await?.into_iter().next();
    Ok(Some((postback, conversion)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_where_it_stopped() {
        let without_a_row = |in_kafka: Option<bool>| {
            let mut journey = Journey::begin("http://h".to_owned());
            journey.in_kafka = in_kafka;
            if in_kafka.is_none() {
                journey.kafka_is_away("no broker answers");
            }
            journey.no_row();
            journey.remedies.join("\n")
        };
        let loading = without_a_row(Some(true));
        assert!(
            loading.contains("consumer") && !loading.contains("spool"),
            "{loading}"
        );
        // A consumer is not to blame.
        let away = without_a_row(None);
        assert!(
            away.contains("bring Kafka back") && away.contains("postback spool status"),
            "{away}"
        );
        assert!(!away.contains("consumer"), "{away}");
    }
}
