//! Orders of Rakuten's advertisers: a postback for each article, signals before, reversals after.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Book;
use super::amounts::Written;
use super::dice::Season;
use super::message::Message;
use crate::figures::model::Conversion;

/// What all lines of an order have in common.
#[derive(Debug, Clone)]
struct Order {
    source: &'static str,
    number: String,
    advertiser: &'static str,
    click: String,
    /// As sent.
    currency_text: &'static str,
    /// As meant; empty where it is unknown.
    currency: &'static str,
    occurred: Timestamp,
}

/// One postback.
#[derive(Debug, Clone)]
struct Line {
    transaction: String,
    sku: String,
    /// `is_event`.
    event: &'static str,
    sale: Written,
    commission: Written,
    processed: Timestamp,
}

impl Book {
    /// An order of source `rakuten-us` (an even number) or `rakuten-eu`; every tenth of the latter
    /// has an order number that the former knows too.
    pub(super) fn rakuten_order(&mut self, n: u64, season: Season) {
        let dice = &mut self.dice;
        let (source, number, usual) = match n % 20 {
            odd if odd % 2 == 1 && odd != 19 => ("rakuten-eu", format!("EU-{n}"), ""),
            19 => ("rakuten-eu", format!("US-{}", n - 19), ""),
            _ => ("rakuten-us", format!("US-{n}"), "USD"),
        };
        let is_shared = n % 20 == 19 || n.is_multiple_of(20);
        let (currency_text, currency) = match dice.roll(12) {
            _ if is_shared => ("EUR", "EUR"),
            0 | 1 => ("JPY", "JPY"),
            2 | 3 => ("KWD", "KWD"),
            4 | 5 => ("eur", "EUR"),
            6 => ("", usual),
            7 => ("ZZZ", ""),
            _ => ("USD", "USD"),
        };
        let advertiser = if is_shared {
            "300"
        } else {
            dice.choose(&["100", "200", "300", "400"])
        };
        let click = match dice.roll(9) {
            _ if is_shared => "both".to_owned(),
            0 => String::new(),
            _ => format!("click{n}"),
        };
        let order = Order {
            source,
            number: if dice.hits(30) { String::new() } else { number },
            advertiser,
            click,
            currency_text,
            currency,
            occurred: dice.moment(season),
        };
        for place in 0..1 + self.dice.roll(3) {
            self.rakuten_line(&order, place);
        }
    }

    fn rakuten_line(&mut self, order: &Order, place: u64) {
        let dice = &mut self.dice;
        let sale = Written::some(dice, order.currency);
        let line = Line {
            transaction: format!("{:032X}", self.next),
            sku: format!("sku{place}"),
            event: if dice.hits(40) {
                dice.choose(&["", "X"])
            } else {
                "N"
            },
            commission: sale.tenth(order.currency),
            sale,
            processed: order.occurred + dice.seconds(2 * 86_400),
        };
        self.next += 1;
        if self.dice.hits(3) {
            let signal = Line {
                event: "Y",
                processed: order.occurred,
                ..line.clone()
            };
            self.tell(order, &signal);
            // The sale itself never came.
            if self.dice.hits(4) {
                return;
            }
        }
        if self.dice.hits(30) {
            return self.reject(order, &line);
        }
        self.tell(order, &line);
        if self.dice.hits(8) {
            let sale = Written::some(&mut self.dice, order.currency);
            let revision = Line {
                commission: sale.tenth(order.currency),
                sale,
                processed: line.processed
                    + self.dice.seconds(86_400)
                    + jiff::SignedDuration::from_secs(1),
                ..line.clone()
            };
            self.tell(order, &revision);
        }
        if self.dice.hits(6) {
            self.take_back(order, &line);
        }
    }

    /// All of it, or half, some days later, under an id of its own.
    fn take_back(&mut self, order: &Order, line: &Line) {
        let currency = order.currency;
        let (sale, commission) = if self.dice.hits(3) {
            (
                line.sale.half_negated(currency),
                line.commission.half_negated(currency),
            )
        } else {
            (
                line.sale.negated(currency),
                line.commission.negated(currency),
            )
        };
        let reversal = Line {
            transaction: format!("{:032X}", self.next),
            sale,
            commission,
            processed: line.processed + self.dice.seconds(20 * 86_400),
            ..line.clone()
        };
        self.next += 1;
        self.tell(order, &reversal);
    }

