//! What happens in the shops: orders, their SKU lines, signals and reversals, made from a seed.
//!
//! The same settings give the same events, on every machine. Nothing here reads a clock.

mod catalogue;
mod chapters;
mod order;
mod settings;
mod shop;

use jiff::SignedDuration;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::event::{Event, Kind};
use shop::Shop;

pub use catalogue::{Advertiser, Product, advertisers};
pub use chapters::Chapters;
pub use settings::{ScenarioError, Settings, Shares};

/// Everything that the network reports, in the order in which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// As many events as the settings ask for, by `sent_at`.
    pub events: Vec<Event>,
}

/// A sale that was reversed later, to look for in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversedOrder {
    /// The advertiser ("MID").
    pub advertiser_id: u64,
    /// The order that both reports share.
    pub order_id: String,
    /// The click that led to the sale.
    pub click_id: String,
    /// `etransaction_id` of one SKU line's sale.
    pub sale: String,
    /// `etransaction_id` of the same line's reversal.
    pub reversal: String,
}

impl Scenario {
    /// Plays the shops' days and collects what the network reports of them. The first orders show
    /// one of every kind that is switched on, so that a short scenario has them all.
    ///
    /// # Errors
    /// When the settings make no sense; see [`ScenarioError`].
    pub fn generate(settings: &Settings) -> Result<Self, ScenarioError> {
        settings.check()?;
        let wanted = usize::try_from(settings.postbacks).unwrap_or(usize::MAX);
        let repeats = wanted
            .saturating_mul(usize::from(settings.shares.repeats))
            .div_ceil(10_000);
        let repeats = repeats.min(wanted / 2);
        let mut shop = Shop::open(settings)?;
        let mut events = Vec::new();
        while events.len() < wanted - repeats {
            events.extend(shop.next_order());
        }
        events.truncate(wanted - repeats);
        repeat_some(&mut events, repeats, &mut shop.random);
        events.sort_by_key(|event| event.sent_at);
        Ok(Scenario { events })
    }

    /// The first attributed sale that was reversed, if there is one.
    #[must_use]
    pub fn reversed_order_example(&self) -> Option<ReversedOrder> {
        let transactions = || {
            self.events
                .iter()
                .filter(|event| event.kind == Kind::Transaction)
        };
        let same_line = |a: &Event, b: &Event| {
            (a.advertiser_id, &a.order_id, &a.sku, &a.product_name)
                == (b.advertiser_id, &b.order_id, &b.sku, &b.product_name)
        };
        transactions()
            .filter(|event| event.sale_amount.is_negative())
            .find_map(|reversal| {
                let sale = transactions()
                    .find(|event| !event.sale_amount.is_negative() && same_line(event, reversal))?;
                Some(ReversedOrder {
                    advertiser_id: sale.advertiser_id,
                    order_id: sale.order_id.clone(),
                    click_id: sale.click.id()?.to_owned(),
                    sale: sale.transaction_id.clone()?,
                    reversal: reversal.transaction_id.clone()?,
                })
            })
    }
}

/// Has the network report `count` of the events again, word for word, up to a day later.
fn repeat_some(events: &mut Vec<Event>, count: usize, random: &mut ChaCha8Rng) {
    let originals = events.len() as u64;
    for _ in 0..count {
        let index = usize::try_from(random.random_range(0..originals)).unwrap_or_default();
        let mut again = events[index].clone();
        again.sent_at += SignedDuration::from_secs(random.random_range(1..86_400));
        events.push(again);
    }
}

#[cfg(test)]
mod tests;
