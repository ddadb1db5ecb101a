//! Carries records from a spool to Kafka, on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_service::kafka::rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use postback_spool::{Drain, Report};
use tokio::sync::watch;

use super::delivery::{Halt, Reports, judge};
use super::window::{Window, Word};

/// How long Kafka may confirm nothing while records are on their way. Longer than an election of a
/// new leader takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// After Ctrl-C: how long what is on its way is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// How long Kafka's word is waited for at once.
const LOOK: Duration = Duration::from_millis(20);

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Records that Kafka confirmed.
    pub(super) records: u64,
    /// Bytes of the records that the spool let go of.
    pub(super) bytes: u64,
    /// Records that Kafka refused.
    pub(super) set_aside: u64,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) progress: Progress,
    /// What the spool told on the way.
    pub(super) reports: Vec<Report>,
    /// Whether Ctrl-C ended it before everything was in Kafka.
    pub(super) was_stopped: bool,
    /// Why it could not go on.
    pub(super) halt: Option<Halt>,
}

pub(super) struct Carrier {
    pub(super) drain: Drain,
    pub(super) producer: BaseProducer<Reports>,
    pub(super) topic: String,
    /// Set by Ctrl-C.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) told: watch::Sender<Progress>,
}

impl Carrier {
    /// Blocks until everything that can be read is in Kafka or set aside, or it must stop. Whatever
    /// ends it: a record leaves the spool only after Kafka confirmed it.
    pub(super) fn run(mut self) -> Ended {
        let mut ended = Ended {
            progress: Progress::default(),
            reports: Vec::new(),
            was_stopped: false,
            halt: None,
        };
        let mut window = Window::default();
        ended.halt = self.carry(&mut window, &mut ended).err();
        self.let_go(&mut window, &mut ended);
        ended
    }

    fn carry(&mut self, window: &mut Window, ended: &mut Ended) -> Result<(), Halt> {
        let (mut last_word, mut stopped) = (Instant::now(), None);
        loop {
            if stopped.is_none() && self.stop.load(Ordering::Relaxed) {
                stopped = Some(Instant::now());
            }
            let all_read = stopped.is_none() && !self.fill(window);
            if stopped.is_none() {
                self.send(window);
            }
            self.producer.poll(LOOK);
            if self.hear(window, &mut ended.progress)? {
                last_word = Instant::now();
            }
            self.let_go(window, ended);
            let is_over = |since: Instant| since.elapsed() > GRACE || window.on_the_way() == 0;
            ended.was_stopped = stopped.is_some_and(is_over);
            if all_read && window.is_empty() || ended.was_stopped {
                return Ok(());
            }
            if last_word.elapsed() > PATIENCE {
                let trouble = self.producer.context().trouble();
                let nothing = || format!("nothing was confirmed for {} s", PATIENCE.as_secs());
                return Err(Halt::Away(trouble.unwrap_or_else(nothing)));
            }
        }
    }

    /// Reads as much as there is room for; whether there may be more.
    fn fill(&mut self, window: &mut Window) -> bool {
        while window.has_room() {
            match self.drain.next() {
                Some(entry) => window.push(entry),
                None => return false,
            }
        }
        true
    }

    fn send(&self, window: &mut Window) {
        window.send(|entry| {
            let position = Box::new(entry.position);
            let record = BaseRecord::<(), [u8], _>::with_opaque_to(&self.topic, position);
            match self.producer.send(record.payload(&entry.record)) {
                Ok(()) => true,
                Err((error, _)) if is_queue_full(&error) => false,
                Err((error, record)) => {
                    let reports = self.producer.context();
                    reports.add(*record.delivery_opaque, Err(error));
                    true
                }
            }
        });
    }

    /// Notes what Kafka said; whether it said anything for sure.
    fn hear(&mut self, window: &mut Window, progress: &mut Progress) -> Result<bool, Halt> {
        let mut for_sure = false;
        for (position, result) in self.producer.context().take() {
            let word = result.map_or_else(|error| judge(&error), |()| Ok(Word::Confirmed))?;
            for_sure |= word != Word::Unknown;
            progress.records += u64::from(word == Word::Confirmed);
            let (Some(entry), Word::Refused(reason)) = (window.hear(position, &word), &word) else {
                continue;
            };
            let set_aside = self.drain.set_aside(entry, reason);
            set_aside.map_err(Halt::SetAside)?;
            progress.set_aside += 1;
        }
        Ok(for_sure)
    }

    fn let_go(&mut self, window: &mut Window, ended: &mut Ended) {
        if let Some((position, bytes)) = window.release() {
            self.drain.release(position);
            ended.progress.bytes += bytes;
            self.told.send_replace(ended.progress);
        }
        ended.reports.extend(self.drain.take_reports());
    }
}

fn is_queue_full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}
