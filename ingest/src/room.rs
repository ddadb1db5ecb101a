//! Memory for requests that are under way: bounded for all connections together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that requests may hold together. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

/// Bytes that are held. They are free again when it is dropped.
#[derive(Debug)]
pub struct Held {
    room: Room,
    permits: Option<OwnedSemaphorePermit>,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Room {
    /// Of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let bytes = bytes.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Nothing yet.
    #[must_use]
    pub fn enter(&self) -> Held {
        Held {
            room: self.clone(),
            permits: None,
        }
    }
}

impl Held {
    /// Holds at least `bytes` in all.
    ///
    /// # Errors
    /// [`Full`] when others hold too much; what it held it still holds.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Full> {
        let held = self
            .permits
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).map_err(|_| Full)?;
        let more = Arc::clone(&self.room.0)
            .try_acquire_many_owned(more)
            .map_err(|_| Full)?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
        Ok(())
    }

    /// Holds nothing any more.
    pub fn release(&mut self) {
        self.permits = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_hold_no_more_than_there_is() {
        let room = Room::new(100);
        let (mut first, mut second) = (room.enter(), room.enter());
        assert_eq!(first.grow_to(60), Ok(()));
        assert_eq!(first.grow_to(50), Ok(()), "it holds more already");
        assert_eq!(second.grow_to(41), Err(Full));
        assert_eq!(second.grow_to(40), Ok(()));
        assert_eq!(first.grow_to(61), Err(Full));
        first.release();
        assert_eq!(second.grow_to(100), Ok(()));
        drop(second);
        assert_eq!(first.grow_to(100), Ok(()));
        assert_eq!(first.grow_to(usize::MAX), Err(Full));
    }
}
