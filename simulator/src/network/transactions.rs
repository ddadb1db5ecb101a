//! `GET /events/1.0/transactions`: what a publisher fetches to heal a missed push.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Number, Value, json};

use crate::amount::Amount;
use crate::event::{Event, Value as Text};
use crate::field::Field;

/// Transactions of one page unless asked for fewer or more.
const PAGE: usize = 100;

/// Most of one page.
const MOST_OF_A_PAGE: usize = 1_000;

/// The newest transactions, in the order in which the network had them.
pub(super) struct Transactions {
    events: VecDeque<Event>,
    kept: usize,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    processed: Window,
    occurred: Window,
    currency: Option<String>,
    is_batch: Option<bool>,
    limit: usize,
    /// From 1.
    page: usize,
    /// The place, among those that are asked for, of one that is not there yet.
    late: Option<usize>,
}

/// From the first moment through the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Window {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Window {
    fn has(&self, at: Option<Timestamp>) -> bool {
        let after = self
            .start
            .is_none_or(|start| at.is_some_and(|at| start <= at));
        let before = self.end.is_none_or(|end| at.is_some_and(|at| at <= end));
        after && before
    }
}

impl Question {
    /// Reads a query. The parameter that cannot be read, otherwise.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut question = Question {
            processed: Window::default(),
            occurred: Window::default(),
            currency: None,
            is_batch: None,
            limit: PAGE,
            page: 1,
            late: None,
        };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let spaced = value.replace('+', " ");
            let value = percent_decode_str(&spaced).decode_utf8_lossy();
            question.take(name, &value).ok_or_else(|| name.to_owned())?;
        }
        Ok(question)
    }

    /// The first page instead of the one that is asked for.
    pub(super) fn begin_again(&mut self) {
        self.page = 1;
    }

    /// Transactions of this page and all before it.
    pub(super) fn reach(&self) -> usize {
        self.limit.saturating_mul(self.page)
    }

    /// One is not there yet.
    pub(super) fn leave_out(&mut self, place: usize) {
        self.late = Some(place);
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "process_date_start" => self.processed.start = Some(moment(value)?),
            "process_date_end" => self.processed.end = Some(moment(value)?),
            "transaction_date_start" => self.occurred.start = Some(moment(value)?),
            "transaction_date_end" => self.occurred.end = Some(moment(value)?),
            "currency" => self.currency = Some(value.to_owned()),
            "type" => {
                self.is_batch = Some(match value {
                    "batch" => true,
                    "realtime" => false,
                    _ => return None,
                });
            }
            "limit" => {
                let limit = value.parse().ok()?;
                self.limit = (1..=MOST_OF_A_PAGE).contains(&limit).then_some(limit)?;
            }
            "page" => self.page = value.parse().ok().filter(|page| *page > 0)?,
            // As lenient as the real one is said to be.
            _ => {}
        }
        Some(())
    }

    fn wants(&self, event: &Event) -> bool {
        self.processed.has(event.process_date.instant())
            && self.occurred.has(event.transaction_date.instant())
            && self.currency.as_ref().is_none_or(|c| *c == event.currency)
            && self.is_batch.is_none_or(|batch| batch == event.batch)
    }
}

