//! Totals of each network, calculated a second time by code that knows nothing of the normaliser:
//! requests made from amounts, which a table of each network's own words turns into text.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use postback_common::name::{AccountName, SourceName};
use postback_common::record::{Payload, RawRecord, Via};
use postback_normalise::profile::Subject;
use postback_normalise::{
    Currency, Outcome, Profile, SourceDescription, SourceRules, normalise, profile,
};
use uuid::Uuid;

/// Sales of each network.
const SALES: u64 = 500;

/// How a network writes one sale; nothing here is taken from its profile.
struct Writing {
    network: &'static str,
    /// The currency is sent.
    has_currency: bool,
    /// Sign of a reversal is in the money.
    is_signed: bool,
    write: fn(&Sale) -> Request,
}

struct Request {
    content_type: Option<&'static str>,
    text: String,
}

/// One sale, in cents.
struct Sale {
    id: u64,
    cents: i64,
    fee: i64,
    currency: &'static str,
    is_reversed: bool,
}

impl Sale {
    fn nth(n: u64) -> Self {
        // A generator of our own: any numbers do, as long as they are the same each time.
        let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ n;
        let cents = i64::try_from(random % 5_000_000).unwrap();
        let is_reversed = random.is_multiple_of(7);
        Self {
            id: n,
            cents: if is_reversed { -cents } else { cents },
            fee: if is_reversed {
                -(cents / 13)
            } else {
                cents / 13
            },
            currency: ["USD", "EUR", "GBP"][usize::try_from(random / 11 % 3).unwrap()],
            is_reversed,
        }
    }
}

/// `-12.34`.
fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn get(text: String) -> Request {
    Request {
        content_type: None,
        text,
    }
}

fn post(content_type: &'static str, text: String) -> Request {
    Request {
        content_type: Some(content_type),
        text,
    }
}

const WRITINGS: [Writing; 6] = [
    Writing {
        network: "rakuten",
        has_currency: true,
        is_signed: true,
        write: |sale| {
            get(format!(
                "etransaction_id={:032x}&sale_amount={}&commissions={}&currency={}&is_event=N\
                 &transaction_date=2026-08-31T10:00:00Z&u1=m",
                sale.id,
                decimal(sale.cents),
                decimal(sale.fee),
                sale.currency
            ))
        },
    },
    Writing {
        network: "awin",
        has_currency: true,
        is_signed: true,
        write: |sale| {
            let object = format!(
                "{{\"transactionId\":\"{}\",\"transactionAmount\":{},\"commission\":\"{}\",\"transactionCurrency\":\"{}\"}}",
                sale.id,
                decimal(sale.cents),
                decimal(sale.fee),
                sale.currency
            );
            let escaped: String = object.bytes().map(|byte| format!("%{byte:02x}")).collect();
            post(
                "application/x-www-form-urlencoded",
                format!("AwinTransactionPush={escaped}"),
            )
        },
    },
    Writing {
        network: "impact",
        has_currency: true,
        is_signed: false,
        write: |sale| {
            let status = if sale.is_reversed {
                "REVERSED"
            } else {
                "APPROVED"
            };
            post(
                "application/json",
                format!(
                    "{{\"ActionId\":\"{}\",\"Amount\":{},\"Payout\":{},\"Currency\":\"{}\",\"Status\":\"{status}\"}}",
                    sale.id,
                    decimal(sale.cents.abs()),
                    decimal(sale.fee.abs()),
                    sale.currency
                ),
            )
        },
    },
    Writing {
        network: "shareasale",
        has_currency: false,
        is_signed: true,
        write: |sale| {
            post(
                "application/x-www-form-urlencoded",
                format!(
                    "transID={}&amountOfSale={}&commission={}",
                    sale.id,
                    decimal(sale.cents),
                    decimal(sale.fee)
                ),
            )
        },
    },
    Writing {
        network: "everflow",
        has_currency: true,
        is_signed: true,
        write: |sale| {
            get(format!(
                "conversion_id={}&sale_amount={}&payout={}&currency_id={}",
                sale.id,
                decimal(sale.cents),
                decimal(sale.fee),
                sale.currency
            ))
        },
    },
    Writing {
        network: "generic",
        has_currency: true,
        is_signed: true,
        write: |sale| {
            get(format!(
                "txid={}&amount={}&payout={}&cur={}",
                sale.id,
                decimal(sale.cents).replace('-', "%2D"),
                decimal(sale.fee),
                sale.currency.to_lowercase()
            ))
        },
    },
];

