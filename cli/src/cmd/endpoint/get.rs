//! `postback endpoint get`

use jiff::Timestamp;
use postback_network::Endpoint;

use super::address::Address;
use super::shown::Shown;
use super::site::Site;
use crate::arguments::Options;
use crate::console::Console;
use crate::ending::{Ending, Failure};
use crate::output::{Cell, Sheet, text};
use crate::range::shown;

pub(super) async fn run(
    name: &str,
    options: &Options,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let site = Site::open(name, options, console)?;
    let endpoint = site.api.endpoint().await;
    let endpoint = endpoint.map_err(|error| site.trouble(&error))?;
    let sources = &site.loaded.settings.sources;
    let address = endpoint.as_ref();
    let address = address.map(|endpoint| Address::of(&endpoint.url, &site.source, sources));
    let remarks = remarks(&site, endpoint.as_ref(), address.as_ref());
    let is_well = remarks.is_empty();
    let mut sheet = sheet(&site, endpoint.as_ref(), address.as_ref(), options);
    sheet.fact("well", is_well);
    sheet.notes = if is_well {
        vec!["The network sends to this URL.".to_owned()]
    } else {
        remarks
    };
    sheet.write(options, console)?;
    Ok(if is_well { Ending::Done } else { Ending::Found })
}

/// What the network has, part by part.
fn sheet(
    site: &Site,
    endpoint: Option<&Endpoint>,
    address: Option<&Address>,
    options: &Options,
) -> Sheet {
    let differences = address.and_then(|address| address.differences.as_ref());
    let mut sheet = Sheet::new(&[text("what", "What"), text("value", "Value")]);
    let sources = &site.loaded.settings.sources;
    sheet.rows = Shown::of(endpoint, &site.source, sources).rows();
    if let Some(endpoint) = endpoint {
        let is_same = |differences: &Vec<_>| Cell::Flag(differences.is_empty());
        let zone = &options.time_zone;
        let time = |at: Timestamp| Cell::Text(shown(at, zone));
        let more = [
            ("as the template", differences.map(is_same)),
            ("set up", endpoint.created_at.map(time)),
            ("changed", endpoint.updated_at.map(time)),
        ];
        let more = more.map(|(what, cell)| vec![Cell::text(what), cell.unwrap_or(Cell::Missing)]);
        sheet.rows.extend(more);
    }
    sheet.fact("source", site.source.name.as_str());
    sheet.fact("publisher_id", site.settings.publisher_id.as_str());
    sheet.fact("registered", endpoint.is_some());
    sheet.fact("active", endpoint.map(|endpoint| endpoint.is_active));
    sheet.fact("differences", differences.cloned());
    sheet
}

/// What is wrong, each with its remedy.
fn remarks(site: &Site, endpoint: Option<&Endpoint>, address: Option<&Address>) -> Vec<String> {
    let name = &site.source.name;
    let publisher_id = &site.settings.publisher_id;
    let (Some(endpoint), Some(address)) = (endpoint, address) else {
        let mut words = format!(
            "No endpoint is registered for publisher id {publisher_id}: the network sends nothing. Register the template's URL: postback endpoint set --source {name}"
        );
        if site.settings.scope != *publisher_id {
            words.push_str(
                "\nThe same answer comes for a publisher id that the network does not know: check it in [source.api].",
            );
        }
        return vec![words];
    };
    let mut remarks = Vec::new();
    if !endpoint.is_active {
        remarks.push(format!(
            "The endpoint is off: the network sends nothing. Find out why (postback send, postback report activity), then: postback endpoint enable --source {name}"
        ));
    }
    if !address.is_as_expected() {
        let differences = address.differences.as_deref().unwrap_or_default();
        remarks.push(format!(
            "The registered URL is not the newest [[source.template]]'s: {}. Register that one with `postback endpoint set --source {name}`, or add the registered one as a template.",
            differences.join(", ")
        ));
    }
    remarks
}
