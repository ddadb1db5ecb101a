use crate::run::{AWAY, Place};

#[test]
fn every_page_of_help() {
    let place = Place::with(AWAY);
    let pages: &[&[&str]] = &[
        &["--help"],
        &["doctor", "--help"],
        &["config", "--help"],
        &["config", "check", "--help"],
        &["config", "show", "--help"],
        &["migrate", "--help"],
        &["source", "--help"],
        &["source", "show", "--help"],
        &["source", "key", "new", "--help"],
        &["spool", "--help"],
        &["spool", "status", "--help"],
        &["spool", "export", "--help"],
        &["spool", "drain", "--help"],
        &["report", "--help"],
        &["report", "summary", "--help"],
        &["report", "unattributed", "--help"],
        &["report", "amounts", "--help"],
        &["report", "latency", "--help"],
        &["report", "reversals", "--help"],
        &["report", "rejects", "--help"],
        &["report", "flags", "--help"],
        &["report", "activity", "--help"],
        &["report", "gap", "--help"],
        &["order", "import", "--help"],
        &["statement", "import", "--help"],
        &["trace", "--help"],
        &["tail", "--help"],
        &["query", "--help"],
        &["completion", "--help"],
        &["backfill", "--help"],
        &["backfill", "ls", "--help"],
        &["verify", "--help"],
        &["network", "--help"],
        &["network", "show", "--help"],
        &["network", "check", "--help"],
        &["url", "--help"],
        &["url", "build", "--help"],
        &["url", "check", "--help"],
        &["send", "--help"],
        &["simulate", "--help"],
        &["simulate", "run", "--help"],
        &["simulate", "verify", "--help"],
        &["network", "ls", "--help"],
        &["endpoint", "--help"],
        &["endpoint", "get", "--help"],
        &["endpoint", "set", "--help"],
        &["endpoint", "enable", "--help"],
        &["endpoint", "disable", "--help"],
        &["endpoint", "delete", "--help"],
    ];
    let text: Vec<String> = pages.iter().map(|page| place.run(page)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn what_is_misspelt_is_suggested() {
    let place = Place::with(AWAY);
    let tries: [&[&str]; 6] = [
        &[],
        &["doctr"],
        &["report", "sumary"],
        &["report", "summary", "--form", "7d"],
        &["-o", "xml", "doctor"],
        &["--time-zone", "Berlin", "doctor"],
    ];
    let text: Vec<String> = tries.iter().map(|page| place.run(page)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn help_and_usage_errors_are_coloured_as_asked() {
    let place = Place::with(AWAY);
    let forced = [("CLICOLOR_FORCE", "1")];
    for page in [&["--help"][..], &["doctr"], &["report", "--help"]] {
        let coloured = place.run_with(&forced, page);
        assert!(coloured.contains('\u{1b}'), "{coloured}");
        let never = place.run_with(&forced, &[&["--color", "never"], page].concat());
        assert!(!never.contains('\u{1b}'), "{never}");
        let never = place.run_with(&forced, &[page, &["--color=never"]].concat());
        assert!(!never.contains('\u{1b}'), "{never}");
        let always = place.run(&[page, &["--color", "always"]].concat());
        assert!(always.contains('\u{1b}'), "{always}");
    }
}

#[test]
fn the_version_names_the_release() {
    let shown = Place::with(AWAY).run(&["--version"]);
    assert!(
        shown.contains(concat!("\npostback ", env!("CARGO_PKG_VERSION"), " (")),
        "{shown}"
    );
    assert!(shown.ends_with("--- exit 0\n"), "{shown}");
}
