//! How fast the spool takes and gives back records on a real disk.
//!
//! `cargo run --release -p postback-spool --example throughput -- DIR [SECONDS] [THREADS] [BYTES]`
//!
//! Each thread submits one record, waits until it is durable, and submits the next. Then all is
//! drained, read from the file system's cache in all likelihood.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measurement on a terminal"
)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use postback_spool::disk::RealDisk;
use postback_spool::{Options, Spool, SubmitError};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let place = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let mut number = |default: usize| arguments.next().map_or(default, |n| n.parse().unwrap());
    let (seconds, threads, bytes) = (number(6), number(256), number(600));
    let root = place.join(format!("spool-throughput-{}", std::process::id()));
    let options = Options {
        max_bytes: 16 << 30,
        ..Options::default()
    };
    let spool = Arc::new(Spool::open(Arc::new(RealDisk), &root, options).unwrap());
    write(&spool, threads, bytes, Duration::from_secs(seconds as u64));
    drain(&spool);
    assert!(spool.close(Duration::from_secs(60)));
    drop(spool.drain().next());
    std::fs::remove_dir(&root).unwrap();
}

fn write(spool: &Arc<Spool>, threads: usize, bytes: usize, time: Duration) {
    let stop = Arc::new(AtomicBool::new(false));
    let (start, cpu) = (Instant::now(), cpu());
    let writers: Vec<_> = (0..threads)
        .map(|_| {
            let (spool, stop) = (Arc::clone(spool), Arc::clone(&stop));
            thread::spawn(move || {
                let record = vec![b'x'; bytes];
                let (told, hear) = mpsc::sync_channel(1);
                let mut waits = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let told = told.clone();
                    let submitted = Instant::now();
                    let listen =
                        move |outcome: Result<(), SubmitError>| told.send(outcome).unwrap();
                    spool.submit(&record, 1, listen).unwrap();
                    hear.recv().unwrap().unwrap();
                    waits.push(submitted.elapsed());
                }
                waits
            })
        })
        .collect();
    thread::sleep(time);
    stop.store(true, Ordering::Relaxed);
    let mut waits: Vec<Duration> = writers
        .into_iter()
        .flat_map(|writer| writer.join().unwrap())
        .collect();
    let (elapsed, used) = (start.elapsed().as_secs_f64(), self::cpu() - cpu);
    waits.sort_unstable();
    let counts = spool.status().counts;
    let percentile = |p: usize| waits[(waits.len() - 1) * p / 1_000].as_secs_f64() * 1_000.0;
    let records = counts.committed_records as f64;
    println!(
        "{threads} threads, {bytes} bytes: {:.0} records/s, {:.0} commits/s, {:.1} records a commit",
        records / elapsed,
        counts.commits as f64 / elapsed,
        records / counts.commits as f64
    );
    println!(
        "durable after: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms; CPU {:.1} us a record, the \
         submitting threads included",
        percentile(500),
        percentile(990),
        percentile(999),
        used * 1e6 / records
    );
    println!(
        "on disk: {:.1} bytes a record, {} segments",
        counts.committed_bytes as f64 / records,
        counts.segments_made
    );
}

fn drain(spool: &Spool) {
    let mut drain = spool.drain();
    let (start, cpu) = (Instant::now(), cpu());
    let mut records = 0_u64;
    let mut last = None;
    while let Some(entry) = drain.next() {
        records += 1;
        last = Some(entry.position);
        if records.is_multiple_of(1_000) {
            drain.release(entry.position);
        }
    }
    if let Some(last) = last {
        drain.release(last);
    }
    let elapsed = start.elapsed().as_secs_f64();
    println!(
        "drained {records} records: {:.0} records/s, CPU {:.2} us a record",
        records as f64 / elapsed,
        (self::cpu() - cpu) * 1e6 / records as f64
    );
}

/// Seconds of CPU that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1;
    // utime and stime, fields 14 and 15 of the whole line, in hundredths of a second.
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .map(|field| field.parse::<f64>().unwrap())
        .sum::<f64>()
        / 100.0
}
