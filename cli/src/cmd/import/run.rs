//! Brings a file in: from its first row, or from where an earlier run stopped.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use postback_common::config::ClickHouseSettings;
use postback_normalise::SourceRules;
use postback_normalise::profile::Subject;
use postback_service::kafka::Publisher;
use postback_store::imports::{self, Import as Note};
use postback_store::{Client, Role, client};
use tokio::signal::unix::{Signal, SignalKind, signal};
use uuid::Uuid;

use super::Import;
use super::ahead;
use super::file::{self, FileFault, Glance, Row, Unread};
use super::judge::{Judge, Verdict};
use super::limit::{most_bytes, too_long};
use super::outcome::{self, LISTED, Outcome, Refused};
use super::record::Origin;
use super::resumed::{going_on, resumed, stopped};
use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::progress::{Meter, shown};
use crate::range;
use crate::servers::Trouble;

/// Rows between two notes of how far the import is: what is sent again after a kill.
const ROWS_OF_A_NOTE: u64 = 20_000;

/// Rows between two looks at whether Ctrl-C was pressed.
const ROWS_OF_A_LOOK: u64 = 500;

impl Import {
    /// Does all of it. Ctrl-C ends it in order, a second one at once.
    pub(in crate::cmd) async fn run(
        &self,
        about: Subject,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let loaded = load(options, console)?;
        let (source, rules) = self.source(about, &loaded)?;
        let mut interrupts = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let glance = heeding(&mut interrupts, self.glance()).await?;
        let name = self.file.file_name().unwrap_or(self.file.as_os_str());
        let fresh = Note {
            id: Uuid::from_u128(0),
            step: 0,
            about: about.as_str().to_owned(),
            source: source.name.to_string(),
            file: name.to_string_lossy().into_owned(),
            digest: glance.digest.clone(),
            started_at: Timestamp::now(),
            rows: 0,
            sent: 0,
            refused: 0,
            is_finished: false,
            recorded_at: Timestamp::now(),
        };
        let mut work = Work {
            path: &self.file,
            rules,
            glance,
            about,
            topic: &loaded.settings.kafka.topic,
            most: most_bytes(&loaded.settings),
            stop: Arc::new(AtomicBool::new(false)),
            meter: Meter::new("reading"),
        };
        if self.dry_run {
            let journey = work.go(fresh, None, &mut interrupts, console).await?;
            return conclude(journey, options, console);
        }
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let client = client(clickhouse, Role::Query).map_err(trouble)?;
        let known = imports::newest(&client, source.name.as_str(), &work.glance.digest);
        let known = heeding(&mut interrupts, async {
            known.await.map_err(|error| trouble(error).into())
        });
        // One that was stopped goes on, with --again, too: each try would else begin another.
        let known = known.await?;
        let known = known.filter(|known| !self.again || !known.is_finished);
        if let Some(done) = known.as_ref().filter(|known| known.is_finished) {
            return outcome::done_before(done, options, console);
        }
        if let Some(known) = &known {
            console.note(going_on(known));
            if self.again {
                console.note(
                    "Its rows are as new as that run; to bring the file in once more, run this again afterwards.",
                );
            }
        }
        let begun = known.map_or_else(
            || Note {
                id: Uuid::new_v4(),
                ..fresh
            },
            resumed,
        );
        let publisher = heeding(&mut interrupts, async {
            Ok(Publisher::open(&loaded.settings, "postback-import").await?)
        });
        let publisher = publisher.await?;
        let store = Destination {
            publisher,
            client,
            clickhouse,
        };
        let journey = work
            .go(begun, Some(store), &mut interrupts, console)
            .await?;
        conclude(journey, options, console)
    }

    async fn glance(&self) -> Result<Glance, Failure> {
        let path = self.file.clone();
        let read = tokio::task::spawn_blocking(move || file::glance(&path)).await;
        read.map_err(Failure::failed)?.map_err(|error| match error {
            Unread::Pipe => Failure::Usage(format!(
                "{file} is no file: it is read twice, and an import that was stopped reads it again\n  \
                 write it into a file first: cat {file} > rows.csv",
                file = self.file.display()
            )),
            Unread::Io(error) => Failure::Usage(format!(
                "{} cannot be read: {error}\n  name a file that is there and may be read",
                self.file.display()
            )),
        })
    }
}

/// Does it until Ctrl-C: nothing was sent yet that could be left undone.
async fn heeding<T>(
    interrupts: &mut Signal,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        _ = interrupts.recv() => Err(Failure::Interrupted),
        done = work => done,
    }
}

/// Where rows go, and where is noted how far.
struct Destination<'a> {
    publisher: Publisher,
    client: Client,
    clickhouse: &'a ClickHouseSettings,
}

