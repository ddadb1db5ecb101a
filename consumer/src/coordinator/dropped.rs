//! What is left of dropped generations goes: their tables, their consumer groups.
//!
//! Beside the steps of coordination: the server drops a table when nobody reads it any more, or
//! refuses to, and neither may keep readers from being switched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clickhouse::Client;
use postback_service::kafka::error_code;
use postback_service::kafka::rdkafka::error::{KafkaError, RDKafkaErrorCode};
use postback_store::{Generation, Kind, Lineage, generations};
use tracing::{debug, info, warn};

use super::groups::{Admin, Groups};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Removes it.
pub(super) struct Remains {
    client: Client,
    groups: Groups,
    /// Made when a group is to be deleted, and kept while one is left.
    admin: Option<Admin>,
    /// Dropped generations of which nothing is left that can be removed.
    cleared: BTreeSet<Generation>,
    told: Told<(Kind, Option<u32>)>,
    told_of_groups: Told<Option<RDKafkaErrorCode>>,
}

impl Remains {
    pub(super) fn new(client: &Client, groups: &Groups) -> Self {
        Self {
            client: client.clone(),
            groups: groups.clone(),
            admin: None,
            cleared: BTreeSet::new(),
            told: Told::default(),
            told_of_groups: Told::default(),
        }
    }

    /// Works until it is dropped. What fails is tried again.
    pub(super) async fn run(mut self) {
        loop {
            match generations::lineage(&self.client).await {
                Ok(lineage) => self.clear(&lineage).await,
                Err(error) => debug!(%error, "dropped generations were not looked for"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whoever dropped a generation may have gone before its tables and its group had.
    async fn clear(&mut self, lineage: &Lineage) {
        let mut is_group_left = false;
        for (generation, life) in &lineage.lives {
            if life.is_live() || self.cleared.contains(generation) {
                continue;
            }
            match generations::drop_tables(&self.client, *generation).await {
                Ok(true) => info!(%generation, "dropped its tables"),
                Ok(false) => {}
                Err(error) => {
                    if self.told.is_new(*generation, (error.kind, error.code)) {
                        warn!(
                            %generation, %error,
                            "the generation is dropped, and its tables are not yet: it is tried again"
                        );
                    }
                    continue;
                }
            }
            if self.delete_group(*generation).await {
                self.cleared.insert(*generation);
            } else {
                is_group_left = true;
            }
        }
        if !is_group_left {
            self.admin = None;
        }
    }

    /// True where nothing is left to do, or to try.
    async fn delete_group(&mut self, generation: Generation) -> bool {
        match self.try_to_delete_group(generation).await {
            Ok(()) => true,
            Err(error) => self.gives_up(generation, &error),
        }
    }

    /// Whether trying again is of no use. What is news is said.
    fn gives_up(&mut self, generation: Generation, error: &KafkaError) -> bool {
        let code = error_code(error);
        if code == Some(RDKafkaErrorCode::NonEmptyGroup) {
            debug!(%generation, %error, "members of its consumer group have not left yet");
            return false;
        }
        // It may know no broker any more, which it would not mend by itself.
        self.admin = None;
        let is_final = code.is_some_and(is_final);
        if is_final {
            warn!(
                %generation, %error,
                "the generation is dropped, and its consumer group stays, which does no harm: allow the user \
                 in kafka.options to Delete it, or delete it with kafka-consumer-groups"
            );
        } else if self.told_of_groups.is_new(generation, code) {
            warn!(
                %generation, %error,
                "the generation is dropped, and its consumer group is not yet: it is tried again"
            );
        }
        is_final
    }

    async fn try_to_delete_group(&mut self, generation: Generation) -> Result<(), KafkaError> {
        let admin = match &mut self.admin {
            Some(admin) => admin,
            none => none.insert(self.groups.admin()?),
        };
        self.groups.delete(admin, generation).await
    }
}

/// Trying again does not help: this user may not delete groups, or these brokers cannot.
fn is_final(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::UnsupportedVersion
            | RDKafkaErrorCode::UnsupportedFeature
    )
}

/// What was said of each generation last: a kind of trouble, or a server's code. Its words can be
/// others each time.
#[derive(Debug)]
struct Told<T>(BTreeMap<Generation, T>);

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + PartialEq> Told<T> {
    /// The same again and again is said once.
    fn is_new(&mut self, generation: Generation, trouble: T) -> bool {
        self.0.insert(generation, trouble) != Some(trouble)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_group_that_may_never_be_deleted_is_given_up_and_any_other_trouble_is_told_once() {
        let text = "[kafka]\nbrokers = \"b:1\"\n";
        let settings = postback_common::config::read(Path::new("t.toml"), text, []).unwrap();
        let mut remains = Remains::new(&Client::default(), &Groups::new(&settings));
        let generation = Generation::FIRST;
        let mut gives_up = |code| remains.gives_up(generation, &KafkaError::AdminOp(code));
        for code in [
            RDKafkaErrorCode::GroupAuthorizationFailed,
            RDKafkaErrorCode::ClusterAuthorizationFailed,
            RDKafkaErrorCode::UnsupportedVersion,
        ] {
            assert!(gives_up(code), "{code}");
        }
        for code in [
            RDKafkaErrorCode::NonEmptyGroup,
            RDKafkaErrorCode::OperationTimedOut,
        ] {
            assert!(!gives_up(code), "{code}");
        }
        // Members that have not left are no news.
        let told = Some(RDKafkaErrorCode::OperationTimedOut);
        assert_eq!(remains.told_of_groups.0.get(&generation), Some(&told));
    }

    #[test]
    fn what_fails_is_told_once_for_each_change() {
        let (one, two) = (Generation::FIRST, Generation::new(2).unwrap());
        let mut told = Told::default();
        let mut say = |generation, code| told.is_new(generation, (Kind::Outage, code));
        assert!(say(one, None) && say(two, None));
        assert!(!say(one, None) && !say(two, None));
        assert!(say(one, Some(630)) && say(one, None));
    }
}
