//! Which records a look takes: the newest that are loaded, and some from anywhere.

use postback_service::kafka::Span;

/// Newest records of a partition.
const NEWEST: i64 = 125;
/// Most partitions whose newest are looked at.
const PARTITIONS: usize = 16;
/// Records from anywhere.
const ANYWHERE: i64 = 1_000;

/// Windows that are read one after the other; each has spans of different partitions.
///
/// `loaded` are the offsets of each partition that the topic has and that are loaded; `random` gives
/// a number below its argument.
pub(super) fn windows(loaded: &[Span], mut random: impl FnMut(u64) -> u64) -> Vec<Vec<Span>> {
    let mut left: Vec<Span> = (loaded.iter().copied())
        .filter(|span| span.from < span.to)
        .collect();
    let anywhere = anywhere(&left, &mut random);
    let mut newest = Vec::new();
    while newest.len() < PARTITIONS && !left.is_empty() {
        let chosen = usize::try_from(random(left.len() as u64)).unwrap_or(0);
        let span = left.swap_remove(chosen.min(left.len() - 1));
        newest.push(Span {
            from: span.from.max(span.to - NEWEST),
            ..span
        });
    }
    let windows = [newest, anywhere.into_iter().collect()];
    windows
        .into_iter()
        .filter(|window| !window.is_empty())
        .collect()
}

/// Every record is as likely as any other.
fn anywhere(loaded: &[Span], random: &mut impl FnMut(u64) -> u64) -> Option<Span> {
    let records = |span: &Span| (span.to - span.from).unsigned_abs();
    let all: u64 = loaded.iter().map(records).sum();
    let mut at = random(all);
    for span in loaded {
        match at.checked_sub(records(span)) {
            Some(rest) => at = rest,
            None => {
                let from = span.from + i64::try_from(at).unwrap_or(0);
                return Some(Span {
                    from,
                    to: span.to.min(from + ANYWHERE),
                    ..*span
                });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(partition: i32, from: i64, to: i64) -> Span {
        Span {
            partition,
            from,
            to,
        }
    }

    #[test]
    fn the_newest_of_each_and_some_from_anywhere() {
        let loaded = [span(0, 10, 20), span(1, 500, 500), span(2, 0, 5_000)];
        // 10 and 5,000 records: number 12 is the third of partition 2.
        let mut numbers = [12, 1, 0].into_iter();
        let found = windows(&loaded, |below| {
            let number = numbers.next().unwrap();
            assert!(number < below);
            number
        });
        assert_eq!(
            found,
            [
                vec![span(2, 4_875, 5_000), span(0, 10, 20)],
                vec![span(2, 2, 1_002)]
            ]
        );
    }

    #[test]
    fn nothing_loaded_is_nothing_to_look_at() {
        assert!(windows(&[], |_| 0).is_empty());
        assert!(windows(&[span(0, 3, 3)], |_| 0).is_empty());
    }

    #[test]
    fn a_look_is_bounded_whatever_the_topic_has() {
        let loaded: Vec<Span> = (0..500)
            .map(|partition| span(partition, 0, 1 << 40))
            .collect();
        let mut state = 7_u64;
        let found = windows(&loaded, |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state % below
        });
        let records: i64 = found.iter().flatten().map(|span| span.to - span.from).sum();
        assert_eq!(records, 16 * 125 + 1_000);
        let mut partitions: Vec<i32> = found[0].iter().map(|span| span.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        assert_eq!(partitions.len(), 16, "each once");
    }
}
