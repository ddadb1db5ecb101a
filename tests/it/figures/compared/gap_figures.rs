//! The gap's figures, its lists, and what gap is usual.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, Timestamp};
use serde_json::Value;

use super::World;
use super::gap::{Sides, With, sides};
use crate::figures::model::{Figure, Figures, Question, Rows, assert_figures, assert_rows, named};

/// Sums of orders.
struct Sums<'a> {
    of: Vec<&'a Sides<'a>>,
    mature_until: Timestamp,
}

const EXPLAINED: [&str; 4] = ["reversed", "cancelled", "returned", "out_of_network"];
const UNEXPLAINED: [&str; 2] = ["signal_only", "missing"];

impl Sums<'_> {
    fn count(&self, classes: &[&str]) -> u64 {
        let is_one = |side: &&&Sides<'_>| classes.contains(&side.class(self.mature_until));
        self.of.iter().filter(is_one).count() as u64
    }

    fn money(&self, classes: &[&str]) -> i128 {
        let is_one = |side: &&&Sides<'_>| classes.contains(&side.class(self.mature_until));
        self.of
            .iter()
            .filter(is_one)
            .map(|side| side.own_amount())
            .sum()
    }

    fn gap(&self) -> (u64, u64) {
        let unexplained = self.count(&UNEXPLAINED);
        (unexplained, unexplained + self.count(&["matched"]))
    }

    fn figures(&self) -> Figures {
        let gap = self.gap();
        let lost = self.money(&UNEXPLAINED);
        let own = self.of.len() as u64 - self.count(&["extra"]);
        let of_money = self.money(&["matched"]) + lost;
        vec![
            named("orders", Figure::count(own)),
            named("matched", Figure::count(self.count(&["matched"]))),
            named("explained", Figure::count(self.count(&EXPLAINED))),
            named("immature", Figure::count(self.count(&["immature"]))),
            named("unexplained", Figure::count(gap.0)),
            named("gap_percent", Figure::percent(gap.0.into(), gap.1.into())),
            named("widened", Figure::Any),
            named(
                "own_amount",
                Figure::Money(self.of.iter().map(|side| side.own_amount()).sum()),
            ),
            named("unexplained_amount", Figure::Money(lost)),
            named("gap_money_percent", Figure::percent(lost, of_money.max(0))),
            named("extra", Figure::count(self.count(&["extra"]))),
        ]
    }
}

fn mature_until() -> Timestamp {
    // The youngest orders are hours away from it.
    Timestamp::now() - SignedDuration::from_hours(4)
}

/// Figures of each row, and what the report says beside them.
pub(crate) fn assert(world: &World<'_>, question: &Question, with: With) {
    let what = format!("gap --with {with:?} {question:?}");
    let report = world.found(&["gap", "--with", with.name()], &question.arguments(false));
    let (all, _) = sides(world, question, with);
    let mut by_row: BTreeMap<Vec<String>, Vec<&Sides<'_>>> = BTreeMap::new();
    for side in &all {
        let labels = question.labels_of(Some(side.placed()), |column| side.text(column));
        by_row
            .entry([labels, vec![side.currency().to_owned()]].concat())
            .or_default()
            .push(side);
    }
    let mature_until = mature_until();
    let rows: Rows = by_row
        .into_iter()
        .map(|(key, of)| (key, Sums { of, mature_until }.figures()))
        .collect();
    let keys = [question.names(), vec!["currency"]].concat();
    assert_rows(&what, &report, &keys, &rows);
    assert_meta(&what, &report["meta"], world, question, with);
}

