//! Explains one tenant as text: the wanted and the current value of each field, what a run would do, and why.

mod json;

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use super::Style;
use crate::{
    compare::{Known, Rule, Unsettled},
    memory::{Action, Departed, Failure},
    model::{Field, Gap, json as text, printable, shown},
    plan::{Candidate, Change, Class, Comparison, Decision, Explanation, FieldSides, Plan, Recollection, Unseen},
};

pub use json::write_explanation_json;

/// Writes the explanation; without `style.values` fields are only named and marked.
pub fn write_explanation(explanation: &Explanation, style: Style, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", both_sides(explanation))?;
    if let Some(Unseen::Refused(words)) = &explanation.unseen {
        writeln!(
            out,
            "The answer was: {}. For an id that does not exist Explo answers something else.",
            printable(words)
        )?;
    }
    for field in explanation.fields() {
        write_field(&field, style, out)?;
    }
    for line in reasons(explanation, style.values) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{}", remembered(explanation))?;
    offboarded(explanation).map_or(Ok(()), |told| writeln!(out, "{told}"))
}

/// What there is on either side.
fn both_sides(explanation: &Explanation) -> String {
    let Explanation { provided_id, tenant, customer, unseen, decision, .. } = explanation;
    let row = match (tenant, decision) {
        (Some(_), _) if explanation.readable().is_some() => "has a row",
        (Some(_), _) => "has a row that can't be read",
        (None, Decision::Invalid(_)) => "has no usable row",
        (None, _) => "has no row",
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
    format!("{} {row}, and {listed}.", shown(provided_id))
}

fn write_field(sides: &FieldSides, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let FieldSides { field, comparison, wanted, current } = sides;
    let (wanted, current) = (wanted.as_deref().map(shown), current.as_deref().map(shown));
    let (wanted, current) = (wanted.unwrap_or_default(), current.unwrap_or_default());
    let differ = format!("wanted {wanted}, Explo has {current}");
    let (mark, text) = match comparison {
        Comparison::LeftAlone => (' ', "left alone: nothing is wanted for it".to_owned()),
        Comparison::New => ('+', format!("wanted {wanted}")),
        Comparison::Equal => ('=', wanted),
        Comparison::Differs => ('~', differ),
        Comparison::Unsettled => ('≠', differ),
    };
    let text = if style.values || mark == ' ' { text } else { String::new() };
    writeln!(out, "{}", format!("  {mark} {:<22}{text}", field.name()).trim_end())
}

/// The decision and its reasons, a sentence or two each; first that the row says that its tenant leaves.
fn reasons(explanation: &Explanation, values: bool) -> Vec<String> {
    let leaves = explanation.tenant.as_ref().is_some_and(|tenant| tenant.offboard.is_some());
    let done = explanation.offboarding.action.filter(|_| leaves).map(|action| match action {
        Action::LockOut => "locked out",
        Action::Delete => "deleted",
    });
    let said =
        done.map(|done| format!("Its row says that its tenant leaves: its customer is {done}, and never created."));
    said.into_iter().chain(decided(explanation, values)).collect()
}

fn decided(explanation: &Explanation, values: bool) -> Vec<String> {
    let Explanation { provided_id, plan, decision, .. } = explanation;
    match decision {
        Decision::Unknown => {
            let id = shown(provided_id);
            vec![match meant(&explanation.candidates, values) {
                Some(meant) => format!("Unknown: no row has the id '{id}'; did you mean: {meant}"),
                None => format!("Unknown: no row has the id '{id}', nor an id or a name like it. Nothing is sent."),
            }]
        }
        Decision::Orphan(since) => {
            let orphan = match (since, explanation.offboarding.action) {
                (Some(since), Some(_)) if is_locked_out(explanation) => {
                    format!("Orphan: no row has this id, since {}. It is emptied again if somebody fills it.", time(*since))
                }
                (Some(since), Some(_)) => format!(
                    "Orphan: no row has this id, since {}. Once that is longer than offboard.after, a run of all tenants offboards \
                     the customer, unless another instance in this ledger has it.",
                    time(*since)
                ),
                (Some(since), None) => format!(
                    "Orphan: no row has this id, since {}. Runs leave the customer alone (offboard.action = \"none\").",
                    time(*since)
                ),
                (None, Some(_)) if explanation.remembered.as_ref().is_some_and(|known| known.has_token) => {
                    "Orphan: no row has this id. Complete runs note since when, and one after offboard.after offboards the customer."
                        .to_owned()
                }
                (None, _) => "Orphan: no row has this id, so runs leave the customer alone.".to_owned(),
            };
            let meant = meant(&explanation.candidates, values).map(|meant| format!("Did you mean: {meant}"));
            [orphan].into_iter().chain(meant).collect()
        }
        Decision::Claimed(rows) => {
            let rows: Vec<_> = rows.iter().map(|id| shown(id)).collect();
            vec![format!(
                "To rename: the row {} names it as its previous_provided_id. Explain that row to see what a run does.",
                rows.join(", ")
            )]
        }
        Decision::Invalid(invalid) => {
            vec![format!("Invalid, so nothing is sent: {}", printable(&plan.reason(invalid, values)))]
        }
        Decision::Undecided => {
            vec!["What a run would do depends on what Explo lists: sync --dry-run shows it.".to_owned()]
        }
        Decision::Unchanged => quiet("Unchanged: nothing is sent.".to_owned(), explanation),
        Decision::Spared => {
            let told = explanation.unsettled().map(not_sent).collect::<Vec<_>>().join("\n");
            quiet(told, explanation)
        }
        Decision::Due(refused) => {
            let refused = refused.iter().map(|Failure { times, error, .. }| {
                format!(
                    "It was refused before ({}), so the next run tries it after all others. The last answer: {}",
                    times_of(*times),
                    printable(error)
                )
            });
            let doubt = explanation.doubt.map(|doubt| format!("Not certain: {doubt}."));
            to_do(explanation, values).into_iter().chain(refused).chain(doubt).chain(guard(explanation)).collect()
        }
        Decision::Waiting(Failure { times, runs_to_wait, next_try, error }) => {
            let waits = format!(
                "Not yet: it failed before ({}), and {runs_to_wait} more runs skip it, at most until {}, unless \
                 --retry-failed is given. The last answer: {}",
                times_of(*times),
                time(*next_try),
                printable(error)
            );
            to_do(explanation, values).into_iter().chain([waits]).collect()
        }
        Decision::Deferred { above, failure: Failure { runs_to_wait, error, .. } } => {
            let above = shown(above);
            let waits = format!(
                "Deferred: {above} above it comes first, failed before, and is skipped by {runs_to_wait} more runs. \
                 The last answer for {above}: {}",
                printable(error)
            );
            to_do(explanation, values).into_iter().chain([waits]).collect()
        }
    }
}

fn times_of(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

fn time(seconds: u64) -> String {
    // A clock that was ahead may have written any time.
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds.min(FARTHEST)))
        .map_or_else(String::new, |time| humantime::format_rfc3339_seconds(time).to_string())
}