/// `2014-04-30 02:18:36`, in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let civil: DateTime = text.parse().ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl Transactions {
    /// Remembers so many, at least one.
    pub(super) fn keeping(kept: usize) -> Self {
        Transactions {
            events: VecDeque::new(),
            kept: kept.max(1),
        }
    }

    pub(super) fn add(&mut self, event: Event) {
        if self.events.len() >= self.kept {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// One page: a bare array, empty or short at the end.
    pub(super) fn page(&self, question: &Question) -> Value {
        let wanted = self.events.iter().filter(|event| question.wants(event));
        let wanted = wanted.enumerate();
        let there = wanted.filter(|(place, _)| question.late != Some(*place));
        let skipped = question.limit.saturating_mul(question.page - 1);
        let page = there.skip(skipped).take(question.limit);
        page.map(|(_, event)| as_json(event)).collect()
    }
}

/// Every field under its own name; those that the network has no value of are left out.
fn as_json(event: &Event) -> Value {
    let mut object = Map::new();
    for field in Field::ALL {
        let text = match event.value(field) {
            Text::Text(text) | Text::RawPlus(text) if !text.is_empty() => text,
            Text::Text(_) | Text::RawPlus(_) | Text::Absent => continue,
        };
        let value = match field {
            Field::AdvertiserId | Field::Sid | Field::Quantity => number(&text),
            Field::SaleAmount => number(&plain(event.sale_amount)),
            Field::Commissions => number(&plain(event.commission)),
            _ => json!(text),
        };
        object.insert(field.name().to_owned(), value);
    }
    Value::Object(object)
}

fn plain(amount: Amount) -> String {
    amount.to_string()
}

fn number(text: &str) -> Value {
    text.parse::<Number>()
        .map_or_else(|_| json!(text), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DateForm, DateValue};

    fn event(day: i8, currency: &str, batch: bool) -> Event {
        let at = jiff::civil::date(2026, 3, day).at(12, 0, 0, 0);
        let at = at.to_zoned(TimeZone::UTC).unwrap().timestamp();
        Event {
            order_id: day.to_string(),
            process_date: DateValue::At(at, DateForm::Long),
            currency: currency.to_owned(),
            batch,
            ..Event::example(at)
        }
    }

    fn orders(query: &str) -> Vec<String> {
        let mut transactions = Transactions::keeping(6);
        for day in 1..=8 {
            let currency = if day % 2 == 0 { "EUR" } else { "USD" };
            transactions.add(event(day, currency, day > 6));
        }
        let page = transactions.page(&Question::parse(query).unwrap());
        let rows = page.as_array().unwrap().iter();
        rows.map(|row| row["order_id"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_newest_are_kept_and_asked_for_by_date_currency_type_and_page() {
        let cases = [
            ("", "345678"),
            ("limit=4", "3456"),
            ("limit=4&page=2", "78"),
            ("limit=4&page=3", ""),
            ("process_date_start=2026-03-06+00:00:00", "678"),
            (
                "process_date_start=2026-03-04%2012:00:00&process_date_end=2026-03-06%2012:00:00",
                "456",
            ),
            ("transaction_date_end=2026-03-05%2000%3A00%3A00", "34"),
            ("currency=EUR", "468"),
            ("type=batch", "78"),
            ("type=realtime&currency=USD&unknown=1", "35"),
        ];
        for (query, expected) in cases {
            assert_eq!(orders(query).concat(), expected, "{query}");
        }
    }

    #[test]
    fn one_that_is_late_moves_those_behind_it() {
        let mut transactions = Transactions::keeping(6);
        for day in 1..=6 {
            transactions.add(event(day, "USD", false));
        }
        let orders = |page: usize, late| {
            let mut question = Question::parse(&format!("limit=2&page={page}")).unwrap();
            question.late = late;
            let page = transactions.page(&question);
            let rows = page.as_array().unwrap().iter();
            let orders = rows.map(|row| row["order_id"].as_str().unwrap().to_owned());
            orders.collect::<String>()
        };
        let pages = [1, 2, 3].map(|page| orders(page, Some(1)));
        assert_eq!(pages, ["13", "45", "6"]);
        assert_eq!(orders(2, None), "34");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (query, name) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("page=0", "page"),
            ("type=slow", "type"),
            ("process_date_start=yesterday", "process_date_start"),
        ] {
            assert_eq!(Question::parse(query), Err(name.to_owned()));
        }
    }

    #[test]
    fn a_transaction_has_the_networks_names_and_numbers() {
        let sale = Event {
            sku: None,
            ..event(1, "USD", false)
        };
        let expected = json!({
            "etransaction_id": "5a1ec0de5a1ec0de5a1ec0de5a1ec0de", "advertiser_id": 38605,
            "sid": 3_817_122, "order_id": "1", "offer_id": "727010", "sale_amount": 180,
            "quantity": 1, "commissions": 5.4,
            "process_date": "Sun Mar 01 2026 12:00:00 GMT+0000 (UTC)",
            "transaction_date": "Sun Mar 01 2026 12:00:00 GMT+0000 (UTC)",
            "transaction_type": "realtime", "product_name": "Trail jacket", "currency": "USD",
            "u1": "clk0001", "is_event": "N", "commission_list_id": "12",
        });
        assert_eq!(as_json(&sale), expected);
    }
}