impl Destination<'_> {
    /// Notes that Kafka has everything before this row.
    async fn note(&mut self, note: &mut Note) -> Result<(), Trouble> {
        self.publisher.flush().await?;
        note.step += 1;
        let noted = imports::note(&self.client, note).await;
        noted.map_err(|error| Trouble::of_clickhouse(&error, self.clickhouse))
    }
}

struct Work<'a> {
    path: &'a Path,
    rules: &'a SourceRules,
    glance: Glance,
    about: Subject,
    topic: &'a str,
    /// The longest record that Kafka is sent.
    most: usize,
    /// Set by Ctrl-C.
    stop: Arc<AtomicBool>,
    meter: Meter,
}

/// A file, read to its end or until it was stopped.
struct Journey<'a> {
    judge: Judge<'a>,
    listed: Vec<Refused>,
    note: Note,
    before: u64,
    /// The latest that a row of it was received.
    last: Timestamp,
    topic: &'a str,
    about: Subject,
    is_dry: bool,
    was_stopped: bool,
    /// Why it could not go on.
    trouble: Option<Failure>,
}

impl<'a> Work<'a> {
    async fn go(
        &mut self,
        begun: Note,
        mut to: Option<Destination<'_>>,
        interrupts: &mut Signal,
        console: &mut Console,
    ) -> Result<Journey<'a>, Failure> {
        let mut journey = Journey {
            judge: Judge::new(self.rules),
            listed: Vec::new(),
            before: begun.sent,
            last: begun.started_at,
            note: begun,
            topic: self.topic,
            about: self.about,
            is_dry: to.is_none(),
            was_stopped: false,
            trouble: None,
        };
        self.meter.begin("lines", self.glance.lines);
        let stop = Arc::clone(&self.stop);
        let meter = self.meter.clone();
        let carried = Box::pin(self.carry(&mut journey, to.as_mut()));
        let watched = async {
            let mut carried = carried;
            loop {
                tokio::select! {
                    carried = &mut carried => return carried,
                    _ = interrupts.recv() => {
                        if stop.swap(true, Ordering::Relaxed) {
                            return Err(Failure::Interrupted);
                        }
                    }
                }
            }
        };
        let carried = shown(&meter, console, watched).await;
        match carried {
            Ok(was_stopped) => journey.was_stopped = was_stopped,
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Err(failure) => journey.trouble = Some(failure),
        }
        Ok(journey)
    }

    /// Whether it was stopped before the end.
    async fn carry(
        &self,
        journey: &mut Journey<'_>,
        mut to: Option<&mut Destination<'_>>,
    ) -> Result<bool, Failure> {
        let mut rows = file::open(self.path, self.rules).map_err(|fault| self.failure(fault))?;
        let behind = journey.note.rows;
        let origin = Origin {
            id: journey.note.id,
            source: self.rules.source().clone(),
            started_at: journey.note.started_at,
        };
        let (mut number, mut line, mut refused) = (0, 0, 0);
        let (mut bytes, mut sent) = (Vec::new(), journey.note.sent);
        let mut was_stopped = false;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                Err(fault) => {
                    let rows = number.max(behind);
                    if rows > 0 {
                        self.settle(journey, to, (rows, sent, refused), false)
                            .await?;
                    }
                    return Err(self.failure(fault));
                }
            };
            number += 1;
            self.meter.advance(row.line.saturating_sub(line));
            line = row.line;
            let (is_first, is_new) = (number == 1, number > behind);
            match self.judge(row, number, &origin, journey, &mut bytes) {
                Verdict::Fit { .. } => {
                    if let (true, Some(to)) = (is_new, to.as_deref_mut()) {
                        // Killed from here on, it goes on with the same records.
                        if journey.note.step == 0 {
                            self.settle(journey, Some(to), (0, 0, 0), false).await?;
                        }
                        to.publisher.send(&bytes).await?;
                        sent += 1;
                    }
                }
                Verdict::Refused {
                    reasons,
                    is_foreign,
                } => {
                    if is_foreign && is_first {
                        return Err(of_another_account(&reasons, self.rules));
                    }
                    // Kafka has all rows before: what does not fit any more was sent when it did.
                    if is_new {
                        refused += 1;
                        if journey.listed.len() < LISTED {
                            let reason = reasons.join("; ");
                            journey.listed.push(Refused { line, reason });
                        }
                    }
                }
            }
            if number % ROWS_OF_A_LOOK == 0 {
                tokio::task::yield_now().await;
                if self.stop.load(Ordering::Relaxed) {
                    was_stopped = true;
                    break;
                }
            }
            if is_new && number % ROWS_OF_A_NOTE == 0 {
                let far = (number, sent, refused);
                self.settle(journey, to.as_deref_mut(), far, false).await?;
            }
        }
        if number == 0 && !was_stopped {
            return Err(Failure::Usage(format!(
                "{}: {}\n  name a file with something in it",
                self.path.display(),
                rows.nothing()
            )));
        }
        let far = (number, sent, refused);
        if !was_stopped && to.is_some() && ahead::is_near(journey.last) {
            self.settle(journey, to.as_deref_mut(), far, false).await?;
            self.meter.begin("waiting until all rows are past", 0);
            was_stopped = !ahead::wait(journey.last, &self.stop).await;
        }
        // Stopped while it passed over what was sent before: the old note holds.
        if number >= behind {
            self.settle(journey, to, far, !was_stopped).await?;
        }
        Ok(was_stopped)
    }

    fn judge(
        &self,
        row: Row,
        number: u64,
        origin: &Origin,
        journey: &mut Journey<'_>,
        bytes: &mut Vec<u8>,
    ) -> Verdict {
        let mut object = match row.object {
            Ok(object) => object,
            Err(reason) => return refused(reason),
        };
        let numbered = (journey.judge).numbered(&origin.record(number, &object), &object);
        if let Some(numbered) = numbered {
            object = numbered;
        }
        let mut record = origin.record(number, &object);
        bytes.clear();
        record.encode_into(bytes);
        if bytes.len() > self.most {
            return refused(too_long(bytes.len(), self.most));
        }
        let verdict = journey.judge.judge(&record, row.line);
        if let Verdict::Fit { equals } = verdict {
            if equals > 0 {
                record.received_at = origin.received_at(number, equals);
                bytes.clear();
                record.encode_into(bytes);
            }
            journey.last = journey.last.max(record.received_at);
        }
        verdict
    }

    /// Notes how far it is, once Kafka has everything before.
    async fn settle(
        &self,
        journey: &mut Journey<'_>,
        to: Option<&mut Destination<'_>>,
        (rows, sent, refused): (u64, u64, u64),
        is_finished: bool,
    ) -> Result<(), Failure> {
        let note = &mut journey.note;
        (note.rows, note.sent, note.refused, note.is_finished) = (rows, sent, refused, is_finished);
        if let Some(to) = to {
            to.note(note).await?;
        }
        Ok(())
    }

    fn failure(&self, fault: FileFault) -> Failure {
        let file = self.path.display();
        match fault {
            FileFault::Io(error) => Trouble::new(
                format!("{file} cannot be read on: {error}"),
                "run it again: it goes on where it stopped",
            )
            .into(),
            FileFault::Form { what, remedy } => {
                Failure::Usage(format!("{file}: {what}\n  {remedy}"))
            }
        }
    }
}

