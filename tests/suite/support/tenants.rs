//! How a tenant becomes a row.

use std::borrow::Cow;

use explo_sync::model::{Object, Tenant};

use super::{Database, Kind};

/// The columns that a table of tenants may have beside `id`.
const FIELDS: [&str; 10] = [
    "previous_provided_id",
    "parent_provided_id",
    "name",
    "emails",
    "group_tags",
    "properties",
    "mapping",
    "is_demo_group",
    "hierarchy_level_name",
    "offboard",
];

impl Database {
    /// A database whose table `tenants` has these tenants, and the query for them. The ids are in the column `id`, each field
    /// that a tenant manages or that `further` names in a column of its name.
    pub async fn with_tenants(kind: Kind, tenants: &[Tenant<'_>], further: &[&str]) -> (Self, String) {
        let database = Self::new(kind).await;
        let is_there = |field: &&&str| {
            further.contains(field) || tenants.iter().any(|tenant| value(kind, tenant, field).is_some())
        };
        let fields: Vec<_> = FIELDS.iter().filter(is_there).collect();
        // MySQL's collations take ids for one that differ in case, or in space at their end.
        let id = if kind == Kind::MySql { "varbinary(3000)" } else { "text" };
        let typed = |field: &&&str| {
            format!(", {field} {}", if ["is_demo_group", "offboard"].contains(*field) { "boolean" } else { "text" })
        };
        let columns: String = fields.iter().map(typed).collect();
        database.execute(&format!("create table tenants (id {id}{columns})")).await;
        let row = |tenant: &Tenant<'_>| {
            let values = fields.iter().map(|field| value(kind, tenant, field).unwrap_or_else(|| "null".to_owned()));
            let values: Vec<_> = [kind.literal(&tenant.provided_id)].into_iter().chain(values).collect();
            format!("({})", values.join(", "))
        };
        for some in tenants.chunks(5000) {
            let rows: Vec<_> = some.iter().map(row).collect();
            database.execute(&format!("insert into tenants values {}", rows.join(","))).await;
        }
        let columns: Vec<_> = ["id as provided_id"].iter().chain(fields).copied().collect();
        (database, format!("select {} from tenants", columns.join(", ")))
    }
}

/// A field of a tenant in SQL, if it is managed.
fn value(kind: Kind, tenant: &Tenant<'_>, field: &str) -> Option<String> {
    let text = |text: &Option<Cow<'_, str>>| Some(kind.literal(text.as_deref()?));
    let list = |list: &Option<Vec<Cow<'_, str>>>| Some(kind.literal(&serde_json::to_string(list.as_ref()?).unwrap()));
    let object = |object: &Option<Object<'_>>| match object.as_ref()? {
        Object::Whole(object) => Some(kind.literal(object)),
        Object::Keys(_) => panic!("keys are columns of their own: say so in a query"),
    };
    match field {
        "previous_provided_id" => text(&tenant.previous_provided_id),
        "parent_provided_id" => text(&tenant.parent_provided_id),
        "name" => text(&tenant.name),
        "emails" => list(&tenant.emails),
        "group_tags" => list(&tenant.group_tags),
        "properties" => object(&tenant.properties),
        "mapping" => object(&tenant.mapping),
        "is_demo_group" => tenant.is_demo_group.map(|flag| flag.to_string()),
        "hierarchy_level_name" => text(&tenant.hierarchy_level_name),
        "offboard" => tenant.offboard.map(|_| "true".to_owned()),
        _ => panic!("{field} is no field"),
    }
}

impl Kind {
    /// A text in SQL.
    pub fn literal(self, text: &str) -> String {
        let text = text.replace('\'', "''");
        if self == Self::MySql { format!("'{}'", text.replace('\\', "\\\\")) } else { format!("'{text}'") }
    }
}
