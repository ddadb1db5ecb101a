//! `postback-consumer`: see the library's front page.

use std::process::ExitCode;

use clap::Parser as _;
use postback_consumer::args::{self, Args};
use postback_consumer::run;

/// Batches are buffers of a megabyte, filled by one thread and freed by another: with the C library's
/// allocator the process holds half as much memory again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let options = Args::parse().options;
    let (settings, rules) = match options.load(args::load_to_start) {
        Ok(loaded) => loaded,
        Err(code) => return code.into(),
    };
    if options.check_config {
        return options.print(&settings).into();
    }
    run::to_the_end(&options, settings, rules).into()
}
