//! A page of the listing is read in one pass, each key guessed from the record before: what comes out is what the parser
//! makes of each record alone.

use std::{borrow::Cow, fmt};

use explo_sync::{
    explo::{ListingVersion, Page, Shown, Unusable},
    model::{Customer, Gap, Partial, json},
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{self, select, subsequence},
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Named,
    Texts,
    Nameds,
    Object,
    /// With what is inherited.
    Twin,
    Flag,
}

/// As they stand between quotes.
const KEYS: [(&str, Kind); 27] = [
    ("properties", Kind::Object),
    ("parent_schema_datasource_mapping", Kind::Object),
    ("prop\\u0065rties", Kind::Object),
    ("parentSchemaDatasourceMapping", Kind::Object),
    ("computed_properties", Kind::Twin),
    ("computedProperties", Kind::Twin),
    ("computed_parent_schema_datasource_mapping", Kind::Twin),
    ("computedParentSchemaDatasourceMapping", Kind::Twin),
    ("token", Kind::Text),
    ("t\\u006Fken", Kind::Text),
    ("provided_id", Kind::Text),
    ("providedId", Kind::Text),
    ("name", Kind::Text),
    ("emails", Kind::Texts),
    ("\\u0065mails", Kind::Texts),
    ("group_tags", Kind::Nameds),
    ("groupTags", Kind::Nameds),
    ("is_demo_group", Kind::Flag),
    ("isDemoGroup", Kind::Flag),
    ("hierarchy_level", Kind::Named),
    ("hierarchyLevel", Kind::Named),
    ("access_group", Kind::Named),
    ("accessGroup", Kind::Named),
    ("Token", Kind::Flag),
    ("name ", Kind::Object),
    ("an\\\"other\\\\", Kind::Texts),
    ("", Kind::Text),
];

