//! What libFuzzer says while it looks.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;

/// The end of a file that grows.
pub(super) struct Tail {
    file: File,
    /// The line that is not whole.
    rest: Vec<u8>,
}

impl Tail {
    /// Begins with the first line.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let rest = Vec::new();
        Ok(Self { file, rest })
    }

    /// The whole lines that were added.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn lines(&mut self) -> anyhow::Result<Vec<String>> {
        self.file.read_to_end(&mut self.rest)?;
        let end = self.rest.iter().rposition(|byte| *byte == b'\n');
        let whole: Vec<u8> = self.rest.drain(..end.map_or(0, |end| end + 1)).collect();
        let text = String::from_utf8_lossy(&whole);
        Ok(text.lines().map(ToOwned::to_owned).collect())
    }
}

/// How lines begin that nobody needs: functions that it saw for the first time, what sanitizers would
/// bring along, words that it found useful.
const NOISE: [&str; 7] = [
    "INFO: ",
    "Dictionary: ",
    "\tNEW_FUNC",
    "WARNING: Failed to find function",
    "######",
    "\"",
    "Done ",
];

/// How far it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Inputs that were run.
    inputs: u64,
    per_second: u64,
    /// Edges of the code that were reached, and all that there are.
    reached: u64,
    edges: u64,
    /// Inputs that reach something of their own.
    corpus: u64,
}

impl Progress {
    /// Takes in a line; `false` if a person should see it.
    pub(super) fn read(&mut self, line: &str) -> bool {
        if let Some(modules) = line.strip_prefix("INFO: Loaded ") {
            let count = modules
                .split(['(', ' '])
                .filter_map(|word| word.parse().ok());
            self.edges = count.max().unwrap_or(0);
            return true;
        }
        if NOISE.iter().any(|start| line.starts_with(start)) {
            return true;
        }
        let Some(status) = line.strip_prefix('#') else {
            return false;
        };
        let words: Vec<&str> = status.split_whitespace().collect();
        let number = |text: &str| text.split('/').next()?.parse().ok();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            number(words.get(at + 1)?)
        };
        let Some(inputs) = words.first().and_then(|word| number(word)) else {
            return false;
        };
        self.inputs = inputs;
        self.per_second = after("exec/s:").unwrap_or(self.per_second);
        self.reached = after("cov:").unwrap_or(self.reached);
        self.corpus = after("corp:").unwrap_or(self.corpus);
        true
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} inputs, {} a second; {} of {} edges reached; {} inputs reach something of their own",
            self.inputs, self.per_second, self.reached, self.edges, self.corpus
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn libfuzzers_lines_are_understood() {
        let mut progress = Progress::default();
        let lines = [
            "INFO: Running with entropic power schedule (0xFF, 100).",
            "INFO: Loaded 1 modules   (81234 inline 8-bit counters): 81234 [0x5, 0x6), ",
            "INFO: Loaded 1 PC tables (81234 PCs): 81234 [0x5,0x6), ",
            "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 27Mb",
            "#183600\tREDUCE cov: 1011 ft: 2222 corp: 57/17Kb lim: 1810 exec/s: 9180 rss: 27Mb L: 4/4",
            "\"\\001\\000\" # Uses: 7",
            "###### Recommended dictionary. ######",
            "Done 183600 runs in 20 second(s)",
        ];
        for line in lines {
            assert!(progress.read(line), "{line}");
        }
        let expected = Progress {
            inputs: 183_600,
            per_second: 9_180,
            reached: 1_011,
            edges: 81_234,
            corpus: 57,
        };
        assert_eq!(progress, expected);
        for line in [
            "thread 'x' panicked at y",
            "==1== ERROR: libFuzzer: timeout",
            "#x",
        ] {
            assert!(!progress.read(line), "{line}");
        }
    }

    #[test]
    fn only_whole_lines_come() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::of(file.path()).unwrap();
        write!(file, "one\ntw").unwrap();
        assert_eq!(tail.lines().unwrap(), ["one"]);
        assert!(tail.lines().unwrap().is_empty());
        writeln!(file, "o").unwrap();
        assert_eq!(tail.lines().unwrap(), ["two"]);
    }
}
