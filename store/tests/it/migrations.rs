use futures_util::future::join_all;
use postback_store::generations::{Change, LaterRule};
use postback_store::{Generation, Kind, Manifest, Role, Step, check, generations};

use crate::database::{FIRST, with_database, with_tables};

#[test]
fn an_empty_server_gets_everything_and_the_second_time_nothing() {
    with_database(|database| async move {
        let report = database.migrate(&[]).await.unwrap();
        assert_eq!(report.active, Generation::FIRST);
        let name = database.settings.database.clone();
        assert_eq!(
            report.steps,
            [
                Step::DatabaseMade(name),
                Step::MigrationApplied(1, "bookkeeping".to_owned()),
                Step::MigrationApplied(2, "refusals".to_owned()),
                Step::MigrationApplied(3, "generations".to_owned()),
                Step::MigrationApplied(4, "imports".to_owned()),
                Step::MigrationApplied(5, "annotations".to_owned()),
                Step::MigrationApplied(6, "backfills".to_owned()),
                Step::MigrationApplied(7, "endpoints".to_owned()),
                Step::MigrationApplied(8, "by_hand_is_kept".to_owned()),
                Step::GenerationMade(Generation::FIRST),
                Step::ViewSwitched("conversions", Generation::FIRST),
                Step::ViewSwitched("orders", Generation::FIRST),
                Step::ViewSwitched("statements", Generation::FIRST),
                Step::ViewSwitched("postbacks", Generation::FIRST),
            ]
        );
        assert_eq!(database.migrate(&[]).await.unwrap().steps, []);

        let made = generations::all(&database.client).await.unwrap();
        let [first] = &made[..] else {
            panic!("one generation: {made:?}")
        };
        let recorded = (
            first.number,
            first.normaliser_version,
            &*first.rules,
            &*first.made_by,
        );
        assert_eq!(recorded, (1, 1, FIRST.rules, FIRST.made_by));
    });
}

#[test]
fn a_generation_takes_the_rules_of_thousands_of_sources() {
    with_tables(|database| async move {
        // More than ClickHouse reads of a statement by itself.
        let rule = r#"{"profile":"[field]\\n\\\"é?\\\" = '?'"},"#;
        let rules = rule.repeat(4 * 1024 * 1024 / rule.len());
        let manifest = Manifest {
            rules: &rules,
            ..FIRST
        };
        let (client, first) = (&database.client, Generation::FIRST);
        let second = Generation::new(2).unwrap();
        let made = generations::make_next(client, second, first, false, manifest).await;
        assert_eq!(made.unwrap(), Some(second));
        let later = LaterRule {
            source: "a".to_owned(),
            change: Change::Added,
            rule: rules.clone(),
        };
        generations::record_rule(client, second, &later, "", "test 0")
            .await
            .unwrap();
        let all = generations::all(client).await.unwrap();
        assert!(all[1].rules == rules, "{} bytes", all[1].rules.len());
        let recorded = generations::later_rules(client, second).await.unwrap();
        assert!(recorded == [later]);
    });
}

#[test]
fn several_at_once_leave_one_generation() {
    with_database(|database| async move {
        let all = join_all((0..8).map(|_| database.migrate(&[]))).await;
        for report in all {
            assert_eq!(report.unwrap().active, Generation::FIRST);
        }
        assert_eq!(generations::all(&database.client).await.unwrap().len(), 1);
        assert_eq!(
            generations::active(&database.client).await.unwrap(),
            Generation::FIRST
        );
        assert_eq!(database.ask("SELECT count() FROM postbacks").await, "0");
        assert_eq!(database.ask("SELECT count() FROM conversions").await, "0");
        assert!(check::check(&database.settings).await.unwrap().is_sound());
        assert_eq!(database.migrate(&[]).await.unwrap().steps, []);
    });
}

#[test]
fn a_migration_that_ended_half_way_is_finished() {
    with_tables(|database| async move {
        database.execute("DROP VIEW postbacks").await;
        database.execute("DROP TABLE conversions_g1").await;
        let found = check::check(&database.settings).await.unwrap();
        assert_eq!(found.missing_tables, ["postbacks", "conversions_g1"]);

        let steps = database.migrate(&[]).await.unwrap().steps;
        assert_eq!(steps, [Step::ViewSwitched("postbacks", Generation::FIRST)]);
        assert!(check::check(&database.settings).await.unwrap().is_sound());
    });
}

#[test]
fn a_changed_migration_is_refused() {
    with_tables(|database| async move {
        database
            .execute("ALTER TABLE schema_migrations UPDATE digest = 'other' WHERE 1 SETTINGS mutations_sync = 1")
            .await;
        let error = database.migrate(&[]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Contradiction);
        assert!(
            error
                .message
                .contains("0001 bookkeeping was applied with other text"),
            "{error}"
        );
    });
}

