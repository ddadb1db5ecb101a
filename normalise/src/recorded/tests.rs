use postback_common::record::{Payload, RawRecord, Via};
use uuid::Uuid;

use super::*;
use crate::{Outcome, normalise};

const TEMPLATE: &str = "t=<etransaction_id>&d=<transaction_date>&is_event=<is_event>";

fn template(query: &str) -> RecordedTemplate {
    RecordedTemplate {
        valid_from: None,
        query: query.to_owned(),
    }
}

fn recorded() -> Recorded {
    Recorded {
        source: SourceName::new("us").unwrap(),
        network: NetworkName::new("rakuten").unwrap(),
        account: AccountName::new("main").unwrap(),
        identity: Identity::TransactionId,
        key_day: KeyDayRule::Date,
        currency: Some("USD".to_owned()),
        time_zone: Some("America/New_York".to_owned()),
        publisher_id: None,
        templates: vec![template(TEMPLATE)],
        aliases: Vec::new(),
        profile: Some(profile::builtin("rakuten").unwrap().text.to_string()),
    }
}

#[test]
fn rules_come_back_from_json_as_they_were() {
    let before = RecordedRules {
        sources: vec![recorded()],
    };
    let after = RecordedRules::from_json(&before.to_json().unwrap()).unwrap();
    assert_eq!(before, after);
    let rules = Rules::of(&after.sources).unwrap();
    let us = rules.source("us").unwrap();
    assert_eq!(us.identity(), Identity::TransactionId);
    assert_eq!(us.account().as_str(), "main");
    assert!(rules.source("eu").is_none());
}

#[test]
fn the_first_that_is_added_counts_and_the_last_that_is_accepted() {
    let with = |currency: &str| Recorded {
        currency: Some(currency.to_owned()),
        ..recorded()
    };
    let of = |made: &[Recorded], later: &[(bool, &str)]| {
        let sources = made.to_vec();
        let made = RecordedRules { sources }.to_json().unwrap();
        let later: Vec<_> = (later.iter())
            .map(|(is_accepted, currency)| (*is_accepted, with(currency).to_json().unwrap()))
            .collect();
        let later = later
            .iter()
            .map(|(is_accepted, json)| (*is_accepted, &**json));
        let rules = RecordedRules::with_later(&made, later).unwrap();
        assert_eq!(rules.sources.len(), 1);
        rules.sources[0].currency.clone().unwrap()
    };
    let added = [(false, "USD"), (false, "EUR")];
    assert_eq!(of(&[], &added), "USD");
    assert_eq!(
        of(&[with("GBP")], &added),
        "GBP",
        "it was there from the beginning"
    );
    let accepted = [(true, "JPY"), (false, "USD"), (true, "CHF")];
    assert_eq!(of(&[with("GBP")], &accepted), "CHF");
    assert_eq!(of(&[with("GBP")], &accepted[..2]), "JPY");
}

#[test]
fn records_of_early_versions_are_read() {
    let mut early = recorded();
    early.profile = None;
    let templates = serde_json::to_string(&early.templates).unwrap();
    let now = serde_json::to_string(&[&early]).unwrap();
    let list = now
        .replace(
            &format!("\"templates\":{templates},\"aliases\":[]"),
            &format!("\"template_query\":\"{TEMPLATE}\""),
        )
        .replace(",\"publisher_id\":null", "")
        .replace(",\"profile\":null", "");
    assert!(list.len() < now.len() - 60, "{list}");
    let rules = RecordedRules::from_json(&list).unwrap();
    assert_eq!(rules.sources, [early.clone()]);
    assert!(early.rules().is_ok());
    assert_eq!(
        early.differences(&recorded()),
        [],
        "the compiled-in profile is the recorded one"
    );
}

fn rewrite(rules: &mut Recorded, from: &str, to: &str) {
    let profile = rules.profile.as_mut().unwrap();
    assert!(profile.contains(from), "{from}");
    *profile = profile.replacen(from, to, 1);
}

