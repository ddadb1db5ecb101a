//! From a message of the topic to what will stand about it in the tables.

use std::borrow::Cow;
use std::sync::Arc;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use postback_common::reason::Rejection;
pub(crate) use postback_common::record::Message;
use postback_common::record::{RawRecord, RecordError};
use postback_normalise::{Conversion, Outcome, Rules, SourceRules, normalise};
use postback_store::history::Kept;
use postback_store::rows::HASHED;
use uuid::Uuid;

use crate::progress::Offset;

/// What stands before bytes that are not UTF-8 in the column `raw`. No JSON begins so.
const BASE64: &str = "base64:";

/// A message, judged.
#[derive(Debug, Clone)]
pub(crate) struct Judged<'a> {
    pub(crate) offset: Offset,
    pub(crate) id: Uuid,
    pub(crate) received_at: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) via: &'static str,
    pub(crate) remote: Cow<'a, str>,
    /// The message as text: see [`as_text`].
    pub(crate) raw: Cow<'a, str>,
    pub(crate) verdict: Verdict<'a>,
}

impl Judged<'_> {
    /// The same, of texts of its own.
    pub(crate) fn into_owned(self) -> Judged<'static> {
        Judged {
            remote: Cow::Owned(self.remote.into_owned()),
            raw: Cow::Owned(self.raw.into_owned()),
            verdict: match self.verdict {
                Verdict::Accepted(conversion) => {
                    Verdict::Accepted(Box::new(conversion.into_owned()))
                }
                Verdict::Several {
                    conversions,
                    reasons,
                } => Verdict::Several {
                    conversions: conversions
                        .into_iter()
                        .map(Conversion::into_owned)
                        .collect(),
                    reasons,
                },
                Verdict::Rejected {
                    reasons,
                    conversion_key,
                    key_day,
                } => Verdict::Rejected {
                    reasons,
                    conversion_key,
                    key_day,
                },
            },
            ..self
        }
    }

    /// What it is a row of `conversions_gN` for, none where it was rejected.
    pub(crate) fn conversions(&self) -> &[Conversion<'_>] {
        match &self.verdict {
            Verdict::Accepted(conversion) => std::slice::from_ref(conversion),
            Verdict::Several { conversions, .. } => conversions,
            Verdict::Rejected { .. } => &[],
        }
    }

    /// What it will take of a batch, about: its raw record, and what was made of it beside. One
    /// conversion is hardly more than the record that it stands in, but each of several orders in one
    /// record has the parameters of its query for itself.
    pub(crate) fn bytes(&self) -> usize {
        let each = match &self.verdict {
            Verdict::Several { conversions, .. } => &conversions[..],
            Verdict::Accepted(_) | Verdict::Rejected { .. } => &[],
        };
        self.raw.len() + each.iter().map(bytes_of).sum::<usize>()
    }
}

/// Where a message came from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// A source of the configuration.
    Source(Arc<SourceRules>),
    /// A record that names a source which the configuration does not have.
    Unknown(Box<str>),
    /// The bytes are no record.
    Nowhere,
}

/// What becomes of a message.
#[derive(Debug, Clone)]
pub(crate) enum Verdict<'a> {
    Accepted(Box<Conversion<'a>>),
    /// Several orders in one record, at least one of them accepted.
    Several {
        conversions: Vec<Conversion<'a>>,
        /// Why the others were not, each once.
        reasons: Vec<Rejection>,
    },
    Rejected {
        reasons: Vec<Rejection>,
        conversion_key: Option<Uuid>,
        key_day: Option<Date>,
    },
}

/// A record of a later version: this program must not guess what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaterVersion(pub(crate) u64);

/// A message, looked at: a record or not.
#[derive(Debug)]
pub(crate) struct Examined<'a> {
    offset: Offset,
    id: Uuid,
    received_at: Timestamp,
    raw: Cow<'a, str>,
    record: Result<RawRecord<'a>, Rejection>,
}