/// Records that are no customers, with the id and token that can be read of them.
const UNREADABLE: [(&str, Option<&str>, &str); 18] = [
    ("[]", None, ""),
    ("7", None, ""),
    ("null", None, ""),
    (r#"{"token":1.5}"#, None, ""),
    (r#"{"token":-0,"provided_id":"a"}"#, Some("a"), ""),
    (r#"{"token":["a"],"provided_id":7}"#, Some("7"), ""),
    (r#"{"token":"\ud83e"}"#, None, ""),
    (r#"{"provided_id":"\ud83e","token":"t"}"#, None, "t"),
    (r#"{"provided_id":{"a":1},"token":"t"}"#, None, "t"),
    (r#"{"providedId":"\u0061","provided_id":null,"name":{"name":"a"}}"#, Some("a"), ""),
    (r#"{"emails":"a","provided_id":"a","token":"t"}"#, Some("a"), "t"),
    (r#"{"provided_id":"a","emails":["a",{"name":"b"}]}"#, Some("a"), ""),
    (r#"{"group_tags":["a",{"id":1}]}"#, None, ""),
    (r#"{"properties":[1],"token":"t"}"#, None, "t"),
    (r#"{"properties":{"a":["\ude00"]},"token":"t"}"#, None, "t"),
    (r#"{"\ud83e":1,"token":"t"}"#, None, "t"),
    (r#"{"is_demo_group":2,"token":"","provided_id":""}"#, None, ""),
    (r#"{"name":[[]],"token":"t","t\u006Fken":"u"}"#, None, "u"),
];

/// What is no JSON after a beginning that is.
const BROKEN: [&str; 10] = [
    r#"{"token":"a",}"#,
    r#"{,"token":"a"}"#,
    r#"{"token":"a""name":"b"}"#,
    r#"{"token" "a"}"#,
    r#"{"token":"a\"#,
    r#"{"emails":["a",]}"#,
    r#"{"emails":[7.5,]}"#,
    r#"{"properties":{"a":1},"computed_properties":{"a":1}1}"#,
    r#"{"properties":{"a":1},"computed_properties":{"a":1}{"a":1}}"#,
    r#"{"properties":{"a":1},"computed_properties":{"a":1"#,
];

fn text() -> impl Strategy<Value = String> {
    let odd = vec![r#""""#, r#""a \"b\",\"c\":{""#, r#""\u0061\/\ud83e\udd80""#, r#""}]""#, "7", "-3", "0", "null"];
    prop_oneof!["[a-cé\"\\\\ ]{0,4}".prop_map(|text| json::quote(&text)), select(odd).prop_map(str::to_owned)]
}

fn named() -> impl Strategy<Value = String> {
    let object = |name: String| if name == "null" { name } else { format!(r#"{{"id": [1], "n\u0061me" :{name} }}"#) };
    prop_oneof![text(), text().prop_map(object)]
}

fn list(element: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let array = |elements: Vec<String>| format!("[{}]", elements.join(" ,"));
    prop_oneof![3 => vec(element, 0..4).prop_map(array), 1 => select(vec!["null", "[ ]"]).prop_map(str::to_owned)]
}

fn object() -> impl Strategy<Value = String> {
    let object = |values: Vec<String>| {
        let members = values.iter().enumerate().map(|(n, value)| format!(r#""{n}" : [{value}]"#));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    prop_oneof![3 => vec(text(), 0..3).prop_map(object), 1 => select(vec!["null", "{ }"]).prop_map(str::to_owned)]
}

fn value(kind: Kind) -> BoxedStrategy<String> {
    match kind {
        Kind::Text => text().boxed(),
        Kind::Named => named().boxed(),
        Kind::Texts => list(text()).boxed(),
        Kind::Nameds => list(named()).boxed(),
        Kind::Object => object().boxed(),
        Kind::Twin => {
            prop_oneof![2 => Just("the same".to_owned()), 1 => Just("more".to_owned()), 1 => object()].boxed()
        }
        Kind::Flag => select(vec!["true", "false", "1", "0", "null"]).prop_map(str::to_owned).boxed(),
    }
}

/// The order of keys, each by its number, and the space around everything.
type Style = (Vec<usize>, &'static str);

fn style() -> impl Strategy<Value = Style> {
    let keys: Vec<_> = (0..KEYS.len()).collect();
    (subsequence(keys, 0..=KEYS.len()).prop_shuffle(), select(vec!["", "", " ", "\r\n\t "]))
}

/// Records of few styles, from some of which a key is missing.
fn records() -> impl Strategy<Value = Vec<String>> {
    let values: Vec<_> = KEYS.iter().map(|(_, kind)| value(*kind)).collect();
    let count = prop_oneof![0..4_usize, 31..35_usize, 63..67_usize];
    let drawn = count.prop_flat_map(move |count| {
        vec((values.clone(), any::<sample::Index>(), option::weighted(0.2, any::<sample::Index>())), count)
    });
    (vec(style(), 1..4), drawn).prop_map(|(styles, drawn)| {
        let record = |(values, style, missing): (Vec<String>, sample::Index, Option<sample::Index>)| {
            let (keys, space) = &styles[style.index(styles.len())];
            let missing = missing.map(|missing| missing.index(KEYS.len()));
            let keys = keys.iter().filter(|key| Some(**key) != missing);
            let members = keys.map(|&key| {
                let (name, own) = (KEYS[key].0, &values[usize::from(KEYS[key].0.contains("arent"))]);
                let value = match &*values[key] {
                    "the same" => own.clone(),
                    "more" if own.len() > 4 => format!(r#"{},"more":1}}"#, &own[..own.len() - 1]),
                    "more" => r#"{"more":1}"#.to_owned(),
                    value => value.to_owned(),
                };
                format!(r#"{space}"{name}"{space}:{space}{value}{space}"#)
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        drawn.into_iter().map(record).collect()
    })
}

/// The members of an object in the order of the text.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A customer by the parser's reading of its record.
fn parsed(record: &str) -> Customer<'static> {
    let mut customer = Customer { properties: "{}".into(), mapping: "{}".into(), ..Customer::default() };
    for (key, raw) in serde_json::from_str::<Members>(record).unwrap().0 {
        let value = || serde_json::from_str::<Value>(raw.get()).unwrap();
        let object = || value().as_object().filter(|members| !members.is_empty()).map(|_| raw.get().to_owned().into());
        match &*key {
            "token" => set(&mut customer.token, characters(&value())),
            "provided_id" | "providedId" => set(&mut customer.provided_id, characters(&value()).map(Some)),
            "name" => set(&mut customer.name, characters(&value())),
            "emails" => set(&mut customer.emails, elements(&value())),
            "group_tags" | "groupTags" => set(&mut customer.group_tags, elements(&value())),
            "properties" => set(&mut customer.properties, object()),
            "parent_schema_datasource_mapping" | "parentSchemaDatasourceMapping" => {
                set(&mut customer.mapping, object());
            }
            "is_demo_group" | "isDemoGroup" if raw.get() != "null" => {
                customer.is_demo_group = matches!(raw.get(), "true" | "1");
            }
            "hierarchy_level" | "hierarchyLevel" => set(&mut customer.hierarchy_level, characters(&value())),
            "access_group" | "accessGroup" => set(&mut customer.access_group, characters(&value()).map(Some)),
            _ => {}
        }
    }
    customer
}

/// The last that is not empty counts.
fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn characters(value: &Value) -> Option<Cow<'static, str>> {
    shown(value).filter(|text| !text.is_empty())
}

fn elements(list: &Value) -> Option<Vec<Cow<'static, str>>> {
    let elements: Vec<_> = list.as_array().into_iter().flatten().filter_map(shown).collect();
    (!elements.is_empty()).then_some(elements)
}

fn shown(value: &Value) -> Option<Cow<'static, str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Object(members) => shown(&members["name"]),
        Value::Bool(_) | Value::Array(_) => panic!("{value} is no text"),
    }
}

/// What a page shows: its customers, and those whose records can't be read.
#[derive(Default)]
struct All {
    customers: Vec<Customer<'static>>,
    partials: Vec<(Partial<'static>, String)>,
}

fn read(records: &[String], version: ListingVersion) -> (All, Result<Page, Unusable>) {
    let (mut all, records) = (All::default(), records.join(","));
    let page = match version {
        ListingVersion::V1 => format!(r#"{{"success":1,"customers":[{records}]}}"#),
        ListingVersion::V2 => format!(r#"{{"results":{{"customers":[ {records} ]}},"total_count":7}}"#),
    };
    let mut show = |shown: Shown<'_, '_>| match shown {
        Shown::Customer(customer) => all.customers.push(customer.clone().into_owned()),
        Shown::Partial(partial, record) => all.partials.push((partial.into_owned(), record.to_owned())),
    };
    let page = Page::read(page.as_bytes(), version, &mut show);
    (all, page)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_record_is_what_the_parser_makes_of_it(records in records()) {
        let expected: Vec<_> = records.iter().map(|record| parsed(record)).collect();
        for (version, total) in [(ListingVersion::V1, None), (ListingVersion::V2, Some(7))] {
            let (All { customers, partials }, page) = read(&records, version);
            prop_assert_eq!(page, Ok(Page { total, customers: records.len() }));
            prop_assert_eq!(partials, []);
            for ((customer, expected), record) in customers.iter().zip(&expected).zip(&records) {
                prop_assert_eq!(&customer.token, &expected.token, "{}", record);
                prop_assert_eq!(customer, expected, "{}", record);
            }
            prop_assert_eq!(customers.len(), records.len());
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_is_gone_past_and_told(
        mut records in records(),
        unreadable in select(UNREADABLE.to_vec()),
        place in any::<sample::Index>(),
    ) {
        let expected: Vec<_> = records.iter().map(|record| parsed(record)).collect();
        let (record, provided_id, token) = unreadable;
        records.insert(place.index(records.len() + 1), record.to_owned());
        let partial =
            Partial { token: token.into(), provided_id: provided_id.map(Into::into), gap: Gap::Unreadable };
        for (version, total) in [(ListingVersion::V1, None), (ListingVersion::V2, Some(7))] {
            let (All { customers, partials }, page) = read(&records, version);
            prop_assert_eq!(page, Ok(Page { total, customers: records.len() }));
            prop_assert_eq!(&customers, &expected);
            prop_assert_eq!(&partials, &[(partial.clone(), record.to_owned())]);
            prop_assert_eq!(&partials[0].0.token, token);
        }
    }

    #[test]
    fn a_page_that_breaks_is_refused_after_whole_customers(
        mut records in records(), broken in select(BROKEN.to_vec()), place in any::<sample::Index>(),
    ) {
        let place = place.index(records.len() + 1);
        let expected: Vec<_> = records[..place].iter().map(|record| parsed(record)).collect();
        records.insert(place, broken.to_owned());
        for version in [ListingVersion::V1, ListingVersion::V2] {
            let (All { customers, .. }, page) = read(&records, version);
            prop_assert!(page.is_err(), "{}", broken);
            prop_assert!(expected.starts_with(&customers), "{:?} of {:?}", customers, records);
        }
    }
}