/// The last second of the year 9999.
const FARTHEST: u64 = 253_402_300_799;

/// The rows that may be meant, if there are any.
fn meant(candidates: &[Candidate], values: bool) -> Option<String> {
    let named = |candidate: &Candidate| match candidate.name.as_deref().filter(|_| values) {
        Some(name) => format!("{} ({})", shown(&candidate.provided_id), shown(name)),
        None => shown(&candidate.provided_id),
    };
    (!candidates.is_empty()).then(|| candidates.iter().map(named).collect::<Vec<_>>().join(", "))
}

/// A decision not to send anything, and whether the customer is hidden.
fn quiet(decision: String, explanation: &Explanation) -> Vec<String> {
    let is_hidden = explanation.remembered.as_ref().is_some_and(|remembered| remembered.is_hidden);
    let hidden = "Hidden: no listing shows this customer, so runs look it up once a day.".to_owned();
    [decision].into_iter().chain(is_hidden.then_some(hidden)).collect()
}

/// The calls that a run makes.
fn to_do(explanation: &Explanation, values: bool) -> Vec<String> {
    let plan = &explanation.plan;
    let first = explanation
        .first()
        .map(|change| format!("To {} first: {}, which is above it.", change.kind(), shown(&plan.provided_id(change))));
    let tags = explanation.changes().flat_map(|change| plan.sent_tags(change));
    let tags = tags.filter(|tag| plan.tags.to_make.contains(&**tag)).map(|tag| {
        let name = if values { shown(&text::quote(&tag)) } else { "that Explo does not have".to_owned() };
        format!("To create first: the group tag {name}.")
    });
    let to = |change: &Change| format!("To {}: {}.", change.kind(), calls(plan, change));
    let changes = explanation.changes().map(to);
    first.into_iter().chain(tags).chain(changes).chain(explanation.unsettled().map(not_sent)).collect()
}

