//! What is asked: each report in several ways, above all across the days on which clocks change.

use jiff::{SignedDuration, Timestamp};

use super::compared::gap::With;
use super::compared::{
    World, activity, amounts, digest, gap_figures, latency, reversals, summary, unattributed, words,
};
use super::model::Question;

const NEW_YORK: &str = "America/New_York";
const BERLIN: &str = "Europe/Berlin";

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

pub(super) fn assert_all(world: &World<'_>, now: Timestamp) {
    of_money(world);
    compared(world);
    of_own_sides(world, now);
    of_quality(world, now);
}

fn of_money(world: &World<'_>) {
    for question in [
        spring().by(&["hour"]),
        spring().by(&["day", "source"]),
        autumn().by(&["hour"]).only(&["source=tracker"]),
        autumn().by(&["day"]),
        everything().by(&["month", "advertiser"]),
        everything().by(&["week", "status"]).date_by("processed"),
        everything().by(&["day", "kind"]).date_by("received"),
        everything().by(&["template", "offer"]),
        everything().by(&["sub_ids.sub_id2", "extra.shop"]),
        everything(),
        everything().by(&["account"]).only(&["status!=approved", "status!=pending", "network=generic"]),
        everything().by(&["sku"]).only(&["click_id=", "currency=USD", "currency=JPY"]),
        everything().by(&["source"]).only(&["sub_ids.sub_id2=summer"]),
        everything().by(&["source"]).only(&["sale_amount=0"]),
    ] {
        summary::assert(world, &question);
    }
    for question in [
        spring().by(&["advertiser"]),
        autumn().by(&["day", "source"]),
        everything().by(&["week"]).date_by("processed"),
        everything().only(&["network=rakuten"]),
    ] {
        reversals::assert(world, &question);
    }
}

/// Beside the period before.
fn compared(world: &World<'_>) {
    let same = |label: &str| label.to_owned();
    summary::assert_compared(world, &spring().by(&["source"]), same);
    summary::assert_compared(world, &autumn().by(&["advertiser"]), same);
    let week_later = |label: &str| later(label, 7);
    summary::assert_compared(world, &spring().by(&["day"]), week_later);
    summary::assert_compared(world, &autumn().by(&["day", "source"]), week_later);
}

fn later(label: &str, days: i64) -> String {
    let day: jiff::civil::Date = label.parse().unwrap();
    (day + jiff::Span::new().days(days)).to_string()
}

fn of_own_sides(world: &World<'_>, now: Timestamp) {
    let mut lately = everything();
    lately.from = now - SignedDuration::from_hours(48);
    lately.to = now + SignedDuration::from_hours(1);
    for with in [With::Orders, With::Statements] {
        for question in [
            spring().by(&["day"]),
            spring().by(&["hour"]),
            autumn().by(&["hour"]),
            autumn().by(&["advertiser"]),
            autumn().by(&["day", "source"]),
            everything().by(&["month"]),
            autumn().only(&["advertiser=100"]),
        ] {
            gap_figures::assert(world, &question, with);
        }
        gap_figures::assert_lists(world, &spring(), with);
        gap_figures::assert_lists(world, &everything(), with);
    }
    gap_figures::assert(world, &lately, With::Orders);
    gap_figures::assert_lists(world, &lately, With::Orders);
    for question in [
        spring().by(&["advertiser"]),
        autumn().by(&["source"]),
        autumn().by(&["day", "source"]),
        everything(),
    ] {
        amounts::assert(world, &question);
    }
}

fn of_quality(world: &World<'_>, now: Timestamp) {
    for question in [
        spring().by(&["day", "advertiser"]),
        autumn().by(&["hour"]),
        autumn().by(&["template"]),
        everything().by(&["source"]),
    ] {
        unattributed::assert(world, &question);
    }
    for question in [
        autumn().by(&["hour", "source"]).date_by("received"),
        spring().by(&["day"]).date_by("received"),
        everything().by(&["source"]).date_by("occurred"),
        everything().by(&["kind"]).date_by("received").only(&["source=rakuten-us"]),
    ] {
        latency::assert(world, &question);
        words::assert_flags(world, &question);
    }
    for question in [
        everything().by(&["source"]),
        everything().by(&["via"]).only(&["reason=missing_identity"]),
        autumn().by(&["hour"]),
        spring().by(&["day", "account"]),
    ] {
        words::assert_rejects(world, &question);
    }
    activity::assert(world, "UTC", &[("tracker", 3, "wrong_method")]);
    activity::assert(world, BERLIN, &[("tracker", 3, "wrong_method")]);
    activity::assert_templates(world);
    let _ = now;
    digest::assert(world, &autumn());
    digest::assert(world, &spring());
}
