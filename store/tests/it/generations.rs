//! Tables and views of generations, whoever died before they were what the record says.

use postback_store::{Event, Generation, check, generations};

use crate::database::{Database, FIRST, with_tables};

const VIEWS: [&str; 4] = ["conversions", "orders", "statements", "postbacks"];

fn second() -> Generation {
    Generation::new(2).unwrap()
}

impl Database {
    async fn with_second(&self) {
        let first = Generation::FIRST;
        let made = generations::make_next(&self.client, second(), first, false, FIRST);
        assert_eq!(made.await.unwrap(), Some(second()));
    }

    /// How many of the four views read this generation, by what they say of themselves.
    async fn views_of(&self, generation: Generation) -> String {
        let sql = format!(
            "SELECT count() FROM system.tables WHERE database = currentDatabase() \
             AND engine = 'View' AND endsWith(comment, ' Reads generation {generation}.')"
        );
        self.ask(&sql).await
    }

    async fn is_sound(&self) -> bool {
        check::check(&self.settings).await.unwrap().is_sound()
    }
}

#[test]
fn views_follow_a_switch_that_was_not_known_when_they_were_pointed() {
    with_tables(|database| async move {
        database.with_second().await;
        database.switch_to(second()).await;
        let known_before = Generation::FIRST;
        let settled = generations::settle_views(&database.client, known_before).await;
        assert_eq!(settled.unwrap(), (second(), VIEWS.to_vec()));
        assert_eq!(database.views_of(second()).await, "4");
        let settled = generations::settle_views(&database.client, second()).await;
        assert_eq!(settled.unwrap(), (second(), vec![]));
    });
}

#[test]
fn views_that_read_another_generation_than_the_active_one_are_found() {
    with_tables(|database| async move {
        database.with_second().await;
        assert!(database.is_sound().await);
        let held = Event::Held("2 passes 1".to_owned());
        for event in [Event::ActivationAsked, held] {
            let recorded = generations::record(&database.client, second(), &event).await;
            recorded.unwrap();
        }
        let pointed = generations::point_views_at(&database.client, second()).await;
        assert_eq!(pointed.unwrap(), VIEWS);
        assert!(database.is_sound().await, "a switch is at them");

        let released = generations::record(&database.client, second(), &Event::Released);
        released.await.unwrap();
        let mut found = check::check(&database.settings).await.unwrap();
        assert!(!found.is_sound());
        found.strayed_views.sort_unstable();
        let expected = ["conversions", "orders", "postbacks", "statements"];
        let expected = expected.map(|view| format!("{view} reads generation 2"));
        assert_eq!(found.strayed_views, expected);
        database.migrate(&[]).await.unwrap();
        assert!(database.is_sound().await);
    });
}

#[test]
fn a_view_that_was_left_on_a_dropped_generation_is_pointed_at_the_active_one() {
    with_tables(|database| async move {
        database.with_second().await;
        let filled = generations::record(&database.client, second(), &Event::Filled(0));
        filled.await.unwrap();
        let lineage = database.switch_to(second()).await;
        assert_eq!(lineage.active, Some(second()));
        let dropped = generations::record(&database.client, Generation::FIRST, &Event::Dropped);
        let lineage = dropped.await.unwrap();
        assert_eq!(lineage.live_one(Generation::FIRST), None);
        assert_eq!(database.views_of(Generation::FIRST).await, "4");
        let gone = generations::drop_tables(&database.client, Generation::FIRST).await;
        assert!(gone.unwrap());
        assert_eq!(database.views_of(second()).await, "4");
        for view in VIEWS {
            let rows = database.ask(&format!("SELECT count() FROM {view}")).await;
            assert_eq!(rows, "0", "{view}");
        }
        assert!(database.is_sound().await);
    });
}

#[test]
fn tables_that_nobody_made_are_found_and_made_once_and_only_for_what_is_live() {
    with_tables(|database| async move {
        let (client, second) = (&database.client, second());
        // As `replay start` leaves it that is killed in between.
        database
            .execute("INSERT INTO generations (number, normaliser_version, base) VALUES (2, 1, 1)")
            .await;
        let found = check::check(&database.settings).await.unwrap();
        assert_eq!(found.missing_tables, ["postbacks_g2", "conversions_g2"]);
        let made = async || {
            generations::make_missing_tables(client, second)
                .await
                .unwrap()
        };
        assert!(made().await);
        assert!(database.is_sound().await);
        database.execute("DROP TABLE conversions_g2").await;
        assert!(made().await);
        assert!(!made().await, "they are all there");
        assert!(database.is_sound().await);

        let dropped = generations::record(client, second, &Event::Dropped).await;
        dropped.unwrap();
        assert!(generations::drop_tables(client, second).await.unwrap());
        made().await;
        let stored = generations::stored(client, second).await.unwrap();
        assert_eq!(stored, None, "it was dropped meanwhile");
    });
}