impl<'a> Examined<'a> {
    /// Looks at a message as it came from Kafka.
    pub(crate) fn of(message: Message<'a>) -> Result<Self, LaterVersion> {
        // All of a message is looked at once; what is UTF-8 as a whole is so in every part.
        let text = str::from_utf8(message.bytes);
        let record = match text {
            Ok(text) => RawRecord::read(text),
            Err(_) => RawRecord::decode(message.bytes),
        };
        match (record, text) {
            (Ok(record), Ok(text)) => Ok(Self {
                offset: message.offset,
                id: record.id,
                received_at: record.received_at,
                raw: Cow::Borrowed(text),
                record: Ok(record),
            }),
            (Err(RecordError::UnknownVersion(version)), _) => Err(LaterVersion(version)),
            (Err(RecordError::NotARecord(_)) | Ok(_), _) => Ok(Self {
                offset: message.offset,
                id: message.id_of_bytes(),
                received_at: message.broker_time(),
                raw: as_text(message.bytes),
                record: Err(Rejection::NotARecord),
            }),
        }
    }

    /// Looks at a record that a generation keeps, as when it came from Kafka.
    pub(crate) fn again(kept: &'a Kept) -> Self {
        let record = RawRecord::read(&kept.raw).map_err(|_| {
            if kept.raw.starts_with(HASHED) {
                Rejection::RawNotKept
            } else {
                Rejection::NotARecord
            }
        });
        Self {
            offset: kept.offset,
            id: record.as_ref().map_or(kept.id, |record| record.id),
            received_at: record
                .as_ref()
                .map_or(kept.received_at, |record| record.received_at),
            raw: Cow::Borrowed(&kept.raw),
            record,
        }
    }

    /// Judges it by the rules of its source.
    pub(crate) fn judge(&'a self, rules: &'a Rules) -> Judged<'a> {
        let (origin, verdict) = match &self.record {
            Ok(record) => match rules.source(&record.source) {
                Some(source) => (
                    Origin::Source(Arc::clone(source)),
                    verdict(normalise(record, source)),
                ),
                None => (
                    Origin::Unknown((*record.source).into()),
                    rejected(Rejection::UnknownSource),
                ),
            },
            Err(reason) => (Origin::Nowhere, rejected(*reason)),
        };
        let record = self.record.as_ref().ok();
        let remote = record.and_then(|record| record.remote.as_deref());
        Judged {
            offset: self.offset,
            id: self.id,
            received_at: self.received_at,
            origin,
            via: record.map_or("", |record| record.via.as_str()),
            remote: Cow::Borrowed(remote.unwrap_or_default()),
            raw: Cow::Borrowed(&self.raw),
            verdict,
        }
    }
}