/// What may hold these changes: whether it does depends on all others.
fn guard(explanation: &Explanation) -> Option<String> {
    const WITH_TENANT: &str = "customers that have a tenant";
    let (guard, remembered) = (&explanation.guard, explanation.remembered.as_ref());
    let is_lacking = remembered.is_some_and(|remembered| remembered.has_token && !remembered.is_hidden);
    let (floor, what, base) = match explanation.changes().next()? {
        Change::Create(_) if is_lacking => {
            (guard.low_floor(), "creates of customers that it remembers", "customers listed")
        }
        Change::Create(_) => (guard.floor_of(Class::Create), "creates", "customers listed"),
        Change::Rename(_) => (guard.floor_of(Class::Rename), "renames", WITH_TENANT),
        Change::Update(update) if update.fields().contains(&Field::Mapping) => {
            (guard.floor_of(Class::Mapping), "updates of the mapping", WITH_TENANT)
        }
        Change::Update(_) => (guard.floor_of(Class::Update), "updates", WITH_TENANT),
        Change::Offboard(_) => (guard.floor_of(Class::Offboard), "offboardings", WITH_TENANT),
    };
    let is_offboard = explanation.changes().next().is_some_and(|change| change.as_offboard().is_some());
    let percent = guard.percent_of(if is_offboard { Class::Offboard } else { Class::Update });
    Some(format!(
        "The guard holds a run with more than {floor} {what}, if they are more than {percent} % of the {base}; explain lists \
         no customers, so only sync --dry-run tells whether it holds this one."
    ))
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
        Change::Offboard(offboard) => {
            let fields: Vec<_> = offboard.fields().into_iter().map(Field::name).collect();
            match offboard.action {
                Action::LockOut => {
                    format!("after a look, one call of update_customer that empties {}", fields.join(", "))
                }
                Action::Delete => {
                    "after a look at it and at the customers below it, one call of delete_customer, if none of them stays".to_owned()
                }
            }
        }
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

fn remembered(explanation: &Explanation) -> String {
    match &explanation.remembered {
        Some(Recollection { has_token, synced_at, .. }) => {
            let token = if *has_token { "a token" } else { "no token" };
            let synced = synced_at.map_or_else(|| "never in sync".to_owned(), |at| format!("in sync at {}", time(at)));
            format!("Remembered: {token}, {synced}.")
        }
        None if explanation.has_ledger => "Nothing is remembered of it.".to_owned(),
        None => "Nothing is remembered: there is no ledger.".to_owned(),
    }
}

fn is_locked_out(explanation: &Explanation) -> bool {
    let departed = explanation.remembered.as_ref().and_then(|remembered| remembered.offboarded.as_ref());
    matches!(departed, Some((Departed { action: Action::LockOut, .. }, true)))
}

/// That a customer with this id was offboarded.
fn offboarded(explanation: &Explanation) -> Option<String> {
    let (departed, is_there) = explanation.remembered.as_ref()?.offboarded.as_ref()?;
    let at = printable(&departed.at);
    let done = match (departed.action, is_there) {
        (Action::LockOut, true) if !explanation.plan.quiet.unsettled.is_empty() => {
            format!("lock_out was sent at {at}, and did not settle")
        }
        (Action::LockOut, true) => format!("Locked out at {at}"),
        (Action::LockOut, false) => format!("A customer with this id was locked out at {at}"),
        (Action::Delete, _) if departed.gone => format!("A customer with this id was deleted at {at}"),
        (Action::Delete, _) => format!("Its deletion was begun at {at}, and is not known to be done"),
    };
    Some(format!("{done}; explo-sync export --offboarded prints what it was."))
}
