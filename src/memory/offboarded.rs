//! What a customer was before it was offboarded: JSON without its token, as the ledger keeps it.

use std::{borrow::Cow, collections::BTreeSet};

use chrono::{DateTime, SecondsFormat};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{Memory, Token, token_hash};
use crate::{
    compare::{EmailRule, Rules},
    model::{Customer, Exported, Tenant},
};

/// What happens to the customer of a tenant that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Its addresses and tags are emptied, so that nobody gets in by magic link; the rest stays.
    LockOut,
    /// It is deleted.
    Delete,
}

/// What `lock_out` emptied, to be put back if the tenant returns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LockedOut {
    /// When it was first emptied.
    at: String,
    emails: BTreeSet<String>,
    group_tags: BTreeSet<String>,
    customer_hash: String,
    /// What the customer was then, in JSON.
    #[serde(deserialize_with = "raw")]
    customer: String,
}

fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    <&RawValue>::deserialize(deserializer).map(|raw| raw.get().to_owned())
}

/// That a customer was offboarded, as its text says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Departed {
    /// What was done.
    pub action: Action,
    /// When.
    pub at: String,
    /// Whether it is known to be gone.
    #[serde(default)]
    pub gone: bool,
    customer_hash: String,
}

/// How the text of a `lock_out` begins.
pub(crate) const LOCKED_OUT: &str = r#"{"action":"lock_out""#;

#[derive(Serialize)]
struct Text<'a> {
    action: Action,
    at: String,
    /// A hash of the token, by which the same customer is recognised.
    customer_hash: String,
    #[serde(flatten)]
    emptied: Option<Emptied<'a>>,
    customer: Box<RawValue>,
}

#[derive(Serialize)]
struct Emptied<'a> {
    emails: BTreeSet<&'a str>,
    group_tags: BTreeSet<&'a str>,
}

/// The text for a customer that is about to be offboarded at `now`, in seconds since 1970. What an earlier `lock_out` of it
/// emptied is kept as well; of several, the first one tells what the customer was, and when.
pub fn offboarded(
    action: Action,
    customer: &Customer<'_>,
    before: Option<&LockedOut>,
    now: u64,
) -> serde_json::Result<String> {
    let (customer_hash, nothing) = (hash(token_hash(&customer.token)), LockedOut::default());
    let before = before.filter(|before| before.customer_hash == customer_hash);
    let lists = before.unwrap_or(&nothing);
    let emptied = Emptied {
        emails: union(&lists.emails, &customer.emails),
        group_tags: union(&lists.group_tags, &customer.group_tags),
    };
    let own = |list: &BTreeSet<&str>| list.iter().map(|one| Cow::Owned((*one).to_owned())).collect();
    let (at, customer) = match (action, before) {
        (Action::LockOut, Some(first)) => (first.at.clone(), RawValue::from_string(first.customer.clone())?),
        (Action::LockOut | Action::Delete, None) => (time(now), to_raw_value(&Exported::of(customer, false)?)?),
        // What is deleted is kept as it was before it was locked out.
        (Action::Delete, Some(_)) => {
            let filled =
                Customer { emails: own(&emptied.emails), group_tags: own(&emptied.group_tags), ..customer.clone() };
            (time(now), to_raw_value(&Exported::of(&filled, false)?)?)
        }
    };
    let emptied = (action == Action::LockOut).then_some(emptied);
    serde_json::to_string(&Text { action, at, customer_hash, emptied, customer })
}

fn time(seconds: u64) -> String {
    let time = DateTime::from_timestamp(i64::try_from(seconds).unwrap_or_default(), 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn union<'a>(before: &'a BTreeSet<String>, now: &'a [Cow<'_, str>]) -> BTreeSet<&'a str> {
    before.iter().map(String::as_str).chain(now.iter().map(|one| &**one)).collect()
}

fn hash(token: u64) -> String {
    format!("{token:016x}")
}

impl LockedOut {
    /// Reads the text of a `lock_out`; `None` if it has another form.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Departed {
    /// Reads a text; `None` if it has another form.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl Memory {
    /// Whether the customer of this id is known, and is the one that was offboarded.
    #[must_use]
    pub fn is_still_there(&self, provided_id: &str, departed: &Departed) -> bool {
        self.token(provided_id).map(hash).as_ref() == Some(&departed.customer_hash)
    }

    /// Whether `lock_out` emptied any customer.
    #[must_use]
    pub fn locks_out(&self) -> bool {
        !self.locked_out.is_empty()
    }

