//! Places at which tests let this process die, as kill -9 would there: nothing is cleaned up, nobody
//! is told.
//!
//! `POSTBACK_CRASH_AT=after_conversions:3` in the environment ends the process when it comes to that
//! place for the third time. Only builds with debug assertions look; a release build has no such
//! code.

/// A place on the way of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Partitions were given to us.
    Assigned,
    /// Partitions are being taken from us.
    Revoked,
    /// A record was read.
    Taken,
    BeforeConversions,
    /// Rows of conversions are being sent: at each piece of them.
    InConversions,
    AfterConversions,
    BeforePostbacks,
    /// The same of postbacks.
    InPostbacks,
    AfterPostbacks,
    /// A single record was found that ClickHouse refuses.
    Refused,
    BeforeCommit,
    AfterCommit,
    /// The active generation was told to stand still for a switch.
    Held,
    /// Readers see another generation, and that is not recorded yet.
    Switched,
}

#[cfg(not(debug_assertions))]
pub(crate) const fn pass(_: Place) {}

#[cfg(debug_assertions)]
pub(crate) use armed::pass;

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::Place;

    impl Place {
        const fn name(self) -> &'static str {
            match self {
                Self::Assigned => "assigned",
                Self::Revoked => "revoked",
                Self::Taken => "taken",
                Self::BeforeConversions => "before_conversions",
                Self::InConversions => "in_conversions",
                Self::AfterConversions => "after_conversions",
                Self::BeforePostbacks => "before_postbacks",
                Self::InPostbacks => "in_postbacks",
                Self::AfterPostbacks => "after_postbacks",
                Self::Refused => "refused",
                Self::BeforeCommit => "before_commit",
                Self::AfterCommit => "after_commit",
                Self::Held => "held",
                Self::Switched => "switched",
            }
        }
    }

    struct Fuse {
        place: String,
        passes_left: AtomicI64,
    }

    static FUSE: LazyLock<Option<Fuse>> = LazyLock::new(|| {
        let value = std::env::var("POSTBACK_CRASH_AT").ok()?;
        let (place, passes) = value.split_once(':')?;
        Some(Fuse {
            place: place.to_owned(),
            passes_left: AtomicI64::new(passes.parse().ok()?),
        })
    });

    /// The process is here.
    pub(crate) fn pass(place: Place) {
        if let Some(fuse) = &*FUSE
            && fuse.place == place.name()
            && fuse.passes_left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