    fn tell(&mut self, order: &Order, line: &Line) {
        let marker = self.dice.choose(&["1", "2"]);
        let message = Message::new(
            order.source,
            &parameters(order, line, marker, &self.date(order.occurred)),
            Ok(conversion(order, line, marker)),
        );
        self.send(message, line.processed);
    }

    /// Without id, without a date that can be read, or without both.
    fn reject(&mut self, order: &Order, line: &Line) {
        let date = self.date(order.occurred);
        let (id, date, reasons) = match self.dice.roll(3) {
            0 => ("", &*date, vec!["missing_identity"]),
            1 => (&*line.transaction, "yesterday", vec!["unreadable_key_date"]),
            _ => ("", "", vec!["missing_identity", "unreadable_key_date"]),
        };
        let line = Line {
            transaction: id.to_owned(),
            ..line.clone()
        };
        let sent = parameters(order, &line, "1", date);
        self.send(
            Message::new(order.source, &sent, Err(reasons)),
            line.processed,
        );
    }

    /// One of the two forms.
    fn date(&mut self, moment: Timestamp) -> String {
        if self.dice.hits(2) {
            moment
                .strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)")
                .to_string()
        } else {
            moment.to_string()
        }
    }
}

fn parameters<'a>(
    order: &'a Order,
    line: &'a Line,
    marker: &'a str,
    date: &'a str,
) -> Vec<(&'a str, &'a str)> {
    // The second template calls the click id otherwise.
    let click = if marker == "1" { "u1" } else { "unique_id" };
    let processed: &'a str = Box::leak(line.processed.to_string().into_boxed_str());
    vec![
        ("pbt", marker),
        ("etransaction_id", &line.transaction),
        ("is_event", line.event),
        ("advertiser_id", order.advertiser),
        ("order_id", &order.number),
        ("offer_id", "7"),
        ("sku_number", &line.sku),
        ("sale_amount", &line.sale.text),
        ("commissions", &line.commission.text),
        ("currency", order.currency_text),
        ("transaction_date", date),
        ("process_date", processed),
        (click, &order.click),
    ]
}

fn conversion(order: &Order, line: &Line, marker: &str) -> Conversion {
    let is_negative = [&line.sale, &line.commission]
        .iter()
        .any(|amount| amount.units.is_some_and(|units| units < 0));
    let mut flags = BTreeSet::new();
    line.sale.flag(order.currency, &mut flags);
    line.commission.flag(order.currency, &mut flags);
    let kind = match line.event {
        "N" => "transaction",
        "Y" => "signal",
        _ => "unknown",
    };
    let remarkable = [
        (kind == "unknown", "missing_signal_field"),
        (order.click.is_empty(), "missing_click_id"),
        (order.currency_text == "ZZZ", "unknown_currency"),
        (
            order.currency_text.is_empty() && !order.currency.is_empty(),
            "assumed_currency",
        ),
        (
            order.currency_text.is_empty() && order.currency.is_empty(),
            "missing_currency",
        ),
    ];
    flags.extend(remarkable.iter().filter(|one| one.0).map(|one| one.1));
    Conversion {
        source: order.source,
        network: "rakuten",
        kind,
        status: if is_negative { "reversed" } else { "reported" },
        transaction_id: line.transaction.clone(),
        order_id: order.number.clone(),
        click_id: order.click.clone(),
        advertiser_id: order.advertiser.to_owned(),
        offer_id: "7".to_owned(),
        sku: line.sku.clone(),
        sub_ids: BTreeMap::new(),
        extra: BTreeMap::from([("pbt", marker.to_owned())]),
        currency: order.currency.to_owned(),
        commission_currency: order.currency.to_owned(),
        sale: line.sale.units,
        commission: line.commission.units,
        occurred: Some(order.occurred),
        processed: Some(line.processed),
        flags,
    }
}
