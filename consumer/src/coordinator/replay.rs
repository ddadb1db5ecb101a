//! From a new generation to one that has all of the past, as far as it is for who coordinates. The
//! past itself is [`super::fill`]'s.

use postback_store::{Event, Lineage, generations};
use tracing::info;

use super::{Coordinator, StepError};

impl Coordinator {
    pub(super) async fn advance_replay(&self, lineage: &Lineage) -> Result<(), StepError> {
        let Some(life) = lineage.live().find(|life| life.is_replaying()) else {
            return self.ask_for_activation(lineage).await;
        };
        let (Some(base), None, generation) = (life.base(), &life.target, life.generation) else {
            return Ok(());
        };
        let target = self.groups.positions(base).await?.next();
        generations::record(&self.client, generation, &Event::Targeted(target)).await?;
        info!(%generation, %base, "replay: noted where the live generation is");
        Ok(())
    }

    /// A generation that was made to be activated asks for it once it is whole.
    async fn ask_for_activation(&self, lineage: &Lineage) -> Result<(), StepError> {
        let wanting = lineage
            .live()
            .find(|life| life.is_whole() && life.wants_activation());
        if let Some(life) = wanting.filter(|_| lineage.activation.is_none()) {
            let asked = Event::ActivationAsked;
            generations::record(&self.client, life.generation, &asked).await?;
        }
        Ok(())
    }
}