#[test]
fn a_template_with_a_new_marker_is_added_and_nothing_else_changes() {
    let proposed = |more: &[&str]| {
        let mut proposed = recorded();
        proposed.currency = None;
        proposed
            .templates
            .extend(more.iter().map(|query| template(query)));
        proposed
    };
    let marked = format!("{TEMPLATE}&pbt=2");
    let added = recorded().with_new_templates(&proposed(&[&marked, "is_event=<is_event>&x=1"]));
    let added = added.unwrap();
    assert_eq!(added.templates, [template(TEMPLATE), template(&marked)]);
    assert_eq!(added.currency.as_deref(), Some("USD"));
    let differences = [Difference::Currency, Difference::Template];
    assert_eq!(added.differences(&proposed(&[&marked, "x=1"])), differences);

    assert_eq!(
        added.with_new_templates(&proposed(&[&marked])),
        None,
        "it is known"
    );
    let weak = "is_event=<is_event>&pbt=3";
    assert_eq!(
        recorded().with_new_templates(&proposed(&[weak])),
        None,
        "it cannot serve the account's identity"
    );
    let mut own_names = recorded();
    own_names.templates.clear();
    assert_eq!(
        own_names.with_new_templates(&proposed(&[&marked])),
        None,
        "it would end the network's own names"
    );

    let made = RecordedRules {
        sources: vec![recorded()],
    };
    let later = proposed(&[&marked]).to_json().unwrap();
    let twice = [(false, &*later), (false, &*later)];
    let rules = RecordedRules::with_later(&made.to_json().unwrap(), twice).unwrap();
    assert_eq!(rules.sources, [added]);
}

