//! A process that is a ClickHouse server: it loads `libchdb.so`, which holds the whole server, and
//! lets it listen.
//!
//! ```text
//! clickhouse-host LIBRARY FIFO ARGUMENT...
//! ```
//!
//! The arguments are those of `clickhouse local`; one of them is a query that starts the listeners
//! and then reads FIFO. This process holds the other end of FIFO: while it is open the query runs
//! and the server serves. SIGTERM and SIGINT close it, the query ends, and the server shuts down in
//! order.
#![allow(
    unsafe_code,
    reason = "calling a C library that is loaded at run time cannot be checked by the compiler"
)]
#![allow(
    clippy::print_stderr,
    reason = "standard error is this program's only way to say why it ends"
)]

use std::ffi::{CString, OsString, c_char, c_int, c_void};
use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// `chdb_result *chdb_query_cmdline(int argc, char **argv)`, as the library's header declares it.
type QueryCommandLine = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(library), Some(fifo)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: clickhouse-host LIBRARY FIFO ARGUMENT...");
        return ExitCode::from(2);
    };
    match serve(
        Path::new(&library),
        &PathBuf::from(fifo),
        arguments.collect(),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clickhouse-host: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal ends it or the server itself gives up.
fn serve(library: &Path, fifo: &Path, arguments: Vec<OsString>) -> Result<(), String> {
    let writer = create_fifo(fifo)?;
    close_on_signal(writer)?;
    run(library, arguments)
}

/// Makes the fifo anew and opens it.
///
/// Opened for reading and writing: opening only for writing would wait for the server's query,
/// which starts after this.
fn create_fifo(fifo: &Path) -> Result<File, String> {
    match std::fs::remove_file(fifo) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("cannot remove {}: {error}", fifo.display()));
        }
        _ => {}
    }
    mknodat(CWD, fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        .map_err(|error| format!("cannot create the fifo {}: {error}", fifo.display()))?;
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(fifo)
        .map_err(|error| format!("cannot open the fifo {}: {error}", fifo.display()))
}

/// Closes the fifo on the first SIGTERM or SIGINT and ends the process on the second.
fn close_on_signal(writer: File) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    std::thread::spawn(move || {
        let mut writer = Some(writer);
        for _ in signals.forever() {
            if writer.take().is_none() {
                std::process::exit(1);
            }
        }
    });
    Ok(())
}

/// Calls the library; returns when its query has ended.
fn run(library: &Path, arguments: Vec<OsString>) -> Result<(), String> {
    let arguments = arguments
        .into_iter()
        .map(|argument| CString::new(argument.into_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("an argument holds a NUL byte: {error}"))?;
    let count = c_int::try_from(arguments.len())
        .map_err(|_| "more arguments than a C int can count".to_owned())?;
    let mut pointers: Vec<*mut c_char> = arguments
        .iter()
        .map(|argument| argument.as_ptr().cast_mut())
        .collect();
    pointers.push(std::ptr::null_mut());

    // SAFETY: the library is ClickHouse's own, verified when it was installed; its initialisers
    // expect nothing but a process, and it is never unloaded while its threads run, because the
    // process exits right after `main`.
    let library = unsafe { libloading::Library::new(library) }
        .map_err(|error| format!("cannot load {}: {error}", library.display()))?;
    // SAFETY: the type is the one that the library's header declares.
    let query = unsafe { library.get::<QueryCommandLine>(b"chdb_query_cmdline\0") }
        .map_err(|error| format!("the library has no chdb_query_cmdline: {error}"))?;
    // SAFETY: `pointers` holds `count` pointers to NUL-terminated strings and a null pointer behind
    // them, as `main` gets it; the strings and the vector live until the call returns, and the
    // library does not write to them.
    let result = unsafe { query(count, pointers.as_mut_ptr()) };
    std::mem::forget(library);
    if result.is_null() {
        return Err("the server ended with an error, see above".to_owned());
    }
    Ok(())
}
