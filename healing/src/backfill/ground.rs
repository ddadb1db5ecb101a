//! What a run stands on: the tables that readers see, and the source's rules by which they are loaded.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use postback_common::config::Settings;
use postback_common::name::SourceName;
use postback_normalise::profile::Subject;
use postback_normalise::{Field, Identity, NORMALISER_VERSION, RecordedRules, Rules, SourceRules};
use postback_store::generations::{self, Change, later_rules};
use postback_store::reports::Reader;
use postback_store::retention::Horizon;
use postback_store::{Client, Role, client, endpoints};

use super::error::BackfillError;

/// Whom to ask, and what to read by.
pub(super) struct Ground {
    pub(super) client: Client,
    pub(super) reader: Reader,
    pub(super) rules: Arc<SourceRules>,
    /// What the tables keep; `None`: all.
    pub(super) horizon: Option<Horizon>,
}

impl Ground {
    /// Reads the active generation, and refuses what cannot be fetched for it.
    pub(super) async fn of(
        settings: &Settings,
        source: &SourceName,
    ) -> Result<Self, BackfillError> {
        let client = client(&settings.clickhouse, Role::Query)?;
        let reader = Reader::of_active(&settings.clickhouse).await?;
        let generation = reader.generation();
        let lineage = generations::lineage(&client).await?;
        let unknown = || BackfillError::UnknownSource {
            origin: source.clone(),
            generation,
        };
        let life = lineage.lives.get(&generation).ok_or_else(unknown)?;
        if life.record.normaliser_version != NORMALISER_VERSION {
            return Err(BackfillError::Normaliser {
                generation,
                theirs: life.record.normaliser_version,
            });
        }
        let later = later_rules(&client, generation).await?;
        let later = (later.iter()).map(|later| (later.change == Change::Accepted, &*later.rule));
        let wrong =
            |error: postback_normalise::RecordedError| BackfillError::Rules(error.to_string());
        let recorded = RecordedRules::with_later(&life.record.rules, later).map_err(wrong)?;
        let rules = Rules::of(&recorded.sources).map_err(wrong)?;
        let rules = Arc::clone(rules.source(source.as_str()).ok_or_else(unknown)?);
        check(&rules)?;
        let horizon = match settings.clickhouse.keep_days {
            Some(keep_days) => Some(Horizon::new(today(&client).await?, keep_days)),
            None => None,
        };
        Ok(Self {
            client,
            reader,
            rules,
            horizon,
        })
    }
}

/// By the earlier of our clock and the server's: what is not that old is not passed over because one of
/// them runs ahead.
async fn today(client: &Client) -> Result<Date, BackfillError> {
    let now = Timestamp::now().min(endpoints::now(client).await?);
    Ok(now.to_zoned(TimeZone::UTC).date())
}

/// Whether what is fetched can be told from what was pushed, and asked for by its date.
fn check(rules: &SourceRules) -> Result<(), BackfillError> {
    let profile = rules.profile();
    let is_dated = profile.parameter_for(Field::ProcessedAt).is_some();
    if profile.about != Subject::Conversions || !is_dated {
        return Err(BackfillError::Network {
            network: profile.network.to_string(),
        });
    }
    match rules.identity() {
        Identity::TransactionId => Ok(()),
        identity => Err(BackfillError::Identity {
            account: rules.account().clone(),
            identity,
        }),
    }
}
