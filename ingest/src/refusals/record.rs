//! The record of one refusal.

use jiff::Timestamp;
use postback_common::reason::Refusal;
use postback_common::record::Text;
use postback_common::refusal::RefusalRecord;
use postback_common::url_key::KeyHash;
use uuid::Uuid;

use super::Glimpse;
use super::mask::{self, Masked};
use crate::answer::refused_with;
use crate::gate;
use crate::sources::Sources;
use crate::target::Target;

/// Most bytes that are kept of each field.
const METHOD_BYTES: usize = 32;
const PATH_BYTES: usize = 512;
const QUERY_BYTES: usize = 2_048;
const USER_AGENT_BYTES: usize = 256;

/// Masks and cuts what was seen. `suppressed` as in [`RefusalRecord`].
pub(super) fn of<'a>(
    id: Uuid,
    now: Timestamp,
    refusal: Refusal,
    suppressed: u64,
    glimpse: &Glimpse<'a>,
    sources: &'a Sources,
) -> RefusalRecord<'a> {
    let mut cut = Vec::new();
    let mut kept = |name: &'static str, masked: Masked| {
        if masked.is_cut {
            cut.push(Text::from(name));
        }
        Text::from(masked.text)
    };
    let method = glimpse.method.map(|method| {
        let masked = mask::text(method, false, METHOD_BYTES);
        kept("method", masked)
    });
    // Where the target was cut off, its last piece may be the beginning of a key.
    let path = glimpse.target.map(|target| {
        let is_cut = target.cut && target.query.is_empty();
        kept("path", mask::path(target.path, is_cut, PATH_BYTES))
    });
    let query = glimpse.target.map(|target| {
        let is_cut = target.cut && !target.query.is_empty();
        kept("query", mask::text(target.query, is_cut, QUERY_BYTES))
    });
    let user_agent = glimpse.user_agent.map(|agent| {
        let masked = mask::text(agent, false, USER_AGENT_BYTES);
        kept("user_agent", masked)
    });
    let known = glimpse.target.and_then(|target| owner(sources, target));
    RefusalRecord {
        id,
        refused_at: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
        reason: refusal.as_str().into(),
        status: refused_with(refusal).0.as_u16(),
        source: known.map(|(source, _)| source.into()),
        key: known.map(|(_, key)| key.into()),
        method,
        path,
        query,
        query_bytes: glimpse.target.map_or(0, |target| target.query.len() as u64),
        remote: glimpse.remote.into(),
        user_agent,
        cut,
        suppressed,
    }
}

/// Names of source and key, also of a disabled source: its network still sends.
fn owner<'a>(sources: &'a Sources, target: Target<'_>) -> Option<(&'a str, &'a str)> {
    let key = gate::url_key(target.path)?;
    sources.names(&KeyHash::of_bytes(key))
}
