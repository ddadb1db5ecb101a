//! `postback-consumer`: see the library's front page.

use std::process::ExitCode;

use clap::Parser as _;
use postback_consumer::args::Args;
use postback_consumer::run;

fn main() -> ExitCode {
    let args = Args::parse();
    let (settings, rules) = match args.load() {
        Ok(loaded) => loaded,
        Err(code) => return code.into(),
    };
    if args.check_config {
        return args.print(&settings).into();
    }
    run::to_the_end(&args, settings, rules).into()
}
