use std::path::Path;

use super::*;

const HASH: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

fn sources(tables: &[&str]) -> Vec<SourceSettings> {
    let tables = tables.iter().enumerate().map(|(index, table)| {
        let hash = format!("{index}{}", &HASH[1..]);
        format!("[[source]]\nnetwork = \"rakuten\"\n{table}\n[[source.key]]\nsha256 = \"{hash}\"\n")
    });
    let text = format!(
        "[kafka]\nbrokers = [\"a:1\"]\n{}",
        tables.collect::<String>()
    );
    postback_common::config::read(Path::new("t.toml"), &text, [])
        .unwrap()
        .sources
}

fn template(query: &str) -> String {
    format!("template = [{{ url = \"https://x/postback/canary?is_event=<is_event>&{query}\" }}]")
}

fn main_account(query: &str, more: &str) -> String {
    format!(
        "name = \"s{}\"\naccount = \"main\"\n{more}\n{}",
        query.len(),
        template(query)
    )
}

fn build(tables: &[&str], fixed: &BTreeMap<AccountName, Fixed>) -> Result<Configured, String> {
    Configured::new(&sources(tables), fixed)
        .map_err(|faults| faults.iter().map(|fault| format!("{fault}\n")).collect())
}

fn fixed(identity: Identity, key_day: KeyDayRule) -> BTreeMap<AccountName, Fixed> {
    BTreeMap::from([(
        AccountName::new("main").unwrap(),
        Fixed { identity, key_day },
    )])
}

#[test]
fn the_first_source_of_an_account_decides_for_all() {
    let first = main_account("o=<order_id>", "");
    let second = main_account("etransaction_id=<etransaction_id>&order=<order_id>", "");
    let configured = build(&[&first, &second], &BTreeMap::new()).unwrap();
    let [account] = configured.accounts() else {
        panic!("one account")
    };
    assert_eq!(account.fixed.identity, Identity::Order);
    assert_eq!(account.fixed.key_day, KeyDayRule::Bucket);
    assert_eq!(account.configured, None);
    for source in &configured.recorded.sources {
        assert_eq!(source.identity, Identity::Order);
    }
    assert!(configured.source("nobody").is_none());
}

#[test]
fn the_earliest_template_decides_wherever_it_stands_in_the_file() {
    let template = |query: &str, valid_from: &str| {
        format!("{{ url = \"https://x/postback/canary?is_event=<is_event>&{query}\"{valid_from} }}")
    };
    let early = template("o=<order_id>", "");
    let late = template(
        "t=<etransaction_id>&o=<order_id>&d=<transaction_date>",
        ", valid_from = \"2026-09-01T00:00:00Z\"",
    );
    for templates in [[&early, &late], [&late, &early]] {
        let [one, other] = templates;
        let source = format!("name = \"s\"\naccount = \"main\"\ntemplate = [{one}, {other}]");
        let configured = build(&[&source], &BTreeMap::new()).unwrap();
        let expected = Fixed {
            identity: Identity::Order,
            key_day: KeyDayRule::Bucket,
        };
        assert_eq!(configured.accounts()[0].fixed, expected, "{source}");
        assert_eq!(configured.recorded.sources[0].identity, Identity::Order);
    }
}

#[test]
fn what_is_recorded_beats_what_the_template_could_serve() {
    let better = main_account("t=<etransaction_id>&o=<order_id>&d=<transaction_date>", "");
    let recorded = fixed(Identity::Order, KeyDayRule::Bucket);
    let configured = build(&[&better], &recorded).unwrap();
    assert_eq!(
        configured.accounts()[0].fixed,
        recorded.values().next().copied().unwrap()
    );
}

#[test]
fn a_template_that_cannot_serve_its_account_is_refused_with_the_remedy() {
    let weaker = main_account("o=<order_id>", "");
    let recorded = fixed(Identity::TransactionId, KeyDayRule::Date);
    let error = build(&[&weaker], &recorded).unwrap_err();
    assert!(error.contains("source[s12].template.url"), "{error}");
    assert!(
        error.contains("needs etransaction_id=<etransaction_id>")
            && error.contains("remedy: add it to the template"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn contradictions_are_refused() {
    let order = main_account("o=<order_id>", "identity = \"order\"");
    let none = main_account("order=<order_id>", "identity = \"none\"");
    let error = build(&[&order, &none], &BTreeMap::new()).unwrap_err();
    assert!(
        error.contains(
            "source[s16].identity = \"none\": source s12 of the same account says \"order\""
        ),
        "{error}"
    );

    let zoned = main_account("oid=<order_id>", "time_zone = \"Europe/Berlin\"");
    let error = build(&[&order, &zoned], &BTreeMap::new()).unwrap_err();
    assert!(
        error.contains("time_zone = \"Europe/Berlin\": source s12 of the same account has UTC"),
        "{error}"
    );

    let recorded = fixed(Identity::None, KeyDayRule::Bucket);
    let error = build(&[&order], &recorded).unwrap_err();
    assert!(
        error.contains("source[s12].identity = \"order\""),
        "{error}"
    );
    assert!(error.contains("remedy: write \"none\""), "{error}");
}

#[test]
fn what_all_sources_of_an_account_and_the_record_say_alike_is_no_contradiction() {
    let order = main_account("o=<order_id>", "identity = \"order\"");
    let same = main_account("order=<order_id>", "identity = \"order\"");
    let open = main_account("oid=<order_id>", "");
    let recorded = fixed(Identity::Order, KeyDayRule::Bucket);
    for recorded in [&BTreeMap::new(), &recorded] {
        let built = build(&[&order, &same, &open], recorded).unwrap();
        let account = &built.accounts[0];
        assert_eq!(account.fixed.identity, Identity::Order);
        assert_eq!(account.configured, Some(Identity::Order));
    }
}

#[test]
fn every_fault_of_every_source_is_found_at_once() {
    let unknown = "name = \"a\"\ncurrency = \"ZZZ\"\ntemplate = [{ url = \"https://x/canary\" }]";
    let faults = Configured::new(
        &sources(&[unknown, "name = \"b\"\ncurrency = \"QQQ\""]),
        &BTreeMap::new(),
    );
    let faults = faults.unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| &*fault.key).collect();
    assert_eq!(
        keys,
        [
            "source[a].template.url",
            "source[a].currency",
            "source[b].currency"
        ]
    );
    assert!(
        faults
            .iter()
            .all(|fault| !fault.to_string().contains("canary"))
    );
}
