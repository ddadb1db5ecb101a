//! `postback source show NAME`

use crate::arguments::Options;
use crate::cmd::load;
use crate::console::Console;
use crate::ending::{Ending, Failure};

pub(super) fn run(name: &str, options: &Options, console: &mut Console) -> Result<Ending, Failure> {
    let settings = load(options, console)?;
    let _source = super::find(name, &settings)?;
    Ok(Ending::Done)
}
