//! What the network's API says of a transaction gives the row of its push, whatever the template.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;

use postback_common::name::{AccountName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{
    Conversion, Identity, Outcome, SourceDescription, SourceRules, Template, normalise, profile,
};
use uuid::Uuid;

/// Every name means something else than the network's own does.
const RENAMING: &str = "https://pb.example.com/postback/KEY?order_id=<etransaction_id>&etransaction_id=<order_id>\
    &u1=<sale_amount>&sale_amount=<u1>&ordered=<transaction_date>&at=<process_date>&commissions=<commissions>\
    &c=<currency>&is_event=<is_event>";

fn rules() -> SourceRules {
    let profile = profile::builtin("rakuten").unwrap();
    SourceRules::new(SourceDescription {
        source: SourceName::new("us").unwrap(),
        account: AccountName::new("main").unwrap(),
        profile: Arc::clone(profile),
        currency: None,
        zone: None,
        publisher_id: None,
        templates: vec![Template::parse(RENAMING, profile).unwrap().into()],
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

fn record<'a>(via: Via, query: &'a str, body: Option<&'a str>) -> RawRecord<'a> {
    RawRecord {
        id: Uuid::from_u128(7),
        source: "us".into(),
        key: None,
        received_at: "2026-09-02T00:00:00Z".parse().unwrap(),
        method: "GET".into(),
        query: Payload::of(query.as_bytes()),
        content_type: body.map(|_| "application/json".into()),
        body: body.map(|body| Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via,
    }
}

fn row(record: &RawRecord<'_>) -> Conversion<'static> {
    let rules = rules();
    assert_eq!(rules.identity(), Identity::TransactionId);
    match normalise(record, &rules).into_owned() {
        Outcome::Accepted(row) => *row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pull_is_the_row_of_its_push() {
    let pushes = [
        ("180", "5.40", "N", "180", "5.4"),
        ("-180.00", "-5.4", "N", "-180", "-5.40"),
        ("0.0001", "0", "Y", "0.0001", "0.00"),
    ];
    for (sale, commission, signal, sale_number, commission_number) in pushes {
        let query = format!(
            "order_id=9F2C&etransaction_id=M1&u1={sale}&sale_amount=member42&ordered=2026-09-01T09:15:00Z\
             &at=2026-09-01T18:28:18Z&commissions={commission}&c=USD&is_event={signal}"
        );
        let json = format!(
            r#"{{"etransaction_id":"9f2c","order_id":"M1","sale_amount":{sale_number},"u1":"member42","commissions":{commission_number},
               "transaction_date":"Tue Sep 01 2026 09:15:00 GMT+0000 (UTC)","process_date":"2026-09-01 18:28:18","currency":"USD","is_event":"{signal}"}}"#
        );
        let pushed = row(&record(Via::Http, &query, None));
        let pulled = row(&record(Via::Backfill, "", Some(&json)));
        let told = |row: &Conversion<'_>| {
            (
                (row.conversion_key, row.key_day, row.revision),
                (
                    row.kind,
                    row.status,
                    row.sale_amount,
                    row.commission,
                    row.currency,
                ),
                (row.order_id.to_string(), row.click_id.to_string()),
                (row.occurred_at, row.processed_at),
            )
        };
        assert_eq!(told(&pulled), told(&pushed), "{json}");
        assert_eq!(pulled.order_id, "M1");
        // Whole amounts apart, there is nothing remarkable about either.
        let remarkable = |row: &Conversion<'_>| {
            let flags = row.flags.iter().map(|flag| flag.as_str());
            flags.filter(|flag| *flag != "whole_amount").count()
        };
        let zero = usize::from(commission == "0");
        assert_eq!((remarkable(&pulled), remarkable(&pushed)), (zero, zero));
    }
}

#[test]
fn a_body_of_another_way_is_not_read_so() {
    let json = r#"{"etransaction_id":"9f2c","transaction_date":"2026-09-01","is_event":"N"}"#;
    let mut pushed = record(Via::Http, "is_event=N", Some(json));
    let rules = rules();
    assert!(matches!(normalise(&pushed, &rules), Outcome::Rejected(_)));
    pushed.via = Via::Backfill;
    pushed.query = Payload::of(b"");
    assert!(matches!(normalise(&pushed, &rules), Outcome::Accepted(_)));
}
