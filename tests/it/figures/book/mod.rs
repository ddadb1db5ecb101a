//! What happens in the shops, by a fixed seed: some hundred orders around the days on which clocks
//! change, in several currencies, with all that makes figures hard.

mod amounts;
mod dice;
mod history;
mod message;
mod own;
mod rakuten;
mod tracker;

use jiff::{SignedDuration, Timestamp};

pub(crate) use dice::{Dice, Season};
pub(crate) use message::Message;
pub(crate) use own::{Own, own};

/// All postbacks.
pub(crate) struct Book {
    dice: Dice,
    /// Number of the next transaction.
    next: u64,
    pub(crate) messages: Vec<Message>,
}

impl Book {
    /// As seen at `now`: a source that sends steadily has done so until then.
    pub(crate) fn written(seed: u64, now: Timestamp) -> Self {
        let mut book = Self {
            dice: Dice(seed),
            next: 1,
            messages: Vec::new(),
        };
        for season in [Season::Spring, Season::Autumn] {
            let first = if season == Season::Spring { 0 } else { 1_000 };
            for n in 0..180 {
                book.rakuten_order(first + n, season);
            }
            for n in 0..100 {
                book.tracker_sale(first + n, season);
            }
        }
        book.history(now);
        book
    }

    /// Half of them came at their time, the others come now; some come twice.
    fn send(&mut self, message: Message, processed: Timestamp) {
        let took = self.dice.roll(400_000_000);
        let came = processed + SignedDuration::from_micros(i64::try_from(took).unwrap());
        let is_past = came < "2026-11-10T00:00:00Z".parse().unwrap();
        let message = if is_past && self.dice.hits(2) {
            message.came(came)
        } else {
            message
        };
        if self.dice.hits(12) {
            self.messages.push(message.again());
        }
        self.messages.push(message);
    }
}
