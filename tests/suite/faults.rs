//! Every kind of fault, once and for good, on each page and on each write: the run converges, or ends with the right code.
//!
//! Left out is a 429 for good: giving it up takes ten minutes by contract, which `transport` passes on a paused clock.

pub(crate) mod reach;

use explo_sync::sandbox::{Fault, Sandbox};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use crate::support::{Database, Program, World, endpoints};

/// What is wanted: the first is to be created, the second to be updated, the others are equal.
const TENANTS: [(&str, &str); 5] = [("a", "Ann"), ("b", "Bob"), ("c", "Cat"), ("d", "Dan"), ("e", "Eve")];

/// What becomes of a call that a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// It is made again.
    Retried,
    /// It is made again after a pause, as often as it takes.
    Throttled,
    /// The first page is asked for in other words; else as refused.
    Misunderstood,
    /// It is not made again: the listing fails, or one tenant.
    Refused,
    /// It is not made again: one tenant is invalid, or fails.
    Unreadable,
    /// The same, and three of them are about the token.
    Forbidden,
    /// Nothing will work.
    Unauthorized,
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    FirstPage,
    SecondPage,
    Create,
    Update,
}

/// Calls: of the listing, `create_customer`, `update_customer`.
type Calls = [usize; 3];

/// Two pages of two.
const UNDISTURBED: Calls = [2, 1, 1];

/// The program makes one call at a time, in pages of two, and tries each twice.
async fn sides() -> (Database, Sandbox, Program) {
    let tenant = |(id, name)| json!({"provided_id": id, "name": name, "emails": [format!("{id}@t.example")]});
    let world = World::of(TENANTS.map(tenant)).derived().without([TENANTS[0].0]);
    world
        .but("b", |customer| customer.emails = vec!["former@t.example".to_owned()])
        .with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "2")
        .with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1")
        .with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "2")
        .with("EXPLO_SYNC__EXPLO__PAUSE_ON_429", "100ms")
        .start()
        .await
}

fn made(sandbox: &Sandbox) -> Calls {
    let calls = sandbox.take_calls();
    let endpoints = endpoints(&calls);
    let calls = ["customers", "create_customer", "update_customer"]
        .map(|name| endpoints.iter().filter(|endpoint| **endpoint == name).count());
    assert_eq!(calls.iter().sum::<usize>(), endpoints.len(), "a call of another kind: {endpoints:?}");
    calls
}

/// Whether the sandbox holds each tenant once, with its name and its address alone.
fn holds_what_is_wanted(sandbox: &Sandbox) -> bool {
    let mut held: Vec<_> =
        sandbox.customers().into_iter().map(|held| (held.provided_id, held.name, held.emails)).collect();
    held.sort_unstable();
    let wanted = |(id, name): (&str, &str)| (Some(id.to_owned()), name.to_owned(), vec![format!("{id}@t.example")]);
    held == TENANTS.map(wanted)
}

impl Place {
    const ALL: [Self; 4] = [Self::FirstPage, Self::SecondPage, Self::Create, Self::Update];

    fn options(self) -> &'static str {
        match self {
            Self::FirstPage => "endpoint=customers",
            Self::SecondPage => "endpoint=customers,after=1",
            Self::Create => "endpoint=create_customer",
            Self::Update => "endpoint=update_customer",
        }
    }

    /// The code and the calls of a run in which the fault strikes here once, or with every call from then on.
    fn expected(self, verdict: Verdict, once: bool) -> (i32, Calls) {
        let [pages, creates, updates] = UNDISTURBED;
        // Each call is tried twice, and a pause is no attempt.
        let again = match (verdict, self) {
            (Verdict::Retried | Verdict::Throttled, _) => 1,
            // Perhaps it does not know a parameter: page 1 is asked for with the one, the other, or none.
            (Verdict::Misunderstood, Self::FirstPage) => 1 + if once { 0 } else { 2 },
            _ => 0,
        };
        let code = match (verdict, self) {
            (Verdict::Retried | Verdict::Throttled, _) | (Verdict::Misunderstood, Self::FirstPage) if once => 0,
            (Verdict::Unreadable, _) => 3,
            (Verdict::Unauthorized, _) | (Verdict::Forbidden, Self::FirstPage | Self::SecondPage) => 77,
            (_, Self::FirstPage | Self::SecondPage) => 1,
            (_, Self::Create | Self::Update) => 3,
        };
        let calls = match self {
            // The tenant that is to be updated is on the first page.
            Self::FirstPage if verdict == Verdict::Unreadable => [pages, creates, 0],
            Self::SecondPage if verdict == Verdict::Unreadable => [pages, creates, updates],
            Self::FirstPage if code != 0 => [1 + again, 0, 0],
            Self::SecondPage if code != 0 => [2 + again, 0, 0],
            Self::FirstPage | Self::SecondPage => [pages + again, creates, updates],
            Self::Create if verdict == Verdict::Unauthorized => [pages, creates, 0],
            Self::Create => [pages, creates + again, updates],
            Self::Update => [pages, creates, updates + again],
        };
        (code, calls)
    }
}

