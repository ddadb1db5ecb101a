//! What a conversion says, as it stands and by other rules.

use std::fmt::Debug;

use postback_normalise::{Amount, Conversion, Currency};
use postback_store::sample::SampledConversion;

/// One column of a conversion.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// Its name.
    pub(super) column: &'static str,
    pub(super) from: String,
    pub(super) to: String,
    /// Whether the value is another one for each postback.
    pub(super) varies: bool,
}

/// All columns in which generations are compared, but those that a postback has as well: the key and
/// its day.
pub(super) fn of(old: &SampledConversion, new: &Conversion<'_>) -> Vec<Fact> {
    let fact = |varies: bool| {
        move |column: &'static str, from: String, to: String| Fact {
            column,
            from,
            to,
            varies,
        }
    };
    let (varying, same) = (fact(true), fact(false));
    let text = |column, from: &String, to: &str| varying(column, from.clone(), to.to_owned());
    let word = |column, from: &String, to: &str| same(column, from.clone(), to.to_owned());
    let micros = |time: Option<jiff::Timestamp>| units(time.map(jiff::Timestamp::as_microsecond));
    let flags: Vec<_> = new.flags.iter().map(|flag| flag.as_str()).collect();
    vec![
        word("source", &old.source, new.source.as_str()),
        word("network", &old.network, new.network.as_str()),
        word("account", &old.account, new.account.as_str()),
        word("kind", &old.kind, new.kind.as_str()),
        word("status", &old.status, new.status.as_str()),
        text("transaction_id", &old.transaction_id, &new.transaction_id),
        text("order_id", &old.order_id, &new.order_id),
        text("click_id", &old.click_id, &new.click_id),
        varying("sub_ids", listed(&old.sub_ids), listed(&new.sub_ids)),
        text("advertiser_id", &old.advertiser_id, &new.advertiser_id),
        text("publisher_id", &old.publisher_id, &new.publisher_id),
        text("offer_id", &old.offer_id, &new.offer_id),
        text("sku", &old.sku, &new.sku),
        text("product_name", &old.product_name, &new.product_name),
        varying("quantity", units(old.quantity), amount(new.quantity)),
        varying(
            "sale_amount",
            units(old.sale_amount),
            amount(new.sale_amount),
        ),
        varying("commission", units(old.commission), amount(new.commission)),
        word("currency", &old.currency, code(new.currency)),
        word(
            "commission_currency",
            &old.commission_currency,
            code(new.commission_currency),
        ),
        varying(
            "occurred_at",
            units(old.occurred_at),
            micros(new.occurred_at),
        ),
        varying(
            "processed_at",
            units(old.processed_at),
            micros(new.processed_at),
        ),
        same("flags", old.flags.join(", "), flags.join(", ")),
        varying("extra", listed(&old.extra), listed(&new.extra)),
    ]
}

fn units(units: Option<i64>) -> String {
    units.map_or(String::new(), |units| units.to_string())
}

fn amount(amount: Option<Amount>) -> String {
    units(amount.map(Amount::units))
}

fn code(currency: Option<Currency>) -> &'static str {
    currency.map_or("", Currency::as_str)
}

/// Names with their values so that no two lists look alike; empty where there are none.
fn listed<'a, N: Debug + 'a, V: Debug + 'a>(pairs: impl IntoIterator<Item = &'a (N, V)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().collect();
    if pairs.is_empty() {
        return String::new();
    }
    format!("{pairs:?}")
}
