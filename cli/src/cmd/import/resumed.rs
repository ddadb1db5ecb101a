//! Where an import goes on that was stopped.

use postback_store::imports::Import as Note;

use crate::output::plural;

/// What is said of it at the begin.
pub(super) fn going_on(known: &Note) -> String {
    if known.rows == 0 {
        return "Beginning once more: an earlier run stopped before it noted how far it was. What it sent \
                counts once."
            .to_owned();
    }
    if known.refused > 0 {
        return format!(
            "Beginning with the first row once more: of {} an earlier run refused {}, which may fit now. What it \
             sent counts once.",
            plural(known.rows, "row"),
            known.refused
        );
    }
    format!(
        "Going on behind row {}: an earlier run stopped there.",
        known.rows
    )
}

/// An import as it goes on. Which rows it refused was not noted, and where the configuration was
/// corrected meanwhile they fit: then it begins with the first row. What Kafka has of it is sent as the
/// same records, and counts once.
pub(super) fn resumed(known: Note) -> Note {
    if known.refused == 0 {
        return known;
    }
    Note {
        rows: 0,
        sent: 0,
        refused: 0,
        ..known
    }
}

/// What is said at the end of one that Ctrl-C stopped.
pub(super) const fn stopped(note: &Note, is_dry: bool) -> &'static str {
    if is_dry {
        return "Stopped: nothing was sent.";
    }
    if note.refused > 0 {
        return "Stopped in order: run the same command again. It begins with the first row then, for what was \
                refused may fit by then; what is in Kafka counts once.";
    }
    "Stopped in order: run the same command again, and it goes on behind the last row."
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn known(refused: u64) -> Note {
        Note {
            id: Uuid::from_u128(7),
            step: 3,
            about: "orders".to_owned(),
            source: "shop".to_owned(),
            file: "orders.csv".to_owned(),
            digest: "00".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            rows: 40_000,
            sent: 40_000 - refused,
            refused,
            is_finished: false,
            recorded_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn rows_that_were_refused_are_read_again() {
        // All rows before are in Kafka.
        assert_eq!(resumed(known(0)), known(0));
        let begun = resumed(known(1));
        assert_eq!((begun.rows, begun.sent, begun.refused), (0, 0, 0));
        // The records are the same: their ids and times follow from these.
        let of = |note: &Note| (note.id, note.step, note.started_at);
        assert_eq!(of(&begun), of(&known(1)));
    }
}
