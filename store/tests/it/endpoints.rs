//! What is known of endpoints: written, and read as it was.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use postback_store::backfills::finished;
use postback_store::endpoints::{
    Cause, Heal, Healed, Note, Outage, Poll, State, heals, is_off_by_hand, latest, note, now,
    outages, outages_of, reenabled_since, refused_minutes,
};

use crate::database::{Database, with_tables};

/// A minute of the day before: tables keep nothing for ever, and what is to come does not count.
fn at(minute: i64) -> Timestamp {
    static YESTERDAY: LazyLock<i64> =
        LazyLock::new(|| (Timestamp::now().as_second() - 86_400) / 60 * 60);
    Timestamp::from_second(*YESTERDAY + 60 * minute).unwrap()
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
                let found = outages(&client, &BTreeMap::new(), at(from), at(to))
                    .await
                    .unwrap();
                let of_a = outages_of(&client, &["a"], at(from), at(to)).await.unwrap();
                let is_of_a = |outage: &&Outage| outage.source == "a";
                assert!(of_a.iter().eq(found.iter().filter(is_of_a)), "{of_a:?}");
                let shown = |outage: &Outage| {
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
        let since = |names, minute| reenabled_since(&database.client, names, at(minute));
        assert_eq!(since(&["a"], 10).await.unwrap(), (2, Some(at(20))));
        assert_eq!(since(&["b"], 0).await.unwrap(), (0, None));

        let is_off = || is_off_by_hand(&database.client, &["a"]);
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
        let found = heals(&database.client, &["a"], at(0)).await.unwrap();
        let healed = |heal, begun: i64, ended: Option<i64>| Healed {
            heal,
            begun_at: at(begun),
            ended_at: ended.map(at),
        };
        assert_eq!(found, [healed(off, 50, Some(55)), healed(daily, 60, None)]);
        assert_eq!(heals(&database.client, &["b"], at(-10)).await.unwrap(), []);
    });
}

#[test]
fn what_was_noted_under_an_older_name_holds() {
    with_tables(|database| async move {
        // Renamed from old to new at minute 20; another one was never renamed.
        let before = [
            (0, poll(State::Active, None)),
            (1, Note::Reenabled),
            (10, poll(State::Disabled, Some(at(8)))),
            (11, Note::OffByHand),
        ];
        noted(&database, "old", &before).await;
        noted(&database, "other", &[(5, poll(State::Missing, None))]).await;
        let client = &database.client;
        let names = ["new", "old"];
        let older = BTreeMap::from([("old", "new")]);
        let off = |source: &str, from, to: Option<i64>| (source.to_owned(), at(from), to.map(at));
        let shown = |found: Vec<Outage>| {
            let found = found.into_iter();
            let shown = found.map(|outage| (outage.source, outage.from, outage.to));
            shown.collect::<Vec<_>>()
        };
        let seen = async || {
            let all = outages(client, &older, at(-5), at(60)).await.unwrap();
            let own = outages_of(client, &names, at(-5), at(60)).await.unwrap();
            (shown(all), shown(own))
        };
        let (open, other) = (off("new", 8, None), off("other", 5, None));
        assert_eq!(
            seen().await,
            (vec![open.clone(), other.clone()], vec![open])
        );
        assert!(is_off_by_hand(client, &names).await.unwrap());
        assert!(!is_off_by_hand(client, &["new"]).await.unwrap());

        let after = [
            (25, poll(State::Disabled, Some(at(8)))),
            (30, Note::Reenabled),
            (40, poll(State::Active, Some(at(35)))),
            (41, Note::OnByHand),
        ];
        noted(&database, "new", &after).await;
        let over = off("new", 8, Some(35));
        assert_eq!(seen().await, (vec![over.clone(), other], vec![over]));
        assert!(!is_off_by_hand(client, &names).await.unwrap());
        let times = reenabled_since(client, &names, at(0)).await.unwrap();
        assert_eq!(times, (2, Some(at(30))));

        let of_outage = Heal {
            cause: Cause::SwitchedOff,
            from: at(8),
            to: at(35),
        };
        noted(&database, "old", &[(42, Note::HealBegun(of_outage))]).await;
        noted(&database, "new", &[(43, Note::HealEnded(of_outage))]).await;
        let healed = Healed {
            heal: of_outage,
            begun_at: at(42),
            ended_at: Some(at(43)),
        };
        assert_eq!(heals(client, &names, at(0)).await.unwrap(), [healed]);
    });
}

