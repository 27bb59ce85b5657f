//! The listing as servers give it: in both versions, spellings and shapes, and answers that are made to do harm.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use explo_sync::sandbox::Sandbox;
use flate2::{Compression, write::GzEncoder};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Database, Program, World, endpoints, keys};

/// Three tenants and their customers: nothing to do.
async fn sides() -> (Database, Sandbox, Program) {
    World::of([("a", "Ann"), ("b", "Bob"), ("c", "Cat")]).derived().start().await
}

/// The program before whom `answer` stands; every call's path is noted.
async fn program(
    sides: &(Database, Sandbox, Program),
    answer: impl Fn(&Asked<'_>) -> Option<Answer> + Send + Sync + 'static,
) -> (Program, Arc<Mutex<Vec<String>>>) {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&paths);
    let answer = move |asked: &Asked<'_>| {
        noted.lock().unwrap().push(asked.path.to_owned());
        answer(asked)
    };
    let program = sides.2.behind(&sides.1, answer).await;
    (program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1"), paths)
}

/// The program before whom a listing stands.
async fn listing(sides: &(Database, Sandbox, Program), body: impl Into<Vec<u8>>) -> Program {
    let body = body.into();
    let listed =
        move |asked: &Asked<'_>| (asked.endpoint == "customers").then(|| Answer::new(200, body.clone())).flatten();
    program(sides, listed).await.0
}

#[tokio::test]
async fn v1_gives_all_customers_in_one_answer_without_a_total() {
    let sides = sides().await;
    let (program, paths) = program(&sides, |_| None).await;
    let program = program.with("EXPLO_SYNC__EXPLO__LISTING", "v1").with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "1");
    let (code, report) = program.sync(&[]).await;
    assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(3)));
    assert_eq!(report["listing"], json!({"passes": 1, "pages": 1, "complete": true}));
    assert_eq!(*paths.lock().unwrap(), ["/api/customers/"]);
    let check = program.run(&["check"]).await;
    assert!(check.stdout.contains("a page of 3 of 3 customers"), "{}", check.stdout);
}

#[rstest]
#[case::it_says_no(r#"{"success": 0, "error": "not today", "customers": []}"#, "not today")]
#[case::it_does_not_say_yes(r#"{"customers": []}"#, "answered 200")]
#[case::no_customers(r#"{"success": 1}"#, "the documented shape")]
#[case::null_customers(r#"{"success": true, "customers": null}"#, "the documented shape")]
#[case::cut(r#"{"success": true, "customers": [{"#, "is cut short")]
#[tokio::test]
async fn without_a_readable_v1_listing_there_is_no_plan(#[case] body: &'static str, #[case] told: &str) {
    let sides = sides().await;
    let program = listing(&sides, body).await.with("EXPLO_SYNC__EXPLO__LISTING", "v1");
    let (code, report) = program.sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert!(code == 1 && error.contains(told), "{code}: {error}");
}