#[test]
fn the_generation_activated_last_is_active_whatever_the_clocks_say() {
    with_tables(|database| async move {
        for sql in [
            "INSERT INTO generations (number) VALUES (2), (3)",
            "INSERT INTO generation_events (number, event, recorded_at) VALUES (2, 'activation_asked', '2129-12-30')",
            "INSERT INTO generation_events (number, event, detail, recorded_at) VALUES (2, 'held', '{\"mark\":\"m\"}', '2129-12-31')",
            "INSERT INTO generation_events (number, event, recorded_at) VALUES (2, 'activated', '2130-01-01')",
        ] {
            database.execute(sql).await;
        }
        // By now the server's clock is set back.
        let third = Generation::new(3).unwrap();
        assert_eq!(database.switch_to(third).await.active, Some(third));
        database
            .execute("OPTIMIZE TABLE generation_events FINAL")
            .await;
        let active = generations::active(&database.client).await.unwrap();
        assert_eq!(active, third);
        let order = "SELECT groupArray(number) FROM (SELECT number FROM generation_events ORDER BY recorded_at)";
        assert_eq!(database.ask(order).await, "[1,2,2,2,3,3,3]");
    });
}

#[test]
fn a_changed_setting_is_found() {
    with_tables(|database| async move {
        database
            .execute("ALTER TABLE postbacks_g1 MODIFY SETTING fsync_after_insert = 0")
            .await;
        let found = check::check(&database.settings).await.unwrap();
        assert_eq!(
            found.changed_settings,
            ["postbacks_g1: fsync_after_insert = 1"]
        );
        assert!(!found.is_sound());
    });
}

#[test]
fn an_unmade_database_is_told_from_an_unmigrated_one() {
    with_database(|database| async move {
        let error = check::check(&database.settings).await.unwrap_err();
        assert_eq!((error.kind, error.code), (Kind::Setup, Some(81)));

        let server = postback_store::client(&crate::database::settings("default"), Role::Query);
        let make = format!("CREATE DATABASE {}", database.settings.database);
        server.unwrap().query_raw(&make).execute().await.unwrap();
        let found = check::check(&database.settings).await.unwrap();
        assert_eq!(
            found.pending_migrations,
            [
                "0001 bookkeeping",
                "0002 refusals",
                "0003 generations",
                "0004 imports",
                "0005 annotations",
                "0006 backfills",
                "0007 endpoints",
                "0008 by_hand_is_kept"
            ]
        );
        assert_eq!(found.active, None);
    });
}

#[test]
fn everything_has_a_comment_and_the_engine_settings_hold() {
    with_tables(|database| async move {
        let without = database
            .ask("SELECT groupArray(table || '.' || name) FROM system.columns WHERE database = currentDatabase() AND comment = ''")
            .await;
        assert_eq!(without, "[]");
        let without = database
            .ask("SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase() AND comment = ''")
            .await;
        assert_eq!(without, "[]");
        for table in ["postbacks_g1", "conversions_g1", "refusals_log"] {
            for setting in [
                "fsync_after_insert = 1",
                "fsync_part_directory = 1",
                "min_rows_to_fsync_after_merge = 1",
                "min_compressed_bytes_to_fsync_after_merge = 1",
                "old_parts_lifetime = 480",
                "min_age_to_force_merge_on_partition_only = 1",
            ] {
                let sql = format!(
                    "SELECT countSubstrings(engine_full, '{setting}') FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"
                );
                assert_eq!(database.ask(&sql).await, "1", "{table}: {setting}");
            }
        }
    });
}

#[test]
fn tables_of_an_earlier_version_get_the_columns_that_were_added() {
    with_tables(|database| async move {
        for column in ["flags", "detail"] {
            let drop = format!("ALTER TABLE postbacks_g1 DROP COLUMN {column}");
            database.execute(&drop).await;
        }
        let told = "ALTER TABLE postbacks_g1 COMMENT COLUMN reasons 'Why it was rejected; empty for accepted'";
        database.execute(told).await;
        let view = "CREATE OR REPLACE VIEW postbacks AS SELECT * FROM postbacks_g1 FINAL COMMENT 'Reads generation 1.'";
        database.execute(view).await;
        let report = database.migrate(&[]).await.unwrap();
        assert_eq!(report.steps.len(), 1, "{:?}", report.steps);
        let columns = "SELECT concat(toString(groupArray(flags)), toString(groupArray(detail))) FROM postbacks";
        assert_eq!(database.ask(columns).await, "[][]");
        let told = "SELECT uniqExact(comment) = 1 AND any(comment) LIKE '%array of orders%' FROM system.columns \
             WHERE database = currentDatabase() AND name = 'reasons'";
        assert_eq!(database.ask(told).await, "1");
        assert!(database.migrate(&[]).await.unwrap().steps.is_empty());
    });
}
