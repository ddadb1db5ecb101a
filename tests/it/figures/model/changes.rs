//! Figures of a period beside those of the period before.

use std::collections::BTreeSet;

use super::{Figure, Figures, Question, Rows, named};

/// Each row of either period once, with how much more each figure is, and how much more in percent.
/// `before` has the rows of the period before, as it calls them.
pub(crate) fn changes(question: &Question, now: &Rows, before: Rows, figures: &[&str]) -> Rows {
    let mut past = Rows::new();
    for (mut key, row) in before {
        key[0] = question.counterpart(&key[0]);
        assert!(
            past.insert(key, row).is_none(),
            "two rows of one counterpart"
        );
    }
    let keys: BTreeSet<&Vec<String>> = now.keys().chain(past.keys()).collect();
    let row = |key: &Vec<String>| {
        let of = |rows: &Rows, name: &str| {
            let row = rows.get(key)?;
            row.iter()
                .find(|figure| figure.0 == name)
                .map(|figure| figure.1.clone())
        };
        let changes = figures
            .iter()
            .flat_map(|name| change(name, of(now, name), of(&past, name).as_ref()));
        changes.collect()
    };
    keys.into_iter()
        .map(|key| (key.clone(), row(key)))
        .collect()
}

/// What is not there counts nothing; a share changes by points.
fn change(name: &str, now: Option<Figure>, before: Option<&Figure>) -> Figures {
    let units = |figure: Option<&Figure>| match figure {
        Some(Figure::Count(units) | Figure::Money(units)) => *units,
        _ => 0,
    };
    let (more, less) = (units(now.as_ref()), units(before));
    let percent = Figure::percent(more - less, less.abs());
    let (figure, change, percent) = match (&now, before) {
        (Some(Figure::Count(_)), _) | (None, Some(Figure::Count(_))) => {
            (Figure::Count(more), Figure::Count(more - less), percent)
        }
        (Some(Figure::Money(_)), _) | (None, Some(Figure::Money(_))) => {
            (Figure::Money(more), Figure::Money(more - less), percent)
        }
        (Some(Figure::Percent(more)), Some(Figure::Percent(less))) => (
            Figure::Percent(*more),
            Figure::Percent(more - less),
            Figure::Missing,
        ),
        _ => (
            now.unwrap_or(Figure::Missing),
            Figure::Missing,
            Figure::Missing,
        ),
    };
    vec![
        named(name, figure),
        named(&format!("{name}_change"), change),
        named(&format!("{name}_change_percent"), percent),
    ]
}
