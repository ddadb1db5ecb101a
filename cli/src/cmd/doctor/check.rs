//! One line of the doctor.

use std::future::Future;
use std::time::Duration;

use crate::console::Tone;
use crate::servers::Trouble;

/// Longest time for one check. Kafka's own time-outs are shorter, so that their words are seen.
const LONGEST: Duration = Duration::from_secs(20);

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Well,
    Doubtful,
    Broken,
    /// Not looked at, because it was asked for without it.
    LeftOut,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Doubtful => "doubtful",
            Self::Broken => "broken",
            Self::LeftOut => "left_out",
        }
    }

    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Well => "✓",
            Self::Doubtful => "!",
            Self::Broken => "✗",
            Self::LeftOut => "-",
        }
    }

    pub(super) const fn tone(self) -> Tone {
        match self {
            Self::Well => Tone::Good,
            Self::Doubtful => Tone::Doubtful,
            Self::Broken => Tone::Bad,
            Self::LeftOut => Tone::Faint,
        }
    }

    /// Whether nothing needs to be seen to.
    pub(super) const fn is_fine(self) -> bool {
        matches!(self, Self::Well | Self::LeftOut)
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) what: String,
    /// `None` where nothing needs doing.
    pub(super) remedy: Option<String>,
}

impl Check {
    pub(super) fn well(name: &'static str, what: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Well,
            what: what.into(),
            remedy: None,
        }
    }

    pub(super) fn doubtful(
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Doubtful,
            remedy: Some(remedy.into()),
            ..Self::well(name, what)
        }
    }

    pub(super) fn broken(
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Broken,
            ..Self::doubtful(name, what, remedy)
        }
    }

    pub(super) fn left_out(name: &'static str, what: impl Into<String>) -> Self {
        Self {
            state: State::LeftOut,
            ..Self::well(name, what)
        }
    }

    pub(super) fn of_trouble(name: &'static str, trouble: Trouble) -> Self {
        Self::broken(name, trouble.what, trouble.remedy)
    }
}

/// Runs a check for at most [`LONGEST`]: one that hangs does not keep the others from being seen.
pub(super) async fn within(
    name: &'static str,
    check: impl Future<Output = Vec<Check>>,
) -> Vec<Check> {
    tokio::time::timeout(LONGEST, check)
        .await
        .unwrap_or_else(|_| {
            let what = format!("no answer within {} s", LONGEST.as_secs());
            vec![Check::broken(
                name,
                what,
                "see whether the server hangs, or the network drops packets",
            )]
        })
}