/// The article of a request, by these rules; each template of these tests has it by another name.
fn article(rules: &Recorded, query: &str, received_at: &str) -> String {
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "us".into(),
        key: None,
        received_at: received_at.parse().unwrap(),
        method: "GET".into(),
        query: Payload::of(query.as_bytes()),
        content_type: None,
        body: None,
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    match normalise(&record, &rules.rules().unwrap()) {
        Outcome::Accepted(row) => row.sku.to_string(),
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn a_template_that_is_added_reads_nothing_but_what_names_it() {
    let by = |names: &[(&str, Option<&str>)]| {
        let templates = names.iter().map(|(name, valid_from)| {
            let (name, marker) = name
                .split_once('=')
                .map_or((*name, None), |(n, m)| (n, Some(m)));
            let marker = marker.map_or_else(String::new, |marker| format!("&pbt={marker}"));
            RecordedTemplate {
                valid_from: valid_from.map(|from| from.parse().unwrap()),
                query: format!("{TEMPLATE}&{name}=<sku_number>{marker}"),
            }
        });
        Recorded {
            templates: templates.collect(),
            ..recorded()
        }
    };
    let (may, june) = (Some("2026-05-01T00:00:00Z"), Some("2026-06-01T00:00:00Z"));
    let sent = "t=E1&d=2026-01-02T00:00:00Z&is_event=N&a=A&b=B&c=C&x=X";
    // What there was, what is added, and whether something of that has to wait.
    type Named = (&'static str, Option<&'static str>);
    let cases: [(&[Named], Named, bool); 8] = [
        (&[("a=1", None)], ("x=9", None), false),
        (&[("a=1", None)], ("x=9", june), true),
        (&[("a=1", may)], ("x=9", None), true),
        (&[("a=1", may)], ("x=9", may), false),
        (&[("a=1", None), ("b=2", june)], ("x=9", june), false),
        (&[("a=1", None), ("b=2", june)], ("x=9", may), true),
        // Other requests are those of the template without a marker.
        (&[("a", None), ("b=2", None)], ("x=9", june), false),
        (
            &[("a", may), ("b=2", None), ("c", june)],
            ("x=9", None),
            false,
        ),
    ];
    for (before, new, waits) in cases {
        let before_rules = by(before);
        let proposed = by(&[before, &[new]].concat());
        let added = before_rules.with_new_templates(&proposed).unwrap();
        for at in [
            "2026-04-30T23:59:59Z",
            "2026-05-01T00:00:00Z",
            "2026-06-01T00:00:00Z",
        ] {
            for marker in ["", "&pbt=", "&pbt=1", "&pbt=2", "&pbt=none"] {
                let query = format!("{sent}{marker}");
                let then = article(&before_rules, &query, at);
                assert_eq!(
                    article(&added, &query, at),
                    then,
                    "{before:?} {new:?} {query} {at}"
                );
            }
            assert_eq!(article(&added, &format!("{sent}&pbt=9"), at), "X");
        }
        let differences = added.differences(&proposed);
        let expected: &[Difference] = if waits { &[Difference::Template] } else { &[] };
        assert_eq!(differences, expected, "{before:?} {new:?}");
        assert_eq!(added.with_new_templates(&proposed), None, "it is known");
    }
}

#[test]
fn a_source_is_found_by_the_names_that_it_had() {
    let renamed = |name: &str, aliases: &[&str]| {
        let mut renamed = recorded();
        renamed.source = SourceName::new(name).unwrap();
        renamed.aliases = (aliases.iter())
            .map(|alias| SourceName::new(alias).unwrap())
            .collect();
        renamed
    };
    let recorded = [
        renamed("now", &["before", "still-there"]),
        renamed("still-there", &[]),
    ];
    let rules = Rules::of(&recorded).unwrap();
    let found = |name: &str| rules.source(name).map(|rules| rules.source().as_str());
    assert_eq!(found("now"), Some("now"));
    assert_eq!(found("before"), Some("now"));
    assert_eq!(found("still-there"), Some("still-there"));
    assert_eq!(found("never"), None);
    let recorded = RecordedRules {
        sources: recorded.to_vec(),
    };
    assert!(recorded.reads(&SourceName::new("before").unwrap()));
    assert!(!recorded.reads(&SourceName::new("never").unwrap()));
}

#[test]
fn each_difference_is_named_and_those_that_move_conversions_are_told_apart() {
    type Change = fn(&mut Recorded);
    let cases: [(Change, Difference, bool); 10] = [
        (
            |r| r.account = AccountName::new("other").unwrap(),
            Difference::Account,
            true,
        ),
        (|r| r.identity = Identity::Order, Difference::Identity, true),
        (|r| r.key_day = KeyDayRule::Bucket, Difference::KeyDay, true),
        (|r| r.time_zone = None, Difference::TimeZone, true),
        (|r| r.currency = None, Difference::Currency, false),
        (
            |r| r.publisher_id = Some("7".to_owned()),
            Difference::PublisherId,
            false,
        ),
        (
            |r| r.aliases.push(SourceName::new("old").unwrap()),
            Difference::Aliases,
            false,
        ),
        (|r| r.templates.clear(), Difference::Template, false),
        (
            |r| rewrite(r, "signal = [\"Y\"]", "signal = [\"YES\"]"),
            Difference::KeyRecipe,
            true,
        ),
        (
            |r| rewrite(r, "title = \"", "title = \"New "),
            Difference::Profile,
            false,
        ),
    ];
    for (change, expected, moves) in cases {
        let mut changed = recorded();
        change(&mut changed);
        assert_ne!(changed, recorded(), "{expected:?}");
        assert_eq!(recorded().differences(&changed), [expected]);
        assert_eq!(expected.moves_conversions(), moves, "{expected:?}");
    }
    let mut commented = recorded();
    commented.profile = commented.profile.map(|p| format!("# a comment\n{p}"));
    assert_eq!(recorded().differences(&commented), []);
}

/// What `after` in place of `before` differs in, by an identity.
fn changed(identity: Identity, before: &[&str], after: &[RecordedTemplate]) -> Vec<Difference> {
    let with = |templates: Vec<RecordedTemplate>| Recorded {
        identity,
        templates,
        ..recorded()
    };
    let before = with(before.iter().map(|query| template(query)).collect());
    before.differences(&with(after.to_vec()))
}

#[test]
fn a_template_that_reads_keys_out_of_something_else_moves_conversions() {
    use Difference::{KeyTemplate, Template};
    let before = "t=<etransaction_id>&o=<order_id>&d=<transaction_date>&is_event=<is_event>&s=1";
    let by = |changes: &[(&str, &str)]| {
        let after = (changes.iter()).fold(before.to_owned(), |query, (from, to)| {
            assert!(query.contains(from), "{from}");
            query.replace(from, to)
        });
        changed(Identity::TransactionId, &[before], &[template(&after)])
    };
    let (id, order) = ("t=<etransaction_id>", "o=<order_id>");
    let swapped = by(&[(id, "t=<order_id>"), (order, "o=<etransaction_id>")]);
    assert_eq!(swapped, [KeyTemplate]);
    let date = "d=<transaction_date>";
    let dated = by(&[(order, "o=<transaction_date>"), (date, "d=<process_date>")]);
    assert_eq!(dated, [KeyTemplate], "the day is read elsewhere");
    let of_static = by(&[(id, "t=<u1>"), ("&s=1", "&s=<etransaction_id>")]);
    assert_eq!(of_static, [KeyTemplate], "the static value would be the id");
    assert_eq!(by(&[(order, "o=<u1>")]), [Template], "no key has it");
    assert_eq!(by(&[("&s=1", "&s=<u1>")]), [Template]);
    assert_eq!(
        by(&[(id, "x=<etransaction_id>")]),
        [Template],
        "what came before has no x, and no key by it"
    );

    let later = |query: &str| RecordedTemplate {
        valid_from: Some("2026-09-01T00:00:00Z".parse().unwrap()),
        query: query.to_owned(),
    };
    let other = before.replace(
        "t=<etransaction_id>&o=<order_id>",
        "t=<order_id>&o=<etransaction_id>",
    );
    let beside = [template(before), later(&other)];
    assert_eq!(
        changed(Identity::TransactionId, &[before], &beside),
        [Template],
        "the network sends by another URL from then on"
    );
    let instead = [later(&other)];
    assert_eq!(
        changed(Identity::TransactionId, &[before], &instead),
        [KeyTemplate]
    );

    // Of an order's key the article is a part that may be lacking.
    let order = "o=<order_id>&is_event=<is_event>&d=<transaction_date>&sku=<sku_number>";
    let without = order.replace("&sku=<sku_number>", "");
    let found = changed(Identity::Order, &[order], &[template(&without)]);
    assert_eq!(found, [KeyTemplate]);
    assert_eq!(
        changed(Identity::TransactionId, &[], &[template(before)]),
        [Template],
        "by the network's own names there was no t"
    );
}

#[test]
fn what_is_not_understood_is_named() {
    let mut later = recorded();
    later.profile = Some("network = 3".to_owned());
    let error = later.rules().unwrap_err().to_string();
    assert!(error.contains("source us: its recorded profile"), "{error}");
    assert!(matches!(
        RecordedRules::from_json("{}"),
        Err(RecordedError::Json(_))
    ));
}

/// Rules that an earlier version recorded are read on by this one, which refuses the same in a file.
#[test]
fn a_recorded_profile_keeps_words_that_never_match() {
    let text = profile::builtin("everflow").unwrap().text.to_string();
    let spaced = text.replacen("pending = [\"", "pending = [\" wait \", \"", 1);
    assert_ne!(text, spaced);
    assert!(Profile::parse(&spaced).is_err());
    let before = Recorded {
        network: NetworkName::new("everflow").unwrap(),
        key_day: KeyDayRule::Bucket,
        templates: Vec::new(),
        profile: Some(spaced),
        ..recorded()
    };
    before.rules().map(drop).unwrap();
    let after = Recorded {
        profile: Some(text),
        ..before.clone()
    };
    assert_eq!(before.differences(&after), [Difference::Profile]);
}
