//! One change in a plan file. Every value is plain JSON, with all digits of its numbers.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    compare::{Difference, canonical},
    memory::Action,
    model::{Field, Object, Tenant, json},
    plan::{
        Change, Plan, Reason,
        offboard::{Offboard, leaving},
    },
    tenants::RowNumber,
};

/// Not to be applied: no query can return such a tenant, and all later code relies on valid JSON in it.
const UNSOUND: &str = "it has a tenant that no query can return";

/// One change, with everything that its tenant wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedChange {
    pub(super) kind: Kind,
    tenant: SavedTenant,
    /// What an update changes, or `lock_out` empties.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<Field, Sides>,
    /// How the customer is offboarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offboard: Option<SavedOffboard>,
}

/// An offboarding.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedOffboard {
    action: Action,
    reason: Reason,
    /// The customer's name.
    name: String,
    /// A hash of the customer's token.
    token_hash: String,
    /// A hash of all that its record showed.
    customer_hash: String,
    /// The ids of the customers below it that are deleted before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<String>,
}

/// What a saved change is.
pub(super) enum Restored {
    Rename,
    Create,
    Update(Vec<Difference>),
    /// With the ids of those that are deleted before it.
    Offboard(Offboard, Vec<String>),
}

/// In the order of application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Rename,
    Create,
    Update,
    Offboard,
}

/// A difference.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    /// What Explo has.
    old: Box<RawValue>,
    /// What is wanted.
    new: Box<RawValue>,
}

/// A tenant; a field that it lacks is not managed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedTenant {
    provided_id: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_provided_id: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_provided_id: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    emails: Option<Vec<Cow<'static, str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_tags: Option<Vec<Cow<'static, str>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties: Option<Box<RawValue>>,
    /// If given, only these keys are managed: those that `properties` lacks are removed, and all others are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties_keys: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mapping: Option<Box<RawValue>>,
    /// The same for `mapping`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mapping_keys: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_demo_group: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hierarchy_level_name: Option<Cow<'static, str>>,
}

impl SavedChange {
    pub(super) fn of(plan: &Plan, change: &Change) -> serde_json::Result<Self> {
        let (kind, differences) = match change {
            Change::Rename(_) => (Kind::Rename, &[][..]),
            Change::Create(_) => (Kind::Create, &[][..]),
            Change::Update(update) => (Kind::Update, &update.differences[..]),
            Change::Offboard(offboard) => (Kind::Offboard, &offboard.differences[..]),
        };
        let offboard = change.as_offboard().map(|offboard| SavedOffboard {
            action: offboard.action,
            reason: offboard.reason,
            name: offboard.name.clone(),
            token_hash: hash(offboard.token),
            customer_hash: hash(offboard.customer),
            children: offboard.children.iter().map(|row| plan.index.provided_id(*row).into_owned()).collect(),
        });
        let fields = differences.iter().map(|difference| Ok((difference.field, Sides::of(difference)?)));
        let tenant = SavedTenant::of(plan.index.tenant(change.row()))?;
        Ok(Self { kind, tenant, fields: fields.collect::<serde_json::Result<_>>()?, offboard })
    }

    /// What was saved, unless somebody broke it.
    pub(super) fn restore(self) -> Result<(Tenant<'static>, Restored), &'static str> {
        let Self { kind, tenant, fields, offboard } = self;
        let locks_out = offboard.as_ref().is_some_and(|offboard| offboard.action == Action::LockOut);
        if (kind == Kind::Update || locks_out) == fields.is_empty() || (kind == Kind::Offboard) != offboard.is_some() {
            return Err("it has an update without fields, or fields of another change");
        }
        let differences = fields.into_iter().map(|(field, sides)| sides.restore(field));
        let (tenant, differences) = (tenant.restore(), differences.collect::<Option<Vec<_>>>());
        let (Some(tenant), Some(differences)) = (tenant, differences) else { return Err(UNSOUND) };
        let previous = tenant.previous_provided_id.as_deref().filter(|previous| *previous != tenant.provided_id);
        let has_ids = !tenant.provided_id.is_empty()
            && previous != Some("")
            && tenant.parent_provided_id.as_deref() != Some("")
            && (kind != Kind::Rename || previous.is_some());
        if !has_ids {
            return Err(UNSOUND);
        }
        let Some(SavedOffboard { action, reason, name, token_hash, customer_hash, children }) = offboard else {
            let restored = match kind {
                Kind::Rename => Restored::Rename,
                Kind::Create => Restored::Create,
                Kind::Update | Kind::Offboard => Restored::Update(differences),
            };
            return Ok((tenant, restored));
        };
        let read = |hash: &str| u64::from_str_radix(hash, 16).map_err(|_| UNSOUND);
        let (token, customer) = (read(&token_hash)?, read(&customer_hash)?);
        let row = RowNumber::default();
        let offboard = Offboard { row, action, reason, name, token, customer, differences, children: Vec::new() };
        Ok((leaving(&tenant, action), Restored::Offboard(offboard, children)))
    }
}

fn hash(number: u64) -> String {
    format!("{number:016x}")
}

impl Sides {
    fn of(Difference { current, wanted, .. }: &Difference) -> serde_json::Result<Self> {
        let raw = |text: &String| RawValue::from_string(text.clone());
        Ok(Self { old: raw(current)?, new: raw(wanted)? })
    }

