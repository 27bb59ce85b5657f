//! The name of the table: one identifier, or two with a dot between.

use std::fmt;

/// A table, with its schema if one is named (in MySQL, its database).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    schema: Option<String>,
    name: String,
}

impl Table {
    /// Parses a name; `None` if it needs more than quotes around it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |name: &str| {
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            begins && name.len() <= 63 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        (is_plain(name) && schema.is_none_or(is_plain))
            .then(|| Self { schema: schema.map(str::to_owned), name: name.to_owned() })
    }

    /// The schema, where one is named.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The name without its schema.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in SQL, with this quote.
    #[must_use]
    pub fn quoted(&self, quote: char) -> String {
        let schema = self.schema.as_ref().map_or(String::new(), |schema| format!("{quote}{schema}{quote}."));
        format!("{schema}{quote}{}{quote}", self.name)
    }
}

/// The name without quotes, for messages.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_an_identifier_with_or_without_a_schema() {
        let quoted = |text| Table::parse(text).map(|table| table.quoted('"'));
        assert_eq!(quoted("explo_customers").as_deref(), Some("\"explo_customers\""));
        assert_eq!(quoted("Sync.t1").as_deref(), Some("\"Sync\".\"t1\""));
        for bad in ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "a;b", "a\"b", "a`b", "ä", &"x".repeat(64)] {
            assert_eq!(Table::parse(bad), None, "{bad}");
        }
    }
}
