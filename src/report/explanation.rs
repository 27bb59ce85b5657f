//! Explains one tenant as text: the wanted and the current value of each field, and what a run would do.

use std::io::{self, Write};

use super::Style;
use crate::{
    compare::{Known, Rule, Unsettled, sides},
    model::{Customer, Field, Gap, Tenant, json, printable, shown},
    plan::{Change, Explanation, Plan, Unseen},
};

/// Writes the explanation; without `style.values` fields are only named and marked.
pub fn write_explanation(explanation: &Explanation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let Explanation { provided_id, tenant, customer, unseen, plan, .. } = explanation;
    // If a row could not be read, only its ids are known.
    let is_read = |tenant: &Tenant<'_>| plan.invalid.is_empty() || !tenant.manages(&Tenant::default().managed());
    let row = match tenant {
        Some(tenant) if is_read(tenant) => "has a row",
        Some(_) => "has a row that can't be read",
        None => "has no usable row",
    };
    let is_own = customer.as_ref().map(|customer| customer.provided_id.as_deref() == Some(provided_id));
    let listed = match (is_own, unseen) {
        (Some(true), _) => "Explo has a customer with this provided_id",
        (Some(false), _) => "Explo has a customer with its previous provided_id",
        (None, None) => "Explo has no customer that this token sees with this provided_id",
        (None, Some(Unseen::Unreadable(Gap::TooLarge))) => "Explo has a customer whose record is too large to be read",
        (None, Some(Unseen::Unreadable(Gap::Unreadable))) => "Explo has a customer whose record can't be read",
        (None, Some(Unseen::Refused(_))) => "Explo refused to show its customer",
    };
    writeln!(out, "{} {row}, and {listed}.", shown(provided_id))?;
    if let Some(Unseen::Refused(words)) = unseen {
        writeln!(
            out,
            "The answer was: {}. For an id that does not exist Explo answers something else.",
            printable(words)
        )?;
    }
    if let (Some(tenant), None) = (tenant.as_ref().filter(|tenant| is_read(tenant)), unseen) {
        for field in Field::ALL {
            write_field(tenant, customer.as_ref(), field, plan, style, out)?;
        }
    }
    writeln!(out, "{}", decision(explanation, style))
}

fn write_field(
    tenant: &Tenant<'_>,
    customer: Option<&Customer<'_>>,
    field: Field,
    plan: &Plan,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (wanted, held) = sides(tenant, customer.unwrap_or(&Customer::none()), field, plan.rules);
    let (mark, text) = match (wanted, customer) {
        (None, _) => (' ', "left alone: the row has no value for it".to_owned()),
        (Some(wanted), None) => ('+', format!("wanted {}", shown(&wanted))),
        (Some(wanted), Some(_)) if wanted == held => ('=', shown(&wanted)),
        (Some(wanted), Some(_)) => ('~', format!("wanted {}, Explo has {}", shown(&wanted), shown(&held))),
    };
    let text = if style.values || mark == ' ' { text } else { String::new() };
    writeln!(out, "{}", format!("  {mark} {:<22}{text}", field.name()).trim_end())
}

fn decision(Explanation { tenant, plan, failure, unseen, .. }: &Explanation, style: Style) -> String {
    if let (Some(Unseen::Refused(_)), None) = (unseen, plan.invalid.first()) {
        return "What a run would do depends on what Explo lists: sync --dry-run shows it.".to_owned();
    }
    if let Some(invalid) = plan.invalid.first() {
        return format!("Invalid, so nothing is sent: {}", printable(&plan.reason(invalid, style.values)));
    }
    let spared = plan.quiet.unsettled.iter().map(|(_, unsettled)| not_sent(unsettled));
    if plan.changes.is_empty() && plan.quiet.unsettled.is_empty() {
        return if tenant.is_some() { "Unchanged: nothing is sent." } else { "Nothing to do." }.to_owned();
    }
    let waits = failure.iter().map(|failure| {
        let (error, runs) = (printable(&failure.error), failure.runs_to_wait);
        format!("Not yet: it failed before, and {runs} more runs skip it, unless --retry-failed is given. {error}")
    });
    let to = |change: &Change| format!("To {}: {}.", change.kind(), calls(plan, change));
    let tag = |tag: &String| {
        let name = if style.values { shown(&json::quote(tag)) } else { "that Explo does not have".to_owned() };
        format!("To create first: the group tag {name}.")
    };
    let tags = plan.tags.to_make.iter().map(tag);
    tags.chain(plan.changes.iter().map(to)).chain(spared).chain(waits).collect::<Vec<_>>().join("\n")
}

/// Why a difference is not sent.
fn not_sent(Unsettled { difference, rule, known }: &Unsettled) -> String {
    let field = difference.field.name();
    match known {
        Known::Predicted | Known::PredictedBefore => {
            format!(
                "Not sent: {field}. Explo {}, as seen on three others, so sending it would change nothing.",
                habit(*rule)
            )
        }
        Known::Now | Known::Before => {
            format!("Not sent again: {field}. It was sent, and Explo showed something else ({rule}).")
        }
        Known::Presumably => {
            format!(
                "Not sent: {field}. Only the listing seems to show something else ({rule}), as it does of three others."
            )
        }
    }
}

fn habit(rule: Rule) -> &'static str {
    match rule {
        Rule::Added => "keeps old values",
        Rule::Inherited => "shows the parent's values as well",
        Rule::Recased => "changes upper and lower case",
        Rule::Trimmed => "removes space at the ends",
        Rule::Cut => "cuts long texts",
        Rule::Changed => "changes values",
    }
}

fn calls(plan: &Plan, change: &Change) -> String {
    match change {
        Change::Rename(row) => {
            let old = shown(&plan.previous_provided_id(*row));
            format!(
                "one call of update_customer that gives {old} the new provided_id (which its JWTs must name from then on)"
            )
        }
        Change::Create(_) => "one call of create_customer".to_owned(),
        Change::Update(update) => {
            let fields: Vec<_> = update.fields().into_iter().map(Field::name).collect();
            let carries =
                if plan.carries(update) { " after one call of get_customer, to keep the values of others" } else { "" };
            format!("one call of update_customer with {}{carries}", fields.join(", "))
        }
    }
}
