//! Own sides: who is compared with whom.
//!
//! Sources of one account are one side; each side numbers its orders by itself. A network's account
//! can be compared with several sides, and its conversions then count for each of them.

use std::collections::BTreeMap;

use clickhouse::query::Query;

/// A source of own orders or of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSource {
    /// Its name.
    pub name: String,
    /// Sources of one account are one side.
    pub account: String,
    /// Accounts of networks whose conversions its orders are compared with.
    pub compared_with: Vec<String>,
}

/// Own sides by numbers from 0. Where sides share accounts, one *meeting* for each set of sides is
/// numbered behind them: there it is seen whether nobody knows a transaction of these accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// How many.
    count: u16,
    sources: Vec<String>,
    /// Of each source its side, then the meetings that its side is at, if any.
    of_sources: Vec<Vec<u16>>,
    accounts: Vec<String>,
    /// Of each account its meeting, if any, then its sides.
    of_accounts: Vec<Vec<u16>>,
}

impl Sides {
    pub(super) fn of(own: &[OwnSource]) -> Self {
        let mut numbers = BTreeMap::<&str, u16>::new();
        let mut accounts = BTreeMap::<&str, Vec<u16>>::new();
        for source in own {
            let next = number(numbers.len());
            let side = *numbers.entry(&source.account).or_insert(next);
            for account in &source.compared_with {
                let sides = accounts.entry(account).or_default();
                sides.push(side);
                sides.sort_unstable();
                sides.dedup();
            }
        }
        let mut meetings = BTreeMap::<&[u16], u16>::new();
        let are_shared = accounts.values().any(|sides| sides.len() > 1);
        for sides in accounts.values().filter(|_| are_shared) {
            let next = number(numbers.len() + meetings.len());
            meetings.entry(sides).or_insert(next);
        }
        let of_source = |source: &OwnSource| {
            let side = numbers.get(&*source.account).copied().unwrap_or_default();
            let at = meetings.iter().filter(|(sides, _)| sides.contains(&side));
            [
                &[side],
                &at.map(|(_, meeting)| *meeting).collect::<Vec<_>>()[..],
            ]
            .concat()
        };
        let of_account = |sides: &Vec<u16>| {
            let meeting = meetings.get(&sides[..]);
            meeting.into_iter().chain(sides).copied().collect()
        };
        Self {
            count: number(numbers.len()),
            sources: own.iter().map(|source| source.name.clone()).collect(),
            of_sources: own.iter().map(of_source).collect(),
            of_accounts: accounts.values().map(of_account).collect(),
            accounts: accounts.into_keys().map(str::to_owned).collect(),
        }
    }

    /// Whether rows must be told apart by their side; with one side, all of them are of it.
    pub(super) const fn are_several(&self) -> bool {
        self.count > 1
    }

    /// Whether an account is compared with several of them, so that there are meetings.
    pub(super) fn are_meeting(&self) -> bool {
        self.of_sources.iter().any(|of| of.len() > 1)
    }

    /// Nobody is compared with anybody.
    pub(super) const fn are_none(&self) -> bool {
        self.sources.is_empty() || self.accounts.is_empty()
    }

    /// SQL of the sides of a row, an array, whose `is_own` says whether it is of an own side.
    pub(super) fn without_meetings(is_own: &str) -> String {
        let all = Self::of_row(is_own);
        format!("arrayFilter(side -> side < {{sides:UInt16}}, {all})")
    }

    /// The same with the meetings of a row whose `is_own` says whether it is of an own side.
    pub(super) fn of_row(is_own: &str) -> String {
        format!(
            "if({is_own}, {{source_sides:Array(Array(UInt16))}}[indexOf({{sources:Array(String)}}, source)], \
             {{account_sides:Array(Array(UInt16))}}[indexOf({{accounts:Array(String)}}, account)])"
        )
    }

    /// Gives `sources` and `accounts`, and where there are several sides, which of these they are of.
    pub(super) fn bind(&self, query: Query) -> Query {
        let query = query
            .param("sources", &self.sources)
            .param("accounts", &self.accounts);
        if self.are_several() {
            query
                .param("sides", self.count)
                .param("source_sides", &self.of_sources)
                .param("account_sides", &self.of_accounts)
        } else {
            query
        }
    }
}

/// Of so many there are before it; a configuration has far fewer.
fn number(before: usize) -> u16 {
    u16::try_from(before).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, account: &str, compared_with: &[&str]) -> OwnSource {
        OwnSource {
            name: name.to_owned(),
            account: account.to_owned(),
            compared_with: compared_with.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn sources_of_one_account_are_one_side() {
        let own = [
            source("shop", "shop", &["us"]),
            source("shop-old", "shop", &["eu"]),
        ];
        let sides = Sides::of(&own);
        assert!(!sides.are_several());
        assert_eq!(sides.accounts, ["eu", "us"]);
    }

    #[test]
    fn accounts_meet_the_sides_that_are_compared_with_them() {
        let own = [
            source("a", "a", &["us", "both"]),
            source("b", "b", &["eu", "both", "jp"]),
        ];
        let sides = Sides::of(&own);
        assert!(sides.are_several() && sides.are_meeting());
        assert_eq!(sides.sources, ["a", "b"]);
        assert_eq!(sides.accounts, ["both", "eu", "jp", "us"]);
        // 2: both's, of either side; 3: eu's and jp's; 4: us's.
        assert_eq!(
            sides.of_accounts,
            [vec![2, 0, 1], vec![3, 1], vec![3, 1], vec![4, 0]]
        );
        assert_eq!(sides.of_sources, [[0, 4, 2], [1, 2, 3]]);
    }

    #[test]
    fn sides_that_share_no_account_do_not_meet() {
        let sides = Sides::of(&[source("a", "a", &["us"]), source("b", "b", &["jp", "eu"])]);
        assert!(sides.are_several() && !sides.are_meeting());
        assert_eq!(sides.accounts, ["eu", "jp", "us"]);
        assert_eq!(sides.of_accounts, [[1], [1], [0]]);
        assert_eq!(sides.of_sources, [[0], [1]]);
    }
}
