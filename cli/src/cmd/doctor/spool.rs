//! The spool: whether there is one, whether its place is fit for it, and what waits in it.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use postback_common::config::{Settings, SpoolSettings};
use postback_spool::Survey;
use rustix::fs::{Access, AtFlags, CWD};

use super::check::Check;
use crate::cmd::spool::contents::{Sum, Sums, foreign_bytes, survey};
use crate::output::{age, plural, size};

const NAME: &str = "spool";

/// While Kafka is there, a record waits for seconds at most.
const LONG: SignedDuration = SignedDuration::from_secs(60);

/// What is looked at, apart from what is in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ground {
    dir: PathBuf,
    max_bytes: u64,
    state: State,
    /// `f_type` of statfs(2).
    file_system: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Writable,
    NotWritable,
    NoDirectory,
    /// Ingest makes the directory at its start.
    NotThereYet,
    /// Nor can ingest make it.
    NoParent,
}

pub(super) async fn check(settings: &Settings) -> Vec<Check> {
    let Some(spool) = &settings.ingest.spool else {
        let what = "there is none: while Kafka is away, senders get 503 and do not send again";
        let remedy = "set ingest.spool_dir to a directory on a local disk";
        return vec![Check::doubtful(NAME, what, remedy)];
    };
    let settings = spool.clone();
    let looked = tokio::task::spawn_blocking(move || look(&settings)).await;
    let ground = match looked {
        Ok(ground) => ground,
        Err(error) => return vec![Check::broken(NAME, error.to_string(), "run doctor again")],
    };
    let mut checks = judge_ground(&ground);
    if matches!(ground.state, State::Writable | State::NotWritable) {
        match survey(&spool.dir).await {
            Ok(survey) => {
                checks.extend(judge_room(&ground, &survey));
                checks.extend(judge_contents(&survey, Timestamp::now()));
                if checks.is_empty() {
                    checks.push(well(&ground, &survey));
                }
            }
            // That it is another user's has been said.
            Err(_) if ground.state == State::NotWritable => {}
            Err(trouble) => checks.push(Check::of_trouble(NAME, trouble)),
        }
    }
    checks
}

fn look(spool: &SpoolSettings) -> Ground {
    let dir = &spool.dir;
    let state = match std::fs::metadata(dir) {
        Ok(found) if !found.is_dir() => State::NoDirectory,
        Ok(_) if is_writable(dir) => State::Writable,
        Ok(_) => State::NotWritable,
        Err(_) if is_writable(parent(dir)) => State::NotThereYet,
        Err(_) => State::NoParent,
    };
    let place = if dir.exists() { dir } else { parent(dir) };
    let file_system = rustix::fs::statfs(place).map_or(0, |found| file_system(found.f_type));
    Ground {
        dir: dir.clone(),
        max_bytes: spool.max_bytes,
        state,
        file_system,
    }
}

/// The field's type differs between machines; the numbers are below 2^32.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "32 bits hold all of them"
)]
fn file_system(f_type: rustix::fs::FsWord) -> u64 {
    u64::from(f_type as u32)
}

fn parent(dir: &Path) -> &Path {
    let parent = dir.parent().unwrap_or(dir);
    if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    }
}

/// By the rights of the user that this runs as.
fn is_writable(dir: &Path) -> bool {
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(CWD, dir, access, AtFlags::EACCESS).is_ok()
}

