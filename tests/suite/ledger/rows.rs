//! The rows themselves: what is recorded is loaded again, in each database.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use explo_sync::{
    database::Server,
    ledger::{Ledger, Pair, Sql, Table, Writer},
    memory::{Entry, Failure, FieldFindings, Memory, Remembered, Seen, Token, token_hash},
    source::Identity,
};
use rstest::rstest;

use crate::support::{Database, Kind};

fn pair() -> Pair {
    Pair { source: Identity::MySql { database: "app".to_owned() }, explo: "https://api.explo.co".to_owned() }
}

fn ledger(database: &Database, instance: &str) -> Sql {
    let server = Server::new(&database.url.clone().into(), None, None, Duration::from_mins(1)).unwrap();
    Sql::new(server, Table::parse("explo_customers").unwrap(), instance)
}

/// Everything that can be remembered of a customer.
fn full(token: &str) -> Remembered {
    Remembered {
        token: Some(token_hash(token)),
        parent: Some("the parent \u{e9}'\"".to_owned()),
        children_listed_at: Some(1_763_736_314),
        customer_gone_since: Some(1_763_736_315),
        row_gone_since: Some(1_763_736_316),
        wanted: Some(u64::MAX),
        seen: Some(Seen::Listed(7)),
        fields: FieldFindings::parse("name 1:2 cut; emails 3:4 acknowledged"),
        failure: Some(Failure { times: 3, runs_to_wait: 2, next_try: 1_763_740_000, error: "no".to_owned() }),
    }
}

fn entry(provided_id: &str, token: Token, remembered: Remembered) -> Entry {
    Entry {
        provided_id: provided_id.to_owned(),
        former: None,
        token,
        remembered,
        is_synced: true,
        is_back: false,
        is_deleted: false,
    }
}

fn memory<const N: usize>(known: [(&str, Remembered); N]) -> Memory {
    Memory::with_tokens(
        known.map(|(id, remembered)| (id.to_owned(), remembered)).into_iter().collect::<HashMap<_, _>>(),
    )
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn what_is_recorded_is_loaded_again_and_stays_through_every_write(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let (ours, theirs) = (ledger(&database, "default"), ledger(&database, "staging"));
    let (ours, theirs) = (ours.of(pair()), theirs.of(pair()));
    assert_eq!(
        ours.load().await.unwrap().loaded_at(None, None).with_taken(BTreeSet::new()),
        memory([]),
        "there is no table yet"
    );
    let (writer, other) = (ours.writer().await.unwrap(), theirs.writer().await.unwrap());
    let hidden = Remembered { seen: Some(Seen::Hidden(7)), failure: None, ..full("2") };
    let first = [
        entry("a", Token::shown("1"), full("1")),
        entry("b", Token::shown("2"), hidden.clone()),
        entry("c", Token::Kept, Remembered::default()),
    ];
    writer.record(&first).await.unwrap();
    other.record(&[entry("a", Token::shown("theirs"), full("theirs"))]).await.unwrap();
    let loaded = ours.load().await.unwrap().loaded_at(None, None).with_taken(BTreeSet::new());
    assert_eq!(loaded, memory([("a", full("1")), ("b", hidden.clone()), ("c", Remembered::default())]));
    let parent = loaded.parent("a").zip(loaded.children_listed_at("a"));
    assert_eq!(parent, Some(("the parent \u{e9}'\"", 1_763_736_314)));
    assert_eq!((loaded.parent("c"), loaded.children_listed_at("c"), loaded.parent("x")), (None, None, None));

    // A token that is not shown anew stays, one that is nobody's goes.
    let settled = Remembered { failure: None, fields: FieldFindings::default(), ..full("1") };
    let second = [entry("a", Token::Kept, settled.clone()), entry("b", Token::Gone, Remembered::default())];
    writer.record(&second).await.unwrap();
    let expected = memory([("a", settled), ("b", Remembered::default()), ("c", Remembered::default())]);
    assert_eq!(ours.load().await.unwrap().loaded_at(None, None).with_taken(BTreeSet::new()), expected);
    assert_eq!(
        theirs.load().await.unwrap().loaded_at(None, None).with_taken(BTreeSet::new()),
        memory([("a", full("theirs"))]),
        "another instance has its own"
    );
}

#[rstest]
#[case(Kind::Postgres)]
#[case(Kind::MySql)]
#[case(Kind::Sqlite)]
#[tokio::test]
async fn the_row_of_an_old_id_becomes_that_of_the_new_one(#[case] kind: Kind) {
    let database = Database::new(kind).await;
    let ours = ledger(&database, "default");
    let ours = ours.of(pair());
    let writer = ours.writer().await.unwrap();
    let before = ["1", "2", "3"].map(|n| entry(n, Token::shown(n), full(n)));
    writer.record(&before).await.unwrap();
    // 4 has no row, 3 has one; the old row of 9 is gone already.
    let renamed =
        |old: &str, new, token: &str| Entry { former: Some(old.to_owned()), ..entry(new, Token::Kept, full(token)) };
    let batch = [renamed("1", "4", "1"), renamed("2", "3", "2"), renamed("9", "5", "5")];
    let shown = batch.map(|one| if one.provided_id == "3" { Entry { token: Token::shown("2"), ..one } } else { one });
    for _ in 0..2 {
        writer.record(&shown).await.unwrap();
        let expected = [("2", None), ("3", Some("2")), ("4", Some("1")), ("5", None)];
        let expected = expected.map(|(id, token)| (id.to_owned(), token.map(str::to_owned)));
        assert_eq!(database.tokens("default").await, expected.into_iter().collect(), "and a batch may come twice");
    }
    assert_eq!(ours.load().await.unwrap().parent("4"), Some("the parent \u{e9}'\""));
}
