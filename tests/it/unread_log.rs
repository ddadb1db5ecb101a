//! A log that nobody reads, as when the system's logger waits for a disk that hangs.

use std::io::{ErrorKind, PipeReader, Write as _, pipe};
use std::os::fd::OwnedFd;

use postback_stack::Launch;
use postback_tests::Setup;
use postback_tests::program::binary;
use postback_tests::raw::{exchange, request};
use rustix::io::ioctl_fionbio;

use crate::templates::COMPLETE;

/// Becomes the program, with what was standard input as its log.
const LOG_TO_INPUT: &str = "exec \"$0\" \"$@\" 2>&0 0</dev/null";

/// A pipe into which not a byte more goes. Whoever writes to it waits for as long as its other end
/// is neither read nor closed.
fn full_pipe() -> (PipeReader, OwnedFd) {
    let (unread, mut full) = pipe().unwrap();
    ioctl_fionbio(&full, true).unwrap();
    let error = loop {
        if let Err(error) = full.write(b".") {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    ioctl_fionbio(&full, false).unwrap();
    (unread, full.into())
}

#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    let pipeline = Setup::new("unread_log")
        .source("rakuten-us", COMPLETE)
        .prepare();
    pipeline.migrate();
    let (unread, full) = full_pipe();
    let ingest = pipeline.start_ingest_by(|name, arguments| {
        Launch::new("sh")
            .args(["-c", LOG_TO_INPUT])
            .args([binary(name)])
            .args(arguments)
            .stdin(full)
    });
    pipeline.wait_until_ready(pipeline.ingest_admin, &ingest);
    let target = format!("{}?u1=unread", pipeline.sources[0].path());
    let answer = exchange(
        pipeline.address,
        &request("GET", target.as_bytes(), "", b""),
    );
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(ingest.terminate(), 0);
    drop(unread);
}
