//! What the contract demands of the receiver: what makes two postbacks one conversion, and what
//! must become of each request. Derived from the contract's words, not from any program.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::event::Kind;
use crate::facts::Facts;
use crate::field::Field;
use crate::template::Template;

/// What must become of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// Acknowledged, and a row among the conversions.
    Loaded {
        /// What it counts as.
        kind: Kind,
    },
    /// Acknowledged and kept, but never a conversion.
    RejectedByNormaliser,
    /// Not stored; answered with this HTTP status.
    RefusedByIngest {
        /// The HTTP status that the contract names.
        status: u16,
    },
}

/// What makes two postbacks of one account the same conversion. It follows from the fields that the
/// account's template carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The transaction id together with `is_event`.
    TransactionId,
    /// No transaction id, but an order id: order, advertiser, SKU, process date, both amounts and
    /// `is_event` together.
    Order,
    /// Neither: two real sales can look alike, so every postback is a conversion of its own.
    None,
}

impl Identity {
    /// What `template` can serve.
    #[must_use]
    pub fn of(template: &Template) -> Self {
        if template.carries(Field::EtransactionId) {
            Identity::TransactionId
        } else if template.carries(Field::OrderId) {
            Identity::Order
        } else {
            Identity::None
        }
    }

    /// The key that equal conversions share within one source; `None` where the postback has none,
    /// because it is always its own conversion or because it lacks what its account needs.
    pub(crate) fn conversion(self, facts: &Facts) -> Option<String> {
        let kind = facts.kind;
        match self {
            Identity::TransactionId => facts
                .transaction_id
                .as_ref()
                .map(|id| format!("{id} {kind:?}")),
            Identity::Order => {
                let amount = |amount: Option<Amount>| amount.map(Amount::scaled);
                facts.order_id.as_ref().map(|order| {
                    format!(
                        "{:?}",
                        (
                            order,
                            &facts.advertiser_id,
                            &facts.sku,
                            facts.processed_at,
                            amount(facts.sale_amount),
                            amount(facts.commission),
                            kind,
                        )
                    )
                })
            }
            Identity::None => None,
        }
    }
}

impl Fate {
    /// What must become of a request that ingest accepts: a postback without what its account's
    /// identity needs, or without a readable transaction date where the template carries one (it
    /// decides the day under which the conversion is kept), cannot be a row.
    pub(crate) fn of_accepted(facts: &Facts, template: &Template) -> Self {
        let lacks_identity = match Identity::of(template) {
            Identity::TransactionId => facts.transaction_id.is_none(),
            Identity::Order => facts.order_id.is_none(),
            Identity::None => false,
        };
        let lacks_day = template.carries(Field::TransactionDate) && facts.occurred_at.is_none();
        if lacks_identity || lacks_day {
            Fate::RejectedByNormaliser
        } else {
            Fate::Loaded { kind: facts.kind }
        }
    }
}
