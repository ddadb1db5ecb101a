//! What chance makes of an order before its lines are known.

use rand::RngExt;

use super::catalogue::Advertiser;
use super::shop::{DAY, Shop};
use crate::event::{Click, DateForm, DateValue, Event, Spelling};

/// What all lines of one order share.
pub(super) struct Order<'a> {
    pub(super) advertiser: &'a Advertiser,
    /// Seconds from opening to the order.
    pub(super) placed: i64,
    pub(super) reversed: bool,
    pub(super) zero: bool,
    pub(super) form: DateForm,
    /// An event with all that the lines share; the rest is overwritten per line.
    pub(super) shared: Event,
}

impl<'a> Shop<'a> {
    pub(super) fn order(&mut self) -> Order<'a> {
        let settings = self.settings;
        let shares = settings.shares;
        let days = i64::from(settings.days);
        let day = if self.number == 0 {
            0
        } else {
            self.random.random_range(0..days)
        };
        let placed = day * DAY + self.random.random_range(0..DAY);
        let reversed = day + 1 < days && self.chance(shares.reversed, 0);
        let zero = !reversed && self.chance(shares.zero_amounts, 3);
        let form = self.date_form();
        let shop = self
            .random
            .random_range(0..settings.advertisers.len() as u64);
        let shop = usize::try_from(shop).unwrap_or_default();
        let advertiser = &settings.advertisers[shop];
        let at = self.after_opening(placed);
        let shared = Event {
            advertiser_id: advertiser.id,
            publisher_id: settings.publisher_id,
            order_id: self.order_id(),
            offer_id: advertiser.offer_id.to_owned(),
            amount_form: advertiser.amount_form,
            currency: advertiser.currency.to_owned(),
            transaction_date: DateValue::At(at, form),
            // A batch may come more than a day later: too late for a sale that is taken back.
            batch: !reversed && self.chance(shares.batch, 7),
            click: self.click(),
            commission_list_id: (advertiser.id % 97).to_string(),
            spelling: self.spelling(),
            ..Event::example(at)
        };
        Order {
            advertiser,
            placed,
            reversed,
            zero,
            form,
            shared,
        }
    }

    fn date_form(&mut self) -> DateForm {
        let shares = self.settings.shares;
        if self.chance(shares.iso_dates, 6) {
            if self.random.random_ratio(1, 2) {
                DateForm::Iso
            } else {
                DateForm::IsoOffset
            }
        } else if self.chance(shares.raw_plus, 5) {
            DateForm::LongRawPlus
        } else {
            DateForm::Long
        }
    }

    fn spelling(&mut self) -> Spelling {
        if !self.chance(self.settings.shares.careless, 9) {
            Spelling::Careful
        } else if self.random.random_ratio(1, 3) {
            Spelling::RawLatin1
        } else {
            Spelling::Raw
        }
    }

    /// A number of its own for every order, growing with gaps as shops' numbers do.
    fn order_id(&mut self) -> String {
        let place = self.settings.first_order + self.number;
        let number = 1_900_000_000 + place * 97 + self.random.random_range(0..97);
        let letter = if self.chance(self.settings.shares.letter_orders, 0) {
            "M"
        } else {
            ""
        };
        format!("{letter}{number}")
    }

    fn click(&mut self) -> Click {
        let shares = self.settings.shares;
        if self.chance(shares.unreplaced_macros, 4) {
            return Click::Macro;
        }
        let (empty, absent) = (self.number == 1, self.number == 2);
        if self.chance_or(empty || absent, shares.without_click) {
            let absent = absent || (!empty && self.random.random_ratio(1, 2));
            return if absent { Click::Absent } else { Click::Empty };
        }
        let again = self.chance(shares.same_click, 8);
        let id = match self.last_click.take() {
            Some(id) if again => id,
            _ => self.click_id(),
        };
        self.last_click = Some(id.clone());
        Click::Id(id)
    }

    /// 8 to 72 alphanumerics.
    fn click_id(&mut self) -> String {
        const ALPHABET: &[u8; 62] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let length = if self.random.random_ratio(1, 20) {
            72
        } else {
            self.random.random_range(8..33)
        };
        let mut letter = || char::from(ALPHABET[usize::from(self.random.random_range(0..62_u8))]);
        (0..length).map(|_| letter()).collect()
    }
}