fn judge_ground(ground: &Ground) -> Vec<Check> {
    let dir = ground.dir.display();
    let mut checks = Vec::new();
    match ground.state {
        State::Writable => {}
        State::NotWritable => checks.push(Check::broken(
            NAME,
            format!("{dir} is not readable and writable for this user"),
            "run doctor as the user of ingest; if it is that, give it the directory with chown",
        )),
        State::NoDirectory => checks.push(Check::broken(
            NAME,
            format!("{dir} is no directory"),
            "let ingest.spool_dir name a directory",
        )),
        State::NotThereYet => checks.push(Check::doubtful(
            NAME,
            format!("{dir} is not there yet"),
            "start ingest, which makes it",
        )),
        State::NoParent => checks.push(Check::broken(
            NAME,
            format!("{dir} is not there, and this user cannot make it"),
            "make it, and give it to the user of ingest with chown",
        )),
    }
    if let Some((kind, harm)) = unfit(ground.file_system) {
        let what = format!("{dir} is on {kind}: {harm}");
        let remedy = "let ingest.spool_dir be on a local disk";
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    checks
}

/// File systems on which a spool does not keep its promise (numbers of linux/magic.h), and why.
fn unfit(file_system: u64) -> Option<(&'static str, &'static str)> {
    const NETWORK: &str = "its locks and syncs cannot be relied on";
    const MEMORY: &str = "what was acknowledged is lost with the power";
    const LAYER: &str = "what was acknowledged is lost with the container";
    Some(match file_system {
        0x6969 => ("NFS", NETWORK),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => ("SMB", NETWORK),
        0x00c3_6400 => ("Ceph", NETWORK),
        0x0102_1997 => ("9P", NETWORK),
        0x6573_5546 => ("FUSE", NETWORK),
        0x0102_1994 => ("tmpfs", MEMORY),
        0x8584_58f6 => ("ramfs", MEMORY),
        0x794c_7630 => ("a container's layer (overlayfs)", LAYER),
        _ => return None,
    })
}

fn judge_room(ground: &Ground, survey: &Survey) -> Option<Check> {
    let used = survey.used_bytes;
    if used >= ground.max_bytes - ground.max_bytes / 10 {
        let (used, most) = (size(used), size(ground.max_bytes));
        let foreign = match foreign_bytes(survey) {
            0 => String::new(),
            bytes => format!(", {} of it by what is not the spool's", size(bytes)),
        };
        let what = format!("{used} of {most} are used{foreign}: it is full, or nearly so");
        let remedy = if foreign.is_empty() {
            "bring Kafka back, or raise ingest.spool_max_bytes if the disk has room"
        } else {
            "move elsewhere what `postback spool status` calls foreign; bring Kafka back, or raise ingest.spool_max_bytes if the disk has room"
        };
        return Some(Check::broken(NAME, what, remedy));
    }
    let wanted = ground.max_bytes.saturating_sub(used);
    (survey.free_bytes < wanted).then(|| {
        let (free, wanted) = (size(survey.free_bytes), size(wanted));
        let what = format!("the disk has {free} free, the spool may grow by {wanted}");
        let remedy = "make room, or lower ingest.spool_max_bytes, so that the alerts are right";
        Check::doubtful(NAME, what, remedy)
    })
}

fn judge_contents(survey: &Survey, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    let of = |in_use: bool| {
        let mut sum = Sum::default();
        for each in survey
            .directories
            .iter()
            .filter(|each| each.in_use == in_use)
        {
            sum.merge(&Sum::of_directory(each));
        }
        sum
    };
    let old = |sum: &Sum| sum.oldest().map(|oldest| now.duration_since(oldest));
    let wait = |sum: &Sum, age_of: SignedDuration, whose: &str| {
        let records = plural(sum.records, "record");
        format!(
            "waiting: {records} of {whose}, the oldest for {}",
            age(age_of)
        )
    };
    let (dead, living) = (of(false), of(true));
    if let Some(age_of) = old(&dead) {
        let what = wait(&dead, age_of, "dead processes");
        let remedy = "start ingest, which adopts them, or run `postback spool drain`";
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    if let Some(age_of) = old(&living).filter(|age_of| *age_of > LONG) {
        let what = wait(&living, age_of, "running processes");
        let remedy = "bring Kafka back: they follow by themselves; otherwise see ingest's log";
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    let sums = Sums::of(survey);
    let unreadable = sums.waiting.unreadable.len() + sums.set_aside.unreadable.len();
    if unreadable > 0 {
        let what = format!("{} cannot be read", plural(unreadable, "segment"));
        checks.push(Check::broken(NAME, what, "see `postback spool status`"));
    }
    if sums.astray > 0 {
        let files = plural(sums.astray, "file");
        let what = format!("{files} of a spool beside its directories: no process drains them");
        let remedy = "`postback spool status` says where each belongs";
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    if sums.set_aside_files > 0 || sums.waiting.damaged_bytes > 0 {
        let damaged = sums.waiting.damaged_bytes + sums.set_aside.damaged_bytes;
        let records = plural(sums.set_aside.records, "record");
        let what = format!("set aside: {records}; damaged: {}", size(damaged));
        let of_damage = "Damage stays in set-aside/ until somebody removes it";
        let remedy = if sums.set_aside.records > 0 {
            format!(
                "`postback spool export -v` prints the reasons; once they are mended, `postback spool drain --set-aside` sends what was refused again. {of_damage}"
            )
        } else {
            of_damage.to_owned()
        };
        checks.push(Check::doubtful(NAME, what, remedy));
    }
    checks
}

fn well(ground: &Ground, survey: &Survey) -> Check {
    let what = format!(
        "{}: nothing waits for long; {} free, at most {} used",
        ground.dir.display(),
        size(survey.free_bytes),
        size(ground.max_bytes)
    );
    Check::well(NAME, what)
}

#[cfg(test)]
mod tests {
    use postback_spool::{Foreign, ForeignKind};

    use super::super::check::State as Stands;
    use super::*;

    fn ground(state: State, file_system: u64) -> Ground {
        Ground {
            dir: PathBuf::from("/var/spool/postback"),
            max_bytes: 1_000_000,
            state,
            file_system,
        }
    }

    fn states(checks: &[Check]) -> Vec<Stands> {
        checks.iter().map(|check| check.state).collect()
    }

    #[test]
    fn the_place_must_be_there_writable_and_on_a_local_disk() {
        const EXT4: u64 = 0xef53;
        let cases = [
            (ground(State::Writable, EXT4), vec![]),
            (ground(State::Writable, 0x6969), vec![Stands::Doubtful]),
            (ground(State::Writable, 0x0102_1994), vec![Stands::Doubtful]),
            (ground(State::Writable, 0x794c_7630), vec![Stands::Doubtful]),
            (ground(State::NotThereYet, EXT4), vec![Stands::Doubtful]),
            (ground(State::NotWritable, EXT4), vec![Stands::Broken]),
            (ground(State::NoDirectory, EXT4), vec![Stands::Broken]),
            (ground(State::NoParent, EXT4), vec![Stands::Broken]),
        ];
        for (ground, expected) in cases {
            assert_eq!(states(&judge_ground(&ground)), expected, "{ground:?}");
        }
    }

    #[test]
    fn a_place_is_what_the_system_says() {
        let directory = tempfile::tempdir().unwrap();
        let look = |path: &Path| {
            look(&SpoolSettings {
                dir: path.to_owned(),
                max_bytes: 1,
            })
        };
        assert_eq!(look(directory.path()).state, State::Writable);
        assert_eq!(
            look(&directory.path().join("new")).state,
            State::NotThereYet
        );
        assert_eq!(look(&directory.path().join("a/b")).state, State::NoParent);
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(look(&file).state, State::NoDirectory);
        // procfs, on every Linux.
        assert_eq!(look(Path::new("/proc")).file_system, 0x9fa0);
    }

    #[test]
    fn room_is_what_the_spool_may_still_take() {
        let survey = |free_bytes| Survey {
            directories: Vec::new(),
            rejected: Vec::new(),
            damaged: vec![(PathBuf::from("x"), 400_000)],
            foreign: Vec::new(),
            used_bytes: 400_000,
            free_bytes,
        };
        let ground = ground(State::Writable, 0);
        assert_eq!(judge_room(&ground, &survey(600_000)), None);
        let what = judge_room(&ground, &survey(599_000)).unwrap().what;
        let expected = "the disk has 599.0 kB free, the spool may grow by 600.0 kB";
        assert_eq!(what, expected);
    }

    #[test]
    fn what_is_not_the_spools_takes_its_room() {
        let survey = Survey {
            directories: Vec::new(),
            rejected: Vec::new(),
            damaged: Vec::new(),
            foreign: vec![Foreign {
                path: PathBuf::from("core"),
                kind: ForeignKind::File,
                bytes: 850_000,
            }],
            used_bytes: 900_000,
            free_bytes: 1 << 40,
        };
        let told = judge_room(&ground(State::Writable, 0), &survey).unwrap();
        let expected = "900.0 kB of 1.0 MB are used, 850.0 kB of it by what is not the spool's: it is full, or nearly so";
        assert_eq!((told.state, &*told.what), (Stands::Broken, expected));
    }
}
