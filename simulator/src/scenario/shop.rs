//! One order after the other: its lines, and what is reported of each.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::catalogue::Product;
use super::order::Order;
use super::settings::{ScenarioError, Settings};
use crate::amount::Amount;
use crate::event::{DateValue, Event, Kind};

pub(super) const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// A reversal comes at most this many days after its sale.
const LONGEST_RETURN_DAYS: i64 = 14;

/// Makes orders, numbered from 0.
pub(super) struct Shop<'a> {
    pub(super) settings: &'a Settings,
    /// The first instant of the first day.
    opening: Timestamp,
    pub(super) number: u64,
    pub(super) last_click: Option<String>,
    pub(super) random: ChaCha8Rng,
}

impl<'a> Shop<'a> {
    pub(super) fn open(settings: &'a Settings) -> Result<Self, ScenarioError> {
        let opening = settings.first_day()?.to_zoned(TimeZone::UTC)?.timestamp();
        opening.checked_add((24 * (i64::from(settings.days) + 2)).hours())?;
        let random = ChaCha8Rng::seed_from_u64(settings.seed);
        Ok(Shop {
            settings,
            opening,
            number: 0,
            last_click: None,
            random,
        })
    }

    /// All reports about the next order: per line a signal, the sale, and a reversal, where chance
    /// has them.
    pub(super) fn next_order(&mut self) -> Vec<Event> {
        let order = self.order();
        let lines = self.lines(&order);
        let mut events = Vec::new();
        for line in &lines {
            if self.chance(self.settings.shares.signals, 0) {
                events.push(self.signal(&order, line));
            }
            events.push(line.clone());
            if !order.reversed && self.chance(self.settings.shares.revised, 10) {
                events.extend(self.revision(&order, line));
            }
        }
        if order.reversed {
            events.extend(self.reversals(&order, &lines));
        }
        for event in &mut events {
            if self.chance(self.settings.shares.late, 11) {
                event.sent_at +=
                    SignedDuration::from_secs(self.random.random_range(HOUR..36 * HOUR));
            }
        }
        self.number += 1;
        events
    }

    /// Whether something of this share happens to the order; always to the order with the number
    /// `specimen`, so that the first orders show one of every kind.
    pub(super) fn chance(&mut self, share: u16, specimen: u64) -> bool {
        self.chance_or(self.number == specimen, share)
    }

    pub(super) fn chance_or(&mut self, certain: bool, share: u16) -> bool {
        share > 0 && (certain || self.random.random_ratio(u32::from(share), 10_000))
    }

    /// The order's sales, one per SKU, all of different products.
    fn lines(&mut self, order: &Order<'_>) -> Vec<Event> {
        let settings = self.settings;
        let advertiser = order.advertiser;
        let several = self.chance(settings.shares.several_lines, 0);
        let most = u64::try_from(advertiser.products.len().min(4)).unwrap_or(1);
        let count = if several && most > 1 {
            self.random.random_range(2..=most)
        } else {
            1
        };
        let start = self.random.random_range(0..most);
        let processed = self.processed(order);
        advertiser
            .products
            .iter()
            .cycle()
            .skip(usize::try_from(start).unwrap_or_default())
            .take(usize::try_from(count).unwrap_or(1))
            .map(|product| {
                let (quantity, sale, commission) =
                    self.price(product, advertiser.commission_share, order.zero);
                Event {
                    transaction_id: Some(self.transaction_id()),
                    sku: (!self.chance_or(false, settings.shares.without_sku))
                        .then(|| product.sku.to_owned()),
                    product_name: product.name.to_owned(),
                    quantity,
                    sale_amount: Amount::from_minor(sale, advertiser.minor_digits),
                    commission: Amount::from_minor(commission, advertiser.minor_digits),
                    process_date: DateValue::At(processed, order.form),
                    sent_at: self.sent(processed),
                    ..order.shared.clone()
                }
            })
            .collect()
    }