#[rstest]
#[case(404)]
#[case(405)]
#[tokio::test]
async fn where_v2_is_missing_the_error_names_v1(#[case] status: u16) {
    let sides = sides().await;
    let v1_alone = move |asked: &Asked<'_>| asked.path.starts_with("/v2").then(|| Answer::new(status, "{}")).flatten();
    let (program, _) = program(&sides, v1_alone).await;
    let (code, report) = program.sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert!(code == 1 && error.contains(r#"set explo.listing = "v1""#), "{code}: {error}");
    assert_eq!(program.with("EXPLO_SYNC__EXPLO__LISTING", "v1").sync(&[]).await.0, 0);
}

#[rstest]
#[case::both(&["page_size=2&pageSize=2"], 1)]
#[case::snake_case(&["page_size=2"], 2)]
#[case::camel_case(&["pageSize=2"], 3)]
#[case::none(&[""], 4)]
#[case::no_page_at_all(&[], 4)]
#[tokio::test]
async fn a_name_of_the_page_size_that_is_refused_is_dropped_for_good(
    #[case] known: &'static [&str],
    #[case] tries: usize,
) {
    let sides = sides().await;
    // A customer too few: three passes.
    let page = r#"{"total_count": 4, "results": {"customers": [{"token": "a"}, {"token": "b"}]}}"#;
    let picky = move |asked: &Asked<'_>| {
        let sizes = asked.path.split_once('&').map_or("", |(_, sizes)| sizes);
        if known.contains(&sizes) { Answer::new(200, page) } else { Answer::new(400, format!("unknown: {sizes}")) }
    };
    let (program, paths) = program(&sides, picky).await;
    let (code, report) = program.with("EXPLO_SYNC__EXPLO__PAGE_SIZE", "2").sync(&[]).await;
    let (error, paths) = (report["error"].as_str().unwrap(), paths.lock().unwrap());
    let all = ["&page_size=2&pageSize=2", "&page_size=2", "&pageSize=2", ""];
    let tried = all[..tries].iter().map(|sizes| (1, *sizes));
    let after = [2, 1, 2, 1, 2].map(|number| (number, all[tries - 1]));
    let expected = tried.chain(after.into_iter().take(5 * known.len()));
    let expected: Vec<_> = expected.map(|(number, sizes)| format!("/v2/api/customers/?page={number}{sizes}")).collect();
    assert_eq!((code, &*paths), (1, &expected));
    let told = if known.is_empty() { "400: unknown: page_size=***" } else { "3 passes" };
    assert!(error.contains(told), "{error}");
}

#[rstest]
#[case::total_count(r#""total_count": 1, "#, Ok(1))]
#[case::count(r#""count": 1, "#, Ok(1))]
#[case::camel_case(r#""totalCount": 1, "#, Ok(1))]
#[case::all_at_once(r#""count": 1, "totalCount": 1, "total_count": 1, "#, Ok(1))]
#[case::of_two_the_documented_one_counts(r#""count": 9, "total_count": 1, "#, Ok(1))]
#[case::a_null_beside_it(r#""total_count": null, "count": 1, "#, Ok(1))]
#[case::a_number_in_quotes(r#""total_count": "1", "#, Ok(1))]
#[case::success(r#""success": 1, "total_count": 1, "#, Ok(1))]
#[case::success_is_true(r#""success": true, "total_count": 1, "#, Ok(1))]
#[case::success_is_zero(r#""success": 0, "total_count": 1, "#, Err("answered 200"))]
#[case::success_is_false(r#""success": false, "total_count": 1, "#, Err("answered 200"))]
#[case::no_total("", Err("no total_count says"))]
#[case::a_total_below_zero(r#""total_count": -1, "#, Err("no total_count says"))]
#[case::a_list_as_a_total(r#""total_count": [1], "#, Err("the documented shape"))]
#[tokio::test]
async fn the_envelope_has_a_total_in_any_spelling(#[case] head: &str, #[case] expected: Result<u64, &str>) {
    let record = r#"{"token": "x", "provided_id": "a", "name": "Ann"}"#;
    let sides = sides().await;
    let program = listing(&sides, format!(r#"{{{head}"results": {{"customers": [{record}]}}}}"#)).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    match expected {
        Ok(unchanged) => assert_eq!((code, &report["counts"]["unchanged"]), (0, &json!(unchanged)), "{report}"),
        Err(told) => assert!(code == 1 && report["error"].as_str().unwrap().contains(told), "{report}"),
    }
}

/// A tenant that has every field, and what is listed for it with other values in these places.
async fn one_full_tenant(without: &[&str], other: Value) -> (Program, (Database, Sandbox, Program)) {
    let tenant = json!({
        "provided_id": "7", "name": "Ann", "emails": ["a@a.example"], "group_tags": ["gold"],
        "properties": {"plan": "pro"}, "mapping": {"40": "213"}, "is_demo_group": true, "hierarchy_level_name": "Site",
    });
    let mut record = json!({
        "token": "x", "provided_id": "7", "name": "Ann", "emails": ["a@a.example"], "group_tags": ["gold"],
        "properties": {"plan": "pro"}, "parent_schema_datasource_mapping": {"40": "213"}, "is_demo_group": true,
        "hierarchy_level": "Site", "computed_properties": {"deep": [[[]]]}, "access_group": null,
    });
    let fields = record.as_object_mut().unwrap();
    fields.retain(|key, _| !without.contains(&key.as_str()));
    fields.extend(other.as_object().unwrap().clone());
    let page = json!({"total_count": 1, "results": {"customers": [record]}});
    let sides = World::of([tenant]).start().await;
    sides.1.change(|store| store.add_tag("gold").unwrap());
    (listing(&sides, page.to_string()).await, sides)
}

const SNAKE_CASE: &[&str] = &[
    "provided_id",
    "group_tags",
    "parent_schema_datasource_mapping",
    "is_demo_group",
    "hierarchy_level",
    "access_group",
];

#[rstest]
#[case::as_documented(&[], json!({}), &[])]
#[case::in_camel_case(SNAKE_CASE, json!({"providedId": "7", "groupTags": ["gold"], "isDemoGroup": true, "accessGroup": "A",
    "parentSchemaDatasourceMapping": {"40": "213"}, "hierarchyLevel": "Site", "computedProperties": {"plan": 1}}), &[])]
