//! Records between being read and being let go of, in the order of reading.

use std::collections::VecDeque;

use postback_spool::{Entry, Position};

/// Bounds of what is held in memory.
const MOST_RECORDS: usize = 20_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// How a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// To be sent.
    Ready,
    /// Kafka refused a batch in which it was. To be sent alone: then it is known whether it is to
    /// blame.
    Suspect,
    /// On its way.
    Sent,
    /// On its way, and nothing else is.
    SentAlone,
    /// Safe elsewhere.
    Done,
}

/// What Kafka said about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Confirmed,
    /// It, or another one of its batch, cannot be taken, however often it is sent.
    Refused(String),
    /// Unknown whether it arrived. Sending it again makes a copy at worst.
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Window {
    records: VecDeque<(Entry, State)>,
    bytes: usize,
    on_the_way: usize,
}

impl Window {
    pub(super) fn has_room(&self) -> bool {
        self.records.len() < MOST_RECORDS && self.bytes < MOST_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Records that Kafka has not said anything about yet.
    pub(super) fn on_the_way(&self) -> usize {
        self.on_the_way
    }

    /// Takes the record that was read last.
    pub(super) fn push(&mut self, entry: Entry) {
        self.bytes += entry.record.len();
        self.records.push_back((entry, State::Ready));
    }

    /// Hands each record that may go now to `send`, until that says no.
    pub(super) fn send(&mut self, mut send: impl FnMut(&Entry) -> bool) {
        let alone = |(_, state): &(Entry, State)| *state == State::SentAlone;
        if self.on_the_way == 1 && self.records.iter().any(alone) {
            return;
        }
        for (entry, state) in &mut self.records {
            if *state == State::Ready {
                if !send(entry) {
                    return;
                }
                *state = State::Sent;
                self.on_the_way += 1;
            }
        }
        let suspect = |(_, state): &&mut (Entry, State)| *state == State::Suspect;
        if self.on_the_way == 0
            && let Some((entry, state)) = self.records.iter_mut().find(suspect)
            && send(entry)
        {
            *state = State::SentAlone;
            self.on_the_way = 1;
        }
    }

    /// Notes what Kafka said. Returns the record if it is to be set aside.
    pub(super) fn hear(&mut self, position: Position, word: &Word) -> Option<&Entry> {
        let found = self
            .records
            .binary_search_by_key(&position, |(entry, _)| entry.position);
        let (entry, state) = self.records.get_mut(found.ok()?)?;
        let alone = match *state {
            State::SentAlone => true,
            State::Sent => false,
            State::Ready | State::Suspect | State::Done => return None,
        };
        self.on_the_way -= 1;
        *state = match word {
            Word::Confirmed => State::Done,
            Word::Unknown if alone => State::Suspect,
            Word::Unknown => State::Ready,
            Word::Refused(_) if alone => {
                *state = State::Done;
                return Some(entry);
            }
            Word::Refused(_) => State::Suspect,
        };
        None
    }

    /// Lets go of the records up to the first that is not safe: the last of these, and their bytes.
    pub(super) fn release(&mut self) -> Option<(Position, u64)> {
        let (mut last, mut bytes) = (None, 0);
        let done = |first: &mut (Entry, State)| first.1 == State::Done;
        while let Some((entry, _)) = self.records.pop_front_if(done) {
            self.bytes -= entry.record.len();
            bytes += entry.record.len() as u64;
            last = Some(entry.position);
        }
        Some((last?, bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use postback_spool::disk::ForgetfulDisk;
    use postback_spool::{Options, Spool, SubmitError};

    use super::*;

    /// Entries `0`, `1`, … as a spool gives them out.
    fn entries(count: u64) -> Vec<Entry> {
        let disk = Arc::new(ForgetfulDisk::new(1));
        let root = Path::new("/spool");
        let (spool, mut committer) = Spool::with_committer(disk, root, Options::default()).unwrap();
        for n in 0..count {
            let completed = |result: Result<(), SubmitError>| result.unwrap();
            spool
                .submit(n.to_string().as_bytes(), n, completed)
                .unwrap();
        }
        committer.step();
        let mut drain = spool.drain();
        std::iter::from_fn(|| drain.next()).collect()
    }

    fn window(entries: &[Entry]) -> Window {
        let mut window = Window::default();
        for entry in entries {
            window.push(entry.clone());
        }
        window
    }

    fn sent(window: &mut Window) -> Vec<String> {
        let mut sent = Vec::new();
        window.send(|entry| {
            sent.push(String::from_utf8(entry.record.clone()).unwrap());
            true
        });
        sent
    }

    /// How many records were let go of: each is one byte long.
    fn released(window: &mut Window) -> u64 {
        window.release().map_or(0, |(_, bytes)| bytes)
    }

    #[test]
    fn only_a_prefix_that_is_confirmed_whole_is_let_go_of() {
        let entries = entries(4);
        let mut window = window(&entries);
        assert_eq!(sent(&mut window), ["0", "1", "2", "3"]);
        for (confirmed, count) in [(1, 0), (2, 0), (0, 3), (3, 1)] {
            window.hear(entries[confirmed].position, &Word::Confirmed);
            assert_eq!(released(&mut window), count, "{confirmed}");
        }
        assert!(window.is_empty());
        assert_eq!((window.bytes, window.on_the_way()), (0, 0));
    }

    #[test]
    fn what_is_unknown_is_sent_again() {
        let entries = entries(2);
        let mut window = window(&entries);
        sent(&mut window);
        window.hear(entries[0].position, &Word::Unknown);
        window.hear(entries[1].position, &Word::Confirmed);
        assert_eq!(released(&mut window), 0);
        assert_eq!(sent(&mut window), ["0"]);
        window.hear(entries[0].position, &Word::Confirmed);
        assert_eq!(released(&mut window), 2);
    }

    #[test]
    fn a_refused_batch_goes_one_by_one_and_only_the_culprit_is_set_aside() {
        let entries = entries(3);
        let mut window = window(&entries);
        sent(&mut window);
        let refused = Word::Refused("too large".to_owned());
        assert_eq!(window.hear(entries[0].position, &refused), None);
        assert_eq!(window.hear(entries[1].position, &refused), None);
        // Alone means that nothing else is on its way.
        assert_eq!(sent(&mut window), [""; 0]);
        window.hear(entries[2].position, &Word::Confirmed);
        assert_eq!(sent(&mut window), ["0"]);
        assert_eq!(sent(&mut window), [""; 0]);
        window.hear(entries[0].position, &Word::Confirmed);
        assert_eq!(sent(&mut window), ["1"]);
        let culprit = window.hear(entries[1].position, &refused).cloned();
        assert_eq!(culprit, Some(entries[1].clone()));
        assert_eq!(released(&mut window), 3);
    }

    #[test]
    fn a_full_queue_keeps_the_order() {
        let entries = entries(3);
        let mut window = window(&entries);
        let mut room = 1;
        window.send(|_| {
            room -= 1;
            room >= 0
        });
        assert_eq!(window.on_the_way(), 1);
        assert_eq!(sent(&mut window), ["1", "2"]);
    }
}
