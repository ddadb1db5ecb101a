//! `postback trace VALUE`: one conversion or postback, hop by hop.

mod found;
mod hops;
mod record;

use clap::{Args, ValueEnum};
use postback_store::reports::Reader;
use postback_store::reports::trace::{Field, MOST_CONVERSIONS};
use uuid::Uuid;

use super::{Loaded, load};
use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::lag::{self, GroupLag};
use crate::output::Sheet;
use crate::range::shown;
use crate::servers::Trouble;

/// Follow a postback from the network to the row that counts
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback trace M1917799796\n  \
    postback trace 01a05a43-fc00-7f54-8d8e-0023af5570ee --as id\n\n\
    Exit code 3 when nothing is found.")]
pub(crate) struct Trace {
    /// A postback's id (the x-postback-id of its answer), an order, click or transaction id
    value: String,
    /// What the value is [default: whatever it is found as]
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A postback's id
    Id,
    /// The advertiser's order
    Order,
    /// The publisher's own id: u1, sub id
    Click,
    /// The network's transaction
    Transaction,
}

impl Trace {
    pub(crate) async fn run(
        &self,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let id = self.postback_id()?;
        let loaded = load(options, console)?;
        let clickhouse = &loaded.settings.clickhouse;
        let trouble = |error| Trouble::of_clickhouse(&error, clickhouse);
        let reader = Reader::of_active(clickhouse).await.map_err(trouble)?;
        let found = found::search(&reader, id, self.fields(), &self.value);
        let found = found.await.map_err(trouble)?;
        if found.is_empty() {
            return self.nothing(id, &reader, &loaded, options, console).await;
        }
        let mut sheet = found::sheet(&found, &loaded.configured);
        sheet.fact("value", self.value.as_str());
        sheet.fact("generation", reader.generation().number());
        if options.output == Form::Table {
            hops::write(
                &found,
                &loaded.configured,
                &options.time_zone,
                console.out(),
            )?;
        } else {
            sheet.write(options, console)?;
        }
        if found.conversions.len() >= MOST_CONVERSIONS {
            console.warn(format_args!(
                "only the first {MOST_CONVERSIONS} conversions are shown"
            ));
        }
        Ok(Ending::Done)
    }

    /// The value as a postback's id, where it can be one.
    fn postback_id(&self) -> Result<Option<Uuid>, Failure> {
        match (self.kind, Uuid::try_parse(&self.value)) {
            (None | Some(Kind::Id), Ok(id)) => Ok(Some(id)),
            (Some(Kind::Id), Err(_)) => Err(Failure::Usage(format!(
                "{:?} is no postback's id\n  write it as in x-postback-id: 01a05a43-fc00-7f54-8d8e-0023af5570ee",
                self.value
            ))),
            _ => Ok(None),
        }
    }

    fn fields(&self) -> &'static [Field] {
        match self.kind {
            None => &Field::ALL,
            Some(Kind::Id) => &[],
            Some(Kind::Order) => &[Field::Order],
            Some(Kind::Click) => &[Field::Click],
            Some(Kind::Transaction) => &[Field::Transaction],
        }
    }

    /// Says where it looked, and where the postback may be instead.
    async fn nothing(
        &self,
        id: Option<Uuid>,
        reader: &Reader,
        loaded: &Loaded,
        options: &Options,
        console: &mut Console,
    ) -> Result<Ending, Failure> {
        let mut looked: Vec<&str> = id.map(|_| "postbacks.id").into_iter().collect();
        looked.extend(self.fields().iter().map(|field| match field {
            Field::Order => "conversions.order_id",
            Field::Click => "conversions.click_id",
            Field::Transaction => "conversions.transaction_id",
        }));
        let lag = lag::of_generation(&loaded.settings, reader.generation()).await;
        let loaded_through = loaded_through(reader, loaded, options).await?;
        let mut sheet = Sheet::default();
        sheet.fact("value", self.value.as_str());
        sheet.fact("generation", reader.generation().number());
        sheet.fact("looked_in", looked.as_slice());
        sheet.fact("loaded_through", loaded_through.clone());
        sheet.fact("waiting", lag.as_ref().ok().map(GroupLag::waiting));
        sheet.notes = vec![
            format!(
                "Nothing has {:?}. Looked in {}, generation {}.",
                self.value,
                looked.join(", "),
                reader.generation()
            ),
            match loaded_through {
                Some(moment) => format!("Loaded through {moment}. {}", waiting(&lag)),
                None => format!("Nothing is loaded yet. {}", waiting(&lag)),
            },
            "A rejected postback has no conversion: it is found by its own id alone.".to_owned(),
        ];
        sheet.write(options, console)?;
        if options.output == Form::Json {
            for note in &sheet.notes {
                console.note(note);
            }
        }
        Ok(Ending::Found)
    }
}

async fn loaded_through(
    reader: &Reader,
    loaded: &Loaded,
    options: &Options,
) -> Result<Option<String>, Failure> {
    let trouble = |error| Trouble::of_clickhouse(&error, &loaded.settings.clickhouse);
    let newest = reader.loaded_through().await.map_err(trouble)?;
    Ok(newest.map(|moment| shown(moment, &options.time_zone)))
}

/// What is in Kafka and not loaded yet cannot be looked into here.
fn waiting(lag: &Result<GroupLag, String>) -> String {
    match lag {
        Ok(lag) if lag.waiting() == 0 => "Nothing waits in Kafka.".to_owned(),
        Ok(lag) => format!(
            "{} more wait in Kafka and cannot be searched until they are loaded: try again, or see `postback doctor`.",
            lag.waiting()
        ),
        Err(words) => format!("Whether more wait in Kafka is not known: {words}."),
    }
}