#[case::in_both_spellings(&[], json!({"providedId": "7", "groupTags": ["gold"], "isDemoGroup": true, "accessGroup": null,
    "parentSchemaDatasourceMapping": {"40": "213"}, "hierarchyLevel": "Site"}), &[])]
#[case::empty_in_the_other_spelling(&[], json!({"providedId": null, "groupTags": [], "isDemoGroup": null,
    "parentSchemaDatasourceMapping": {}, "hierarchyLevel": ""}), &[])]
#[case::numbers(&[], json!({"provided_id": 7, "parent_schema_datasource_mapping": {"40": 213}, "is_demo_group": 1}), &[])]
#[case::nulls_in_lists(&[], json!({"emails": [null, "a@a.example"], "group_tags": ["gold", null]}), &[])]
#[case::objects_with_names(&[], json!({"group_tags": [{"id": 5, "name": "gold"}], "hierarchy_level": {"name": "Site"}}), &[])]
#[case::null_lists(&[], json!({"emails": null, "group_tags": null}), &["emails", "group_tags"])]
#[case::null_objects(&[], json!({"properties": null, "parent_schema_datasource_mapping": null}), &["mapping", "properties"])]
#[case::no_level(&["hierarchy_level"], json!({}), &["hierarchy_level_name"])]
#[case::a_null_level(&[], json!({"hierarchy_level": null}), &["hierarchy_level_name"])]
#[case::no_flag(&["is_demo_group"], json!({"name": null}), &["is_demo_group", "name"])]
#[tokio::test]
async fn a_record_is_read_where_its_meaning_is_clear(
    #[case] without: &[&str],
    #[case] other: Value,
    #[case] differing: &[&str],
) {
    let (program, _sides) = one_full_tenant(without, other).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"], &report["customers"]), (0, &json!(0), &json!(1)), "{report}");
    let empty = json!({});
    let fields = report["changes"].get(0).map_or(&empty, |change| &change["fields"]);
    assert_eq!(keys(fields), differing);
}

