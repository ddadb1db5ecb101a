use super::*;
use crate::cmd::watch::history::{Rows, days, of_rows, start_of};
use postback_store::reports::series::{Minutes, Received, Transactions};
use uuid::Uuid;

/// A Monday.
const FIRST: u32 = 20_696 * 96;

/// Rows of one source: eight postbacks in each bin, at even distances, one in ten without a click id.
fn rows(bins: u32, count: impl Fn(u32) -> u32, unattributed: impl Fn(u32) -> u32) -> Rows {
    let mut rows = Rows::default();
    let mut moments = Vec::new();
    for bin in 0..bins {
        let postbacks = count(bin);
        if postbacks == 0 {
            continue;
        }
        let source = "shop".to_owned();
        rows.received.push(Received {
            source: source.clone(),
            bin: FIRST + bin,
            postbacks,
            rejected: 0,
        });
        rows.transactions.push(Transactions {
            source: source.clone(),
            bin: FIRST + bin,
            currency: "USD".to_owned(),
            transactions: postbacks,
            unattributed: unattributed(bin),
            zero: 0,
            whole: 0,
        });
        for part in 0..i64::from(postbacks) {
            let seconds = part * i64::from(WIDTH) / i64::from(postbacks);
            let moment = start_of(FIRST + bin) + jiff::SignedDuration::from_secs(seconds);
            moments.push((moment.as_microsecond(), moment.as_microsecond()));
        }
    }
    rows.minutes = vec![Minutes {
        source: "shop".to_owned(),
        moments,
    }];
    rows
}

fn alerts(rows: &Rows, bins: u32, annotations: &[Annotation]) -> Vec<Alert> {
    let through = start_of(FIRST + bins);
    let histories = of_rows(&[rows], through, |_| TimeZone::UTC);
    let context = Context {
        through,
        pooled: &pooled(&histories),
        annotations,
        zone: &TimeZone::UTC,
    };
    histories
        .iter()
        .flat_map(|history| judge(history, &context))
        .collect()
}

/// Six weeks and a bit.
const BINS: u32 = days(43);

fn one_in_ten(bin: u32) -> u32 {
    u32::from(bin.is_multiple_of(10)) * 8
}

#[test]
fn a_source_as_usual_gives_no_alert() {
    assert_eq!(alerts(&rows(BINS, |_| 8, one_in_ten), BINS, &[]), []);
}

#[test]
fn an_endpoint_that_is_switched_off_is_silence_and_nothing_else() {
    let off = BINS - 3;
    let count = |bin| if bin < off { 8 } else { 0 };
    let found = alerts(&rows(BINS, count, one_in_ten), BINS, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    // The last one came at seven eighths of the last bin: 24 + 1 are expected since.
    let Finding::Silence { missing } = found[0].finding else {
        panic!("{found:?}")
    };
    assert!((missing - 25.0).abs() < 1.0, "{missing}");
    assert!(found[0].cause(&TimeZone::UTC).starts_with("endpoint"));
}

#[test]
fn silence_of_one_bin_is_none_yet() {
    let off = BINS - 1;
    let count = |bin| if bin < off { 8 } else { 0 };
    assert_eq!(alerts(&rows(BINS, count, one_in_ten), BINS, &[]), []);
}

#[test]
fn a_lost_identifier_is_dated_and_a_mark_near_it_is_the_cause() {
    let lost = BINS - 8;
    let unattributed = |bin| if bin < lost { one_in_ten(bin) } else { 8 };
    let mark = |at: u32, source: &str| Annotation {
        id: Uuid::nil(),
        at: start_of(FIRST + at),
        text: "deployed checkout 4.2".to_owned(),
        source: source.to_owned(),
        made_by: "ana@shop".to_owned(),
    };
    let rows = rows(BINS, |_| 8, unattributed);
    let found = alerts(&rows, BINS, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].finding.kind(), "unattributed");
    assert!(found[0].cause(&TimeZone::UTC).starts_with("identifier"));
    let late = found[0].since.as_second() - start_of(FIRST + lost).as_second();
    assert!(
        (-2 * i64::from(WIDTH)..=i64::from(WIDTH)).contains(&late),
        "{late}"
    );

    let near = alerts(&rows, BINS, &[mark(lost - 2, ""), mark(lost - 300, "")]);
    assert!(
        near[0]
            .cause(&TimeZone::UTC)
            .contains("deployed checkout 4.2"),
        "{near:?}"
    );
    // A mark about another source, or of days ago, is no cause.
    let others = alerts(
        &rows,
        BINS,
        &[mark(lost - 2, "other"), mark(lost - 300, "")],
    );
    assert!(others[0].cause(&TimeZone::UTC).starts_with("identifier"));
}

#[test]
fn a_third_that_is_lost_is_a_drop_of_the_volume() {
    let lost = BINS - 60;
    let count = |bin| if bin < lost { 9 } else { 6 };
    let found = alerts(&rows(BINS, count, |_| 0), BINS, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].finding.kind(), "volume");
    assert_eq!(found[0].since, start_of(FIRST + lost));
    assert!(
        found[0].finding.what().contains("67 %"),
        "{}",
        found[0].finding.what()
    );
}

#[test]
fn a_short_history_is_learning_and_a_shorter_one_is_not_judged() {
    let bins = days(6);
    let count = |bin| if bin < bins - 8 { 8 } else { 0 };
    let found = alerts(&rows(bins, count, one_in_ten), bins, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].learning && found[0].how_sure().contains("learning"));
    let bins = days(1) + 40;
    let count = |bin| if bin < bins - 20 { 8 } else { 0 };
    assert_eq!(alerts(&rows(bins, count, one_in_ten), bins, &[]), []);
}
