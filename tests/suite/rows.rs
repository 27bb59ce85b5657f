//! Rows are put away close together, many of them packed: each comes back as it was, whichever is asked for, and when.

use std::borrow::Cow;

use explo_sync::{
    compare::{Fingerprints, measure},
    model::{Object, Row, Tenant, json},
    tenants::Index,
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{self, select},
};

/// UUIDs as databases print them and otherwise, what only looks like one, and other texts.
fn id() -> impl Strategy<Value = Cow<'static, str>> {
    let uuid = any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).hyphenated().to_string());
    let form = |uuid: String, form: u8| match form {
        0 => uuid.to_uppercase(),
        1 => format!("{{{uuid}}}"),
        2 => uuid.replace('-', ""),
        3 => format!("urn:uuid:{uuid}"),
        4 => format!("{}-{}", &uuid[..8], uuid.replace('-', "").split_off(5)),
        5 => format!("g{}", &uuid[1..]),
        6 => uuid.replacen(|c: char| c.is_ascii_lowercase(), "F", 1),
        _ => uuid,
    };
    let uuid = (uuid, 0..16_u8).prop_map(move |(uuid, number)| form(uuid, number));
    let other = prop_oneof![4 => "\\PC{1,8}", 2 => "[0-9]{1,20}", 1 => ("[a-zé]", 2000..3000_usize).prop_map(|(text, times)| text.repeat(times))];
    prop_oneof![3 => uuid, 2 => other].prop_map(Cow::Owned)
}

/// Some are longer than all that is packed at once.
fn text() -> impl Strategy<Value = Cow<'static, str>> {
    let long =
        (".{1,8}", select(vec![100, 20_000, 70_000])).prop_map(|(text, length)| text.repeat(length / text.len()));
    prop_oneof![30 => ".{0,8}", 1 => long].prop_map(Cow::Owned)
}

fn object() -> impl Strategy<Value = Object<'static>> {
    let value = || text().prop_map(|text| Cow::<str>::Owned(json::quote(&text)));
    let whole = vec((text(), value()), 0..3).prop_map(|members| {
        let members = members.into_iter().map(|(key, value)| (key, value.into_owned()));
        Object::Whole(json::object(members).into())
    });
    prop_oneof![whole, vec((text(), option::of(value())), 0..3).prop_map(Object::Keys)]
}

prop_compose! {
    fn tenant()(
        provided_id in id(),
        previous_provided_id in option::weighted(0.3, id()),
        parent_provided_id in option::weighted(0.3, id()),
        name in option::of(text()),
        emails in option::of(vec(text(), 0..3)),
        group_tags in option::of(vec(text(), 0..3)),
        properties in option::of(object()),
        mapping in option::of(object()),
        is_demo_group in option::of(any::<bool>()),
        hierarchy_level_name in option::of(text()),
        offboard in option::of(any::<u64>()),
    ) -> Tenant<'static> {
        Tenant {
            provided_id, previous_provided_id, parent_provided_id, name, emails, group_tags, properties, mapping, is_demo_group, hierarchy_level_name,
            offboard,
        }
    }
}

/// Up to 300: some are packed, and some are not yet. Each id is there once, and each can be planned.
fn tenants() -> impl Strategy<Value = Vec<Tenant<'static>>> {
    let count = prop_oneof![1..5_usize, 62..67_usize, 126..131_usize, 1..=300_usize];
    count.prop_flat_map(|count| vec(tenant(), count)).prop_map(|mut tenants| {
        let mut seen = std::collections::HashSet::new();
        tenants.retain(|tenant| measure(tenant, None).is_ok() && seen.insert(tenant.provided_id.clone()));
        tenants
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_row_comes_back_as_it_was(
        tenants in tenants(), asked in vec(any::<sample::Index>(), 300), seed in any::<u64>(),
    ) {
        let (mut index, mut inserted) = (Index::new(Fingerprints::new(seed)), 0);
        let rows: Vec<Row<'_>> = tenants.iter().cloned().map(Ok).collect();
        for (row, asked) in rows.iter().zip(asked.iter().cycle()) {
            index.insert(row);
            inserted += 1;
            let tenant = asked.get(&tenants[..inserted]);
            prop_assert_eq!(&index.tenant_of(&tenant.provided_id).unwrap(), tenant);
        }
        // A row that says that its tenant leaves waits for no customer.
        let staying: Vec<_> = tenants.iter().filter(|tenant| tenant.offboard.is_none()).collect();
        let numbers: Vec<_> = index.absent().collect();
        prop_assert_eq!(numbers.len(), staying.len());
        let asked = asked.iter().filter(|_| !staying.is_empty());
        for place in asked.map(|asked| asked.index(staying.len())).chain((0..staying.len()).rev()) {
            let (row, tenant) = (numbers[place], staying[place]);
            prop_assert_eq!(index.provided_id(row), &*tenant.provided_id);
            prop_assert_eq!(&index.previous_provided_id(row), &tenant.previous_provided_id);
            prop_assert_eq!(&index.tenant(row), tenant);
            prop_assert_eq!(&index.tenant_of(&tenant.provided_id).unwrap(), tenant);
        }
    }
}