#[rstest]
#[case::an_id_that_is_an_object(json!({"provided_id": {"name": "7"}}), json!([null]))]
#[case::an_id_that_is_a_fraction(json!({"provided_id": 7.5}), json!([null]))]
#[case::an_address_that_is_a_list(json!({"emails": [["a@a.example"]]}), json!(["7"]))]
#[case::addresses_that_are_a_text(json!({"emails": "a@a.example"}), json!(["7"]))]
#[case::properties_that_are_a_list(json!({"properties": []}), json!(["7"]))]
#[case::properties_that_are_a_text(json!({"properties": "{}"}), json!(["7"]))]
#[case::a_mapping_that_is_a_number(json!({"parent_schema_datasource_mapping": 213}), json!(["7"]))]
#[case::a_level_without_a_name(json!({"hierarchy_level": {"id": 5}}), json!(["7"]))]
#[case::a_flag_that_is_a_word(json!({"is_demo_group": "yes"}), json!(["7"]))]
#[case::a_token_that_is_a_flag(json!({"token": true}), json!(["7"]))]
#[tokio::test]
async fn a_record_whose_meaning_is_not_clear_is_named_and_left_alone(#[case] other: Value, #[case] unreadable: Value) {
    let (program, _sides) = one_full_tenant(&[], other).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["listing"]["unreadable"], &report["customers"]), (0, &unreadable, &json!(1)), "{report}");
    let is_named = unreadable == json!(["7"]);
    let counts = (&report["counts"]["invalid"], &report["counts"]["create"], &report["counts"]["update"]);
    assert_eq!(counts, (&json!(u8::from(is_named)), &json!(u8::from(!is_named)), &json!(0)), "{report}");
}

#[tokio::test]
async fn a_record_of_two_megabytes_differs_in_all_that_is_managed() {
    let (program, _sides) = one_full_tenant(&[], json!({"emails": vec![""; 700_000]})).await;
    let (code, report) = program.sync(&["--dry-run"]).await;
    let managed = ["emails", "group_tags", "hierarchy_level_name", "is_demo_group", "mapping", "name", "properties"];
    assert_eq!((code, keys(&report["changes"][0]["fields"])), (0, managed.to_vec()), "{report}");
}

