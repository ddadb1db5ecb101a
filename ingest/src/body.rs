//! Reads a request's body within its limit and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use postback_common::reason::Refusal;
use tokio::time::timeout;

/// Most of a refused body that is read and thrown away.
const DRAINED_BYTES: usize = 1024 * 1024;

/// Longest time for that.
const DRAINED_WITHIN: Duration = Duration::from_secs(5);

/// Reads the whole body; empty where there is none. On a refusal the rest of the body is drained.
///
/// # Errors
/// [`Refusal::BodyTooLarge`] as soon as the limit is passed, whatever length was announced.
/// [`Refusal::BodyIncomplete`] when the connection or the time ends first.
pub async fn read(mut body: Incoming, limit: usize, within: Duration) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match timeout(within, collect(&mut body, limit)).await {
        Ok(Err(Refusal::BodyTooLarge)) => {
            drain(body);
            Err(Refusal::BodyTooLarge)
        }
        Ok(read) => read,
        Err(_) => Err(Refusal::BodyIncomplete),
    }
}

async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, Refusal> {
    // Nearly every body comes in one piece, which then needs no copy.
    let Some(first) = next(body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(Refusal::BodyTooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(&first[..]);
    while let Some(piece) = next(body).await? {
        if whole.len() + piece.len() > limit {
            return Err(Refusal::BodyTooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
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
