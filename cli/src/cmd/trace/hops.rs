//! A trace for people: hop by hop.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use postback_common::reason::{Flag, PostbackFlag, Rejection};
use postback_normalise::Configured;
use postback_store::reports::Money;
use postback_store::reports::trace::{Conversion, Postback};

use super::found::Found;
use crate::console::Tone;
use crate::output::{money, printable};
use crate::range::{shown, shown_exactly};
use crate::record::Record;

/// Characters of a body that are shown.
const LONGEST_BODY: usize = 1_000;

/// Writes conversions with their postbacks, then rejected postbacks.
pub(super) fn write(
    found: &Found,
    configured: &Configured,
    zone: &TimeZone,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut first = true;
    for conversion in &found.conversions {
        separate(&mut first, out)?;
        write_conversion(conversion, zone, out)?;
        let postbacks = found.postbacks_of(conversion);
        writeln!(out, "\n  {}", postback_count(postbacks.len()))?;
        for postback in postbacks {
            write_postback(postback, Some(conversion), configured, zone, out)?;
        }
        write_same_order(conversion, found, zone, out)?;
    }
    let alone = found
        .postbacks
        .iter()
        .filter(|postback| found.conversions_of(postback).is_empty());
    for postback in alone {
        separate(&mut first, out)?;
        write_postback(postback, None, configured, zone, out)?;
    }
    Ok(())
}

fn separate(first: &mut bool, out: &mut impl Write) -> io::Result<()> {
    if !std::mem::take(first) {
        writeln!(out)?;
    }
    Ok(())
}

fn postback_count(count: usize) -> String {
    match count {
        0 => "Its postback is not in the table: not yet, for conversions are stored first, or no more, where clickhouse.keep_days has its month dropped.".to_owned(),
        1 => "One postback:".to_owned(),
        _ => format!("{count} postbacks of the same conversion; the newest revision counts:"),
    }
}

fn write_conversion(
    conversion: &Conversion,
    zone: &TimeZone,
    out: &mut impl Write,
) -> io::Result<()> {
    let title = format!("{}, {}", conversion.kind, conversion.status);
    let of = format!("account {}, {}", conversion.account, conversion.network);
    writeln!(
        out,
        "{}  {of}",
        Tone::Strong.paint(format!("Conversion: {title}"))
    )?;
    let texts = [
        ("order", &conversion.order_id),
        ("transaction", &conversion.transaction_id),
        ("click", &conversion.click_id),
        ("advertiser", &conversion.advertiser_id),
        ("publisher", &conversion.publisher_id),
        ("offer", &conversion.offer_id),
        ("sku", &conversion.sku),
        ("product", &conversion.product_name),
    ];
    for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
        line(name, &printable(value), out)?;
    }
    if conversion.click_id.is_empty() {
        line("click", "none: unattributed", out)?;
    }
    line(
        "sale",
        &amount(conversion.sale_amount, &conversion.currency),
        out,
    )?;
    line(
        "commission",
        &amount(conversion.commission, &conversion.commission_currency),
        out,
    )?;
    line("occurred", &time(conversion.occurred_at, zone), out)?;
    line("processed", &time(conversion.processed_at, zone), out)?;
    line(
        "key",
        &format!("{}, day {}", conversion.conversion_key, conversion.key_day),
        out,
    )?;
    for flag in &conversion.flags {
        line(
            "flag",
            &explained(
                flag,
                Flag::ALL.iter().map(|f| (f.as_str(), f.explanation())),
            ),
            out,
        )?;
    }
    Ok(())
}