#[test]
fn a_cause_of_a_newer_version_is_told() {
    with_tables(|database| async move {
        let sql = "INSERT INTO endpoint_history (id, source, at, what, reason, healed_from, healed_to) \
             SELECT generateUUIDv4(), 'a', now64(6) - 60, 'heal_ended', 'of_the_future', now64(6) - 600, now64(6) - 60";
        database.execute(sql).await;
        let error = heals(&database.client, &["a"], at(0)).await.unwrap_err();
        assert!(error.remedy.contains("upgrade this program"), "{error:?}");
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
            row("older", 1, 0, 503),
        ];
        let rows = rows.join(", ");
        let sql =
            format!("INSERT INTO refusals_log (id, refused_at, source, status) VALUES {rows}");
        database.execute(&sql).await;
        let found = refused_minutes(&database.client, &["a"], at(0))
            .await
            .unwrap();
        assert_eq!(found, [at(0), at(2)]);
        let both = refused_minutes(&database.client, &["a", "older"], at(0)).await;
        assert_eq!(both.unwrap(), [at(0), at(1), at(2)]);
    });
}

/// Rows of a clock that is ahead, as such a consumer noted them before the server's time was asked for.
async fn ahead(database: &Database, what: &str, state: &str) {
    let sql = format!(
        "INSERT INTO endpoint_history (id, source, at, what, state, reason, healed_from, healed_to) \
         SELECT generateUUIDv4(), 'a', now64(6) + toIntervalDay(2), '{what}', '{state}', 'daily', \
           now64(6) - toIntervalDay(1), now64(6) + toIntervalDay(2)"
    );
    database.execute(&sql).await;
}

#[test]
fn what_a_clock_ahead_has_noted_hides_nothing() {
    with_tables(|database| async move {
        let client = &database.client;
        let polled = [
            (0, poll(State::Active, None)),
            (5, poll(State::Disabled, None)),
        ];
        noted(&database, "a", &polled).await;
        ahead(&database, "poll", "active").await;
        ahead(&database, "heal_ended", "").await;
        database
            .execute(
                "INSERT INTO refusals_log (id, refused_at, source, status) \
                 SELECT generateUUIDv4(), now64(6) + toIntervalDay(2), 'a', 503",
            )
            .await;
        let found = latest(client).await.unwrap();
        assert_eq!((found[0].at, found[0].state), (at(5), State::Disabled));
        assert_eq!(found[0].known_at, Some(at(5)));
        let later = Timestamp::now() + SignedDuration::from_hours(72);
        let off = outages_of(client, &["a"], at(-5), later).await.unwrap();
        assert_eq!(off.len(), 1);
        assert_eq!((off[0].seen_at, off[0].to), (at(5), None));
        assert_eq!(heals(client, &["a"], at(-5)).await.unwrap(), []);
        assert_eq!(refused_minutes(client, &["a"], at(-5)).await.unwrap(), []);
    });
}

#[test]
fn what_is_noted_by_a_clock_ahead_gets_the_servers_time() {
    with_tables(|database| async move {
        let client = &database.client;
        let before = now(client).await.unwrap();
        let wrong = before + SignedDuration::from_hours(48);
        let on = poll(State::Active, Some(at(3)));
        note(client, "a", wrong, &on).await.unwrap();
        let after = now(client).await.unwrap();
        let found = latest(client).await.unwrap();
        assert!(before <= found[0].at && found[0].at <= after, "{found:?}");
        assert_eq!(found[0].updated_at, Some(at(3)));
    });
}

#[test]
fn the_last_person_counts_whatever_their_clocks_say() {
    with_tables(|database| async move {
        let client = &database.client;
        let is_off = || is_off_by_hand(client, &["a"]);
        // A day and two days behind, and a note of a clock that was two days ahead.
        for (hours, one, expected) in [
            (-24, Note::OnByHand, false),
            (-48, Note::OffByHand, true),
            (-72, Note::OnByHand, false),
            (48, Note::OffByHand, true),
            (0, Note::OnByHand, false),
        ] {
            let theirs = Timestamp::now() + SignedDuration::from_hours(hours);
            note(client, "a", theirs, &one).await.unwrap();
            assert_eq!(is_off().await.unwrap(), expected, "{hours}");
        }
        ahead(&database, "off_by_hand", "").await;
        assert!(is_off().await.unwrap());
        noted(&database, "a", &[(0, Note::OnByHand)]).await;
        assert!(!is_off().await.unwrap());
    });
}

