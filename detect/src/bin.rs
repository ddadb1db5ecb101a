//! What is judged: bins of counts, and trials of which a share is counted.

/// Hours of a week: 0 is Monday from 00:00 to 01:00 of the local clock, 167 Sunday from 23:00.
pub const CELLS: usize = 168;

/// What "a month" means in every rate of false alarms.
pub const DAYS_A_MONTH: f64 = 30.0;

/// The count of one bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The hour of the local week in which the bin begins, below [`CELLS`].
    pub cell: usize,
    /// How many there are by now.
    pub count: u32,
    /// Which share of what belongs into the bin can be there by now, from 0 (nothing, the bin is not
    /// judged) to 1. It thins what is expected, so that what comes late is not missed.
    pub completeness: f64,
}

impl Bin {
    /// A bin in which everything is there.
    #[must_use]
    pub fn whole(cell: usize, count: u32) -> Self {
        Self {
            cell,
            count,
            completeness: 1.0,
        }
    }
}

/// How many of one bin's events have a property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Events of the bin.
    pub of: u32,
    /// Those with the property, at most `of`.
    pub count: u32,
}
