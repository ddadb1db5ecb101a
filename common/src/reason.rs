//! Every reason and flag that leaves the system, in one place.
//!
//! The text of a variant ([`Rejection::as_str`] and its sisters) stands in tables, metrics and
//! reports and never changes once released; the sentence ([`Rejection::explanation`]) is for people.

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $tag:literal, $sentence:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $sentence] $variant,)+
        }

        impl $name {
            /// All of them, in the order of this page.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The machine-readable tag.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $tag,)+ }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a request was not accepted. The sender got an error status; nothing was stored.
    Refusal {
        NotFound = "not_found", "The path is none of ours, or its key is unknown or belongs to a disabled source.";
        Forbidden = "forbidden", "The caller's address is not in the source's allow_from.";
        Unauthorized = "unauthorized", "The source has basic_auth, and user and password are missing or wrong.";
        WrongMethod = "wrong_method", "Only GET, POST and HEAD are understood.";
        QueryTooLarge = "query_too_large", "The query is longer than ingest.max_query_bytes.";
        BodyTooLarge = "body_too_large", "The body is longer than ingest.max_body_bytes.";
        Unparsable = "unparsable", "The bytes are no HTTP request.";
        HeadTooLarge = "head_too_large", "The request line and the headers together are too long, or the headers too many.";
        HeadIncomplete = "head_incomplete", "The connection ended, or the time ran out, before the head of the request was whole.";
        BodyIncomplete = "body_incomplete", "The connection ended, or the time ran out, before the body was whole.";
        NotConfirmed = "not_confirmed", "Neither Kafka nor the spool confirmed the record in time; it may be there all the same.";
        NowhereToStore = "nowhere_to_store", "Neither Kafka nor the spool takes the record: both are away, full, or refuse it.";
        Overloaded = "overloaded", "Too many connections, requests or bytes of requests at once.";
        ShuttingDown = "shutting_down", "The process is going down.";
    }
}

reasons! {
    /// Why a postback could not become a conversion. It stays in `postbacks` and in Kafka, and a
    /// replay with better rules can accept it.
    Rejection {
        NotARecord = "not_a_record", "The bytes in Kafka are not a raw record.";
        UnknownSource = "unknown_source", "The configuration has no source of this name.";
        NoParameters = "no_parameters", "The request carried no parameter that is read: none at all, or only a body of another content type than the network's.";
        MissingIdentity = "missing_identity", "What the account's identity is made of (transaction id, or order id) is missing.";
        RawNotKept = "raw_not_kept", "The database had refused the raw record's text and kept its hash alone, and Kafka has it no more: nothing is left to be read again.";
        UnreadableKeyDate = "unreadable_key_date", "The network's immutable date, which places the conversion, is missing or unreadable.";
        RefusedByServer = "refused_by_server", "ClickHouse refused the conversion's row for a value of it; postbacks.detail has its words.";
    }
}

reasons! {
    /// What is remarkable about a row of postbacks.
    PostbackFlag {
        RawReplaced = "raw_replaced", "ClickHouse refused the row with its raw text, which the hash of it stands for; postbacks.detail has its words.";
    }
}

