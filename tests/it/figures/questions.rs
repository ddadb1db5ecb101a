//! What is asked: each report in several ways, above all across the days on which clocks change.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::compared::gap::With;
use super::compared::{
    World, activity, amounts, digest, gap_figures, latency, reversals, summary, unattributed, words,
};
use super::model::Question;

const NEW_YORK: &str = "America/New_York";
const BERLIN: &str = "Europe/Berlin";

/// Source, requests, and the reason of most: see [`super::sending::be_refused`].
const REFUSED: &[(&str, u64, &str)] = &[("tracker", 3, "wrong_method")];

/// A week with the day of 23 hours there.
fn spring() -> Question {
    Question::of("2026-03-05", "2026-03-12", NEW_YORK)
}

/// A week with the day of 25 hours there.
fn autumn() -> Question {
    Question::of("2026-10-21", "2026-10-28", BERLIN)
}

/// Everything that the book has.
fn everything() -> Question {
    Question::of("2026-01-01", "2026-12-31", "UTC")
}

/// A comparison.
type Job<'a> = Box<dyn Fn() + Send + 'a>;

/// Asks everything, some questions at a time, and fails at the end when any answer was wrong.
pub(super) fn assert_all(world: &World<'_>, now: Timestamp) {
    let jobs = [
        of_money(world),
        compared(world),
        of_own_sides(world, now),
        of_quality(world),
    ];
    let count = jobs.iter().map(Vec::len).sum::<usize>();
    let left = Mutex::new(jobs.into_iter().flatten());
    let next = || left.lock().unwrap().next();
    let wrong = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(job) = next() {
                    // Its message is printed where it panics.
                    let answer = catch_unwind(AssertUnwindSafe(job));
                    wrong.fetch_add(usize::from(answer.is_err()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0, "wrong answers to {count} questions");
}

/// One comparison for each question.
fn each<'a>(
    world: &'a World<'_>,
    questions: impl IntoIterator<Item = Question>,
    compare: impl Fn(&World<'_>, &Question) + Send + Copy + 'a,
) -> Vec<Job<'a>> {
    let job = |question| -> Job<'a> { Box::new(move || compare(world, &question)) };
    questions.into_iter().map(job).collect()
}

fn of_money<'a>(world: &'a World<'_>) -> Vec<Job<'a>> {
    let summaries = [
        spring().by(&["hour"]),
        spring().by(&["day", "source"]),
        autumn().by(&["hour"]).only(&["source=tracker"]),
        everything().by(&["month", "advertiser"]),
        everything().by(&["week", "status"]).date_by("processed"),
        everything().by(&["day", "kind"]).date_by("received"),
        everything().by(&["template", "offer"]),
        everything().by(&["sub_ids.sub_id2", "extra.shop"]),
        everything().by(&["account"]).only(&[
            "status!=approved",
            "status!=pending",
            "network=generic",
        ]),
        everything()
            .by(&["sku"])
            .only(&["click_id=", "currency=USD", "currency=JPY"]),
        everything().only(&["sub_ids.sub_id2=summer", "sale_amount!=0"]),
    ];
    let reversed = [
        spring().by(&["advertiser"]),
        autumn().by(&["day", "source"]),
        everything().by(&["week"]).date_by("processed"),
    ];
    let mut jobs = each(world, summaries, summary::assert);
    jobs.extend(each(world, reversed, reversals::assert));
    jobs
}

/// Beside the period before.
fn compared<'a>(world: &'a World<'_>) -> Vec<Job<'a>> {
    let day = |from, to, zone| Question::of(from, to, zone).by(&["hour"]);
    let questions = [
        spring().by(&["source"]),
        autumn().by(&["day", "advertiser"]),
        spring().by(&["hour"]),
        autumn().by(&["hour"]),
        // The day of 23 hours, and the one after it; the day of 25 hours, and the one after it.
        day("2026-03-08", "2026-03-09", NEW_YORK),
        day("2026-03-09", "2026-03-10", NEW_YORK),
        day("2026-10-25", "2026-10-26", BERLIN),
        day("2026-10-26", "2026-10-27", BERLIN),
    ];
    let mut jobs = each(world, questions, summary::assert_compared);
    let sources = [spring().by(&["day", "source"]), autumn().by(&["source"])];
    jobs.extend(each(world, sources.clone(), reversals::assert_compared));
    jobs.extend(each(world, sources, words::assert_compared));
    jobs
}

fn of_own_sides<'a>(world: &'a World<'_>, now: Timestamp) -> Vec<Job<'a>> {
    let mut lately = everything();
    lately.from = now - SignedDuration::from_hours(48);
    lately.to = now + SignedDuration::from_hours(1);
    let with_orders = [
        spring().by(&["hour"]),
        autumn().by(&["day", "source"]),
        autumn().only(&["advertiser=100"]),
        everything().by(&["month", "advertiser"]),
        lately.clone(),
    ];
    let with_statements = [
        spring().by(&["day"]),
        autumn().by(&["hour"]),
        everything().by(&["week", "advertiser"]),
    ];
    let amounts = [
        spring().by(&["advertiser"]),
        autumn().by(&["day", "source"]),
        everything(),
    ];
    let mut jobs = each(world, with_orders, |world, question| {
        gap_figures::assert(world, question, With::Orders);
    });
    jobs.extend(each(world, with_statements, |world, question| {
        gap_figures::assert(world, question, With::Statements);
    }));
    for class in gap_figures::CLASSES {
        jobs.push(Box::new(|| {
            gap_figures::assert_list(world, &spring(), With::Orders, class);
        }));
        jobs.push(Box::new(|| {
            gap_figures::assert_list(world, &everything(), With::Statements, class);
        }));
    }
    jobs.push(Box::new(move || {
        gap_figures::assert_list(world, &lately, With::Orders, "immature");
    }));
    jobs.extend(each(world, amounts, amounts::assert));
    jobs
}

fn of_quality<'a>(world: &'a World<'_>) -> Vec<Job<'a>> {
    let shares = [
        spring().by(&["day", "advertiser"]),
        autumn().by(&["hour"]),
        everything().by(&["template"]),
    ];
    let received = [
        autumn().by(&["hour", "source"]).date_by("received"),
        everything().by(&["source"]),
        spring()
            .by(&["day"])
            .date_by("processed")
            .only(&["source=rakuten-us"]),
    ];
    let rejected = [
        everything().by(&["source"]),
        everything().by(&["via"]).only(&["reason=missing_identity"]),
        autumn().by(&["hour", "account"]),
    ];
    let mut jobs = each(world, shares, unattributed::assert);
    jobs.extend(each(world, received.clone(), latency::assert));
    jobs.extend(each(world, received, words::assert_flags));
    jobs.extend(each(world, rejected, words::assert_rejects));
    for zone in ["UTC", BERLIN] {
        jobs.push(Box::new(|| activity::assert(world, zone, REFUSED)));
    }
    jobs.push(Box::new(|| activity::assert_templates(world)));
    jobs.extend(each(world, [autumn(), spring()], digest::assert));
    jobs
}
