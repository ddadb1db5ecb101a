//! Connections that are open, to be waited for at the end.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Counts those who are in it. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: AtomicUsize,
    emptied: Notify,
}

/// One who is in the crowd until this is dropped.
#[derive(Debug)]
pub(super) struct Present(Crowd);

impl Crowd {
    /// One more.
    pub(super) fn enter(&self) -> Present {
        self.0.count.fetch_add(1, SeqCst);
        Present(self.clone())
    }

    /// Waits at most `within` for a moment in which nobody is in it; says how many are if there was
    /// none. Others may come meanwhile.
    pub(super) async fn left(&self, within: Duration) -> usize {
        let waited = timeout(within, async {
            loop {
                // Made before the look: it hears what happens after it.
                let emptied = self.0.emptied.notified();
                if self.count() == 0 {
                    return;
                }
                emptied.await;
            }
        });
        waited.await.map_or_else(|_| self.count(), |()| 0)
    }

    fn count(&self) -> usize {
        self.0.count.load(SeqCst)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let inner = &self.0.0;
        if inner.count.fetch_sub(1, SeqCst) == 1 {
            inner.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_waited_for_until_nobody_is_in_it() {
        let crowd = Crowd::default();
        let hour = Duration::from_secs(3_600);
        assert_eq!(crowd.left(hour).await, 0, "nobody was in it");
        let (one, other) = (crowd.enter(), crowd.enter());
        assert_eq!(crowd.left(Duration::ZERO).await, 2);
        drop(one);
        assert_eq!(crowd.left(Duration::ZERO).await, 1);
        let leaving = async {
            // Somebody comes before the other goes, and it is waited for him too.
            let late = crowd.enter();
            drop(other);
            tokio::task::yield_now().await;
            drop(late);
        };
        let (left, ()) = tokio::join!(crowd.left(hour), leaving);
        assert_eq!(left, 0);
    }
}