#[rstest]
#[case::throttled("throttle", Verdict::Throttled)]
#[case::throttled_for_seconds("throttle=1", Verdict::Throttled)]
#[case::throttled_until_a_date("throttle-until=1", Verdict::Throttled)]
#[case::server_error("status=500", Verdict::Retried)]
#[case::bad_gateway("status=502", Verdict::Retried)]
#[case::unavailable("status=503", Verdict::Retried)]
#[case::server_error_though_applied("status-after=500", Verdict::Retried)]
#[case::gateway_timeout_though_applied("status-after=504", Verdict::Retried)]
#[case::html("html", Verdict::Retried)]
#[case::empty("empty", Verdict::Retried)]
#[case::cut("cut", Verdict::Retried)]
#[case::half("half", Verdict::Retried)]
#[case::huge("huge", Verdict::Retried)]
#[case::gzip_bomb("gzip-bomb", Verdict::Retried)]
#[case::dripping("drip", Verdict::Retried)]
#[case::dropped("drop-before", Verdict::Retried)]
#[case::dropped_though_applied("drop-after", Verdict::Retried)]
#[case::hanging("hang-before", Verdict::Retried)]
#[case::hanging_though_applied("hang-after", Verdict::Retried)]
#[case::redirect("redirect", Verdict::Refused)]
#[case::moved("status=308", Verdict::Refused)]
#[case::another_shape("status=200", Verdict::Refused)]
#[case::bad_request("status=400", Verdict::Misunderstood)]
#[case::conflict_though_applied("status-after=409", Verdict::Refused)]
#[case::nested("nested", Verdict::Unreadable)]
#[case::forbidden("forbidden", Verdict::Forbidden)]
#[case::unauthorized("unauthorized", Verdict::Unauthorized)]
#[tokio::test]
async fn a_fault_costs_one_retry_or_ends_as_the_contract_says_and_the_next_run_converges(
    #[case] kind: &str,
    #[case] verdict: Verdict,
) {
    let lasts = |once: &bool| *once || verdict != Verdict::Throttled;
    let times = [true, false].into_iter().filter(lasts);
    join_all(times.flat_map(|once| Place::ALL.map(|place| strike(kind, verdict, place, once)))).await;
}

async fn strike(kind: &str, verdict: Verdict, place: Place, once: bool) {
    let (_database, sandbox, program) = sides().await;
    let fault = format!("{kind},{}{}", place.options(), if once { ",times=1" } else { "" });
    let parsed: Fault = fault.parse().unwrap();
    sandbox.adjust(|api| api.faults = vec![parsed]);
    // Only where nothing comes is it not waited for long.
    let waits = ["drip", "hang"].iter().any(|slow| kind.starts_with(slow));
    let program = program.with("EXPLO_SYNC__EXPLO__TIMEOUT", if waits { "2s" } else { "30s" });
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, made(&sandbox)), place.expected(verdict, once), "{fault}: {report}");
    if code == 0 {
        assert!(report["error"].is_null() && holds_what_is_wanted(&sandbox), "{fault}: {:?}", sandbox.customers());
        return;
    }
    let told = match (code, place) {
        (3, Place::FirstPage | Place::SecondPage) => &report["invalid"][0]["reason"],
        (3, Place::Create) => &report["changes"][0]["error"],
        (3, Place::Update) => &report["changes"][1]["error"],
        _ => &report["error"],
    };
    assert!(told.as_str().is_some_and(|told| told.contains("customer")), "{fault}: {report}");

    sandbox.adjust(|api| api.faults.clear());
    let pages = sandbox.customers().len().div_ceil(2);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, made(&sandbox)[0]), (0, pages), "{fault}: {report}");
    assert!(holds_what_is_wanted(&sandbox), "{fault}: {:?}", sandbox.customers());
}

#[tokio::test]
async fn a_page_that_is_not_there_is_the_end_and_the_total_tells_that_it_came_too_soon() {
    let (_database, sandbox, program) = sides().await;
    sandbox.adjust(|api| api.faults = vec!["status=404,endpoint=customers,after=1,times=1".parse().unwrap()]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, made(&sandbox)), (0, [4, 1, 1]), "two passes: {report}");

    let (_database, sandbox, program) = sides().await;
    let every_second_page =
        [1, 3, 5].map(|after| Fault { after, ..Fault::new("status=404".parse().unwrap()).times(1) });
    sandbox.adjust(|api| api.faults = every_second_page.into());
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, made(&sandbox)), (1, [6, 0, 0]), "three passes, and nothing was written: {report}");
}

#[tokio::test]
async fn three_tenants_that_are_forbidden_are_about_the_token() {
    let (database, sandbox, program) = sides().await;
    database.execute("insert into tenants values ('x', 'X', 'x@t.example'), ('y', 'Y', 'y@t.example')").await;
    sandbox.adjust(|api| api.faults = vec!["forbidden,endpoint=create_customer".parse().unwrap()]);
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, made(&sandbox)), (77, [2, 3, 0]), "{report}");
    assert_eq!(report["outcomes"], json!({"applied": 0, "failed": 3, "unsettled": 0, "deferred": 1}));
}
