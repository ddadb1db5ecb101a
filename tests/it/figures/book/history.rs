//! A source that has sent steadily for weeks, and what came in the last hours.

use jiff::{SignedDuration, Timestamp};

use super::{Book, Message};

const WEEKS: i64 = 10;

impl Book {
    /// More by day than by night, less on weekends. Nothing that it sends is a conversion. Each is
    /// minutes away from where an hour before `now` begins.
    pub(super) fn history(&mut self, now: Timestamp) {
        for ago in 0..WEEKS * 168 {
            let begins = now - SignedDuration::from_hours(ago + 1);
            let of_week = (begins.as_second() / 3_600).rem_euclid(168);
            let busy = if of_week % 24 < 8 || of_week >= 120 {
                1
            } else {
                4
            };
            for _ in 0..self.dice.roll(busy + 1) {
                let within = SignedDuration::from_secs(600) + self.dice.seconds(2_400);
                let message = Message::new("steady", &[("n", "1")], Err(vec!["missing_identity"]));
                self.messages.push(message.came(begins + within));
            }
        }
    }
}