reasons! {
    /// What is remarkable about an accepted conversion. The raw text stays in the record.
    Flag {
        NoIdentity = "no_identity", "The template carries neither transaction id nor order id: repeats cannot be told from new sales.";
        MissingSignalField = "missing_signal_field", "The parameter that tells signals from transactions is missing, or says none of the network's words for either: never summed.";
        MissingClickId = "missing_click_id", "No click id: the conversion is unattributed.";
        UnreplacedMacro = "unreplaced_macro", "A value is a macro that the network did not replace: the template is misconfigured.";
        MissingAmount = "missing_amount", "A money field that the template carries is missing or empty.";
        ZeroAmount = "zero_amount", "A money field is zero; often the wrong field is mapped.";
        UnreadableAmount = "unreadable_amount", "A money field is not a decimal number.";
        AmountOutOfRange = "amount_out_of_range", "A money field is at least 10^13, or has more than four decimals that are not zero.";
        UnreadableQuantity = "unreadable_quantity", "The quantity is not a decimal number, or out of range.";
        UnreadableDate = "unreadable_date", "A date is in no form that the network is known to send.";
        DateOutOfReason = "date_out_of_reason", "A date is before 2000 or after 2100.";
        AssumedCurrency = "assumed_currency", "No currency was sent: the source's is taken.";
        MissingCurrency = "missing_currency", "No currency was sent, and the source has none.";
        UnknownCurrency = "unknown_currency", "The currency is no ISO 4217 code.";
        RepeatedParameter = "repeated_parameter", "A mapped parameter, or the form field that holds JSON, came more than once; the first counts, the rest is in extra.";
        TextTooLong = "text_too_long", "A text is longer than 64 KiB: the field is empty, the raw text stays.";
        TooManyParameters = "too_many_parameters", "More than 200 parameters: the rest is only in the raw record.";
        InvalidUtf8 = "invalid_utf8", "A value is not UTF-8: the broken bytes are shown as U+FFFD, the raw text stays. Or it is half of a surrogate pair in JSON: its field is empty, and extra has it as written.";
        UnreadBody = "unread_body", "The request has a body of a kind that this network is not known to send: it is left unread.";
        UnreadableBody = "unreadable_body", "The body, or the form field that holds JSON, is no whole JSON object: what stands before the fault is read.";
        UnexpectedMethod = "unexpected_method", "The request came by another method than this network uses.";
        UnknownParameter = "unknown_parameter", "A parameter that neither the network's profile nor the source's template knows: it is kept in extra.";
        UnknownMarker = "unknown_marker", "The parameter pbt names a template that the source does not have: it is read by the one that was valid at the time.";
        UnknownStatus = "unknown_status", "The network's word for the status is not known: the usual status is taken, the word is in extra.";
        UnknownEligibility = "unknown_eligibility", "Whether the order counts for the network is said in a word that is not known: it is taken to count, the word is in extra.";
        RepeatedOrder = "repeated_order", "The order stands more than once in one request: its newest revision counts, of equals the last.";
        WholeAmount = "whole_amount", "A money field came without decimals in a currency that has them; where most do, it is rounded or the wrong field.";
        DoubtfulSeparator = "doubtful_separator", "A money field has separators that could mean thousands or decimals: the field is empty.";
        AmountWithoutCurrency = "amount_without_currency", "A money field in minor units whose currency is not known: the field is empty.";
        ForeignPublisher = "foreign_publisher", "The publisher id is not the one that the source is configured with.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_of_flags_has_each_with_its_sentence_and_no_other() {
        fn rows<T>(all: &[T], told: impl Fn(&T) -> (&'static str, &'static str)) -> Vec<String> {
            let row = |(tag, sentence)| format!("| `{tag}` | {sentence} |");
            all.iter().map(|one| row(told(one))).collect()
        }
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flags.md");
        let page = std::fs::read_to_string(page).unwrap();
        let told: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        let expected = [
            rows(Flag::ALL, |one| (one.as_str(), one.explanation())),
            rows(Rejection::ALL, |one| (one.as_str(), one.explanation())),
            rows(PostbackFlag::ALL, |one| (one.as_str(), one.explanation())),
            rows(Refusal::ALL, |one| (one.as_str(), one.explanation())),
        ];
        assert_eq!(told, expected.concat(), "docs/flags.md");
    }

    #[test]
    fn tags_are_unique_snake_case() {
        let tags: Vec<&str> = (Refusal::ALL.iter().map(|r| r.as_str()))
            .chain(Rejection::ALL.iter().map(|r| r.as_str()))
            .chain(PostbackFlag::ALL.iter().map(|r| r.as_str()))
            .chain(Flag::ALL.iter().map(|r| r.as_str()))
            .collect();
        let plain = |tag: &&str| {
            tag.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        assert!(tags.iter().all(plain), "{tags:?}");
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len());
    }
}
