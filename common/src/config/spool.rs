//! `ingest.spool_dir` and `ingest.spool_max_bytes`

use std::path::PathBuf;

use serde::Serialize;

use super::fault::{Fault, FaultCode};
use super::ingest::{IngestSettings, record_bytes_max};
use super::section::Section;

/// Room in a segment for everything but its longest record: its own head, that of a frame, and some
/// more.
pub const SEGMENT_HEAD_BYTES: u64 = 1024;

const MIB: u64 = 1024 * 1024;

/// Where records wait on disk while Kafka does not confirm them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpoolSettings {
    /// The spool directory. Several processes may share it. A relative path starts at the working
    /// directory.
    #[serde(rename = "spool_dir")]
    pub dir: PathBuf,
    /// Bytes that everything in the directory may have together. Default 10 GiB, about 14 million
    /// postbacks of 700 bytes.
    #[serde(rename = "spool_max_bytes")]
    pub max_bytes: u64,
}

impl SpoolSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let bounds = MIB..=1024 * 1024 * 1024 * MIB;
        let max_bytes = section.optional_number("spool_max_bytes", bounds);
        match section.checked("spool_dir", "name a directory on a local disk", directory) {
            Some(dir) => Some(Self {
                dir,
                max_bytes: max_bytes.unwrap_or(10 * 1024 * MIB),
            }),
            None => {
                if max_bytes.is_some() {
                    let problem = "bounds a spool, but there is none";
                    let remedy = "give spool_dir as well, or remove it";
                    let key = "ingest.spool_max_bytes";
                    let code = FaultCode::Contradiction;
                    section.refuse(Fault::new(code, key, problem, remedy));
                }
                None
            }
        }
    }

    /// Refuses a spool that has no room for one record of the longest kind: it could not be opened.
    pub(super) fn check(&self, ingest: &IngestSettings, section: &mut Section<'_>) {
        let record = record_bytes_max(ingest);
        let least = record as u64 + SEGMENT_HEAD_BYTES;
        if self.max_bytes >= least {
            return;
        }
        let problem = format!(
            "has no room for one record, which may have {record} bytes with max_query_bytes = {} and max_body_bytes = {}",
            ingest.max_query_bytes, ingest.max_body_bytes
        );
        let remedy = format!("give at least {least}, or lower max_query_bytes or max_body_bytes");
        let key = "ingest.spool_max_bytes";
        let fault = Fault::new(FaultCode::Contradiction, key, problem, remedy);
        section.refuse(fault.with_value(self.max_bytes));
    }
}

fn directory(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() || text.contains('\0') {
        Err("is no path")
    } else {
        Ok(PathBuf::from(text))
    }
}