/// So many customers as there are tenants, on pages as the flags say: the calls of a run, and its report.
async fn counted(flags: &str, customers: usize, settings: &[(&str, &str)]) -> (usize, i32, Value) {
    let world = World::of((0..customers).map(|n| (format!("t{n:02}"), "T"))).derived().behaving(flags);
    let (_database, sandbox, program) = world.with("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "1").start().await;
    let program = settings.iter().fold(program, |program, (name, value)| program.with(name, value));
    let (code, report) = program.sync(&["--dry-run"]).await;
    let calls = sandbox.take_calls();
    assert!(endpoints(&calls).iter().all(|endpoint| *endpoint == "customers"));
    (calls.len(), code, report)
}

/// Ten customers on a page, or 45 on three, the last of them short; one page at a time.
#[rstest]
#[case::nothing_said_to_be(-10, 1, 0, 10, "")]
#[case::too_low(-1, 1, 0, 10, "")]
#[case::right(0, 1, 0, 10, "")]
#[case::one_too_many(1, 6, 1, 10, "")]
#[case::far_too_high(2990, 6, 1, 10, "")]
#[case::absurd(1_000_000_000, 6, 1, 10, "")]
#[case::nothing_of_three_pages(-45, 1, 1, 45, "--page-size-name neither")]
#[case::a_page_too_low(-20, 2, 1, 45, "--page-size-name neither")]
#[case::too_low_by_less(-1, 3, 0, 45, "--page-size-name neither")]
#[case::right_on_three_pages(0, 3, 0, 45, "--page-size-name neither")]
#[case::one_too_many_on_three_pages(1, 9, 1, 45, "--page-size-name neither")]
#[case::a_page_too_many(20, 12, 1, 45, "--page-size-name neither")]
#[case::far_too_high_on_three_pages(2955, 12, 1, 45, "--page-size-name neither")]
#[case::absurd_on_three_pages(1_000_000_000, 12, 1, 45, "--page-size-name neither")]
#[tokio::test]
async fn a_total_costs_few_calls_whatever_it_says(
    #[case] plus: i64,
    #[case] calls: usize,
    #[case] code: i32,
    #[case] customers: usize,
    #[case] flags: &str,
    #[values("404", "empty", "first", "last")] past_end: &str,
) {
    let flags = format!("{flags} --past-end {past_end} --total-plus={plus}");
    let (made, ended, report) = counted(&flags, customers, &[]).await;
    assert_eq!(made, calls, "{report}");
    if code == 0 {
        assert_eq!((ended, &report["counts"]["unchanged"]), (0, &json!(customers)), "{report}");
    } else if plus > 0 {
        let error = report["error"].as_str().unwrap();
        assert!(ended == 1 && error.contains("3 passes") && error.contains("trust_total = false"), "{error}");
    } else {
        // It is believed; what it does not show is made again, which finds it.
        assert_eq!(report["listing"]["complete"], true, "{report}");
    }
}

#[rstest]
#[case(10, "", 5 + 2 + 2)]
#[case(45, "--page-size-name neither", 7 + 4 + 4)]
#[tokio::test]
async fn pages_side_by_side_beyond_the_end_are_no_more_than_those_under_way(
    #[case] customers: usize,
    #[case] flags: &str,
    #[case] most: usize,
    #[values("404", "empty", "first", "last")] past_end: &str,
) {
    let flags = format!("{flags} --past-end {past_end} --total-plus=1000000000");
    let (made, code, report) = counted(&flags, customers, &[("EXPLO_SYNC__EXPLO__MAX_IN_FLIGHT", "4")]).await;
    assert!(code == 1 && made <= most, "{made} {report}");
}

#[rstest]
#[case::a_short_page(10, "", 2)]
#[case::a_short_page_of_three(45, "--page-size-name neither", 4)]
#[case::full_pages(40, "--page-size-name neither", 3)]
#[case::nobody(0, "", 1)]
#[tokio::test]
async fn where_the_total_is_not_trusted_the_end_is_an_empty_page_or_none(
    #[case] customers: usize,
    #[case] flags: &str,
    #[case] calls: usize,
    #[values("404", "empty")] past_end: &str,
    #[values(0, 1_000_000_000)] plus: i64,
) {
    let flags = format!("{flags} --past-end {past_end} --total-plus={plus}");
    let (made, code, report) = counted(&flags, customers, &[("EXPLO_SYNC__EXPLO__TRUST_TOTAL", "false")]).await;
    assert_eq!((made, code, &report["counts"]["unchanged"]), (calls, 0, &json!(customers)), "{report}");
    assert_eq!(report["listing"], json!({"passes": 1, "pages": calls, "complete": true}));
}

#[rstest]
#[case::snake_case(json!({"new_customer": true}), "applied")]
#[case::camel_case(json!({"newCustomer": true}), "applied")]
#[case::both(json!({"newCustomer": 1, "new_customer": true, "success": true}), "applied")]
#[case::null(json!({"newCustomer": true, "new_customer": null}), "applied")]
#[case::false_in_camel_case(json!({"newCustomer": false}), "failed")]
#[case::a_word(json!({"new_customer": "yes"}), "failed")]
#[tokio::test]
async fn whether_a_customer_is_new_is_said_in_any_spelling(#[case] said: Value, #[case] outcome: &str) {
    let sides = World::of([("a", "Ann")]).and([json!({"access_group": "A"})]).start().await;
    // One that existed before would be another group's.
    let mut created =
        json!({"success": 1, "customer": {"token": "x", "providedId": "a", "name": "Ann", "accessGroup": "B"}});
    created.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let creating = move |asked: &Asked<'_>| {
        (asked.endpoint == "create_customer").then(|| Answer::new(200, created.to_string())).flatten()
    };
    let (_, report) = program(&sides, creating).await.0.sync(&[]).await;
    assert_eq!(report["outcomes"][outcome], 1, "{report}");
}

fn zipped(chunk: &str, times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..times {
        encoder.write_all(chunk.as_bytes()).unwrap();
    }
    encoder.finish().unwrap()
}

