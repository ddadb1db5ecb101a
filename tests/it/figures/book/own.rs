//! What one knows oneself of what was sold: orders of the shop, and the network's statement.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Dice;
use crate::figures::model::{Order, Received, shown_money};

/// Both sides' files, and what they say.
pub(crate) struct Own {
    /// Of the shop, to be imported.
    pub(crate) csv: String,
    /// Of the shop, to be posted.
    pub(crate) posts: Vec<String>,
    /// In the state that counts.
    pub(crate) orders: Vec<Order>,
    /// Two reports of the network; the second repeats lines of the first.
    pub(crate) statements: [String; 2],
    /// Each line once.
    pub(crate) lines: Vec<Order>,
}

const NEW_YORK: &str = "America/New_York";

/// Of what the networks reported so far, as seen at `now`.
pub(crate) fn own(conversions: &[Received], now: Timestamp) -> Own {
    let mut dice = Dice(4_711);
    let mut known: BTreeMap<(&str, &str), Vec<&Received>> = BTreeMap::new();
    for one in conversions
        .iter()
        .filter(|one| !one.says.order_id.is_empty())
    {
        let key = (&*one.says.order_id, &*one.says.advertiser_id);
        known.entry(key).or_default().push(one);
    }
    let mut orders = Vec::new();
    for ((number, advertiser), lines) in &known {
        // What the shop does not know of.
        if dice.hits(10) {
            continue;
        }
        orders.push(order_of(&mut dice, number, advertiser, lines));
    }
    for n in 0..60 {
        orders.push(unseen(&mut dice, n));
    }
    let mut own = Own {
        csv: "order_id,advertiser_id,ordered_at,updated_at,amount,currency,status,eligible,click_id\n"
            .to_owned(),
        posts: Vec::new(),
        orders: Vec::new(),
        statements: [heading(), heading()],
        lines: Vec::new(),
    };
    for order in orders {
        if dice.hits(5) {
            own.earlier(&order);
        }
        let eligible = if order.status == "out_of_network" {
            "no"
        } else {
            "yes"
        };
        own.line(&mut dice, &order, eligible);
        own.orders.push(order);
    }
    own.post_lately(now);
    own.state(&mut dice, conversions);
    own
}

fn order_of(dice: &mut Dice, number: &str, advertiser: &str, lines: &[&Received]) -> Order {
    let sales = lines.iter().filter(|one| one.says.kind == "transaction");
    let amount: i128 = sales.map(|one| one.says.sale_or_nothing()).sum();
    let amount = amount.max(0) + if dice.hits(8) { 10_000 } else { 0 };
    let said = &lines[0].says;
    let placed = said.occurred.unwrap_or(lines[0].at);
    let apart = SignedDuration::from_secs(900);
    let is_spring = placed < "2026-06-01T00:00:00Z".parse().unwrap();
    Order {
        source: "shop",
        network: "orders",
        number: number.to_owned(),
        advertiser: if is_spring && dice.hits(15) {
            ""
        } else {
            advertiser
        }
        .to_owned(),
        placed: placed - apart + dice.seconds(1_800),
        status: fate(dice),
        currency: match &*said.currency {
            "" => "USD",
            _ if dice.hits(15) => "CHF",
            currency => currency,
        }
        .to_owned(),
        amount,
        click: match dice.roll(10) {
            0 => "other".to_owned(),
            1 => String::new(),
            _ => said.click_id.clone(),
        },
    }
}

fn fate(dice: &mut Dice) -> &'static str {
    let usual = dice.roll(4) > 0;
    if usual {
        return "placed";
    }
    dice.choose(&["cancelled", "returned", "out_of_network"])
}

/// No postback came of it.
fn unseen(dice: &mut Dice, n: u64) -> Order {
    let season = dice.choose(&[super::Season::Spring, super::Season::Autumn]);
    Order {
        source: "shop",
        network: "orders",
        number: format!("OWN-{n}"),
        advertiser: dice.choose(&["100", "200"]).to_owned(),
        placed: dice.moment(season),
        status: fate(dice),
        currency: dice.choose(&["USD", "EUR", "JPY", "KWD"]).to_owned(),
        amount: i128::from(dice.roll(90)) * 10_000,
        click: String::new(),
    }
}

impl Own {
    /// What the shop said of it before: it does not count.
    fn earlier(&mut self, order: &Order) {
        let Order {
            number,
            advertiser,
            placed,
            ..
        } = order;
        writeln!(
            self.csv,
            "{number},{advertiser},{placed},{placed},77.00,CHF,paid,,old"
        )
        .unwrap();
    }

