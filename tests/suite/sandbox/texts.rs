//! What writes keep of texts and numbers.

use explo_sync::sandbox::StoredCustomer;
use rstest::rstest;
use serde_json::{Value, json};

use super::{api, post, switches};

/// What an update keeps of a text, seen in every field that has some.
fn kept(flags: &str, given: &str) -> [Value; 5] {
    let mut api = api(&format!("{flags} --unknown-tags made"));
    let properties = json!({"flat": given, "deep": [{given: given}]});
    let body =
        json!({"provided_id": "a", "name": given, "emails": [given], "group_tags": [given], "properties": properties});
    let answer: Value = serde_json::from_slice(&post(&mut api, "update_customer", &body).body).unwrap();
    ["/name", "/emails/0", "/group_tags/0", "/properties/flat", "/properties/deep/0"].map(|pointer| {
        let value = answer.pointer(&format!("/customer{pointer}")).unwrap();
        match value.as_object().and_then(|object| object.iter().next()) {
            Some((key, value)) => {
                assert_eq!(key, given, "keys stay");
                value.clone()
            }
            None => value.clone(),
        }
    })
}

#[rstest]
#[case::trimmed("--spaces trimmed", "  a \t b  c ", "a \t b  c")]
#[case::collapsed("--spaces collapsed", "  a \t b  c\nd ", "a b c d")]
#[case::composed("--unicode nfc", "Zoe\u{308} \u{212b}", "Zo\u{eb} \u{c5}")]
#[case::escaped("--markup escaped", "R&D <b> \"q\" 'p' &amp;", "R&amp;D &lt;b&gt; \"q\" 'p' &amp;amp;")]
#[case::cut_at_the_end_of_all(
    "--spaces collapsed --unicode nfc --markup escaped --cut-at 6",
    "  e\u{301}  &x",
    "\u{e9} &amp"
)]
fn a_text_is_kept_so_in_each_field(#[case] flags: &str, #[case] given: &str, #[case] expected: &str) {
    assert_eq!(kept("", given), [given; 5].map(|text| json!(text)), "without the switch");
    assert_eq!(kept(flags, given), [expected; 5].map(|text| json!(text)));
}

#[test]
fn the_letters_of_addresses_alone_become_lower_case() {
    let given = "Zo\u{cb}@X.Example";
    let lower = json!("zo\u{eb}@x.example");
    let stays = json!(given);
    assert_eq!(kept("--address-case lower", given), [&stays, &lower, &stays, &stays, &stays].map(Clone::clone));
}

#[rstest]
#[case::whole("9007199254740993", "9007199254740992")]
#[case::fraction("0.1000000000000000055", "0.1")]
#[case::third("0.33333333333333333333", "0.3333333333333333")]
#[case::short("1.50", "1.5")]
#[case::a_point_only("5.0", "5")]
#[case::exponent("1E+3", "1000")]
#[case::large("123456789012345678901234567890", "1.2345678901234568e29")]
#[case::small("0.00000012", "1.2e-7")]
#[case::negative("-9007199254740993", "-9007199254740992")]
#[case::nothing("-0.0", "0")]
#[case::too_large("1e400", "null")]
fn numbers_of_properties_are_read_as_doubles_however_deep(#[case] given: &str, #[case] expected: &str) {
    for (flags, number) in [("", given), ("--numbers doubles", expected)] {
        let body = |number: &str| {
            format!(r#"{{"1 \" -2":{number},"deep":[{{"n":{number}}},true,"{given}"],"text":"9007199254740993"}}"#)
        };
        let mut api = api(flags);
        let update = format!(r#"{{"provided_id": "a", "properties": {}}}"#, body(given));
        let update: Box<serde_json::value::RawValue> = serde_json::from_str(&update).unwrap();
        let path = "/api/update_customer/";
        let request =
            explo_sync::sandbox::Request { method: "POST", path, token: Some("t"), body: update.get().as_bytes() };
        let answer = String::from_utf8(api.answer(&request, tokio::time::Instant::now()).body).unwrap();
        assert!(answer.contains(&format!("\"properties\":{}", body(number))), "{flags}: {answer}");
    }
}

#[test]
fn what_does_not_change_keeps_its_text() {
    let properties = r#"{"escaped":"\u00e9 \/","half":"\ud800","list":[ 1.50 , null ]}"#;
    let flags = "--spaces collapsed --unicode nfc --markup escaped --cut-at 90";
    let customer: StoredCustomer = serde_json::from_str(&format!("{{\"properties\": {properties}}}")).unwrap();
    let kept = serde_json::to_string(&customer.as_kept(&switches(flags).behaviour)).unwrap();
    assert!(kept.contains(&format!("\"properties\":{properties}")), "{kept}");
}

#[test]
fn what_others_wrote_is_kept_by_the_same_rules() {
    let written =
        json!({"name": "R&D  1", "emails": ["A@x.example"], "group_tags": ["a  b"], "properties": {"n": [1.10, " x"]}});
    let customer: StoredCustomer = serde_json::from_value(written).unwrap();
    let flags = "--spaces collapsed --markup escaped --address-case lower --numbers doubles";
    let kept = serde_json::to_value(customer.as_kept(&switches(flags).behaviour)).unwrap();
    let fields = ["name", "emails", "group_tags", "properties"].map(|field| kept[field].clone());
    assert_eq!(fields, [json!("R&amp;D 1"), json!(["a@x.example"]), json!(["a b"]), json!({"n": [1.1, "x"]})]);
}

#[test]
fn an_address_that_is_there_in_lower_case_is_not_added_again() {
    let mut api = api("--address-case lower --emails merge");
    let body = json!({"provided_id": "a", "emails": ["ANN@a.example", "New@a.example"]});
    let answer: Value = serde_json::from_slice(&post(&mut api, "update_customer", &body).body).unwrap();
    assert_eq!(answer["customer"]["emails"], json!(["ann@a.example", "new@a.example"]));
}

#[test]
fn a_tag_is_looked_up_as_it_is_kept() {
    let mut api = api("--spaces collapsed");
    let body = json!({"provided_id": "b", "group_tags": ["  Gold "]});
    let answer: Value = serde_json::from_slice(&post(&mut api, "update_customer", &body).body).unwrap();
    assert_eq!(answer["customer"]["group_tags"], json!(["Gold"]));
}

#[rstest]
#[case("update_customer", "a")]
#[case("create_customer", "z")]
fn a_name_of_more_characters_than_there_may_be_is_refused(#[case] endpoint: &str, #[case] id: &str) {
    for (name, status) in [("\u{c4}nnas", 200), ("\u{c4}nnas2", 400), ("\u{c4}nnas ", 200)] {
        let mut api = api("--longest-name 5 --spaces trimmed");
        let reply = post(&mut api, endpoint, &json!({"provided_id": id, "name": name}));
        assert_eq!(reply.status, status, "{name}");
        assert_eq!(api.store().get(id).is_some_and(|customer| customer.name == name.trim()), status == 200, "{name}");
        let without = post(&mut super::api(""), endpoint, &json!({"provided_id": id, "name": name}));
        assert_eq!(without.status, 200, "without the switch");
    }
}