fn refused(reason: String) -> Verdict {
    Verdict::Refused {
        reasons: vec![reason],
        is_foreign: false,
    }
}

fn of_another_account(reasons: &[String], rules: &SourceRules) -> Failure {
    Failure::Usage(format!(
        "this file is of another account: {}\n  import it under the source of that account with --source, or correct \
         publisher_id of source {} in postback.toml; nothing was sent",
        reasons.join("; "),
        rules.source()
    ))
}

fn conclude(
    mut journey: Journey<'_>,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let note = &journey.note;
    // Behind the last note it may have come further: no more is told than was noted.
    let noted = usize::try_from(note.refused).unwrap_or(usize::MAX);
    journey.listed.truncate(noted);
    let outcome = Outcome {
        about: journey.about,
        file: &note.file,
        source: &note.source,
        topic: journey.topic,
        is_dry: journey.is_dry,
        rows: note.rows,
        sent: note.sent,
        before: journey.before,
        refused: note.refused,
        listed: journey.listed,
        remarks: journey.judge.remarks.values().collect(),
    };
    let has_refused = outcome.refused > 0;
    let is_nothing = journey.trouble.is_some() && note.rows == 0;
    if !is_nothing {
        outcome.sheet().write(options, console)?;
        outcome.warn_of_unlisted(console);
    }
    if !journey.is_dry && ahead::left(journey.last, Timestamp::now()).is_some() {
        // The second behind it: what is shown has no fractions.
        let last = journey.last.checked_add(SignedDuration::from_secs(1));
        let last = last.unwrap_or(journey.last);
        console.warn(format_args!(
            "of rows that say the same time each is received a millisecond after the one before it: what corrects \
             them and says that time, too, counts only if it comes after {}",
            range::shown(last, &options.time_zone)
        ));
    }
    if let Some(trouble) = journey.trouble {
        return Err(trouble);
    }
    if journey.was_stopped {
        console.note(stopped(note, journey.is_dry));
        return Err(Failure::Interrupted);
    }
    Ok(if has_refused {
        Ending::Found
    } else {
        Ending::Done
    })
}
