//! The shops that the scenario plays: invented names, in four currencies.

use crate::event::AmountForm;

/// A shop that pays commissions through the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertiser {
    /// The advertiser's number ("MID").
    pub id: u64,
    /// The offer that its links belong to ("OID").
    pub offer_id: &'static str,
    /// ISO 4217 code that it sells in.
    pub currency: &'static str,
    /// Decimals of that currency's minor unit: 2 for cents, 0 for yen.
    pub minor_digits: u8,
    /// How it writes amounts.
    pub amount_form: AmountForm,
    /// The publisher's share of a sale, in ten-thousandths.
    pub commission_share: u16,
    /// What it sells.
    pub products: Vec<Product>,
}

/// Something to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The product's number.
    pub sku: &'static str,
    /// Its name, with all that shops put into names.
    pub name: &'static str,
    /// Price of one piece before any discount, in the currency's minor unit.
    pub price: i64,
}

const fn product(sku: &'static str, name: &'static str, price: i64) -> Product {
    Product { sku, name, price }
}

/// The advertisers of a scenario by default: two sell in USD and two in EUR, one writes amounts
/// without needless zeros in each pair, and yen have no minor unit.
#[must_use]
pub fn advertisers() -> Vec<Advertiser> {
    let fixed = AmountForm::Decimals(2);
    let short = AmountForm::Short;
    let shop = |id, offer_id, currency, amount_form, commission_share, products: &[Product]| {
        let minor_digits = if currency == "JPY" { 0 } else { 2 };
        let products = products.to_vec();
        Advertiser {
            id,
            offer_id,
            currency,
            minor_digits,
            amount_form,
            commission_share,
            products,
        }
    };
    vec![
        shop(38_605, "727010", "USD", short, 300, &OUTDOOR),
        shop(40_090, "812240", "USD", fixed, 1_250, &BEAUTY),
        shop(2_557, "398114", "EUR", fixed, 800, &KITCHEN),
        shop(13_816, "451207", "EUR", short, 425, &BOOKS),
        shop(41_243, "690031", "GBP", fixed, 650, &FASHION),
        shop(36_342, "880502", "JPY", short, 220, &ELECTRONICS),
    ]
}

const OUTDOOR: [Product; 4] = [
    product("NW-1001", "Trail jacket", 18_000),
    product("NW-1002", "Wool socks (3 pairs) ", 2_499),
    product("NW-1003", "Tent \"Two & a dog\"", 34_995),
    product("NW-1004", "Water bottle 50% recycled", 1_850),
];
const BEAUTY: [Product; 4] = [
    product("B00-17", "Lip balm #4", 699),
    product("B00-18", "Night cream 50 ml ", 4_250),
    product("B00-19", "Sérum à l'eau de rose", 6_120),
    product("B00-20", "Gift box <small>", 2_999),
];
const KITCHEN: [Product; 4] = [
    product("K/204", "Crème brûlée torch ", 3_490),
    product("K/205", "Teekanne „Weiß“ 1,2 l", 5_995),
    product("K/206", "Messerblock + Wetzstahl", 12_900),
    product("K/207", "Pfeffermühle", 2_745),
];
const BOOKS: [Product; 4] = [
    product("9783100000012", "Der Schatten; ein Roman", 2_200),
    product("9783100000029", "Kochen = Leben", 3_450),
    product("9783100000036", "Gedichte ", 1_099),
    product("9783100000043", "Atlas der Wege?", 4_999),
];
const FASHION: [Product; 4] = [
    product("HH 77", "Shirt, size M/L", 3_900),
    product("HH 78", "Scarf £ale", 1_795),
    product("HH 79", "Boots \\ brown", 14_450),
    product("HH 80", "Zoë's dress ", 8_999),
];
const ELECTRONICS: [Product; 4] = [
    product("SD-550", "炊飯器 5.5合", 24_800),
    product("SD-551", "イヤホン ", 6_980),
    product("SD-552", "USB-C ケーブル 2m", 1_280),
    product("SD-553", "電気ケトル", 4_480),
];
