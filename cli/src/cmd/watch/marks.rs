//! Marks on the time line that may say why something is as it is.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use postback_store::annotations::Annotation;

/// How long before something began a mark may stand to be its likely cause.
pub(super) const NEAR: SignedDuration = SignedDuration::from_hours(6);

/// Postback's own marks say what it did about a break, not why it was.
const OUR_OWN: &str = "postback-consumer";

/// Marks of people within a time: about all sources, or one of these.
pub(super) fn of_people<'a>(
    marks: &'a [Annotation],
    about: &'a [impl AsRef<str>],
    within: RangeInclusive<Timestamp>,
) -> impl Iterator<Item = &'a Annotation> {
    let is_about = move |mark: &&Annotation| {
        mark.source.is_empty() || about.iter().any(|name| name.as_ref() == mark.source)
    };
    let marks = marks.iter().filter(|mark| mark.made_by != OUR_OWN);
    marks
        .filter(is_about)
        .filter(move |mark| within.contains(&mark.at))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn mark(text: &str, source: &str, made_by: &str, second: i64) -> Annotation {
        Annotation {
            id: Uuid::from_u128(1),
            at: Timestamp::from_second(second).unwrap(),
            text: text.to_owned(),
            source: source.to_owned(),
            made_by: made_by.to_owned(),
        }
    }

    #[test]
    fn marks_of_others_and_postbacks_own_are_no_cause() {
        let marks = [
            mark("too early", "", "ana", 9),
            mark("first", "", "ana", 10),
            mark("switched on", "shop", "postback-consumer", 15),
            mark("other", "eu", "ana", 15),
            mark("older name", "store", "ana", 15),
            mark("last", "shop", "ana", 20),
            mark("too late", "", "ana", 21),
        ];
        let [from, to] = [10, 20].map(|at| Timestamp::from_second(at).unwrap());
        let found = of_people(&marks, &["shop", "store"], from..=to);
        let texts: Vec<&str> = found.map(|mark| &*mark.text).collect();
        assert_eq!(texts, ["first", "older name", "last"]);
    }
}