fn write_postback(
    postback: &Postback,
    conversion: Option<&Conversion>,
    configured: &Configured,
    zone: &TimeZone,
    out: &mut impl Write,
) -> io::Result<()> {
    let record = Record::of(
        &postback.raw,
        &postback.source,
        &postback.network,
        configured,
    );
    let received = [
        shown_exactly(postback.received_at, zone),
        some("by", record.method.as_deref()),
        some("source", Some(&postback.source)),
        some("key", record.key.as_deref()),
        some("via", Some(&postback.via)),
        some("from", Some(&postback.remote)),
    ];
    writeln!(
        out,
        "  {}",
        Tone::Strong.paint(format!("Postback {}", postback.id))
    )?;
    hop("received", &received.concat(), out)?;
    let Postback {
        kafka_topic,
        kafka_partition,
        kafka_offset,
        ..
    } = postback;
    hop(
        "in Kafka",
        &format!("{kafka_topic}, partition {kafka_partition}, offset {kafka_offset}"),
        out,
    )?;
    let outcome = if postback.outcome == "rejected" {
        Tone::Bad
    } else {
        Tone::Good
    };
    hop("outcome", &outcome.paint(&postback.outcome), out)?;
    for reason in &postback.reasons {
        let known = Rejection::ALL
            .iter()
            .map(|reason| (reason.as_str(), reason.explanation()));
        hop("reason", &explained(reason, known), out)?;
    }
    for flag in &postback.flags {
        hop("flag", &explained(flag, of_postbacks()), out)?;
    }
    if !postback.detail.is_empty() {
        hop("detail", &printable(&postback.detail), out)?;
    }
    if let Some(conversion) = conversion {
        hop("counts", &counts(postback, conversion), out)?;
    }
    match record.query {
        Some(query) => hop("query", &printable(&query), out)?,
        None => hop("bytes", &printable(&postback.raw), out)?,
    }
    if let Some(content_type) = record.content_type.filter(|named| !named.is_empty()) {
        hop("type", &printable(&content_type), out)?;
    }
    match record.body {
        Some(body) => hop("body", &cut(&printable(&body)), out),
        None => Ok(()),
    }
}

/// What a person reads of a body; programs get all of it.
fn cut(body: &str) -> String {
    let length = body.chars().count();
    if length <= LONGEST_BODY {
        return body.to_owned();
    }
    let begin: String = body.chars().take(LONGEST_BODY).collect();
    format!("{begin}… ({length} characters; -o json shows all)")
}

fn counts(postback: &Postback, conversion: &Conversion) -> String {
    if conversion.postback_id == postback.id {
        "yes".to_owned()
    } else {
        format!(
            "no: postback {} holds the revision that counts",
            conversion.postback_id
        )
    }
}

/// Lines, signals and reversals of the order that are not shown in full.
fn write_same_order(
    conversion: &Conversion,
    found: &Found,
    zone: &TimeZone,
    out: &mut impl Write,
) -> io::Result<()> {
    let order = |of: &Conversion| {
        (
            of.account.clone(),
            of.advertiser_id.clone(),
            of.order_id.clone(),
        )
    };
    let others: Vec<&Conversion> = found
        .same_orders
        .iter()
        .filter(|other| order(other) == order(conversion))
        .collect();
    if conversion.order_id.is_empty() || others.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  Also of this order:")?;
    for other in others {
        let (sale, earned) = (
            amount(other.sale_amount, &other.currency),
            amount(other.commission, &other.commission_currency),
        );
        let sku = if other.sku.is_empty() {
            String::new()
        } else {
            format!(", sku {}", printable(&other.sku))
        };
        let when = time(other.processed_at.or(other.occurred_at), zone);
        writeln!(
            out,
            "    {}, {}: sale {sale}, commission {earned}{sku}, processed {when}, postback {}",
            other.kind, other.status, other.postback_id
        )?;
    }
    Ok(())
}

fn line(name: &str, value: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  {name:<12} {value}")
}

fn hop(name: &str, value: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "    {name:<10} {value}")
}

fn some(what: &str, value: Option<&str>) -> String {
    let value = value.filter(|value| !value.is_empty());
    value.map_or_else(String::new, |value| {
        format!(", {what} {}", printable(value))
    })
}

fn amount(amount: Option<Money>, currency: &str) -> String {
    match amount {
        Some(Money(units)) => format!("{} {}", money(units), printable(currency))
            .trim_end()
            .to_owned(),
        None => "missing".to_owned(),
    }
}

fn time(moment: Option<Timestamp>, zone: &TimeZone) -> String {
    moment.map_or_else(|| "missing".to_owned(), |moment| shown(moment, zone))
}

/// What is remarkable about a row of postbacks; a conversion's own flags stand with the conversion.
fn of_postbacks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = PostbackFlag::ALL.iter();
    all.map(|flag| (flag.as_str(), flag.explanation()))
}

fn explained<'a>(tag: &str, mut known: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let sentence = known.find(|(name, _)| *name == tag);
    // The server's own words when it refused a row stand here, too.
    sentence.map_or_else(
        || printable(tag),
        |(tag, sentence)| format!("{tag}: {sentence}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_of_a_postback_is_explained() {
        let told = explained("raw_replaced", of_postbacks());
        assert!(
            told.starts_with("raw_replaced: ClickHouse refused the row"),
            "{told}"
        );
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let (fits, long) = ("é".repeat(1_000), "é".repeat(1_001));
        assert_eq!(cut(&fits), fits);
        assert_eq!(
            cut(&long),
            format!("{fits}… (1001 characters; -o json shows all)")
        );
    }
}