#[rstest]
#[case::larger_than_is_read("", " ".repeat(65 << 20).into(), "is larger than 64 MiB: lower explo.page_size")]
#[case::a_gzip_bomb("gzip", zipped(&" ".repeat(1 << 20), 70), "is larger than 64 MiB")]
#[case::gzip_that_is_cut("gzip", zipped("{}", 1000)[..20].to_vec(), "customers failed because ")]
#[case::gzip_that_is_none("gzip", b"{}".to_vec(), "customers failed because ")]
#[case::brackets_without_end("", format!(r#"{{"results": {{"customers": {}"#, "[".repeat(48 << 20)).into(), "the documented shape")]
#[case::deep_where_nobody_looks("", format!(r#"{{"x": {0}1{1}, "results": {{}}}}"#, "[".repeat(4 << 20), "]".repeat(4 << 20)).into(), "the documented shape")]
#[case::a_deep_name("", format!(r#"{{"results": {{"customers": [{{"name": {0}1{1}}}]}}}}"#, "[".repeat(60), "]".repeat(60)).into(), "no total_count says")]
#[case::records_without_end("", format!(r#"{{"results": {{"customers": [{} 5]}}}}"#, "{},".repeat(300_000)).into(), "no total_count says")]
#[case::not_utf_8("", b"{\"results\": \"\xff\"}".to_vec(), "is not UTF-8")]
#[case::nowhere_utf_8("", vec![0xff; 60 << 20], "is not UTF-8")]
#[case::seldom_utf_8("", b"\"\xff".repeat(3 << 20), "is not UTF-8")]
#[tokio::test]
async fn a_harmful_answer_fails_the_run_in_bounded_memory(
    #[case] encoding: &'static str,
    #[case] body: Vec<u8>,
    #[case] told: &str,
) {
    let sides = sides().await;
    let harmful = move |_: &Asked<'_>| {
        let headers = if encoding.is_empty() { Vec::new() } else { vec![("content-encoding", encoding.to_owned())] };
        Some(Answer { status: 200, headers, body: body.clone() })
    };
    let (program, _) = program(&sides, harmful).await;
    // Kibibytes: the largest answer, stacks and buffers, and little more.
    let (code, report) = program.in_memory(98_304).sync(&[]).await;
    let error = report["error"].as_str().unwrap();
    assert!(code == 1 && error.contains(told), "{error}");
}

#[rstest]
#[case::a_name([r#""name": ""#, "x", r#"""#, "", ""], true)]
#[case::escapes([r#""name": ""#, "\\n", r#"""#, "", ""], true)]
#[case::addresses([r#""emails": ["""#, r#","a""#, "", "", "]"], true)]
#[case::empty_addresses([r#""emails": ["""#, r#","""#, "", "", "]"], true)]
#[case::properties([r#""properties": {"a":1"#, r#","a":2"#, "", "", "}"], true)]
#[case::what_nobody_reads([r#""other": [0"#, ",1", "", "", "]"], true)]
#[case::depth([r#""properties": "#, r#"{"a":"#, "1", "}", ""], false)]
#[case::depth_that_nobody_reads([r#""other": "#, "[", "", "]", ""], true)]
#[case::an_id([r#""provided_id": ""#, "y", r#"""#, "", ""], false)]
#[tokio::test]
async fn nothing_is_held_of_a_record_of_fifty_megabytes(#[case] parts: [&str; 5], #[case] is_readable: bool) {
    let [head, opening, middle, closing, tail] = parts;
    let times = (50 << 20) / (opening.len() + closing.len());
    let (opened, closed) = (opening.repeat(times), closing.repeat(times));
    let record = format!(r#"{{"token": "x", {head}{opened}{middle}{closed}{tail}, "provided_id": "a"}}"#);
    let page = format!(r#"{{"total_count": 1, "results": {{"customers": [{record}]}}}}"#);
    let sides = sides().await;
    let program = listing(&sides, page).await;
    let (code, report) = program.in_memory(98_304).sync(&["--dry-run"]).await;
    assert_eq!((code, &report["customers"]), (0, &json!(1)), "{report}");
    let invalid = usize::from(!is_readable);
    assert_eq!((&report["counts"]["invalid"], &report["counts"]["update"]), (&json!(invalid), &json!(1 - invalid)));
}
