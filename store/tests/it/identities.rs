use futures_util::future::join_all;
use postback_common::config::Identity;
use postback_common::name::AccountName;
use postback_store::{AccountIdentity, Generation, Kind, Step, WantedIdentity, identities};

use crate::database::with_database;

fn identity(identity: Identity) -> AccountIdentity {
    AccountIdentity {
        identity,
        key_day: "date".to_owned(),
    }
}

fn wanted(account: &str, proposed: Identity, configured: Option<Identity>) -> WantedIdentity {
    WantedIdentity {
        account: AccountName::new(account).unwrap(),
        proposed: identity(proposed),
        configured,
    }
}

#[test]
fn the_first_decides_and_a_contradiction_is_refused_with_the_remedy() {
    with_database(|database| async move {
        let main = AccountName::new("main").unwrap();
        let first = [wanted("main", Identity::Order, None)];
        let report = database.migrate(&first).await.unwrap();
        let frozen = Step::AccountFrozen(main.clone(), identity(Identity::Order));
        assert!(report.steps.contains(&frozen), "{report:?}");

        let better_by_default = [
            wanted("main", Identity::TransactionId, None),
            wanted("new", Identity::None, Some(Identity::None)),
        ];
        let report = database.migrate(&better_by_default).await.unwrap();
        let held = identities::read(&database.client, Generation::FIRST).await;
        assert_eq!(held.unwrap()[&main], identity(Identity::Order));
        let new = AccountName::new("new").unwrap();
        assert_eq!(
            report.steps,
            [Step::AccountFrozen(new, identity(Identity::None))]
        );

        let contradicting = [wanted(
            "main",
            Identity::TransactionId,
            Some(Identity::TransactionId),
        )];
        let error = database.migrate(&contradicting).await.unwrap_err();
        assert_eq!(error.kind, Kind::Contradiction);
        assert!(error.message.contains("account main"), "{error}");
        assert!(error.remedy.contains("identity = \"order\""), "{error}");
        let still = identities::read(&database.client, Generation::FIRST)
            .await
            .unwrap();
        assert_eq!(still[&main], identity(Identity::Order));
    });
}

#[test]
fn what_a_generation_is_loaded_by_comes_before_what_a_file_proposes() {
    with_database(|database| async move {
        database.migrate(&[]).await.unwrap();
        let settle = async |by_rules: &[WantedIdentity], by_file: &[WantedIdentity]| {
            identities::settle(&database.client, Generation::FIRST, by_rules, by_file).await
        };
        let by_rules = [wanted("main", Identity::Order, None)];
        let by_file = [
            wanted("main", Identity::TransactionId, None),
            wanted("new", Identity::None, None),
        ];
        let settled = settle(&by_rules, &by_file).await.unwrap();
        let name = |name: &str| AccountName::new(name).unwrap();
        let held = [
            (name("main"), identity(Identity::Order)),
            (name("new"), identity(Identity::None)),
        ];
        assert_eq!(settled.identities, held.clone().into());
        let steps = held.map(|(account, identity)| Step::AccountFrozen(account, identity));
        assert_eq!(settled.steps, steps);
        assert_eq!(settle(&by_rules, &by_file).await.unwrap().steps, []);
    });
}

#[test]
fn of_many_at_once_one_decides_and_all_read_the_same() {
    with_database(|database| async move {
        database.migrate(&[]).await.unwrap();
        let proposals = Identity::ALL.into_iter().cycle().take(9);
        let racing = proposals.map(|proposed| {
            let client = database.client.clone();
            async move {
                let racer = [wanted("main", proposed, None)];
                identities::freeze(&client, Generation::FIRST, &racer)
                    .await
                    .unwrap()
            }
        });
        let seen = join_all(racing).await;
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
        database
            .execute("OPTIMIZE TABLE account_identities FINAL")
            .await;
        assert_eq!(
            identities::read(&database.client, Generation::FIRST)
                .await
                .unwrap(),
            seen[0]
        );
    });
}
