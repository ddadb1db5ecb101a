//! Whether a fetched transaction is sent: what it says against what the tables hold.

use jiff::Timestamp;
use postback_common::reason::Flag;
use postback_normalise::profile::CommissionCurrency;
use postback_normalise::{Amount, Conversion, Currency, Field};
use postback_store::reports::Money;
use postback_store::reports::held::Held;
use postback_store::retention::{Horizon, Month};

use super::Why;
use super::carried::Carried;
use super::said::Said;

/// What becomes of a transaction that can be a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The tables say the same.
    Matched,
    /// It is sent.
    Sent(Why),
    /// This run sent it before, and was interrupted before it could note it.
    SentBefore,
    /// The tables say something else, and would not take this in its place, or say more; or they keep
    /// nothing so old.
    Undecided,
}

/// How two values of a column stand to each other.
enum Difference {
    None,
    /// Both say something, and not the same; or only the fetched one does.
    Other,
    /// Only the tables say something.
    Less,
}

/// Whether the tables keep nothing so old, `clickhouse.keep_days`: what was sent would be dropped at once,
/// and missing again whenever it is fetched.
pub(super) fn is_too_old(pulled: &Conversion<'_>, horizon: Option<Horizon>) -> bool {
    horizon.is_some_and(|horizon| horizon.drops(Month::of(pulled.key_day)))
}

/// Compares one with what is held under its key. `said` is the same, as the API gave it.
pub(super) fn judge(
    pulled: &Conversion<'_>,
    held: &Held,
    carried: &Carried,
    said: &Said<'_>,
) -> Verdict {
    if held.postback_id == pulled.postback_id {
        return Verdict::SentBefore;
    }
    let (mut is_other, mut is_less) = (false, false);
    let status = of_status(pulled, held, said);
    for difference in differences(pulled, held, carried, said).chain([status]) {
        match difference {
            Difference::None => {}
            Difference::Other => is_other = true,
            Difference::Less => is_less = true,
        }
    }
    let is_newer = carried.has(Field::ProcessedAt) && pulled.processed_at > held.processed_at;
    // What would take the place of a row takes all of it: what says less would lose the rest.
    match (is_other, is_newer) {
        (false, false) => Verdict::Matched,
        _ if is_less || pulled.revision <= held.revision => Verdict::Undecided,
        (true, _) => Verdict::Sent(Why::Changed),
        (false, _) => Verdict::Sent(Why::Newer),
    }
}

fn differences<'a>(
    pulled: &'a Conversion<'_>,
    held: &'a Held,
    carried: &'a Carried,
    said: &Said<'_>,
) -> impl Iterator<Item = Difference> + 'a {
    let [currency, commission_currency] = currencies(pulled, held, said);
    let texts = [
        (Field::OrderId, &*pulled.order_id, &*held.order_id),
        (Field::ClickId, &pulled.click_id, &held.click_id),
        (
            Field::AdvertiserId,
            &pulled.advertiser_id,
            &held.advertiser_id,
        ),
        (Field::PublisherId, &pulled.publisher_id, &held.publisher_id),
        (Field::OfferId, &pulled.offer_id, &held.offer_id),
        (Field::Sku, &pulled.sku, &held.sku),
        (Field::ProductName, &pulled.product_name, &held.product_name),
        (Field::Currency, currency, &held.currency),
        (
            Field::CommissionCurrency,
            commission_currency,
            &held.commission_currency,
        ),
    ];
    let numbers = [
        (Field::Quantity, pulled.quantity, held.quantity),
        (Field::SaleAmount, pulled.sale_amount, held.sale_amount),
        (Field::Commission, pulled.commission, held.commission),
    ];
    let instants = [(Field::OccurredAt, pulled.occurred_at, held.occurred_at)];
    let texts = texts
        .into_iter()
        .map(|(field, pulled, held)| (field, of_texts(pulled, held)));
    let numbers = numbers
        .into_iter()
        .map(|(field, pulled, held)| (field, of_numbers(pulled, held)));
    let instants = instants
        .into_iter()
        .map(|(field, pulled, held)| (field, of_instants(pulled, held)));
    let all = texts.chain(numbers).chain(instants);
    // What stands in a column that not every push fills is lost all the same.
    let counts = |field: Field, difference: &Difference| {
        carried.has(field) || matches!(difference, Difference::Less)
    };
    all.filter(move |(field, difference)| counts(*field, difference))
        .map(|(_, difference)| difference)
}

/// That of the sale and that of the commission, as far as the API says them: what rules filled in says
/// nothing against what was pushed.
fn currencies(pulled: &Conversion<'_>, held: &Held, said: &Said<'_>) -> [&'static str; 2] {
    let code = |currency: Option<Currency>| currency.map_or("", Currency::as_str);
    let (sale, commission) = (code(pulled.currency), code(pulled.commission_currency));
    let is_sale_said = || said.has(Field::Currency);
    // That of the sale holds for both, unless the one that is held was pushed by itself.
    let follows = || {
        let rule = said.rules().profile().amounts.commission_currency;
        rule == CommissionCurrency::Sale
            && held.commission_currency == held.currency
            && is_sale_said()
    };
    let keeps_sale = sale == held.currency || is_sale_said();
    let keeps_commission =
        commission == held.commission_currency || said.has(Field::CommissionCurrency) || follows();
    let kept = |code, is_kept: bool| if is_kept { code } else { "" };
    [kept(sale, keeps_sale), kept(commission, keeps_commission)]
}

/// The usual status, where no word said it, says nothing against one that a word did.
fn of_status(pulled: &Conversion<'_>, held: &Held, said: &Said<'_>) -> Difference {
    if pulled.status.as_str() == held.status {
        return Difference::None;
    }
    let known = &said.rules().profile().status;
    let is_told = said.has(Field::Status) && !pulled.flags.contains(&Flag::UnknownStatus);
    if is_told || pulled.status != known.default {
        return Difference::Other;
    }
    let mut amounts = [held.sale_amount, held.commission].into_iter().flatten();
    let is_negative = amounts.any(|amount| amount.0 < 0);
    let by_amounts = known.negative.filter(|_| is_negative);
    // No word said the other one either: the amounts did.
    if held.status == by_amounts.unwrap_or(known.default).as_str() {
        Difference::Other
    } else {
        Difference::Less
    }
}

fn of_texts(pulled: &str, held: &str) -> Difference {
    match (pulled, held) {
        _ if pulled == held => Difference::None,
        ("", _) => Difference::Less,
        _ => Difference::Other,
    }
}

fn of_numbers(pulled: Option<Amount>, held: Option<Money>) -> Difference {
    let pulled = pulled.map(|amount| i128::from(amount.units()));
    match (pulled, held.map(|money| money.0)) {
        (pulled, held) if pulled == held => Difference::None,
        (None, _) => Difference::Less,
        _ => Difference::Other,
    }
}

fn of_instants(pulled: Option<Timestamp>, held: Option<Timestamp>) -> Difference {
    match (pulled, held) {
        (pulled, held) if pulled == held => Difference::None,
        (None, _) => Difference::Less,
        _ => Difference::Other,
    }
}
