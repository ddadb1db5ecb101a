//! What holds after a backup is restored: the server numbers the parts of a restored table anew.

use postback_common::config::Identity;
use postback_common::name::AccountName;
use postback_store::generations::{self, Change, Event, LaterRule, Lineage};
use postback_store::{AccountIdentity, Generation, Role, WantedIdentity, identities};

use crate::database::{Database, settings, with_tables};

fn generation(number: u32) -> Generation {
    Generation::new(number).unwrap()
}

fn wanted(identity: Identity) -> WantedIdentity {
    WantedIdentity {
        account: AccountName::new("main").unwrap(),
        proposed: AccountIdentity {
            identity,
            key_day: "date".to_owned(),
        },
        configured: None,
    }
}

impl Database {
    /// Rows of a table of the bookkeeping, each inserted by itself at a time of its own.
    async fn recorded(&self, table: &str, columns: &str, rows: &[&str]) {
        for row in rows {
            let sql = format!("INSERT INTO {table} ({columns}) VALUES ({row})");
            self.execute(&sql).await;
        }
    }

    /// As `docs/operations.md` has it.
    async fn restore(&self) {
        let name = &self.settings.database;
        let server = postback_store::client(&settings("default"), Role::Query).unwrap();
        // A backup in memory is known to its session alone.
        let server = server.with_setting("session_id", name.as_str());
        for sql in [
            format!("BACKUP DATABASE {name} TO Memory('{name}')"),
            format!("DROP DATABASE {name} SYNC"),
            format!("RESTORE DATABASE {name} FROM Memory('{name}')"),
        ] {
            server.query_raw(&sql).execute().await.unwrap();
        }
    }

    /// Numbers by the server, in the order of the times: so that it is seen that they are others.
    async fn blocks(&self, table: &str, time: &str) -> String {
        let sql = format!(
            "SELECT groupArray(_block_number) FROM (SELECT _block_number FROM {table} ORDER BY {time})"
        );
        self.ask(&sql).await
    }

    async fn lineage(&self) -> Lineage {
        generations::lineage(&self.client).await.unwrap()
    }
}

#[test]
fn what_became_of_generations_keeps_its_order() {
    with_tables(|database| async move {
        database.execute("TRUNCATE TABLE generation_events").await;
        let rules = "2, 1, 1, false, '{}', 'test', '2026-09-01 09:00:00'";
        let columns = "number, normaliser_version, base, activate, rules, made_by, made_at";
        database.recorded("generations", columns, &[rules]).await;
        let columns = "number, event, detail, recorded_at";
        let early = [
            "1, 'activated', '', '2026-09-01 08:00:00'",
            "2, 'targeted', '{\"offsets\":{}}', '2026-09-01 09:00:01'",
            "2, 'filled', '{\"records\":0}', '2026-09-01 09:01:00'",
            "2, 'activation_asked', '', '2026-09-01 09:08:00'",
            "2, 'held', '{\"mark\":\"a\"}', '2026-09-01 09:09:00'",
            "2, 'activated', '', '2026-09-01 09:10:00'",
            "1, 'activation_asked', '', '2026-09-01 09:58:00'",
            "1, 'held', '{\"mark\":\"b\"}', '2026-09-01 09:59:00'",
            "1, 'activated', '', '2026-09-01 10:00:00'",
        ];
        database
            .recorded("generation_events", columns, &early)
            .await;
        // What is merged keeps its numbers, as it does when the server merges by itself.
        database
            .execute("OPTIMIZE TABLE generation_events FINAL")
            .await;
        let late = [
            "2, 'activation_asked', '', '2026-09-02 09:58:00'",
            "2, 'held', '{\"mark\":\"c\"}', '2026-09-02 09:59:00'",
            "2, 'activated', '', '2026-09-02 10:00:00'",
        ];
        database.recorded("generation_events", columns, &late).await;
        let before = database.lineage().await;
        assert_eq!(before.active, Some(generation(2)));
        let blocks = database.blocks("generation_events", "recorded_at").await;

        database.restore().await;
        let others = database.blocks("generation_events", "recorded_at").await;
        assert_ne!(others, blocks, "the server numbers the restored parts anew");
        assert_eq!(database.lineage().await, before);

        // What is recorded now stands behind all of it.
        let after = database.switch_to(generation(1)).await;
        assert_eq!(after.active, Some(generation(1)));
        let after = generations::record(&database.client, generation(2), &Event::Dropped);
        let after = after.await.unwrap();
        assert!(!after.lives[&generation(2)].is_live());
    });
}

#[test]
fn the_first_identity_and_the_last_rules_stay_what_they_are() {
    with_tables(|database| async move {
        let columns = "generation, account, identity, key_day, frozen_at";
        let other = "1, 'other', 'order', 'date', '2026-09-01 08:00:00'";
        let first = "1, 'main', 'order', 'date', '2026-09-01 09:00:00'";
        let second = "1, 'main', 'none', 'date', '2026-09-01 10:00:00'";
        // Both of the account's are merged with others, each in its turn, so that the numbers meet.
        database
            .recorded("account_identities", columns, &[other, first])
            .await;
        database
            .execute("OPTIMIZE TABLE account_identities FINAL")
            .await;
        database
            .recorded("account_identities", columns, &[second])
            .await;
        let columns = "number, source, change, rule, offsets, recorded_by, recorded_at";
        let rule = |rule: &str, time: &str| {
            format!("1, 'shop', 'accepted', '{rule}', '', 'test', '2026-09-01 {time}'")
        };
        let early = [
            rule("a", "08:00:00"),
            rule("b", "09:00:00"),
            rule("c", "10:00:00"),
        ];
        let early: Vec<&str> = early.iter().map(String::as_str).collect();
        database.recorded("generation_rules", columns, &early).await;
        database
            .execute("OPTIMIZE TABLE generation_rules FINAL")
            .await;
        let late = rule("d", "11:00:00");
        database
            .recorded("generation_rules", columns, &[&late])
            .await;
        let rules = async || {
            let rules = generations::later_rules(&database.client, Generation::FIRST);
            let rules = rules.await.unwrap().into_iter();
            rules.map(|later| later.rule).collect::<String>()
        };
        assert_eq!(rules().await, "abcd");

        database.restore().await;
        assert_eq!(rules().await, "abcd");
        let new = LaterRule {
            source: "shop".to_owned(),
            change: Change::Accepted,
            rule: "e".to_owned(),
        };
        let recorded =
            generations::record_rule(&database.client, Generation::FIRST, &new, "", "test");
        recorded.await.unwrap();
        assert_eq!(rules().await, "abcde");
        let wanted = [wanted(Identity::TransactionId)];
        let frozen = identities::freeze(&database.client, Generation::FIRST, &wanted);
        let main = &frozen.await.unwrap()[&wanted[0].account];
        assert_eq!(main.identity, Identity::Order);
    });
}