/// Sums by currency and whether it is a reversal, in ten-thousandths: sales, commissions, rows.
type Totals = BTreeMap<(String, bool), (i64, i64, u64)>;

fn expected(writing: &Writing) -> Totals {
    let mut totals = Totals::new();
    for sale in (1..=SALES).map(Sale::nth) {
        let currency = if writing.has_currency {
            sale.currency
        } else {
            "USD"
        };
        let sign = if writing.is_signed {
            1
        } else {
            sale.cents.signum()
        };
        let total = totals
            .entry((currency.to_owned(), sale.is_reversed))
            .or_default();
        total.0 += sale.cents * sign * 100;
        total.1 += sale.fee * sign * 100;
        total.2 += 1;
    }
    totals
}

fn measured(writing: &Writing, profile: &Arc<Profile>) -> Totals {
    let rules = rules(profile);
    let mut totals = Totals::new();
    for sale in (1..=SALES).map(Sale::nth) {
        let request = (writing.write)(&sale);
        let record = record(&request, sale.id);
        let Outcome::Accepted(row) = normalise(&record, &rules) else {
            panic!("{}: {} is rejected", writing.network, request.text);
        };
        // A network that sends neither word nor sign says nothing of reversals.
        let is_reversed = match writing.network {
            "everflow" => row.sale_amount.unwrap().is_negative(),
            _ => row.status.as_str() == "reversed",
        };
        let currency = row.currency.unwrap().to_string();
        assert_eq!(row.commission_currency, row.currency);
        let total = totals.entry((currency, is_reversed)).or_default();
        total.0 += row.sale_amount.unwrap().units();
        total.1 += row.commission.unwrap().units();
        total.2 += 1;
    }
    totals
}

fn rules(profile: &Arc<Profile>) -> SourceRules {
    SourceRules::new(SourceDescription {
        source: SourceName::new("s").unwrap(),
        account: AccountName::new("a").unwrap(),
        profile: Arc::clone(profile),
        currency: Some("USD".parse::<Currency>().unwrap()),
        zone: None,
        publisher_id: None,
        templates: Vec::new(),
        identity: None,
        key_day_rule: None,
    })
    .unwrap()
}

fn record(request: &Request, id: u64) -> RawRecord<'_> {
    let is_body = request.content_type.is_some();
    let text = request.text.as_bytes();
    RawRecord {
        id: Uuid::from_u128(id.into()),
        source: "s".into(),
        key: None,
        received_at: Timestamp::UNIX_EPOCH,
        method: if is_body { "POST" } else { "GET" }.into(),
        query: Payload::of(if is_body { b"" } else { text }),
        content_type: request.content_type.map(Into::into),
        body: is_body.then(|| Payload::of(text)),
        remote: None,
        headers: Vec::new(),
        via: Via::Http,
    }
}

#[test]
fn totals_of_every_network_are_those_of_a_second_calculation() {
    let told: Vec<&str> = WRITINGS.iter().map(|writing| writing.network).collect();
    let all: Vec<&str> = profile::all()
        .iter()
        .filter(|profile| profile.about == Subject::Conversions)
        .map(|profile| profile.network.as_str())
        .collect();
    assert_eq!(told, all, "a network without a second calculation");
    for writing in &WRITINGS {
        let profile = profile::builtin(writing.network).unwrap();
        assert_eq!(
            measured(writing, profile),
            expected(writing),
            "{}",
            writing.network
        );
    }
}
