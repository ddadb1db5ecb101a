//! `postback completion`: what a shell completes.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::ending::{Ending, Failure};

/// Print what lets a shell complete commands and options
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    bash        postback completion bash > ~/.local/share/bash-completion/completions/postback\n  \
    zsh         postback completion zsh > ~/.zfunc/_postback   (a folder of fpath)\n  \
    fish        postback completion fish > ~/.config/fish/completions/postback.fish\n  \
    PowerShell  postback completion powershell >> $PROFILE")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(&self, console: &mut Console) -> Result<Ending, Failure> {
        let mut command = Arguments::command();
        // Made first: a closed pipe is an error of ours to handle, and the generator panics at one.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "postback", &mut script);
        std::io::Write::write_all(console.out(), &script)?;
        Ok(Ending::Done)
    }
}
