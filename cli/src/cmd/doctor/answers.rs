//! Whether answers are due soon enough for the networks.

use postback_common::config::Settings;

use super::check::Check;

/// What networks give for the whole exchange, in milliseconds.
const GIVEN: u128 = 400;

/// The least that should be left for the round trips: two of 40 ms, and 20 ms for what nobody plans.
const LEFT: u128 = 100;

pub(super) fn check(settings: &Settings) -> Check {
    let within = settings.ingest.answer_within.as_millis();
    judge(within)
}

fn judge(within: u128) -> Check {
    const NAME: &str = "answers";
    let remedy = "lower ingest.answer_within_ms: see \"Why 250 ms\" in docs/operations.md";
    match GIVEN.checked_sub(within) {
        Some(left) if left >= LEFT => {
            let what =
                format!("due within {within} ms; {left} of {GIVEN} ms are left for round trips");
            Check::well(NAME, what)
        }
        Some(left) => {
            let what = format!(
                "due within {within} ms: only {left} of {GIVEN} ms are left for round trips"
            );
            Check::doubtful(NAME, what, remedy)
        }
        None => {
            let what = format!("due within {within} ms, but networks wait {GIVEN} ms");
            Check::doubtful(NAME, what, remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn what_is_left_must_do_for_the_round_trips() {
        let cases = [
            (250, State::Well),
            (300, State::Well),
            (301, State::Doubtful),
            (400, State::Doubtful),
            (60_000, State::Doubtful),
        ];
        for (within, state) in cases {
            assert_eq!(judge(within).state, state, "{within}");
        }
    }
}