    /// In normal form again, for a program may have printed the file anew.
    fn restore(self, field: Field) -> Option<Difference> {
        let normal = |raw: &RawValue| json::checked(raw.get()).ok().map(canonical);
        Some(Difference { field, current: normal(&self.old)?, wanted: normal(&self.new)? })
    }
}

impl SavedTenant {
    fn of(tenant: Tenant<'static>) -> serde_json::Result<Self> {
        let (properties, properties_keys) = parts(tenant.properties)?;
        let (mapping, mapping_keys) = parts(tenant.mapping)?;
        Ok(Self {
            provided_id: tenant.provided_id,
            previous_provided_id: tenant.previous_provided_id,
            parent_provided_id: tenant.parent_provided_id,
            name: tenant.name,
            emails: tenant.emails,
            group_tags: tenant.group_tags,
            properties,
            properties_keys,
            mapping,
            mapping_keys,
            is_demo_group: tenant.is_demo_group,
            hierarchy_level_name: tenant.hierarchy_level_name,
        })
    }

    fn restore(self) -> Option<Tenant<'static>> {
        Some(Tenant {
            provided_id: self.provided_id,
            previous_provided_id: self.previous_provided_id,
            parent_provided_id: self.parent_provided_id,
            name: self.name,
            emails: self.emails,
            group_tags: self.group_tags,
            properties: object(self.properties, self.properties_keys)?,
            mapping: object(self.mapping, self.mapping_keys)?,
            is_demo_group: self.is_demo_group,
            hierarchy_level_name: self.hierarchy_level_name,
            offboard: None,
        })
    }
}

/// An object and, if not all of its keys are managed, those that are.
type Parts = (Option<Box<RawValue>>, Option<BTreeSet<String>>);

fn parts(object: Option<Object<'static>>) -> serde_json::Result<Parts> {
    Ok(match object {
        None => (None, None),
        Some(Object::Whole(text)) => (Some(RawValue::from_string(text.into_owned())?), None),
        Some(Object::Keys(pairs)) => {
            let members = pairs.iter().filter_map(|(key, value)| Some((key, value.clone()?.into_owned())));
            let members = RawValue::from_string(json::object(members))?;
            (Some(members), Some(pairs.into_iter().map(|(key, _)| key.into_owned()).collect()))
        }
    })
}

/// The object of these parts, if there is one; `None` if there can be none.
#[expect(clippy::option_option, reason = "the outer one is for a file that somebody broke")]
fn object(object: Option<Box<RawValue>>, keys: Option<BTreeSet<String>>) -> Option<Option<Object<'static>>> {
    let Some(object) = object else { return keys.is_none().then_some(None) };
    let text = json::checked(object.get()).ok().filter(|text| json::is_object(text))?;
    let Some(keys) = keys else { return Some(Some(Object::Whole(text.to_owned().into()))) };
    let mut members: BTreeMap<_, _> = json::members(text).collect();
    let mut pair = |key: String| {
        let value = members.remove(&*key).map(|value| Cow::Owned(value.to_owned()));
        (Cow::Owned(key), value)
    };
    let pairs = keys.into_iter().map(&mut pair).collect();
    members.is_empty().then_some(Some(Object::Keys(pairs)))
}
