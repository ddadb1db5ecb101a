//! Reads a request's body within its limit and time, and within the room of all bodies.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use postback_common::reason::Refusal;
use tokio::time::timeout;

use crate::room::{Full, Held, Room};

/// Most of a refused body that is read and thrown away.
const DRAINED_BYTES: usize = 1024 * 1024;

/// Longest time for that.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

/// What bounds a body.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// Most bytes of it.
    pub bytes: usize,
    /// Longest time for it.
    pub within: Duration,
    /// For what all requests hold at once.
    pub room: &'a Room,
}

/// A body that was read whole. Its bytes count as held until it is dropped.
#[derive(Debug, Default)]
pub struct Read {
    /// All of it; empty where there is none.
    pub bytes: Bytes,
    _held: Option<Held>,
}

/// Reads the whole body. On a refusal the rest of it is drained.
///
/// # Errors
/// [`Refusal::BodyTooLarge`] as soon as the limit is passed, whatever length was announced.
/// [`Refusal::BodyIncomplete`] when the connection or the time ends first. [`Refusal::Overloaded`]
/// when all bodies together have no room for it: at once where its length was announced.
pub async fn read(mut body: Incoming, bounds: Bounds<'_>) -> Result<Read, Refusal> {
    if body.is_end_stream() {
        return Ok(Read::default());
    }
    // Most requests have no body: it is not in the future that every connection has room for.
    match Box::pin(timeout(bounds.within, collect(&mut body, bounds))).await {
        Ok(Err(refusal @ (Refusal::BodyTooLarge | Refusal::Overloaded))) => {
            drain(body);
            Err(refusal)
        }
        Ok(read) => read,
        Err(_) => Err(Refusal::BodyIncomplete),
    }
}

async fn collect(body: &mut Incoming, bounds: Bounds<'_>) -> Result<Read, Refusal> {
    let announced = body.size_hint().exact();
    let announced = announced.and_then(|length| usize::try_from(length).ok());
    let mut held = bounds.room.enter();
    let mut hold = |bytes| held.grow_to(bytes).map_err(|Full| Refusal::Overloaded);
    hold(announced.unwrap_or_default())?;
    // Nearly every body comes in one piece, which then needs no copy.
    let Some(first) = next(body).await? else {
        return Ok(Read::default());
    };
    let mut add = |have: usize, piece: &Bytes| {
        if have + piece.len() > bounds.bytes {
            return Err(Refusal::BodyTooLarge);
        }
        hold(have + piece.len())
    };
    add(0, &first)?;
    let mut bytes = first;
    if !body.is_end_stream() {
        let mut whole = BytesMut::from(&bytes[..]);
        while let Some(piece) = next(body).await? {
            add(whole.len(), &piece)?;
            whole.extend_from_slice(&piece);
        }
        bytes = whole.freeze();
    }
    Ok(Read {
        bytes,
        _held: Some(held),
    })
}

/// The next piece of data; trailers are passed over.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(Refusal::BodyIncomplete),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads a body that nobody wants, within bounds and beside the answer: a socket that is closed with
/// unread bytes resets the connection, and the sender may never see why it was refused.
pub fn drain(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(async move {
        let draining = async {
            let mut left = DRAINED_BYTES;
            while let Ok(Some(piece)) = next(&mut body).await {
                left = left.saturating_sub(piece.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Past the time the sender is on its own.
        timeout(DRAINED_WITHIN, draining).await.is_ok()
    });
}
