//! Work beside the loading that goes on until it is told to stop: a panic in it is a bug, and must
//! not leave it undone in silence until somebody starts the process again.

use std::time::Duration;

use postback_service::lifecycle::Shutdown;
use tokio::task::JoinHandle;
use tracing::error;

/// Before work that ended in a panic begins anew: long enough that a panic each time is no load.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Does `work` in a task of its own until it ends by itself, and begins it anew where it ends in a
/// panic. `stop` is what tells the work to end, too.
pub(crate) fn uphold<F>(
    name: &'static str,
    stop: Shutdown,
    work: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(again_and_again(name, stop, AGAIN_AFTER, work))
}

async fn again_and_again<F>(
    name: &'static str,
    stop: Shutdown,
    pause: Duration,
    mut work: impl FnMut() -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(ended) = tokio::spawn(work()).await {
        // Not its words: they may quote anything.
        if ended.is_panic() {
            error!(
                task = name,
                "a task ended in a panic, which is a bug: please report it, with what stands on stderr before \
                 this line; it begins anew, and loading goes on"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_ends_in_a_panic_begins_anew_until_it_is_told_to_stop() {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let stop = Shutdown::new();
        let (told, turns) = (stop.clone(), Arc::new(AtomicUsize::new(0)));
        let work = move || {
            let (begun, told) = (begun.clone(), told.clone());
            let turn = turns.fetch_add(1, Ordering::Relaxed);
            async move {
                begun.send(turn).unwrap();
                assert!(turn >= 2, "injected");
                told.cancelled().await;
            }
        };
        let upheld = tokio::spawn(again_and_again("test", stop.clone(), Duration::ZERO, work));
        for turn in 0..3 {
            assert_eq!(begins.recv().await, Some(turn));
        }
        stop.cancel();
        upheld.await.unwrap();
        assert_eq!(begins.recv().await, None);
    }

    #[tokio::test]
    async fn work_that_is_done_is_done() {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let work = move || {
            let begun = begun.clone();
            async move { begun.send(()).unwrap() }
        };
        uphold("test", Shutdown::new(), work).await.unwrap();
        assert_eq!(begins.recv().await, Some(()));
        assert_eq!(begins.recv().await, None);
    }

    #[tokio::test]
    async fn no_work_begins_anew_after_the_end() {
        let stop = Shutdown::new();
        stop.cancel();
        let work = || async { panic!("injected") };
        let long = Duration::from_secs(3600);
        again_and_again("test", stop, long, work).await;
    }
}
