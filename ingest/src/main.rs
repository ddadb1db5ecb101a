//! `postback-ingest`: see the library's front page.

use std::process::ExitCode;

use clap::Parser as _;
use postback_ingest::args::Args;
use postback_ingest::{run, tls};

fn main() -> ExitCode {
    let options = Args::parse().options;
    let settings = match options.load(tls::load_configuration) {
        Ok(settings) => settings,
        Err(code) => return code.into(),
    };
    if options.check_config {
        return options.print(&settings).into();
    }
    run::to_the_end(&options, settings).into()
}
