//! Queries and bodies.

use postback_fuzz::normalise;

use crate::{corpus, made};

/// Inputs of the short form.
const RUNS: u64 = 20_000;

/// Of which nothing is read: there is nothing, or only a body of another content type.
const UNREAD: [&str; 2] = ["nothing", "generic-unknown-type"];

#[test]
fn every_kept_request_keeps_every_promise() {
    for kept in corpus::inputs("normalise") {
        let seen = normalise::check(&kept.bytes);
        let is_read = !UNREAD.contains(&kept.name.as_str());
        assert_eq!(seen.was_accepted, is_read, "{}", kept.name);
    }
}

#[test]
fn any_request_keeps_every_promise() {
    let (mut accepted, mut bodies) = (0, 0);
    made::check_many("normalise", RUNS, |input| {
        let seen = normalise::check(input);
        accepted += u64::from(seen.was_accepted);
        bodies += u64::from(seen.had_a_body);
    });
    eprintln!("{accepted} were accepted, {bodies} had a body");
    if made::is_short() {
        assert!(
            accepted > RUNS / 2 && bodies > RUNS / 50,
            "{accepted}, {bodies}"
        );
    }
}
