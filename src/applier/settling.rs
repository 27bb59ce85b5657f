//! Compares the answer to every write with the wanted values, and remembers during the run what does not settle.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use crate::{
    compare::{Difference, KeyStyle, Known, Rules, Strikes, Unsettled, compare},
    explo::{Children, Error, Reader},
    model::{Customer, Field, Tenant},
};

/// What the answers of one run showed.
pub(super) struct Settling<'a, R> {
    reader: &'a R,
    rules: Rules,
    strikes: Mutex<Strikes>,
    /// Which key style to compare with, once a lookup told it.
    keys: OnceCell<KeyStyle>,
}

impl<'a, R: Reader> Settling<'a, R> {
    pub(super) fn new(reader: &'a R, rules: Rules) -> Self {
        Self { reader, rules, strikes: Mutex::default(), keys: OnceCell::new() }
    }

    /// The differences that sending would not remove, as three updates showed, and the fields to send. A difference
    /// that is sent as a check is always among the fields.
    pub(super) fn spare(
        &self,
        parent: Option<&str>,
        differences: &[Difference],
        is_check: impl Fn(&Difference) -> bool,
    ) -> (Vec<Unsettled>, Vec<Field>) {
        let strikes = self.strikes();
        let (mut spared, mut fields) = (Vec::new(), Vec::new());
        for difference in differences {
            match strikes.rule(parent, difference).filter(|_| !is_check(difference)) {
                Some(rule) => spared.push(Unsettled { difference: difference.clone(), rule, known: Known::Predicted }),
                None => fields.push(difference.field),
            }
        }
        (spared, fields)
    }

    /// The updated fields that the answer shows with another value than wanted; `before`: the differences before the
    /// write.
    pub(super) async fn unsettled(
        &self,
        tenant: &Tenant<'_>,
        answer: &Customer<'_>,
        updated: &[Field],
        before: &[Difference],
    ) -> Vec<Unsettled> {
        let differences = self.differences(tenant, answer).await.into_iter();
        let differences = differences.filter(|difference| updated.contains(&difference.field));
        let unsettled: Vec<_> = differences.map(Unsettled::new).collect();
        let before: Vec<_> = before.iter().filter(|one| updated.contains(&one.field)).cloned().collect();
        self.strikes().count(parent(tenant), &before, &unsettled);
        unsettled
    }

    /// Lists the new parent's children, as no answer to a write shows the parent; gives the difference if the customer
    /// is not among them.
    pub(super) async fn look_after(&self, tenant: &Tenant<'_>, differences: &[Difference]) -> Vec<Unsettled> {
        let Some(above) = parent(tenant) else { return Vec::new() };
        let Ok(Children { provided_ids, .. }) = self.reader.children(above).await else { return Vec::new() };
        if provided_ids.iter().any(|child| *child == tenant.provided_id) {
            return Vec::new();
        }
        let moves = differences.iter().filter(|difference| difference.field == Field::ParentProvidedId);
        let unsettled: Vec<_> = moves.cloned().map(Unsettled::new).collect();
        self.strikes().count(parent(tenant), &[], &unsettled);
        unsettled
    }

    /// The differences between an answer and the tenant. If the style of property keys differs, one lookup per run
    /// tells whether that is a difference.
    pub(super) async fn differences(&self, tenant: &Tenant<'_>, answer: &Customer<'_>) -> Vec<Difference> {
        let compared = |keys| compare(tenant, answer, self.rules.with(keys));
        let (shown, restyled) = (compared(KeyStyle::AsListed), compared(KeyStyle::AsWanted));
        if shown != restyled && self.key_style(tenant, &shown).await == KeyStyle::AsWanted { restyled } else { shown }
    }

    async fn key_style(&self, tenant: &Tenant<'_>, shown: &[Difference]) -> KeyStyle {
        let look = async || {
            let current = self.reader.customer(&tenant.provided_id).await?.needed()?;
            let current = compare(tenant, &current, self.rules.with(KeyStyle::AsListed));
            let is_current = properties(&current) == properties(shown);
            Ok::<_, Error>(if is_current { KeyStyle::AsListed } else { KeyStyle::AsWanted })
        };
        match self.rules.keys {
            KeyStyle::AsWanted => KeyStyle::AsWanted,
            KeyStyle::AsListed => *self.keys.get_or_try_init(look).await.unwrap_or(&KeyStyle::AsListed),
        }
    }

    fn strikes(&self) -> MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn properties(differences: &[Difference]) -> Option<&Difference> {
    differences.iter().find(|difference| difference.field == Field::Properties)
}

/// The parent of a tenant, from which it may inherit values.
pub(super) fn parent<'t>(tenant: &'t Tenant<'_>) -> Option<&'t str> {
    tenant.parent_provided_id.as_deref()
}
