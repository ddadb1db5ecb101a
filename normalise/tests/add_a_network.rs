//! `docs/add-a-network.md`, block by block.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use postback_common::config;
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::{Configured, Conversion, Outcome, normalise};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What the page has, in its order: a change of the page is a change of this test.
const BLOCKS: [&str; 11] = [
    "toml shoply.toml",
    "toml postback.toml",
    "http",
    "json",
    "http",
    "json",
    "http",
    "json",
    "toml postback.toml",
    "http",
    "json",
];

/// The fenced blocks of a page: what stands behind the fence, and what it holds.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some((info.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The rules that a configuration gives whose profile is the page's.
fn configured(source: &str, profile: &Path) -> Configured {
    let profile = format!("{:?}", profile.to_str().unwrap());
    let source = source.replace("\"shoply.toml\"", &profile);
    let text = format!("[kafka]\nbrokers = \"a:1\"\n{source}");
    let settings = config::read(Path::new("postback.toml"), &text, []).unwrap();
    Configured::new(&settings.sources, &BTreeMap::new()).unwrap()
}

fn accepted(http: &str, configured: &Configured) -> Box<Conversion<'static>> {
    let (head, body) = http.split_once("\n\n").unwrap_or((http, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let content_type = lines
        .next()
        .map(|line| line.strip_prefix("content-type: ").unwrap());
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let record = RawRecord {
        id: Uuid::from_u128(7),
        source: "shoply-eu".into(),
        key: Some("k1".into()),
        received_at: "2026-04-01T00:00:00Z".parse().unwrap(),
        method: method.into(),
        query: Payload::of(query.as_bytes()),
        content_type: content_type.map(Into::into),
        body: (!body.is_empty()).then(|| Payload::of(body.as_bytes())),
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    };
    match normalise(&record, configured.source("shoply-eu").unwrap()).into_owned() {
        Outcome::Accepted(row) => row,
        other => panic!("{http}: {other:?}"),
    }
}

/// The columns that the page names.
fn shown(row: &Conversion<'_>) -> Value {
    let text = |shown: Option<String>| shown.map_or(Value::Null, Value::String);
    let flags: Vec<&str> = row.flags.iter().map(|flag| flag.as_str()).collect();
    let sub_ids: Map<_, _> = (row.sub_ids.iter())
        .map(|(name, value)| (name.to_string(), json!(value)))
        .collect();
    let extra: Map<_, _> = (row.extra.iter())
        .map(|(name, values)| (name.to_string(), json!(values)))
        .collect();
    json!({
        "transaction_id": row.transaction_id, "advertiser_id": row.advertiser_id,
        "click_id": row.click_id, "sub_ids": sub_ids,
        "sale_amount": text(row.sale_amount.map(|amount| amount.to_string())),
        "commission": text(row.commission.map(|amount| amount.to_string())),
        "currency": text(row.currency.map(|code| code.to_string())),
        "commission_currency": text(row.commission_currency.map(|code| code.to_string())),
        "occurred_at": text(row.occurred_at.map(|instant| instant.to_string())),
        "processed_at": text(row.processed_at.map(|instant| instant.to_string())),
        "key_day": row.key_day.to_string(), "kind": row.kind.as_str(),
        "status": row.status.as_str(), "flags": flags, "extra": extra,
    })
}

#[test]
fn the_page_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/add-a-network.md");
    let blocks = blocks(&fs::read_to_string(page).unwrap());
    let infos: Vec<&str> = blocks.iter().map(|(info, _)| info.as_str()).collect();
    assert_eq!(infos, BLOCKS);

    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("shoply.toml");
    let (mut rules, mut row) = (None, None);
    let mut rows = Vec::new();
    for (info, text) in &blocks {
        match info.as_str() {
            "toml shoply.toml" => fs::write(&profile, text).unwrap(),
            "toml postback.toml" => rules = Some(configured(text, &profile)),
            "http" => row = Some(accepted(text, rules.as_ref().unwrap())),
            _ => {
                let row = row.take().unwrap();
                let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
                let shown = shown(&row);
                for (column, value) in &expected {
                    assert_eq!(shown.get(column), Some(value), "{column} of {text}");
                }
                rows.push(row);
            }
        }
    }
    assert_eq!(rows[0].conversion_key, rows[1].conversion_key);
    assert!(rows[0].revision < rows[1].revision);
}