#[test]
fn an_outage_from_long_ago_is_whole_and_what_was_over_before_is_not_read() {
    with_tables(|database| async move {
        let day = 24 * 60;
        let of_a = [
            (-300 * day, poll(State::Active, None)),
            (-299 * day, poll(State::Disabled, None)),
            (-298 * day, poll(State::Active, None)),
            (-200 * day, poll(State::Active, None)),
            (-200 * day + 5, poll(State::Missing, None)),
            (-150 * day, poll(State::Disabled, None)),
            (-10, poll(State::Disabled, None)),
            (0, poll(State::Active, None)),
        ];
        noted(&database, "a", &of_a).await;
        let found = outages_of(&database.client, &["a"], at(-day), at(day))
            .await
            .unwrap();
        let expected = Outage {
            source: "a".to_owned(),
            state: State::Missing,
            from: at(-200 * day),
            seen_at: at(-200 * day + 5),
            to: Some(at(0)),
            over_at: Some(at(0)),
        };
        assert_eq!(found, [expected]);
    });
}

#[test]
fn looking_for_outages_orders_no_more_than_lately_came() {
    with_tables(|database| async move {
        // A hundred sources, polled every five minutes for 300 days: 8.6 million rows.
        let polls = "INSERT INTO endpoint_history (id, source, at, what, state) \
             SELECT toUUID('01a05a43-fc00-7f54-8d8e-0023af5570ee'), concat('s', toString(number % 100)), \
               now64(6) - toIntervalSecond(300 * intDiv(number, 100)), 'poll', 'active' \
             FROM numbers(8640000) SETTINGS max_partitions_per_insert_block = 0";
        database.execute(polls).await;
        // The same questions with the memory of a small server for each.
        let client = database
            .client
            .clone()
            .with_setting("max_memory_usage", "150000000");
        let since = at(-8 * 24 * 60);
        assert_eq!(
            outages(&client, &BTreeMap::new(), since, at(0))
                .await
                .unwrap(),
            []
        );
        assert_eq!(
            outages_of(&client, &["s7"], since, at(0)).await.unwrap(),
            []
        );
        assert_eq!(latest(&client).await.unwrap().len(), 100);
    });
}

#[test]
fn what_a_person_switched_is_kept_and_the_rest_for_400_days() {
    with_tables(|database| async move {
        let is_off = || is_off_by_hand(&database.client, &["a"]);
        // As the table was before: these parts were written under its old limit.
        for sql in [
            "ALTER TABLE schema_migrations DELETE WHERE number = 8 SETTINGS mutations_sync = 1",
            "ALTER TABLE endpoint_history MODIFY TTL toDateTime(at) + INTERVAL 400 DAY",
            "SYSTEM STOP MERGES endpoint_history",
            "INSERT INTO endpoint_history (id, source, at, what) SELECT generateUUIDv4(), 'a', \
               now64(6) - toIntervalDay(500), arrayJoin(['off_by_hand', 'reenabled'])",
        ] {
            database.execute(sql).await;
        }
        let steps = database.migrate(&[]).await.unwrap().steps;
        assert_eq!(steps.len(), 1, "{steps:?}");
        for sql in [
            "SYSTEM START MERGES endpoint_history",
            "INSERT INTO endpoint_history (id, source, at, what) SELECT generateUUIDv4(), 'b', \
               now64(6) - toIntervalDay(500), arrayJoin(['on_by_hand', 'poll'])",
            "OPTIMIZE TABLE endpoint_history FINAL",
        ] {
            database.execute(sql).await;
        }
        let left = "SELECT arraySort(groupArray(toString(what))) FROM endpoint_history";
        assert_eq!(database.ask(left).await, "['off_by_hand','on_by_hand']");
        assert!(is_off().await.unwrap());
    });
}

#[test]
fn what_came_after_a_run_was_not_fetched_by_it() {
    with_tables(|database| async move {
        let run = |from: i64, to: i64, recorded: i64| {
            let micros = |minute| at(minute).as_microsecond();
            format!(
                "INSERT INTO backfills_log (id, step, source, range_from, range_to, is_finished, recorded_at) \
                 SELECT generateUUIDv4(), 1, 'a', fromUnixTimestamp64Micro({}), fromUnixTimestamp64Micro({}), \
                   true, fromUnixTimestamp64Micro({})",
                micros(from),
                micros(to),
                micros(recorded)
            )
        };
        // Over before it ended; with an end to come; and with a begin to come.
        for (from, to, recorded) in [(0, 10, 20), (5, 9_000, 30), (8_000, 9_000, 40)] {
            database.execute(&run(from, to, recorded)).await;
        }
        let found = finished(&database.client, &["a"], at(0)).await.unwrap();
        assert_eq!(found, [(at(0), at(10)), (at(5), at(30))]);
        let found = finished(&database.client, &["a"], at(25)).await.unwrap();
        assert_eq!(found, [(at(5), at(30))]);
        let found = finished(&database.client, &["new", "a"], at(25))
            .await
            .unwrap();
        assert_eq!(found, [(at(5), at(30))]);
    });
}
