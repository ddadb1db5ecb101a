//! `postback-ingest`: see the library's front page.

use std::process::ExitCode;

use clap::Parser as _;
use postback_ingest::args::{self, Args};
use postback_ingest::run;

fn main() -> ExitCode {
    let options = Args::parse().options;
    let settings = match options.load(args::load_to_start) {
        Ok(settings) => settings,
        Err(code) => return code.into(),
    };
    if options.check_config {
        return options.print(&settings).into();
    }
    run::to_the_end(&options, settings).into()
}