/// What stands beside the rows.
pub(crate) fn assert_meta(
    what: &str,
    meta: &Value,
    world: &World<'_>,
    question: &Question,
    with: With,
) {
    let (all, by_advertiser) = sides(world, question, with);
    let sums = Sums {
        of: all.iter().collect(),
        mature_until: mature_until(),
    };
    let explained: Figures = (EXPLAINED.iter())
        .map(|class| named(class, Figure::count(sums.count(&[class]))))
        .collect();
    assert_figures(what, &meta["explained_by"], &explained);
    let of = |is: &dyn Fn(&Sides<'_>) -> bool| {
        Figure::count(all.iter().filter(|side| is(side)).count() as u64)
    };
    let unnumbered = world.conversions.iter().filter(|one| {
        let placed = one.says.occurred.unwrap_or(one.at);
        let margin = SignedDuration::from_hours(72);
        with.is_compared_with(one)
            && one.says.kind == "transaction"
            && one.says.order_id.is_empty()
            && question.from - margin <= placed
            && placed < question.to + margin
    });
    let by = if by_advertiser {
        "order_id, advertiser_id"
    } else {
        "order_id"
    };
    let facts = vec![
        named("signal_only", Figure::count(sums.count(&["signal_only"]))),
        named("standing", of(&|side| side.is_standing())),
        named("other_amounts", of(&|side| side.has_other_amount())),
        named("other_currencies", of(&|side| side.has_other_currency())),
        named("other_clicks", of(&|side| side.has_other_click())),
        named("matched_by", Figure::Text(by.to_owned())),
        named("own_unnumbered", Figure::Count(0)),
        named("their_unnumbered", Figure::count(unnumbered.count() as u64)),
    ];
    assert_figures(what, meta, &facts);
    assert_usual(what, &meta["usual"], world, question, with);
}

/// The gap of the days of four weeks before: at most so much on half of them, and from where to where
/// on nine of ten.
fn assert_usual(what: &str, shown: &Value, world: &World<'_>, question: &Question, with: With) {
    let mut before = question.clone().by(&["day"]);
    let begin = question.from.to_zoned(question.zone.clone());
    before.from = (begin - Span::new().days(28)).timestamp();
    before.to = question.from;
    let (all, _) = sides(world, &before, with);
    let mut days: BTreeMap<Vec<String>, Vec<&Sides<'_>>> = BTreeMap::new();
    for side in &all {
        let day = before.labels_of(Some(side.placed()), |_| String::new());
        days.entry(day).or_default().push(side);
    }
    let mature_until = mature_until();
    let gaps = days.into_values().map(|of| Sums { of, mature_until }.gap());
    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    let percent = |(of, all): (u64, u64)| 100.0 * of as f64 / all as f64;
    let mut percents: Vec<f64> = gaps.filter(|gap| gap.1 > 0).map(percent).collect();
    percents.sort_by(f64::total_cmp);
    if percents.len() < 7 {
        assert!(shown.is_null(), "{what}: {shown}");
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 28 days")]
    let at = |level: f64| {
        let place = level * (percents.len() - 1) as f64;
        let (below, above) = (place.floor(), place.ceil());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place"
        )]
        let of = |place: f64| percents[place as usize];
        of(below) + (of(above) - of(below)) * (place - below)
    };
    let facts = vec![
        named("days", Figure::count(percents.len() as u64)),
        named("median_percent", Figure::Percent(at(0.5))),
        named("low_percent", Figure::Percent(at(0.05))),
        named("high_percent", Figure::Percent(at(0.95))),
    ];
    assert_figures(what, shown, &facts);
}

/// What can be listed.
pub(crate) const CLASSES: [&str; 8] = [
    "matched",
    "explained",
    "immature",
    "unexplained",
    "extra",
    "standing",
    "amounts",
    "clicks",
];

/// A class's orders, one by one.
pub(crate) fn assert_list(world: &World<'_>, question: &Question, with: With, name: &str) {
    let (all, _) = sides(world, question, with);
    let mature_until = mature_until();
    let is_meant = |side: &&Sides<'_>| match name {
        "standing" => side.is_standing(),
        "amounts" => side.has_other_amount() || side.has_other_currency(),
        "clicks" => side.has_other_click(),
        "explained" => EXPLAINED.contains(&side.class(mature_until)),
        "unexplained" => UNEXPLAINED.contains(&side.class(mature_until)),
        class => side.class(mature_until) == class,
    };
    let rows: Rows = (all.iter().filter(is_meant))
        .map(|side| {
            (
                side.listed_under(),
                side.listed(question, side.class(mature_until)),
            )
        })
        .collect();
    let report = world.found(
        &["gap", "--with", with.name(), "--class", name],
        &question.arguments(false),
    );
    let what = format!("gap --class {name} --with {with:?} {question:?}");
    assert_rows(&what, &report, &["order_id", "advertiser"], &rows);
    assert_eq!(report["meta"]["orders"], rows.len(), "{what}");
}
