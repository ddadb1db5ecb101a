use postback_store::endpoints::State;

use super::*;

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

fn outage(from: i64, to: Option<i64>) -> Outage {
    Outage {
        source: "s".to_owned(),
        state: State::Disabled,
        from: minute(from),
        seen_at: minute(from + 1),
        to: to.map(minute),
        over_at: to.map(minute),
    }
}

fn heal(cause: Cause, from: i64, to: i64) -> Heal {
    Heal {
        cause,
        from: minute(from),
        to: minute(to),
    }
}

fn ended(cause: Cause, from: i64, to: i64, at: i64) -> Healed {
    Healed {
        heal: heal(cause, from, to),
        begun_at: minute(at),
        ended_at: Some(minute(at)),
    }
}

fn begun(cause: Cause, from: i64, to: i64, at: i64) -> Healed {
    Healed {
        ended_at: None,
        ..ended(cause, from, to, at)
    }
}

struct Case {
    outages: Vec<Outage>,
    refused: Vec<i64>,
    heals: Vec<Healed>,
    fetched: Vec<(i64, i64)>,
    now: i64,
}

impl Case {
    /// Nothing is wrong, and the day's heal was an hour ago.
    fn usual(now: i64) -> Self {
        Self {
            outages: Vec::new(),
            refused: Vec::new(),
            heals: vec![begun(Cause::Daily, now - HOUR, now - HOUR, now - HOUR)],
            fetched: Vec::new(),
            now,
        }
    }

