//! Finds breaks in counts that have daily and weekly seasons.
//!
//! Pure: series in, findings out. The caller says which hour of the local week a bin belongs to and
//! how complete it can be by now; nothing here knows a clock, a file or a table.
//!
//! - [`Baseline`] learns from history what is usual for each hour of the week, and how much counts
//!   scatter. Breaks of the past do not count as usual.
//! - [`Level`] and [`Share`] are the questions: is the count lower or higher than usual, is the share
//!   higher than usual? Both are generalised likelihood ratio (GLR) charts for counts.
//! - [`run`] follows a chart through its bins and tells each [`Episode`]: since when, how sure,
//!   until when.
//! - [`Silence`] judges at the finest scale how surprising it is that nothing comes.
//! - [`Delays`] says how much of what happened can have been reported by now.
//!
//! The charts follow M. Höhle and M. Paul, "Count data regression charts for the monitoring of
//! surveillance time series", Computational Statistics & Data Analysis 52 (2008), which R's package
//! `surveillance` has as `glrnb`.

#![warn(missing_docs)]

mod bank;
mod baseline;
mod bin;
mod change;
mod delays;
mod episode;
mod level;
mod shape;
mod share;
mod silence;

pub use bank::false_alarms_a_month;
pub use bank::threshold;
pub use baseline::{Baseline, LEARNING_DAYS};
pub use bin::{Bin, CELLS, DAYS_A_MONTH, Trial};
pub use change::Change;
pub use delays::Delays;
pub use episode::{Chart, Episode, path, run};
pub use level::{Direction, Level, Noise};
pub use shape::Shape;
pub use share::{Share, UsualShare};
pub use silence::Silence;
