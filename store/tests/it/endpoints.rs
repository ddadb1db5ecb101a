//! What is known of endpoints: written, and read as it was.

use jiff::{SignedDuration, Timestamp};
use postback_store::endpoints::{
    Cause, Heal, Healed, Note, Poll, State, heals, is_off_by_hand, latest, note, outages,
    reenabled_since, refused_minutes,
};

use crate::database::{Database, with_tables};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn poll(state: State, updated_at: Option<Timestamp>) -> Note {
    let reason = match state {
        State::Unknown => "timed_out",
        _ => "",
    };
    Note::Poll(Poll {
        state,
        reason: reason.to_owned(),
        updated_at,
        is_template: (state == State::Active).then_some(true),
    })
}

async fn noted(database: &Database, source: &str, notes: &[(i64, Note)]) {
    for (minute, one) in notes {
        note(&database.client, source, at(*minute), one)
            .await
            .unwrap();
    }
}

#[test]
fn the_newest_poll_counts_and_what_was_known_before_it() {
    with_tables(|database| async move {
        assert_eq!(latest(&database.client).await.unwrap(), []);
        let told = at(-7) + SignedDuration::from_micros(123_456);
        let far = "9999-01-01T00:00:00Z".parse().unwrap();
        // Not in the order of time.
        let of_a = [
            (10, poll(State::Unknown, None)),
            (0, poll(State::Unknown, None)),
            (5, poll(State::Active, Some(told))),
            (11, Note::ProbeFailed("connect".to_owned())),
        ];
        noted(&database, "a", &of_a).await;
        noted(&database, "b", &[(3, poll(State::Active, Some(far)))]).await;
        noted(&database, "c", &[(4, poll(State::Unknown, None))]).await;
        let found = latest(&database.client).await.unwrap();
        let [a, b, c] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((&*a.source, a.at, a.state), ("a", at(10), State::Unknown));
        assert_eq!((&*a.reason, a.is_template), ("timed_out", None));
        assert_eq!((a.first_at, a.known_at), (at(0), Some(at(5))));
        assert_eq!(a.unknown_since(), Some(at(5)));
        assert_eq!((b.state, b.is_template), (State::Active, Some(true)));
        // A time that no table can hold is none.
        assert_eq!((b.updated_at, b.unknown_since()), (None, None));
        assert_eq!((c.known_at, c.unknown_since()), (None, Some(at(4))));

        noted(&database, "a", &[(20, poll(State::Active, Some(told)))]).await;
        let found = latest(&database.client).await.unwrap();
        assert_eq!(
            (found[0].state, found[0].updated_at),
            (State::Active, Some(told))
        );
    });
}

#[test]
fn outages_are_found_by_the_time_that_they_have_a_part_in() {
    with_tables(|database| async move {
        let of_a = [
            (0, poll(State::Active, None)),
            (5, poll(State::Disabled, Some(at(3)))),
            (10, poll(State::Unknown, None)),
            (15, poll(State::Missing, None)),
            (20, poll(State::Active, None)),
            (25, poll(State::Active, None)),
            (30, poll(State::Missing, None)),
        ];
        noted(&database, "a", &of_a).await;
        noted(&database, "b", &[(7, poll(State::Disabled, None))]).await;
        let found = |from: i64, to: i64| {
            let client = database.client.clone();
            async move {
                let found = outages(&client, at(from), at(to)).await.unwrap();
                let shown = |outage: &postback_store::endpoints::Outage| {
                    (
                        outage.source.clone(),
                        outage.state,
                        (outage.from.as_second() - at(0).as_second()) / 60,
                        outage
                            .to
                            .map(|to| (to.as_second() - at(0).as_second()) / 60),
                    )
                };
                found.iter().map(shown).collect::<Vec<_>>()
            }
        };
        let first = ("a".to_owned(), State::Disabled, 3, Some(20));
        let second = ("a".to_owned(), State::Missing, 25, None);
        let other = ("b".to_owned(), State::Disabled, 7, None);
        let all = [first.clone(), second.clone(), other.clone()];
        assert_eq!(found(-100, 100).await, all);
        // The begin belongs to it, the end does not.
        assert_eq!(found(-100, 3).await, []);
        assert_eq!(found(-100, 4).await, std::slice::from_ref(&first));
        assert_eq!(found(19, 20).await, [first, other.clone()]);
        assert_eq!(found(20, 25).await, std::slice::from_ref(&other));
        assert_eq!(found(90, 91).await, [second, other]);
    });
}

#[test]
fn what_was_done_is_counted_by_source_and_time() {
    with_tables(|database| async move {
        let done = [
            (0, Note::Reenabled),
            (10, Note::Reenabled),
            (20, Note::Reenabled),
            (30, poll(State::Active, None)),
        ];
        noted(&database, "a", &done).await;
        let since = |source, minute| reenabled_since(&database.client, source, at(minute));
        assert_eq!(since("a", 10).await.unwrap(), (2, Some(at(20))));
        assert_eq!(since("b", 0).await.unwrap(), (0, None));

        let is_off = || is_off_by_hand(&database.client, "a");
        assert!(!is_off().await.unwrap());
        noted(&database, "a", &[(31, Note::OffByHand)]).await;
        noted(&database, "b", &[(32, Note::OnByHand)]).await;
        assert!(is_off().await.unwrap());
        noted(&database, "a", &[(33, Note::OnByHand)]).await;
        assert!(!is_off().await.unwrap());

        let heal = |cause, from, to| Heal {
            cause,
            from: at(from),
            to: at(to),
        };
        let off = heal(Cause::SwitchedOff, 3, 20);
        let daily = heal(Cause::Daily, 0, 40);
        let early = heal(Cause::Refusals, -9, -8);
        let healed = [
            (-5, Note::HealBegun(early)),
            (50, Note::HealBegun(off)),
            // Begun again after a kill: still the same.
            (52, Note::HealBegun(off)),
            (55, Note::HealEnded(off)),
            (60, Note::HealBegun(daily)),
        ];
        noted(&database, "a", &healed).await;
        let found = heals(&database.client, "a", at(0)).await.unwrap();
        let healed = |heal, begun: i64, ended: Option<i64>| Healed {
            heal,
            begun_at: at(begun),
            ended_at: ended.map(at),
        };
        assert_eq!(found, [healed(off, 50, Some(55)), healed(daily, 60, None)]);
        assert_eq!(heals(&database.client, "b", at(-10)).await.unwrap(), []);
    });
}

#[test]
fn minutes_of_refusals_are_those_of_the_sources_own_5xx() {
    with_tables(|database| async move {
        let row = |source: &str, minute: i64, seconds: i64, status: u16| {
            let micros = at(minute).as_microsecond() + seconds * 1_000_000;
            format!("(generateUUIDv4(), fromUnixTimestamp64Micro({micros}), '{source}', {status})")
        };
        let rows = [
            row("a", 0, 0, 503),
            row("a", 0, 59, 503),
            row("a", 2, 30, 500),
            row("a", 3, 0, 404),
            row("b", 4, 0, 503),
            row("a", -1, 0, 503),
        ];
        let rows = rows.join(", ");
        let sql =
            format!("INSERT INTO refusals_log (id, refused_at, source, status) VALUES {rows}");
        database.execute(&sql).await;
        let found = refused_minutes(&database.client, "a", at(0)).await.unwrap();
        assert_eq!(found, [at(0), at(2)]);
    });
}
