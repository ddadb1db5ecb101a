//! Every path of this project that its pages name exists.
//!
//! What counts, in `*.md` at the top level and in all pages below `docs/`:
//! - the target of a link or picture without a scheme, relative to the page, `#…` cut off;
//! - inline code that has a slash, only letters, digits, `.`, `_`, `-`, and begins with a top-level
//!   folder of this project or ends like a source file: relative to the root or to the page;
//! - inline code without a slash that ends in `.rs` or `.md`: some file has that name.
//!
//! Code blocks do not count, nor does anything below `target/`.

use std::collections::BTreeSet;
use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag};

use super::{Context, Outcome, fail_with, tracked};

/// Ends of names that only files of a project like this have.
const SOURCES: [&str; 8] = [
    ".rs", ".md", ".toml", ".yml", ".sql", ".json", ".xml", ".snap",
];

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let known = Known::new(&tracked::files(root)?);
    let mut faults = Vec::new();
    for page in known.pages() {
        let text = std::fs::read_to_string(root.join(page))?;
        faults.extend(missing(&text, page, &known));
    }
    fail_with(&faults)?;
    Ok(None)
}

/// The project's files and folders.
struct Known {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Known {
    fn new(files: &BTreeSet<String>) -> Self {
        let folders = files
            .iter()
            .flat_map(|file| Path::new(file).ancestors().skip(1))
            .filter_map(Path::to_str)
            .map(ToOwned::to_owned)
            .collect();
        Self {
            files: files.clone(),
            folders,
        }
    }

    /// The pages that are read.
    fn pages(&self) -> impl Iterator<Item = &str> {
        let is_page = |file: &&str| {
            file.ends_with(".md") && (!file.contains('/') || file.starts_with("docs/"))
        };
        self.files.iter().map(String::as_str).filter(is_page)
    }

    /// Whether a path from the root is a file or a folder.
    fn has(&self, path: &str) -> bool {
        self.files.contains(path) || self.folders.contains(path)
    }

    /// Whether any file has this name.
    fn has_name(&self, name: &str) -> bool {
        self.files
            .iter()
            .any(|file| file.rsplit('/').next() == Some(name))
    }

    /// Whether it is a folder at the top level.
    fn is_top_folder(&self, name: &str) -> bool {
        !name.is_empty() && self.folders.contains(name)
    }
}

/// What a page names and is not there, one line each.
fn missing(text: &str, page: &str, known: &Known) -> Vec<String> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut faults = Vec::new();
    for (event, range) in Parser::new(text).into_offset_iter() {
        let fault = match &event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                missing_target(dest_url, folder, known)
            }
            Event::Code(code) => missing_code(code, folder, known),
            _ => None,
        };
        if let Some(path) = fault {
            let line = 1 + text[..range.start].matches('\n').count();
            faults.push(format!("{page}:{line}: {path} does not exist"));
        }
    }
    faults
}

/// The path of a link's target, if it is one of ours and not there.
fn missing_target(target: &str, folder: &str, known: &Known) -> Option<String> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || path.starts_with("//") || has_scheme(path) {
        return None;
    }
    let resolved = match path.strip_prefix('/') {
        Some(from_root) => resolve("", from_root),
        None => resolve(folder, path),
    };
    match resolved {
        Some(resolved) if known.has(&resolved) => None,
        _ => Some(path.to_owned()),
    }
}

/// The path that inline code names, if it is one of ours and not there.
fn missing_code(code: &str, folder: &str, known: &Known) -> Option<String> {
    // `path:12` names a line.
    let path = code
        .rsplit_once(':')
        .filter(|(_, line)| is_number(line))
        .map_or(code, |(p, _)| p);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if path.is_empty() || path.starts_with('/') || !path.chars().all(plain) {
        return None;
    }
    let Some((first, _)) = path.split_once('/') else {
        let named = [".rs", ".md"]
            .iter()
            .any(|end| path.len() > end.len() && path.ends_with(end));
        return (named && !known.has_name(path)).then(|| path.to_owned());
    };
    let relative = first == "." || first == "..";
    let ours = known.is_top_folder(first) || SOURCES.iter().any(|end| path.ends_with(end));
    if first == "target" || !(ours || relative) {
        return None;
    }
    let found = ["", folder]
        .iter()
        .filter_map(|base| resolve(base, path))
        .any(|p| known.has(&p));
    (!found).then(|| path.to_owned())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// `https:`, `mailto:`, …
fn has_scheme(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(plain)
    })
}

/// Joins folder and path; `None` when it leaves the project. The root is the empty text.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, page: &str) -> Vec<String> {
        let files = [
            "README.md",
            "docs/sql.md",
            "docs/decisions/0001-x.md",
            "ingest/src/main.rs",
        ];
        missing(
            text,
            page,
            &Known::new(&files.map(ToOwned::to_owned).into()),
        )
    }

    #[test]
    fn links_are_relative_to_their_page() {
        let good = "[a](sql.md) [b](../README.md#x) [c](decisions/) [d](/ingest/src) [e](#here)";
        assert_eq!(faults(good, "docs/sql.md"), [""; 0]);
        let outside = "[a](https://example.com/x.md) <mailto:x@example.com> ![b](//host/x.png)";
        assert_eq!(faults(outside, "docs/sql.md"), [""; 0]);
        let bad = "one\n\n[a](docs/sql.md) and [b](../../x)";
        assert_eq!(
            faults(bad, "docs/sql.md"),
            [
                "docs/sql.md:3: docs/sql.md does not exist",
                "docs/sql.md:3: ../../x does not exist"
            ]
        );
    }

    #[test]
    fn inline_code_counts_when_it_is_a_path_of_ours() {
        for good in [
            "`ingest/src/main.rs`",
            "`ingest/src/main.rs:12`",
            "`ingest/`",
            "`main.rs`",
            "`decisions/0001-x.md` from docs/",
            "`sql.md`",
        ] {
            assert_eq!(faults(good, "docs/sql.md"), [""; 0], "{good}");
        }
        for bad in [
            "`ingest/src/gone.rs`",
            "`loader/src/main.rs`",
            "`gone.rs`",
            "`docs/gone/`",
        ] {
            assert_eq!(faults(bad, "README.md").len(), 1, "{bad}");
        }
    }

    #[test]
    fn other_code_does_not_count() {
        for other in [
            "`/postback/KEY`",
            "`text/html`",
            "`GET /x/y.md`",
            "`docs/**/*.md`",
            "`target/release/x.rs`",
            "`postback.toml`",
            "`https://example.com/a.md`",
            "`.rs`",
            "`4.1/2`",
            "```\ningest/src/gone.rs\n```",
        ] {
            assert_eq!(faults(other, "README.md"), [""; 0], "{other}");
        }
    }
}
