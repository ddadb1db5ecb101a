//! What no file of the project may hold: hosts of package registries (a mirror is the user's
//! choice, in the package managers' own settings) and absolute paths of one machine.

use std::path::Path;

use super::{Context, Outcome, fail_with, tracked};

/// Hosts of registries; in two halves, so that this file does not hold them.
const HOSTS: [(&str, &str); 9] = [
    ("registry.npm", "js.org"),
    ("repo.maven.", "apache.org"),
    ("repo1.maven", ".org"),
    ("static.crates", ".io"),
    ("index.crates", ".io"),
    ("deb.deb", "ian.org"),
    ("files.python", "hosted.org"),
    ("pypi", ".org"),
    ("proxy.go", "lang.org"),
];

/// Where homes are, followed by a name; in two halves too.
const HOMES: [(&str, &str); 2] = [("/ho", "me/"), ("/Us", "ers/")];

pub(super) fn check(context: &Context<'_>) -> Outcome {
    let root = context.project.root();
    let forbidden = forbidden(root, std::env::var("HOME").ok().as_deref());
    let mut found = Vec::new();
    for file in tracked::files(root)? {
        // What is not text holds no path that a person wrote.
        let Ok(text) = std::fs::read_to_string(root.join(&file)) else {
            continue;
        };
        found
            .extend(search(&text, &forbidden).map(|(line, what)| format!("{file}:{line}: {what}")));
    }
    fail_with(&found)?;
    Ok(None)
}

/// All forbidden texts: the hosts, the homes, and this checkout's and this user's own directories
/// unless they are so short that they would be found anywhere.
fn forbidden(root: &Path, home: Option<&str>) -> Vec<String> {
    let mut forbidden: Vec<String> = HOSTS
        .iter()
        .chain(&HOMES)
        .map(|(one, two)| format!("{one}{two}"))
        .collect();
    for own in [root.to_str(), home].into_iter().flatten() {
        if own.matches('/').count() >= 2 {
            forbidden.push(own.to_owned());
        }
    }
    forbidden
}

/// Line numbers from 1, and what was found there.
fn search<'a>(
    text: &'a str,
    forbidden: &'a [String],
) -> impl Iterator<Item = (usize, &'a str)> + 'a {
    text.lines().enumerate().flat_map(move |(index, line)| {
        let found = forbidden
            .iter()
            .filter(move |what| line.contains(what.as_str()));
        found.map(move |what| (index + 1, what.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_hosts_and_paths_with_their_lines() {
        let root = format!("{}{}", "/srv/check", "out");
        let forbidden = forbidden(Path::new(&root), Some("/root"));
        let text = format!(
            "fine\nsee https://{}{}/x\ncd {root}/xtask\n/root/x",
            "pypi", ".org"
        );
        let found: Vec<_> = search(&text, &forbidden).collect();
        assert_eq!(found, [(2, concat!("pypi", ".org")), (3, root.as_str())]);
    }
}