fn verdict(outcome: Outcome<'_>) -> Verdict<'_> {
    match outcome {
        Outcome::Accepted(conversion) => Verdict::Accepted(conversion),
        Outcome::Rejected(rejected) => Verdict::Rejected {
            reasons: rejected.reasons,
            conversion_key: rejected.conversion_key,
            key_day: rejected.key_day,
        },
        Outcome::Several(each) => several(each),
    }
}

fn several(each: Vec<Outcome<'_>>) -> Verdict<'_> {
    let (mut conversions, mut reasons) = (Vec::with_capacity(each.len()), Vec::new());
    for outcome in each {
        match outcome {
            Outcome::Accepted(conversion) => conversions.push(*conversion),
            Outcome::Rejected(rejected) => reasons.extend(rejected.reasons),
            // None is several itself.
            Outcome::Several(_) => {}
        }
    }
    reasons.sort_unstable_by_key(|reason: &Rejection| reason.as_str());
    reasons.dedup();
    if conversions.is_empty() {
        return Verdict::Rejected {
            reasons,
            conversion_key: None,
            key_day: None,
        };
    }
    Verdict::Several {
        conversions,
        reasons,
    }
}

/// A conversion's columns of fixed length have so many bytes.
const FIXED_BYTES: usize = 160;

fn bytes_of(conversion: &Conversion<'_>) -> usize {
    let texts = [
        &conversion.transaction_id,
        &conversion.order_id,
        &conversion.click_id,
        &conversion.advertiser_id,
        &conversion.publisher_id,
        &conversion.offer_id,
        &conversion.sku,
        &conversion.product_name,
    ];
    let texts = texts.into_iter().map(|text| text.len());
    let sub_ids = conversion.sub_ids.iter();
    let sub_ids = sub_ids.map(|(name, value)| name.len() + value.len());
    let extra = conversion.extra.iter().map(|(name, values)| {
        let values = values.iter().map(|value| value.len());
        name.len() + values.sum::<usize>()
    });
    FIXED_BYTES + texts.chain(sub_ids).chain(extra).sum::<usize>()
}

fn rejected(reason: Rejection) -> Verdict<'static> {
    Verdict::Rejected {
        reasons: vec![reason],
        conversion_key: None,
        key_day: None,
    }
}

/// Records are JSON, and so stand in the table as they are. Other bytes do so where they are
/// UTF-8, and as `base64:…` where they are not: nothing is lost, and the column stays text.
fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => format!("{BASE64}{}", Base64Display::new(bytes, &STANDARD)).into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use postback_common::config;
    use postback_normalise::Configured;

    use super::*;

    pub(crate) const RECORD: &str = r#"{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"rakuten-us","key":"k1","received_at":"2026-09-01T00:00:00.000001Z","method":"GET","query":{"utf8":"is_event=N&etransaction_id=0123456789abcdef0123456789abcdef&transaction_date=2026-08-31T10:00:00Z&sale_amount=-180&commissions=5.4&currency=USD&u1=click&cid=7"},"content_type":null,"body":null,"remote":"203.0.113.7","headers":{},"via":"http"}"#;

    pub(crate) fn rules() -> Rules {
        let text = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"rakuten-us\"\nnetwork = \"rakuten\"\naccount = \"main\"\nenabled = false\n";
        let settings = config::read(Path::new("t.toml"), text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        configured.rules().clone()
    }

    /// A message, judged, of texts of its own.
    pub(crate) fn judge(
        message: Message<'_>,
        rules: &Rules,
    ) -> Result<Judged<'static>, LaterVersion> {
        Ok(Examined::of(message)?.judge(rules).into_owned())
    }

    pub(crate) fn message(bytes: &[u8]) -> Message<'_> {
        Message {
            topic: "postbacks.raw",
            partition: 3,
            offset: 42,
            broker_millis: 1_788_220_800_123,
            bytes,
        }
    }

    /// A judged record of a given size.
    pub(crate) fn judged(offset: Offset, bytes: usize) -> Judged<'static> {
        let judged = judge(message(b""), &rules()).unwrap();
        let raw = "x".repeat(bytes).into();
        Judged {
            offset,
            raw,
            ..judged
        }
    }

    #[test]
    fn a_record_keeps_its_id_and_is_judged_by_its_source() {
        let judged = judge(message(RECORD.as_bytes()), &rules()).unwrap();
        assert_eq!(
            judged.id.to_string(),
            "01a05a43-fc00-7f54-8d8e-0023af5570ee"
        );
        assert_eq!(
            judged.received_at.to_string(),
            "2026-09-01T00:00:00.000001Z"
        );
        assert_eq!(
            (judged.via, &*judged.remote, &*judged.raw),
            ("http", "203.0.113.7", RECORD)
        );
        assert_eq!(judged.offset, 42);
        let Verdict::Accepted(conversion) = judged.verdict else {
            panic!("{judged:?}")
        };
        assert_eq!(conversion.account.as_str(), "main");
        assert_eq!(conversion.sale_amount.unwrap().units(), -1_800_000);
    }

    #[test]
    fn an_unknown_source_is_rejected_under_its_name() {
        let bytes = RECORD.replace("rakuten-us", "long-gone");
        let judged = judge(message(bytes.as_bytes()), &rules()).unwrap();
        assert!(matches!(&judged.origin, Origin::Unknown(name) if &**name == "long-gone"));
        assert_eq!(
            judged.id.to_string(),
            "01a05a43-fc00-7f54-8d8e-0023af5570ee"
        );
        let Verdict::Rejected { reasons, .. } = judged.verdict else {
            panic!()
        };
        assert_eq!(reasons, [Rejection::UnknownSource]);
    }

    #[test]
    fn a_later_version_is_not_guessed_at() {
        let bytes = RECORD.replace("\"v\":1", "\"v\":2");
        let later = judge(message(bytes.as_bytes()), &rules()).map(|judged| judged.id);
        assert_eq!(later, Err(LaterVersion(2)));
    }

    #[test]
    fn bytes_that_are_no_record_get_an_id_of_their_own_and_the_brokers_time() {
        let judged = judge(message(b"\xffno record"), &rules()).unwrap();
        assert_eq!(judged.received_at.to_string(), "2026-09-01T00:00:00.123Z");
        assert_eq!(&*judged.raw, "base64:/25vIHJlY29yZA==");
        assert!(matches!(judged.origin, Origin::Nowhere));
        assert_eq!((judged.via, &*judged.remote), ("", ""));

        assert_eq!(judged.id, message(b"\xffno record").id_of_bytes());

        let plain = judge(message(b"no record"), &rules()).unwrap();
        assert_eq!(&*plain.raw, "no record");
        assert_ne!(plain.id, judged.id);
    }

    #[test]
    fn an_empty_message_of_a_broker_without_a_clock_is_a_row_too() {
        let empty = Message {
            broker_millis: -1,
            ..message(b"")
        };
        let judged = judge(empty, &rules()).unwrap();
        assert_eq!((&*judged.raw, judged.received_at.as_second()), ("", 0));
    }

    #[test]
    fn orders_of_one_record_weigh_what_was_made_of_them() {
        let text = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"shop\"\nnetwork = \"orders\"\nenabled = false\n";
        let settings = config::read(Path::new("t.toml"), text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        let bytes_of = |orders: usize| {
            let order = |number| {
                format!(
                    r#"{{\"order_id\":\"o-{number}\",\"advertiser_id\":\"a\",\"amount\":\"1.00\",\"currency\":\"USD\",\"ordered_at\":\"2026-08-31T10:00:00Z\"}}"#
                )
            };
            let orders: Vec<_> = (0..orders).map(order).collect();
            let (noise, orders) = ("x".repeat(10_000), orders.join(","));
            let record = format!(
                r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"shop","key":"k1","received_at":"2026-09-01T00:00:00.000001Z","method":"POST","query":{{"utf8":"noise={noise}"}},"content_type":"application/json","body":{{"utf8":"[{orders}]"}},"remote":null,"headers":{{}},"via":"http"}}"#
            );
            let judged = judge(message(record.as_bytes()), configured.rules()).unwrap();
            (judged.conversions().len(), judged.bytes() - record.len())
        };
        let (conversions, bytes) = bytes_of(100);
        assert_eq!(conversions, 100);
        // Each has the 10,000 bytes of the query among its own parameters.
        assert!((1_000_000..1_100_000).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_record_none_of_whose_orders_is_taken_is_rejected_for_each_reason_once() {
        let text = "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"shop\"\nnetwork = \"orders\"\nenabled = false\n";
        let settings = config::read(Path::new("t.toml"), text, []).unwrap();
        let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
        let orders = [
            ("o-1", "never"),
            ("", "2026-08-31T10:00:00Z"),
            ("o-3", "soon"),
        ];
        let orders = orders.map(|(id, at)| {
            format!(
                r#"{{\"order_id\":\"{id}\",\"advertiser_id\":\"a\",\"amount\":\"1.00\",\"currency\":\"USD\",\"ordered_at\":\"{at}\"}}"#
            )
        });
        let record = format!(
            r#"{{"v":1,"id":"01a05a43-fc00-7f54-8d8e-0023af5570ee","source":"shop","key":"k1","received_at":"2026-09-01T00:00:00.000001Z","method":"POST","query":{{"utf8":""}},"content_type":"application/json","body":{{"utf8":"[{}]"}},"remote":null,"headers":{{}},"via":"http"}}"#,
            orders.join(",")
        );
        let judged = judge(message(record.as_bytes()), configured.rules()).unwrap();
        assert!(judged.conversions().is_empty());
        let Verdict::Rejected { reasons, .. } = judged.verdict else {
            panic!("{judged:?}")
        };
        let reasons: Vec<_> = reasons.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(reasons, ["missing_identity", "unreadable_key_date"]);
    }
}
