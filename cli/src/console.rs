//! Where output goes: data to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use anstream::adapter::StripBytes;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use rustix::termios::tcgetwinsize;

use crate::arguments::{Color, Options};
use crate::ending::Failure;

/// Columns of a terminal that does not say how many it has.
const USUAL: usize = 80;

/// Both streams of the process. Colours are written always into what people read, and taken out
/// again where they are not wanted (`--color`, `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM`).
pub(crate) struct Console {
    out: BufWriter<Stdout>,
    is_coloured: bool,
    notes: AutoStream<io::Stderr>,
    progress: Standing,
    quiet: bool,
    verbose: bool,
}

/// What a text means; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Doubtful,
    Bad,
    Strong,
    Faint,
}

impl Tone {
    const fn style(self) -> Style {
        let plain = Style::new();
        match self {
            Self::Good => plain.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))),
            Self::Doubtful => plain.fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))),
            Self::Bad => plain
                .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)))
                .bold(),
            Self::Strong => plain.bold(),
            Self::Faint => plain.dimmed(),
        }
    }

    /// The text in its colour.
    pub(crate) fn paint(self, text: impl Display) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

impl Console {
    pub(crate) fn new(options: &Options) -> Self {
        let choice = match options.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let stdout = io::stdout();
        let on_stdout = match choice {
            ColorChoice::Auto => AutoStream::choice(&stdout),
            given => given,
        };
        Self {
            is_coloured: on_stdout != ColorChoice::Never,
            out: BufWriter::new(stdout),
            notes: AutoStream::new(io::stderr(), choice),
            progress: Standing::default(),
            quiet: options.quiet,
            verbose: options.verbose,
        }
    }

    /// For data, which come out as they are: what looks like a colour in them is the sender's.
    pub(crate) fn out(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// For what people read.
    pub(crate) fn page(&mut self) -> Page<'_> {
        Page {
            out: &mut self.out,
            without_colours: (!self.is_coloured).then(StripBytes::new),
        }
    }

    /// Tables fit themselves to a terminal, and to nothing else.
    pub(crate) fn is_terminal(&self) -> bool {
        self.out.get_ref().is_terminal()
    }

    /// A remark beside the data, unless `--quiet`.
    pub(crate) fn note(&mut self, text: impl Display) {
        if !self.quiet {
            self.say(&text.to_string());
        }
    }

    /// Whether remarks go to a person who watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.notes.is_terminal() && !self.quiet
    }

    /// A line on a terminal that the next one replaces; an empty one takes it away.
    pub(crate) fn progress(&mut self, text: impl Display) {
        let line = self.progress.replaced(&text.to_string(), columns());
        write!(self.notes, "{line}").ok();
        self.notes.flush().ok();
    }

    /// A remark that only `--verbose` asks for.
    pub(crate) fn detail(&mut self, text: impl Display) {
        if self.verbose {
            self.say(&Tone::Faint.paint(text));
        }
    }

    /// Something that should not be overlooked, even with `--quiet`.
    pub(crate) fn warn(&mut self, text: impl Display) {
        let text = format!("{} {text}", Tone::Doubtful.paint("warning:"));
        self.say(&text);
    }

    /// Why the command failed.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let text = failure.to_string();
        if !text.is_empty() {
            let text = format!("{} {text}", Tone::Bad.paint("error:"));
            self.say(&text);
        }
    }

    /// Writes what is still held back.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }

    /// What cannot be said on stderr can be said nowhere.
    fn say(&mut self, text: &str) {
        self.out.flush().ok();
        if self.progress != Standing::default() {
            self.progress("");
        }
        writeln!(self.notes, "{text}").ok();
    }
}

/// The line of progress that stands on the terminal: so many characters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Standing(usize);

impl Standing {
    /// What replaces it on a terminal of so many columns. Blanks erase it: an escape sequence would be
    /// taken out where colours are not wanted.
    fn replaced(&mut self, text: &str, columns: usize) -> String {
        // Behind the last column some terminals begin a line from which nothing leads back.
        let room = columns.saturating_sub(1);
        let text: String = text.chars().take(room).collect();
        let before = std::mem::replace(&mut self.0, text.chars().count());
        let blanks = before.min(room).saturating_sub(self.0);
        format!("\r{text}{:blanks$}\r", "")
    }
}

/// Columns of the terminal that remarks go to.
fn columns() -> usize {
    let size = tcgetwinsize(io::stderr()).ok();
    let columns = size.map(|size| usize::from(size.ws_col));
    // A terminal that does not know has none.
    columns.filter(|columns| *columns > 0).unwrap_or(USUAL)
}

/// Text on standard output, whose colours are taken out where they are not wanted. What senders chose
/// must have become [`printable`](crate::output::printable) before: half an escape sequence would take
/// along what follows it.
pub(crate) struct Page<'a> {
    out: &'a mut BufWriter<Stdout>,
    without_colours: Option<StripBytes>,
}

impl Write for Page<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match &mut self.without_colours {
            None => self.out.write_all(text)?,
            Some(strip) => {
                for kept in strip.strip_next(text) {
                    self.out.write_all(kept)?;
                }
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal of so many columns shows of it.
    fn screen(written: &str, columns: usize) -> Vec<String> {
        let mut rows = vec![vec![' '; columns]];
        let mut column = 0;
        for character in written.chars() {
            match character {
                '\r' => column = 0,
                '\n' => {
                    rows.push(vec![' '; columns]);
                    column = 0;
                }
                shown => {
                    rows.last_mut().unwrap()[column] = shown;
                    column += 1;
                    if column == columns {
                        rows.push(vec![' '; columns]);
                        column = 0;
                    }
                }
            }
        }
        let rows = rows.into_iter().map(String::from_iter);
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_line_of_progress_is_replaced_as_a_whole_with_and_without_colours() {
        let mut standing = Standing::default();
        let mut written = standing.replaced("waiting: 100 records to go", 40);
        assert_eq!(screen(&written, 40), ["waiting: 100 records to go"]);
        written += &standing.replaced("fetching: é", 40);
        assert_eq!(screen(&written, 40), ["fetching: é"]);
        written += &standing.replaced("", 40);
        assert_eq!(screen(&written, 40), [""]);
        // Nothing of it is taken out where colours are not wanted.
        assert_eq!(anstream::adapter::strip_str(&written).to_string(), written);
    }

    #[test]
    fn a_line_of_progress_never_takes_two_lines() {
        let long = "[########----------------] fetching: 50000 transactions, 3000/s, 30 s left";
        for columns in [0, 1, 2, 73, 74, 75, 200] {
            let mut standing = Standing::default();
            let mut written = String::new();
            for text in [long, "", long, "short"] {
                written.push_str(&standing.replaced(text, columns));
                let room = columns.saturating_sub(1);
                let shown: String = text.chars().take(room).collect();
                assert_eq!(screen(&written, columns.max(2)), [shown], "{columns}");
            }
        }
    }
}
