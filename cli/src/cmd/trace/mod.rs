//! `postback trace VALUE`: one conversion or postback, hop by hop.

mod found;
mod hops;
mod nothing;

use clap::{Args, ValueEnum};
use postback_store::reports::Reader;
use postback_store::reports::trace::{Field, MOST_CONVERSIONS};
use uuid::Uuid;

use super::load;
use crate::arguments::{Form, Options};
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::servers::Trouble;

/// Follow a postback from the network to the row that counts
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    postback trace M1917799796\n  \
    postback trace 01a05a43-fc00-7f54-8d8e-0023af5570ee --as id\n\n\
    Exit code 3 when nothing is found.")]
pub(crate) struct Trace {
    /// A postback's id (the x-postback-id of its answer), an order, click or transaction id
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    value: String,
    /// What the value is [default: an id, an order or a click; else a transaction]
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
        let mut sheet = found::sheet(&found, &loaded.configured);
        sheet.fact("value", self.value.as_str());
        sheet.fact("generation", reader.generation().number());
        if found.is_empty() {
            let looked = self.looked_in(id);
            nothing::explain(&mut sheet, &looked, &reader, &loaded, options).await?;
            sheet.write(options, console)?;
            return Ok(Ending::Found);
        }
        if options.output == Form::Table {
            hops::write(
                &found,
                &loaded.configured,
                &options.time_zone,
                &mut console.page(),
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

    /// The columns that were asked.
    fn looked_in(&self, id: Option<Uuid>) -> Vec<&'static str> {
        let mut looked: Vec<_> = id.map(|_| "postbacks.id").into_iter().collect();
        looked.extend(self.fields().iter().map(|field| match field {
            Field::Order => "conversions.order_id",
            Field::Click => "conversions.click_id",
            Field::Transaction => "conversions.transaction_id",
        }));
        looked
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
}