    fn ask<T>(&self, ask: impl Fn(Known<'_>) -> T) -> T {
        let refused: Vec<Timestamp> = self.refused.iter().map(|at| minute(*at)).collect();
        let fetched = self.fetched.iter().map(|(from, to)| Fetched {
            from: minute(*from),
            to: minute(*to),
        });
        let fetched: Vec<Fetched> = fetched.collect();
        ask(Known {
            fetched: &fetched,
            outages: &self.outages,
            refused: &refused,
            heals: &self.heals,
            keeps: SignedDuration::from_hours(7 * 24),
            now: minute(self.now),
        })
    }

    fn due(&self) -> Option<Heal> {
        self.ask(|known| known.due())
    }

    fn lost_from(&self) -> Option<Timestamp> {
        self.ask(|known| known.lost_from())
    }
}

#[test]
fn nothing_is_due_when_nothing_was_wrong_and_the_day_was_healed() {
    assert_eq!(Case::usual(0).due(), None);
    assert_eq!(Case::usual(0).lost_from(), None);
}

#[test]
fn the_last_three_days_are_due_once_a_day() {
    let mut case = Case::usual(0);
    case.heals.clear();
    let first = heal(Cause::Daily, -3 * DAY, 0);
    assert_eq!(case.due(), Some(first));
    case.heals = vec![ended(Cause::Daily, -3 * DAY, 0, 5)];
    case.now = DAY - 1;
    assert_eq!(case.due(), None);
    case.now = DAY;
    assert_eq!(case.due(), Some(heal(Cause::Daily, -2 * DAY, DAY)));
}

#[test]
fn what_no_day_could_fetch_is_due_as_long_as_the_network_keeps_it() {
    let mut case = Case::usual(0);
    case.heals = vec![ended(Cause::Daily, -3 * DAY, 0, 5)];
    // Since then the network, or ClickHouse, was away: with what was begun meanwhile, and without.
    for begun in [vec![], vec![begun(Cause::Daily, -2 * DAY, DAY, DAY)]] {
        case.heals.truncate(1);
        case.heals.extend(begun);
        for (now, from) in [(2, -1), (3, 0), (5, 0), (7, 0), (8, 1)] {
            case.now = now * DAY;
            let due = heal(Cause::Daily, from * DAY, case.now);
            assert_eq!(case.due(), Some(due), "{now}");
        }
    }
    // Once it is fetched, the next one is as usual.
    case.heals.push(ended(Cause::Daily, 0, 5 * DAY, 5 * DAY));
    case.now = 6 * DAY;
    assert_eq!(case.due(), Some(heal(Cause::Daily, 3 * DAY, 6 * DAY)));
}

#[test]
fn a_network_that_keeps_a_day_is_asked_without_a_hole() {
    let keeps = SignedDuration::from_hours(24);
    let mut heals: Vec<Healed> = Vec::new();
    let mut fetched_to = None;
    // Looked at every ten minutes.
    for now in (0..3 * DAY).step_by(10) {
        let known = Known {
            outages: &[],
            refused: &[],
            heals: &heals,
            fetched: &[],
            keeps,
            now: minute(now),
        };
        let Some(due) = known.due() else { continue };
        let from = asked_from(&due, keeps, minute(now));
        assert!(
            fetched_to.is_none_or(|to| from <= to),
            "{from} {fetched_to:?}"
        );
        fetched_to = Some(due.to);
        heals.push(Healed {
            heal: due,
            begun_at: minute(now),
            ended_at: Some(minute(now)),
        });
    }
    assert_eq!(heals.len(), 6, "twice a day");
}

#[test]
fn an_outage_is_due_when_it_is_over_until_it_was_healed() {
    let mut case = Case::usual(0);
    case.outages = vec![outage(-300, Some(-240)), outage(-90, None)];
    let first = heal(Cause::SwitchedOff, -300, -240);
    assert_eq!(case.due(), Some(first));
    // Another one was healed, or only a part.
    case.heals.push(ended(Cause::SwitchedOff, -200, -100, 0));
    case.heals.push(ended(Cause::Daily, -500, -270, 0));
    assert_eq!(case.due(), Some(first));
    case.heals.push(ended(Cause::SwitchedOff, -300, -240, 0));
    assert_eq!(case.due(), None, "the other one goes on");
    case.outages[1].to = Some(minute(-1));
    assert_eq!(case.due(), Some(heal(Cause::SwitchedOff, -90, -1)));
    // Two that overlap are as good as one.
    case.heals.push(ended(Cause::Daily, -95, -50, 0));
    case.heals.push(ended(Cause::Daily, -60, 0, 0));
    assert_eq!(case.due(), None);
}

#[test]
fn what_was_begun_goes_on_with_the_same_ends() {
    let mut case = Case::usual(10);
    case.heals = vec![begun(Cause::Daily, -3 * DAY, 0, 1)];
    let same = heal(Cause::Daily, -3 * DAY, 0);
    assert_eq!(case.due(), Some(same));
    // The day after, nobody waits for it any more; what it did not fetch is fetched with that day.
    case.now = DAY + 2;
    assert_eq!(case.due(), Some(heal(Cause::Daily, -3 * DAY, DAY + 2)));
    // Something else has healed it meanwhile.
    case.now = 20;
    case.heals.push(ended(Cause::Daily, -3 * DAY - 5, 15, 15));
    assert_eq!(case.due(), None);
}

#[test]
fn what_was_certainly_missed_does_not_wait_for_the_days_heal() {
    // The day's was begun, and failed or was interrupted.
    let mut case = Case::usual(60);
    case.heals = vec![begun(Cause::Daily, -3 * DAY, 0, 1)];
    case.refused = vec![20, 21, 22];
    case.outages = vec![outage(-30, Some(5))];
    let of_outage = heal(Cause::SwitchedOff, -30, 5);
    assert_eq!(case.due(), Some(of_outage));
    // Interrupted itself, it goes on as the same.
    case.heals.push(begun(Cause::SwitchedOff, -30, 5, 60));
    assert_eq!(case.due(), Some(of_outage));
    case.heals[1] = ended(Cause::SwitchedOff, -30, 5, 60);
    // Then the spell, likewise, and then the day's goes on with the same ends.
    let of_spell = heal(Cause::Refusals, 20, 23);
    assert_eq!(case.due(), Some(of_spell));
    case.heals.push(begun(Cause::Refusals, 20, 23, 60));
    assert_eq!(case.due(), Some(of_spell));
    case.heals[2] = ended(Cause::Refusals, 20, 23, 60);
    assert_eq!(case.due(), Some(heal(Cause::Daily, -3 * DAY, 0)));
    case.heals[0] = ended(Cause::Daily, -3 * DAY, 0, 60);
    assert_eq!(case.due(), None, "nothing is healed twice");
}

#[test]
fn what_grew_since_it_was_begun_is_healed_whole_and_once() {
    // Two more minutes of the spell came to be known after it was begun.
    let mut case = Case::usual(60);
    case.heals.push(begun(Cause::Refusals, 20, 23, 40));
    case.refused = vec![20, 21, 22, 24, 25];
    assert_eq!(case.due(), Some(heal(Cause::Refusals, 20, 26)));
    case.heals.push(ended(Cause::Refusals, 20, 26, 60));
    assert_eq!(case.due(), None);
}

#[test]
fn refusals_are_a_spell_from_three_minutes_on_and_over_after_ten_quiet_ones() {
    let mut case = Case::usual(0);
    case.refused = vec![-100, -99, -60, -52];
    assert_eq!(case.due(), None, "two and two are no spell");
    // From the end of minute -52 to minute -41 there are ten quiet ones, to -42 nine.
    case.refused.push(-41);
    assert_eq!(case.due(), None);
    case.refused[4] = -42;
    assert_eq!(case.due(), Some(heal(Cause::Refusals, -60, -41)));
    // Its end is minute -41: ten minutes later it is over.
    case.now = -31;
    assert_eq!(case.due(), Some(heal(Cause::Refusals, -60, -41)));
    case.now = -32;
    assert_eq!(case.due(), None);
    case.now = 0;
    case.heals.push(ended(Cause::Refusals, -60, -41, 0));
    assert_eq!(case.due(), None);
}

#[test]
fn what_the_network_has_no_more_is_not_asked_for() {
    let mut case = Case::usual(0);
    case.outages = vec![outage(-9 * DAY, Some(-8 * DAY))];
    assert_eq!((case.due(), case.lost_from()), (None, None));
    // A part is still there.
    case.outages = vec![outage(-9 * DAY, Some(-6 * DAY))];
    let whole = heal(Cause::SwitchedOff, -9 * DAY, -6 * DAY);
    assert_eq!(case.due(), Some(whole));
    assert_eq!(case.lost_from(), Some(minute(0)));
    case.heals
        .push(ended(Cause::SwitchedOff, -9 * DAY, -6 * DAY, 0));
    assert_eq!((case.due(), case.lost_from()), (None, None));
}

#[test]
fn an_outage_that_grows_old_is_urgent_a_day_before_it_is_lost() {
    let mut case = Case::usual(0);
    case.outages = vec![outage(-30, None)];
    assert_eq!(case.lost_from(), Some(minute(7 * DAY - 30)));
    let urgent_at = |case: &mut Case, now| {
        case.now = now;
        case.ask(|known| known.is_urgent())
    };
    assert!(!urgent_at(&mut case, 6 * DAY - 31));
    assert!(urgent_at(&mut case, 6 * DAY - 30));
    // What was healed meanwhile, though it goes on, is not lost.
    case.heals.push(ended(Cause::Daily, -DAY, 5 * DAY, 5 * DAY));
    assert!(!urgent_at(&mut case, 6 * DAY));
    assert_eq!(case.lost_from(), Some(minute(12 * DAY)));
}

#[test]
fn what_a_person_fetched_is_not_fetched_again() {
    let mut case = Case::usual(0);
    case.outages = vec![outage(-90, Some(-30))];
    case.fetched = vec![(-100, -31)];
    assert_eq!(case.due(), Some(heal(Cause::SwitchedOff, -90, -30)));
    case.fetched = vec![(-40, -20), (-100, -40)];
    assert_eq!((case.due(), case.lost_from()), (None, None));
}

#[test]
fn what_a_wrong_clock_noted_is_not_believed_before_that_time_comes() {
    // A clock was two days ahead when it healed its day, and a person fetched into the future.
    let mut case = Case::usual(0);
    case.heals = vec![ended(Cause::Daily, -DAY, 2 * DAY, 2 * DAY)];
    case.fetched = vec![(-DAY, 9 * DAY)];
    case.now = DAY + 60;
    case.outages = vec![outage(DAY, Some(DAY + 30))];
    let of_outage = heal(Cause::SwitchedOff, DAY, DAY + 30);
    assert_eq!(case.due(), Some(of_outage));
    assert_eq!(case.lost_from(), Some(minute(8 * DAY)));
    case.heals
        .push(ended(Cause::SwitchedOff, DAY, DAY + 30, case.now));
    let of_day = heal(Cause::Daily, 60 - 2 * DAY, DAY + 60);
    assert_eq!(case.due(), Some(of_day));
    case.heals
        .push(ended(Cause::Daily, 60 - 2 * DAY, DAY + 60, case.now));
    assert_eq!((case.due(), case.lost_from()), (None, None));
    // Those of two machines differ by a little.
    case.heals = vec![ended(Cause::Daily, -2 * DAY, case.now + 10, case.now)];
    case.fetched.clear();
    assert_eq!((case.due(), case.lost_from()), (None, None));
}

#[test]
fn nothing_is_due_whose_end_is_yet_to_come() {
    // Polls, refusals and a begin by a clock that was ahead.
    let mut case = Case::usual(0);
    case.outages = vec![outage(-30, Some(DAY)), outage(DAY, None)];
    case.refused = vec![DAY, DAY + 1, DAY + 2];
    case.heals
        .push(begun(Cause::SwitchedOff, -30, DAY + 30, -1));
    assert_eq!(case.due(), None);
    // What has passed of it is missing, and nothing once that is fetched.
    assert_eq!(case.lost_from(), Some(minute(7 * DAY - 30)));
    case.heals.push(ended(Cause::Daily, -DAY, 0, 0));
    assert_eq!((case.due(), case.lost_from()), (None, None));
}

#[test]
fn all_that_is_due_is_told_in_its_order() {
    let mut case = Case::usual(60);
    case.heals = vec![
        begun(Cause::SwitchedOff, -90, -80, 0),
        begun(Cause::Refusals, 20, 22, 40),
    ];
    case.refused = vec![20, 21, 22];
    case.outages = vec![outage(-90, Some(-80)), outage(-30, Some(5))];
    let all = [
        heal(Cause::SwitchedOff, -90, -80),
        heal(Cause::SwitchedOff, -30, 5),
        heal(Cause::Refusals, 20, 23),
        heal(Cause::Refusals, 20, 22),
        heal(Cause::Daily, 60 - 3 * DAY, 60),
    ];
    assert_eq!(case.ask(|known| known.all_due()), all);
}

#[test]
fn the_network_is_asked_for_what_it_still_keeps() {
    let keeps = SignedDuration::from_hours(7 * 24);
    let asked = |from, to| asked_from(&heal(Cause::SwitchedOff, from, to), keeps, minute(0));
    // Ten minutes more are asked for, and it may take ten to come to it.
    assert_eq!(asked(-9 * DAY, -6 * DAY), minute(20 - 7 * DAY));
    assert_eq!(asked(-7 * DAY, -6 * DAY), minute(20 - 7 * DAY));
    assert_eq!(asked(21 - 7 * DAY, -6 * DAY), minute(21 - 7 * DAY));
    assert_eq!(asked(-3 * DAY, 0), minute(-3 * DAY));
    // What is left of it goes in a moment.
    assert_eq!(asked(-9 * DAY, 5 - 7 * DAY), minute(5 - 7 * DAY));
}