    /// Quantity, and sale and commission in minor units: up to 20 % off, commission rounded to the
    /// minor unit and never nothing for a sale that was something.
    fn price(&mut self, product: &Product, share: u16, zero: bool) -> (u32, i64, i64) {
        let quantity = if self.random.random_ratio(1, 5) {
            self.random.random_range(2..6)
        } else {
            1
        };
        if zero {
            return (quantity, 0, 0);
        }
        let discount = self.random.random_range(0..21_i64);
        let sale = (product.price * (100 - discount) / 100).max(1) * i64::from(quantity);
        let commission = (sale * i64::from(share) + 5_000) / 10_000;
        (quantity, sale, commission.max(1))
    }

    /// The early word of `sale`: the same order and money, an id of its own, `is_event=Y`.
    fn signal(&mut self, order: &Order<'_>, sale: &Event) -> Event {
        let at = order.placed + self.random.random_range(1..30);
        let at = self.after_opening(at.min(self.closing()));
        Event {
            kind: Kind::Signal,
            transaction_id: Some(self.transaction_id()),
            process_date: DateValue::At(at, order.form),
            batch: false,
            sent_at: at,
            ..sale.clone()
        }
    }

    /// A later word of `sale`: the same id, less money, processed one to five days later; none
    /// where the scenario ends before.
    fn revision(&mut self, order: &Order<'_>, sale: &Event) -> Option<Event> {
        let later = order.placed + self.random.random_range(2 * DAY..5 * DAY);
        let kept = self.random.random_range(50..96_i64);
        let digits = order.advertiser.minor_digits;
        let unit = 10_i128.pow(u32::from(4 - digits.min(4)));
        let part = |amount: Amount| {
            let minor = i64::try_from(amount.scaled() / unit).unwrap_or_default();
            Amount::from_minor(minor * kept / 100, digits)
        };
        let at = self.after_opening(later);
        (later <= self.closing()).then(|| Event {
            sale_amount: part(sale.sale_amount),
            commission: part(sale.commission),
            process_date: DateValue::At(at, order.form),
            sent_at: self.sent(at),
            ..sale.clone()
        })
    }

    /// The sales taken back: all lines or one of them, on one later day.
    fn reversals(&mut self, order: &Order<'_>, lines: &[Event]) -> Vec<Event> {
        let day = order.placed / DAY;
        let left = (i64::from(self.settings.days) - 1 - day).min(LONGEST_RETURN_DAYS);
        let later = day + self.random.random_range(1..=left.max(1));
        // Not before two in the morning: a sale is processed at most an hour after midnight.
        let time = self.random.random_range(2 * HOUR..DAY);
        let at = self.after_opening(later * DAY + time);
        let whole = self.number == 0 || self.random.random_ratio(1, 2);
        let returned = if whole {
            lines
        } else {
            lines.get(..1).unwrap_or_default()
        };
        returned
            .iter()
            .map(|sale| Event {
                transaction_id: Some(self.transaction_id()),
                sale_amount: -sale.sale_amount,
                commission: -sale.commission,
                process_date: DateValue::At(at, order.form),
                batch: true,
                sent_at: self.sent(at),
                ..sale.clone()
            })
            .collect()
    }

    /// When the network processes the sale: within the hour, or hours later in a batch, and never
    /// after the last day.
    fn processed(&mut self, order: &Order<'_>) -> Timestamp {
        let delay = if order.shared.batch {
            self.random.random_range(6 * HOUR..30 * HOUR)
        } else {
            self.random.random_range(60..HOUR)
        };
        self.after_opening((order.placed + delay).min(self.closing()))
    }

    /// The last second of the last day, in seconds from opening.
    fn closing(&self) -> i64 {
        i64::from(self.settings.days) * DAY - 1
    }

    /// A processed report goes out within five minutes.
    fn sent(&mut self, processed: Timestamp) -> Timestamp {
        processed + SignedDuration::from_secs(self.random.random_range(0..300))
    }

    fn transaction_id(&mut self) -> String {
        format!("{:032x}", self.random.random::<u128>())
    }

    /// `open` has checked that all days and two more lie within the calendar.
    pub(super) fn after_opening(&self, seconds: i64) -> Timestamp {
        self.opening + SignedDuration::from_secs(seconds)
    }
}