    /// Whether nothing is left to put back, once a customer is in sync that has this token: its tenant's row was planned
    /// with what `lock_out` emptied, or that was another customer's.
    pub(crate) fn is_put_back(&self, provided_id: &str, token: &Token) -> bool {
        let Some(locked_out) = self.locked_out.get(provided_id) else { return false };
        let is_anothers = |token| hash(token) != locked_out.customer_hash;
        self.locked_out(provided_id).is_some()
            || matches!(token, Token::Shown(token) if is_anothers(token_hash(token.expose_secret())))
    }

    /// What `lock_out` emptied of a customer with this id, maybe of an earlier one.
    #[must_use]
    pub fn emptied(&self, provided_id: &str) -> Option<&LockedOut> {
        self.locked_out.get(provided_id)
    }

    /// What `lock_out` emptied of a customer, unless another one has the id by now.
    #[must_use]
    pub fn locked_out(&self, provided_id: &str) -> Option<&LockedOut> {
        let locked_out = self.locked_out.get(provided_id)?;
        self.token(provided_id).is_none_or(|token| hash(token) == locked_out.customer_hash).then_some(locked_out)
    }

    /// What `lock_out` emptied of a tenant's customer. If no customer is known under its id, that of its previous id counts.
    fn emptied_of(&self, tenant: &Tenant<'_>) -> Option<&LockedOut> {
        let previous = || tenant.previous_provided_id.as_deref().filter(|_| !self.is_made(&tenant.provided_id));
        self.locked_out(&tenant.provided_id).or_else(|| self.locked_out(previous()?))
    }

    /// Whether a tenant gets back what `lock_out` emptied of another customer than the one with this token.
    pub(crate) fn was_anothers(&self, tenant: &Tenant<'_>, token: &str) -> bool {
        self.emptied_of(tenant).is_some_and(|emptied| hash(token_hash(token)) != emptied.customer_hash)
    }

    /// The tenant with what `lock_out` emptied and the row does not manage; `None` if there is nothing to put back.
    #[must_use]
    pub fn put_back<'t>(&self, tenant: &Tenant<'t>, rules: Rules) -> Option<Tenant<'t>> {
        let LockedOut { emails, group_tags, .. } = self.emptied_of(tenant)?;
        let own = |list: &BTreeSet<String>| list.iter().cloned().map(Cow::Owned).collect::<Vec<_>>();
        let mut returned = tenant.clone();
        match &mut returned.emails {
            None => returned.emails = Some(own(emails)),
            Some(managed) if rules.emails == EmailRule::Add => {
                let others: Vec<_> = own(emails).into_iter().filter(|email| !managed.contains(email)).collect();
                managed.extend(others);
            }
            Some(_) => {}
        }
        returned.group_tags.get_or_insert_with(|| own(group_tags));
        (returned != *tenant).then_some(returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_emptied_is_kept_without_the_token_and_is_not_lost_if_somebody_fills_it_again() {
        let list = |text: &'static str| text.split(' ').filter(|one| !one.is_empty()).map(Cow::Borrowed).collect();
        let customer = |emails| Customer {
            token: "a secret token".into(),
            provided_id: Some("t".into()),
            emails: list(emails),
            group_tags: list("gold"),
            ..Customer::default()
        };
        let first = offboarded(Action::LockOut, &customer("a@x b@x"), None, 1_772_272_800).unwrap();
        assert!(first.starts_with(LOCKED_OUT) && !first.contains("secret"), "{first}");
        assert!(
            first.contains(r#""at":"2026-02-28T10:00:00Z""#) && first.contains(r#""group_tags":["gold"]"#),
            "{first}"
        );
        let second = offboarded(Action::LockOut, &customer("c@x"), LockedOut::read(&first).as_ref(), 0).unwrap();
        let emails = |text: &str| LockedOut::read(text).unwrap().emails.into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(emails(&second), "a@x b@x c@x");
        let of_first = |text: &str| text.split_once(r#""customer":"#).unwrap().1.to_owned();
        assert_eq!(of_first(&second), of_first(&first), "the customer as it was first");
        assert!(second.contains(r#""at":"2026-02-28T10:00:00Z""#), "{second}");
        let another = Customer { token: "another".into(), ..customer("d@x") };
        let third = offboarded(Action::LockOut, &another, LockedOut::read(&second).as_ref(), 0).unwrap();
        assert_eq!(emails(&third), "d@x", "another customer's are not mixed in");
        let deleted = offboarded(Action::Delete, &customer(""), LockedOut::read(&first).as_ref(), 0).unwrap();
        assert!(
            deleted.starts_with(r#"{"action":"delete""#) && deleted.contains(r#""emails":["a@x","b@x"]"#),
            "{deleted}"
        );
    }
}
