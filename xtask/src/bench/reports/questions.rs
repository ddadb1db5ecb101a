//! What is asked, and how long an answer takes.

use std::time::Instant;

use anyhow::bail;
use jiff::ToSpan as _;
use jiff::civil::Date;
use postback_stack::Cancellation;
use serde::Serialize;

use super::super::figures::median;
use super::super::host;
use super::super::loader::site::Site;

pub(super) const SUM_WITHOUT_FINAL: &str = "sum, 30 days, without FINAL (wrong)";
pub(super) const SUM: &str = "sum, 30 days, as reports ask";
pub(super) const SUM_OF_VIEW: &str = "sum, 30 days, of the view, by occurred_at alone";
pub(super) const SUM_OF_VIEW_BY_DAY: &str = "sum, 30 days, of the view, with a range of key_day";
pub(super) const SUMMARY: &str = "`postback report summary --by day`";
pub(super) const SUMMARY_BY_ADVERTISER: &str = "`postback report summary --by advertiser`";
/// The other reports, each with how it is asked; those about a range are asked about 30 days.
pub(super) const REPORTS: [(&str, &[&str]); 10] = [
    (GAP, &["gap"]),
    (DIGEST, &["digest"]),
    ("`postback report unattributed`", &["unattributed"]),
    ("`postback report amounts`", &["amounts"]),
    ("`postback report latency`", &["latency"]),
    ("`postback report reversals`", &["reversals"]),
    ("`postback report rejects`", &["rejects"]),
    ("`postback report flags`", &["flags"]),
    (ACTIVITY, &["activity"]),
    (
        "`postback report summary --compare`",
        &["summary", "--compare"],
    ),
];
const GAP: &str = "`postback report gap`";
const DIGEST: &str = "`postback report digest`";
const ACTIVITY: &str = "`postback report activity`";
pub(super) const TRACE_ORDER: &str = "`postback trace ORDER`";
pub(super) const TRACE_CLICK: &str = "`postback trace CLICK`";

/// Each is asked so often; the median counts.
const TIMES: usize = 5;

/// A question.
pub(super) struct Question {
    name: &'static str,
    how: How,
}

enum How {
    Sql(String),
    Command(Vec<String>),
}

/// How long the answers to a question took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Answered {
    pub(super) name: &'static str,
    pub(super) wall_ms: f64,
    /// Of ClickHouse, whatever else it did meanwhile included.
    pub(super) cpu_ms: f64,
}

impl Question {
    /// All of them, about the last 30 days before today.
    pub(super) fn all(site: &Site, today: Date) -> anyhow::Result<Vec<Self>> {
        let from = today.checked_sub(30.days())?;
        let dated = format!("occurred_at >= '{from}' AND occurred_at < '{today}'");
        let sum = |of: &str, also: &str| {
            How::Sql(format!(
                "SELECT toDate(occurred_at) AS day, advertiser_id, currency, count(), sum(sale_amount), sum(commission) \
                 FROM {of} WHERE kind = 'transaction' AND {dated}{also} \
                 GROUP BY day, advertiser_id, currency ORDER BY day, advertiser_id, currency \
                 SETTINGS do_not_merge_across_partitions_select_final = 1, use_skip_indexes_if_final = 0"
            ))
        };
        // As in `store/src/reports/question/scope.rs`.
        let places = format!(
            " AND indexHint((account, key_day) IN \
             (SELECT DISTINCT account, key_day FROM conversions_g1 WHERE {dated}))"
        );
        let by_day = format!(
            " AND (key_day BETWEEN toDate('{from}') - 1 AND toDate('{today}') OR key_day <= '1970-01-16')"
        );
        let summary = |by: &str| {
            let words = format!("report summary --by {by} --from {from} --to {today}");
            How::Command(words.split(' ').map(ToOwned::to_owned).collect())
        };
        let trace = |id: &str| {
            let found = site.query(&format!(
                "SELECT {id} FROM conversions_g1 WHERE key_day = '{from}' AND {id} != '' LIMIT 1"
            ))?;
            anyhow::Ok(How::Command(vec!["trace".into(), found.trim().to_owned()]))
        };
        let all = [
            (SUM_WITHOUT_FINAL, sum("conversions_g1", "")),
            (SUM, sum("conversions_g1 FINAL", &places)),
            (SUM_OF_VIEW, sum("conversions", "")),
            (SUM_OF_VIEW_BY_DAY, sum("conversions", &by_day)),
            (SUMMARY, summary("day")),
            (SUMMARY_BY_ADVERTISER, summary("advertiser")),
            (TRACE_ORDER, trace("order_id")?),
            (TRACE_CLICK, trace("click_id")?),
        ];
        let mut all: Vec<Self> = all.map(|(name, how)| Self { name, how }).into();
        let (from, to) = (from.to_string(), today.to_string());
        for (name, words) in REPORTS {
            let range: &[&str] = match name {
                ACTIVITY => &[],
                _ => &["--from", &from, "--to", &to],
            };
            let words = [&["report"], words, range].concat();
            all.push(Self {
                name,
                how: How::Command(words.into_iter().map(ToOwned::to_owned).collect()),
            });
        }
        Ok(all)
    }
}

/// Asks every question, in turn, several times.
pub(super) fn ask(
    questions: &[Question],
    site: &Site,
    cancellation: &Cancellation,
) -> anyhow::Result<Vec<Answered>> {
    let mut took = vec![(Vec::new(), Vec::new()); questions.len()];
    for _ in 0..TIMES {
        for (question, (wall, cpu)) in questions.iter().zip(&mut took) {
            let (began, before) = (Instant::now(), host::cpu(site.clickhouse_pid())?);
            let answer = match &question.how {
                How::Sql(sql) => site.query(sql)?,
                How::Command(words) => {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    site.postback(&words, cancellation)?;
                    site.printed()
                }
            };
            wall.push(began.elapsed().as_secs_f64() * 1e3);
            cpu.push((host::cpu(site.clickhouse_pid())? - before) * 1e3);
            if answer.trim().is_empty() {
                bail!("{}: no answer", question.name);
            }
        }
    }
    let answered = questions.iter().zip(took);
    Ok(answered
        .map(|(question, (wall, cpu))| Answered {
            name: question.name,
            wall_ms: median(wall),
            cpu_ms: median(cpu),
        })
        .collect())
}
