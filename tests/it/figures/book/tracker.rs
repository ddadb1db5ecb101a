//! Sales of a tracker without a profile of its own: with a status, with local times of Berlin, with
//! commissions in another currency.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Book;
use super::amounts::Written;
use super::dice::Season;
use super::message::Message;
use crate::figures::model::Conversion;

const SOURCE: &str = "tracker";

/// Words that it sends for a status, and what they mean.
const WORDS: &[(&str, &str)] = &[
    ("", "reported"),
    ("pending", "pending"),
    ("hold", "pending"),
    ("approved", "approved"),
    ("paid", "approved"),
    ("declined", "rejected"),
    ("lost", "reported"),
];

/// Words for a revision.
const LATER: &[(&str, &str)] = &[
    ("approved", "approved"),
    ("rejected", "rejected"),
    ("refunded", "reversed"),
    ("reversed", "reversed"),
];

/// One postback.
#[derive(Debug, Clone)]
struct Sale {
    number: u64,
    advertiser: &'static str,
    campaign: &'static str,
    click: String,
    currency: &'static str,
    commission_currency: &'static str,
    sale: Written,
    commission: Written,
    /// As sent, and as meant.
    occurred: Option<(String, Timestamp)>,
    processed: Option<Timestamp>,
    status: (&'static str, &'static str),
    is_strange: bool,
}

impl Book {
    pub(super) fn tracker_sale(&mut self, number: u64, season: Season) {
        let dice = &mut self.dice;
        let currency = dice.choose(&["EUR", "EUR", "JPY", "KWD", ""]);
        let meant = if currency.is_empty() { "EUR" } else { currency };
        let moment = dice.moment(season);
        let sale = Written::some(dice, meant);
        let (commission_currency, commission) = if dice.hits(4) {
            ("USD", Written::some(dice, "USD"))
        } else {
            ("", sale.tenth(meant))
        };
        let first = Sale {
            number,
            advertiser: dice.choose(&["10", "20"]),
            campaign: dice.choose(&["", "summer", "winter"]),
            click: if dice.hits(7) {
                String::new()
            } else {
                format!("t{number}")
            },
            currency,
            commission_currency,
            sale,
            commission,
            occurred: (!dice.hits(12)).then(|| local_in_berlin(moment)),
            processed: (!dice.hits(3)).then(|| moment + dice.seconds(3 * 86_400)),
            status: dice.choose(WORDS),
            is_strange: dice.hits(10),
        };
        self.tell_sale(&first, moment);
        if let Some(processed) = first.processed.filter(|_| self.dice.hits(3)) {
            let processed =
                processed + self.dice.seconds(30 * 86_400) + SignedDuration::from_secs(1);
            let revision = Sale {
                processed: Some(processed),
                status: self.dice.choose(LATER),
                ..first.clone()
            };
            self.tell_sale(&revision, processed);
        }
        if self.dice.hits(12) {
            let back = Sale {
                number: number + 5_000,
                sale: first.sale.negated(meant),
                commission: first.commission.negated(meant_commission(&first)),
                status: ("", "reversed"),
                processed: Some(moment + self.dice.seconds(9 * 86_400)),
                ..first
            };
            self.tell_sale(&back, moment);
        }
    }

    fn tell_sale(&mut self, sale: &Sale, around: Timestamp) {
        let (id, order) = (format!("T{}", sale.number), order_number(sale));
        let processed = sale.processed.map(|moment| moment.to_string());
        let occurred = sale.occurred.as_ref().map(|told| &*told.0);
        let mut sent = vec![
            ("transaction_id", &*id),
            ("order_id", &order),
            ("advertiser_id", sale.advertiser),
            ("sub_id2", sale.campaign),
            ("click_id", &sale.click),
            ("sale_amount", &sale.sale.text),
            ("commission", &sale.commission.text),
            ("currency", sale.currency),
            ("commission_currency", sale.commission_currency),
            ("occurred_at", occurred.unwrap_or_default()),
            ("processed_at", processed.as_deref().unwrap_or_default()),
            ("status", sale.status.0),
        ];
        if sale.is_strange {
            sent.push(("shop", "corner"));
        }
        if self.dice.hits(25) {
            sent.remove(0);
            let message = Message::new(SOURCE, &sent, Err(vec!["missing_identity"]));
            return self.send(message, around);
        }
        let message = Message::new(SOURCE, &sent, Ok(conversion(sale, &id, &order)));
        self.send(message, sale.processed.unwrap_or(around));
    }
}

/// A reversal has the order number of its sale.
fn order_number(sale: &Sale) -> String {
    format!("TR-{}", sale.number % 5_000)
}

fn meant_commission(sale: &Sale) -> &str {
    match (sale.commission_currency, sale.currency) {
        ("", "") => "EUR",
        ("", currency) | (currency, _) => currency,
    }
}

/// What the tracker's clock shows, and what is read: of two times that it shows alike, the first.
fn local_in_berlin(moment: Timestamp) -> (String, Timestamp) {
    let set_back: Timestamp = "2026-10-25T01:00:00Z".parse().unwrap();
    let hour = SignedDuration::from_hours(1);
    let is_second = set_back <= moment && moment < set_back + hour;
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let shown = moment.to_zoned(berlin).strftime("%Y-%m-%d %H:%M:%S");
    (
        shown.to_string(),
        if is_second { moment - hour } else { moment },
    )
}

fn conversion(sale: &Sale, id: &str, order: &str) -> Conversion {
    let currency = if sale.currency.is_empty() {
        "EUR"
    } else {
        sale.currency
    };
    let mut flags = BTreeSet::new();
    sale.sale.flag(currency, &mut flags);
    sale.commission.flag(meant_commission(sale), &mut flags);
    let remarkable = [
        (sale.currency.is_empty(), "assumed_currency"),
        (sale.click.is_empty(), "missing_click_id"),
        (sale.status.0 == "lost", "unknown_status"),
        (sale.is_strange, "unknown_parameter"),
    ];
    flags.extend(remarkable.iter().filter(|one| one.0).map(|one| one.1));
    let is_negative = [&sale.sale, &sale.commission]
        .iter()
        .any(|amount| amount.units.is_some_and(|units| units < 0));
    let status = match sale.status {
        // Without a word, negative money says it.
        ("" | "lost", _) if is_negative => "reversed",
        ("" | "lost", _) => "reported",
        (_, status) => status,
    };
    let strange = sale.is_strange.then(|| ("shop", "corner".to_owned()));
    Conversion {
        source: SOURCE,
        network: "generic",
        kind: "transaction",
        status,
        transaction_id: id.to_owned(),
        order_id: order.to_owned(),
        click_id: sale.click.clone(),
        advertiser_id: sale.advertiser.to_owned(),
        offer_id: String::new(),
        sku: String::new(),
        sub_ids: BTreeMap::from([("sub_id2", sale.campaign.to_owned())]),
        extra: strange.into_iter().collect(),
        currency: currency.to_owned(),
        commission_currency: meant_commission(sale).to_owned(),
        sale: sale.sale.units,
        commission: sale.commission.units,
        occurred: sale.occurred.as_ref().map(|told| told.1),
        processed: sale.processed,
        flags,
    }
}