    fn line(&mut self, dice: &mut Dice, order: &Order, eligible: &str) {
        let Order {
            number,
            advertiser,
            currency,
            click,
            ..
        } = order;
        let updated = order.placed + SignedDuration::from_hours(1);
        let placed = if dice.hits(2) {
            local_in_new_york(order.placed)
        } else {
            order.placed.to_string()
        };
        let status = match order.status {
            "placed" | "out_of_network" => "paid",
            "returned" => "refunded",
            status => status,
        };
        let amount = shown_money(order.amount);
        writeln!(
            self.csv,
            "{number},{advertiser},{placed},{updated},{amount},{currency},{status},{eligible},{click}"
        )
        .unwrap();
    }

    /// Orders of the last hours, by POST: three are so young that their postbacks may still come.
    fn post_lately(&mut self, now: Timestamp) {
        for (n, hours) in [1, 2, 3, 9, 10].into_iter().enumerate() {
            let order = Order {
                source: "shop",
                network: "orders",
                number: format!("LATE-{n}"),
                advertiser: "100".to_owned(),
                placed: now - SignedDuration::from_hours(hours),
                status: "placed",
                currency: "USD".to_owned(),
                amount: 123_400,
                click: String::new(),
            };
            let said = json!([{
                "order_id": order.number, "mid": 100, "time": order.placed.to_string(),
                "updated_at": order.placed.to_string(), "amount": "12.34", "currency": "usd",
            }]);
            self.posts.push(said.to_string());
            self.orders.push(order);
        }
    }

    /// The network's own report of most of its transactions, by date in New York.
    fn state(&mut self, dice: &mut Dice, conversions: &[Received]) {
        let reported = conversions.iter().filter(|one| {
            let says = &one.says;
            says.network == "rakuten" && says.kind == "transaction" && !says.order_id.is_empty()
        });
        let mut seen = std::collections::BTreeSet::new();
        for one in reported {
            if dice.hits(9) {
                continue;
            }
            let says = &one.says;
            let day = |moment: Timestamp| {
                let zone = TimeZone::get(NEW_YORK).unwrap();
                moment.to_zoned(zone).date()
            };
            let (placed, processed) = (day(says.occurred.unwrap()), day(says.processed.unwrap()));
            let more = if dice.hits(10) { 5_000 } else { 0 };
            let (sale, commission) = (says.sale_or_nothing() + more, says.commission_or_nothing());
            let currency = if says.currency.is_empty() {
                "USD"
            } else {
                &says.currency
            };
            let line = format!(
                "{},{},3861234,{},{},{},{},1,{},{currency},{}",
                says.click_id,
                says.advertiser_id,
                says.order_id,
                american(placed),
                says.sku,
                shown_money(sale),
                shown_money(commission),
                american(processed),
            );
            // Two lines that are equal would be two sales.
            if !seen.insert((line.clone(), 0)) {
                continue;
            }
            writeln!(self.statements[0], "{line}").unwrap();
            if dice.hits(6) {
                writeln!(self.statements[1], "{line}").unwrap();
            }
            self.lines.push(Order {
                source: "items",
                network: "rakuten-item-report",
                number: says.order_id.clone(),
                advertiser: says.advertiser_id.clone(),
                placed: placed
                    .to_zoned(TimeZone::get(NEW_YORK).unwrap())
                    .unwrap()
                    .timestamp(),
                status: if sale < 0 || commission < 0 {
                    "reversed"
                } else {
                    "reported"
                },
                currency: currency.to_owned(),
                amount: sale,
                click: says.click_id.clone(),
            });
        }
    }
}

fn heading() -> String {
    "Member ID,MID,SID,Order ID,Transaction Date,SKU Number,Sales,# of Items,Total Commission,Currency,Process Date\n".to_owned()
}

fn american(date: Date) -> String {
    date.strftime("%-m/%-d/%Y").to_string()
}

/// As a clock there shows it; with an offset where it shows that time twice.
fn local_in_new_york(moment: Timestamp) -> String {
    let set_back: Timestamp = "2026-11-01T06:00:00Z".parse().unwrap();
    let local = moment.to_zoned(TimeZone::get(NEW_YORK).unwrap());
    if set_back <= moment && moment < set_back + SignedDuration::from_hours(1) {
        local.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
    } else {
        local.strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
    }
}
