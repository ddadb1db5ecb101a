//! Raw records.

use postback_fuzz::record;

use crate::{corpus, made};

/// Inputs of the short form.
const RUNS: u64 = 20_000;

#[test]
fn every_kept_record_survives() {
    for kept in corpus::inputs("record") {
        let outcome = record::check(&kept.bytes);
        let expected = !["later-version", "fields"].contains(&kept.name.as_str());
        assert_eq!(outcome.was_a_record, expected, "{}", kept.name);
    }
}

#[test]
fn any_record_survives() {
    let mut records = 0;
    made::check_many("record", RUNS, |input| {
        records += u64::from(record::check(input).was_a_record);
    });
    eprintln!("{records} were records");
    assert!(!made::is_short() || records > RUNS / 10, "{records}");
}
