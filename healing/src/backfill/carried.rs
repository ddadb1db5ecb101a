//! Which columns can be compared: those that every push of the source carries. What a template leaves
//! out is empty in the tables, and no fault of the network's.

use postback_normalise::{Field, SourceRules};

/// The columns that every template of a source carries.
#[derive(Debug, Clone)]
pub(super) struct Carried([bool; Field::COUNT]);

impl Carried {
    pub(super) fn of(rules: &SourceRules) -> Self {
        let carried = |field: &Field| {
            let mut readings = rules.readings().iter();
            readings.all(|reading| reading.mapping.carries(*field))
        };
        let mut columns = [false; Field::COUNT];
        for (place, field) in Field::ALL.iter().enumerate() {
            columns[place] = carried(field);
        }
        Self(columns)
    }

    pub(super) fn has(&self, field: Field) -> bool {
        let place = Field::ALL.iter().position(|one| *one == field);
        place.is_some_and(|place| self.0[place])
    }
}
