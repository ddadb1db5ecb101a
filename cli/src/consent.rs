//! What is done only when a person agrees.

use std::io::{IsTerminal as _, stdin};

use crate::console::Console;
use crate::ending::Failure;

/// Asks; a text other than y or yes is a no.
///
/// # Errors
/// Without a terminal, where nobody can be asked; and when the answer is no.
pub(crate) async fn agreed(question: &str, console: &mut Console) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        let what = "nobody is there to be asked; write --yes";
        return Err(Failure::Usage(what.to_owned()));
    }
    console.warn(question);
    // On a thread of its own, so that Ctrl-C is heard.
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = read.await.map_err(Failure::failed)??;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        console.note("Nothing was changed.");
        Err(Failure::Declined)
    }
}
