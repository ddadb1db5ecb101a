//! `postback-ingest`: see the library's front page.

use std::process::ExitCode;

use clap::Parser as _;
use postback_ingest::args::Args;
use postback_ingest::run;

fn main() -> ExitCode {
    let args = Args::parse();
    let settings = match args.load() {
        Ok(settings) => settings,
        Err(code) => return code.into(),
    };
    if args.check_config {
        return args.print(&settings).into();
    }
    run::to_the_end(&args, settings).into()
}
