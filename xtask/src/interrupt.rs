//! Ctrl-C and SIGTERM: the first one ends every wait, so that what was started is stopped and
//! removed in order; another one later ends this process at once (its children die with it).

use std::time::{Duration, Instant};

use anyhow::Context as _;
use postback_stack::Cancellation;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What comes so soon after the first signal is the same wish: `timeout`, for one, sends its signal
/// to the process and then to its group.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Listens from now on; the first signal sets what this returns.
pub(crate) fn listen() -> anyhow::Result<Cancellation> {
    let cancellation = Cancellation::new();
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")?;
    let heard = cancellation.clone();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut first: Option<Instant> = None;
            for _ in signals.forever() {
                heard.cancel();
                if first.get_or_insert_with(Instant::now).elapsed() > SAME_WISH {
                    std::process::exit(i32::from(crate::INTERRUPTED));
                }
            }
        })?;
    Ok(cancellation)
}
