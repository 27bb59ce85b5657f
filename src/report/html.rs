//! The report of a dry run as one page for a browser: everything is in the file, and nothing is fetched.
//!
//! Counts, guard, fields, calls and the lists of tenants and customers are plain HTML; the changes are JSON in a script
//! block, written one at a time, from which the script shows a hundred at once. Without `values` the page has ids, field
//! names and counts only. Foreign text is always escaped, and the page's policy admits no script or style but its own.

mod changes;

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    Report,
    text::{grouped, time},
};
use crate::{
    compare::Unsettled,
    html::{Text, fill, policy},
    model::{Field, Gap, shown, told_id},
    plan::Class,
};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = concat!(include_str!("../html/style.css"), include_str!("html/style.css"));
const SCRIPT: &str = include_str!("html/script.js");

/// Elements of a list that a browser lays out together, when they come into view.
const CHUNK: usize = 500;

/// Writes the page; with `values`: names, addresses and other values, too.
pub fn write_html(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    fill(PAGE, out, |part, out| match part {
        "policy" => {
            write!(out, "{}; require-trusted-types-for 'script'; trusted-types 'none'", policy(&[SCRIPT], &[STYLE]))
        }
        "instance" => write!(out, "{}", Text(&report.instance)),
        "style" => write!(out, "{STYLE}"),
        "script" => write!(out, "{SCRIPT}"),
        "sides" => write_sides(report, values, out),
        "verdict" => write_verdict(report, out),
        "counts" => write_counts(report, out),
        "guard" => write_guard(report, out),
        "cost" => write_cost(report, values, out),
        "fields" => write_fields(report, out),
        "changes" => write_changes(report, values, out),
        "others" => write_others(report, values, out),
        _ => Ok(()),
    })
}

fn write_sides(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let (tenants, customers) = (grouped(plan.index.rows()), grouped(plan.population.customers));
    let (source, explo) = (Text(&report.source), Text(&report.base_url));
    let made = chrono::DateTime::from_timestamp(i64::try_from(plan.now).unwrap_or_default(), 0).unwrap_or_default();
    let made = made.format("%Y-%m-%d %H:%M UTC");
    let what = if values {
        "This page shows names, e-mail addresses and other values."
    } else {
        "This page shows ids, field names and counts; with <code>--show-values</code> it also shows names, e-mail \
         addresses and other values."
    };
    write!(
        out,
        "{tenants} tenants in {source}, {customers} customers in {explo}.<br><span class=\"dim\">Made by a dry run on \
         {made} (run {}). {what}</span>",
        Text(&report.run_id)
    )
}

fn write_verdict(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let run = &report.run;
    out.write_all(match (run.held.is_empty(), run.plan.changes.is_empty()) {
        (false, _) => {
            b"<p class=\"verdict held\"><strong>Held by the guard.</strong> Nothing was written, and a run would write \
              nothing: see <a href=\"#guard\">Guard</a>.</p>"
        }
        (true, true) => b"<p class=\"verdict\"><strong>Nothing to change.</strong></p>",
        (true, false) => {
            b"<p class=\"verdict\"><strong>Nothing was written.</strong> A run would make the changes on this page.</p>"
        }
    })
}

fn write_counts(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let counts = report.counts();
    let counts = [
        ("to create", counts.create, "kind=create"),
        ("to update", counts.update, "kind=update"),
        ("to rename", counts.rename, "kind=rename"),
        ("to offboard", counts.offboard, "kind=offboard"),
        ("unchanged", counts.unchanged, ""),
        ("invalid tenants", counts.invalid, "invalid"),
        ("orphans (left alone)", report.run.plan.orphans_left_alone().len(), "orphans"),
        ("known not to settle", counts.unsettled, "unsettled"),
    ];
    out.write_all(b"<dl class=\"counts\">")?;
    for (name, count, target) in counts {
        let number = grouped(count);
        if count == 0 || target.is_empty() {
            write!(out, "<div><dt>{name}</dt><dd>{number}</dd></div>")?;
        } else {
            write!(out, "<div><dt><a href=\"#{target}\">{name}</a></dt><dd>{number}</dd></div>")?;
        }
    }
    out.write_all(b"</dl>")
}

fn write_guard(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let (plan, limits, held) = (&report.run.plan, &report.run.limits, &report.run.held);
    if limits.is_empty() {
        return out.write_all(b"<p>The guard does not apply to tenants that were named with <code>--only</code>.</p>");
    }
    if held.is_empty() {
        out.write_all(b"<p>No class is over its limit, so the guard lets this plan through.</p>")?;
    } else {
        write!(
            out,
            "<p>The plan changes more than the limits permit, so a run would write nothing. If the plan is right, let it \
             through once with this command:</p><pre><code>{}</code></pre>",
            Text(&report.command_through())
        )?;
    }
    out.write_all(
        b"<table class=\"small\"><thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"number\">In the plan</th>\
          <th scope=\"col\" class=\"number\">Limit</th><th scope=\"col\">Verdict</th></tr></thead><tbody>",
    )?;
    let passes = |class: &Class| held.iter().all(|held| held.class != *class || held.count != class.count(plan));
    for (class, limit) in limits {
        let verdict = if passes(class) { "passes" } else { "<strong class=\"held\">held</strong>" };
        write_class(class.name(), class.count(plan), *limit, verdict, out)?;
    }
    // A class can also be held because of a part of it.
    for held in held.iter().filter(|held| passes(&held.class)) {
        let name = format!("{} of remembered customers that the listing lacks", held.class.name());
        write_class(&name, held.count, held.limit, "<strong class=\"held\">held</strong>", out)?;
    }
    out.write_all(b"</tbody></table>")
}

fn write_class(name: &str, count: usize, limit: usize, verdict: &str, out: &mut dyn Write) -> io::Result<()> {
    let (count, limit) = (grouped(count), grouped(limit));
    write!(
        out,
        "<tr><th scope=\"row\">{name}</th><td class=\"number\">{count}</td><td class=\"number\">{limit}</td><td>{verdict}\
         </td></tr>"
    )
}

fn write_cost(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    let (plan, due) = (&report.run.plan, &report.run.due);
    let waiting = plan.changes.len() - due.count() - due.left;
    if waiting > 0 {
        write!(
            out,
            "<p>{} changes wait because the tenant failed before; <code>--retry-failed</code> tries them now.</p>",
            grouped(waiting)
        )?;
    }
    if due.left > 0 {
        write!(out, "<p>{} changes are left to the next run.</p>", grouped(due.left))?;
    }
    let calls = report.calls_to_apply();
    if calls.is_empty() {
        return out.write_all(b"<p>There is nothing to do: no calls.</p>");
    }
    let total = grouped(calls.values().sum());
    let (time, rate) = (time(report.estimated_seconds()), report.requests_per_minute);
    write!(
        out,
        "<p>Applying it takes {total} calls: {time} at {rate} per minute.</p><table class=\"small\"><thead><tr>\
         <th scope=\"col\">Call</th><th scope=\"col\" class=\"number\">Number</th></tr></thead><tbody>"
    )?;
    for (endpoint, number) in calls {
        let number = grouped(number);
        write!(out, "<tr><th scope=\"row\"><code>{endpoint}</code></th><td class=\"number\">{number}</td></tr>")?;
    }
    out.write_all(b"</tbody></table>")?;
    let tags: Vec<_> = plan.tags_to_make(due).into_iter().map(|tag| Text(tag).to_string()).collect();
    match tags.len() {
        0 => Ok(()),
        _ if values => write!(out, "<p>Group tags to create first: <bdi>{}</bdi></p>", tags.join("</bdi>, <bdi>")),
        number => write!(out, "<p>Group tags to create first: {}</p>", grouped(number)),
    }
}

/// How many updates and creates touch each field that any of them touches.
fn fields(report: &Report) -> BTreeMap<Field, [usize; 2]> {
    let plan = &report.run.plan;
    let mut fields = BTreeMap::new();
    for change in &plan.changes {
        for field in plan.fields_of(change) {
            fields.entry(field).or_insert([0, 0])[usize::from(Report::is_create(change))] += 1;
        }
    }
    fields
}

fn write_fields(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let fields = fields(report);
    if fields.is_empty() {
        return out.write_all(b"<p>No field changes.</p>");
    }
    out.write_all(
        b"<p>How often each field changes: updates change it, creates set it.</p><table class=\"bars\"><thead><tr>\
          <th scope=\"col\">Field</th>",
    )?;
    let most = |n: usize| fields.values().map(|counts| counts[n]).max().unwrap_or_default();
    let columns = [(0, "Updates", most(0)), (1, "Creates", most(1))];
    let columns: Vec<_> = columns.into_iter().filter(|(.., most)| *most > 0).collect();
    columns.iter().try_for_each(|(_, name, _)| write!(out, "<th scope=\"col\">{name}</th>"))?;
    out.write_all(b"</tr></thead><tbody>")?;
    for (field, counts) in &fields {
        let name = field.name();
        write!(out, "<tr><th scope=\"row\"><a href=\"#field={name}\"><code>{name}</code></a></th>")?;
        for (n, _, most) in &columns {
            let (number, width) = (grouped(counts[*n]), counts[*n] * 1000 / most);
            write!(
                out,
                "<td>{number}<svg viewBox=\"0 0 1000 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect \
                 width=\"{width}\" height=\"1\"/></svg></td>"
            )?;
        }
        out.write_all(b"</tr>")?;
    }
    out.write_all(b"</tbody></table>")
}

fn write_changes(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    if plan.changes.is_empty() {
        return out.write_all(b"<p>There are no changes.</p>");
    }
    if plan.renames().next().is_some() {
        out.write_all(
            b"<p><strong>JWTs name the provided_id:</strong> the application must use the new one as soon as a rename is \
              applied.</p>",
        )?;
    }
    let counts = report.counts();
    let kinds = [
        ("create", counts.create),
        ("update", counts.update),
        ("rename", counts.rename),
        ("offboard", counts.offboard),
    ];
    let kinds = kinds.into_iter().filter(|(_, count)| *count > 0).map(|(kind, _)| kind);
    let fields = fields(report);
    write!(
        out,
        "<noscript><p>Searching and paging through the {number} changes needs JavaScript. Without it, <code>explo-sync \
         sync --dry-run -v</code> lists them as text.</p></noscript>\
         <div id=\"live\" hidden><form id=\"find\" role=\"search\"><div><label for=\"query\">Search: all words must occur, \
         in any order</label><input id=\"query\" name=\"query\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\">\
         </div><div><label for=\"kind\">Kind</label>{kinds}</div><div><label for=\"field\">Field</label>{fields}</div></form>\
         <p id=\"found\" role=\"status\"></p>{pages}<table id=\"table\" aria-labelledby=\"changes\"></table>{pages}</div>\
         <script type=\"application/json\" id=\"data\">",
        number = grouped(plan.changes.len()),
        kinds = select("kind", kinds),
        fields = select("field", fields.into_keys().map(Field::name)),
        pages = "<div class=\"pages\" role=\"group\" aria-label=\"Pages\"><button type=\"button\" data-page=\"first\">First\
                 </button><button type=\"button\" data-page=\"previous\">Previous</button><button type=\"button\" \
                 data-page=\"next\">Next</button><button type=\"button\" data-page=\"last\">Last</button></div>"
    )?;
    changes::write(report, values, out)?;
    out.write_all(b"</script>")
}

fn select(name: &str, options: impl Iterator<Item = &'static str>) -> String {
    let options: Vec<_> = options.map(|option| format!("<option>{option}</option>")).collect();
    let options = options.concat();
    format!("<select id=\"{name}\" name=\"{name}\"><option value=\"\">all</option>{options}</select>")
}

/// What is not changed, and why.
fn write_others(report: &Report, values: bool, out: &mut dyn Write) -> io::Result<()> {
    let plan = &report.run.plan;
    let named = |id: Option<&str>| match id {
        Some(id) => format!("<bdi class=\"id\">{}</bdi>", Text(&told_id(id))),
        None => "<span class=\"none\">no id</span>".to_owned(),
    };
    let invalid = ("invalid", "Invalid tenants", "These tenants can't be planned. All others can.");
    write_list(invalid, plan.index.count_of_invalid(), &plan.invalid, out, |tenant| {
        format!("{}: {}", named(tenant.provided_id.as_deref()), Text(&plan.reason(tenant, values)))
    })?;
    let unsettled = (
        "unsettled",
        "Unsettled",
        "Explo acknowledged these values and shows others. They are not sent again until either side changes.",
    );
    write_list(
        unsettled,
        plan.quiet.unsettled_customers,
        &report.unsettled(),
        out,
        |(id, Unsettled { difference, rule, .. })| {
            let sides = format!(" (wanted {}, Explo shows {})", shown(&difference.wanted), shown(&difference.current));
            let sides = if values { sides } else { String::new() };
            format!("{}: {}: {rule}{}", named(Some(id)), difference.field.name(), Text(&sides))
        },
    )?;
    let is_strange = |id: &&Option<String>| id.as_deref().is_none_or(|id| !plan.index.has(id));
    let unreadable: Vec<_> = plan.population.unreadable.iter().filter(is_strange).collect();
    let heading = ("unreadable", "Unreadable customers", "These customers have no tenant, and are left alone.");
    write_list(heading, unreadable.len(), &unreadable, out, |id| {
        format!("{}: {}", named(id.as_deref()), Gap::Unreadable)
    })?;
    let orphans = ("orphans", "Orphans", "These customers have no tenant. They are left alone.");
    let list = plan.orphans_left_alone();
    write_list(orphans, list.len(), &list, out, |id| named(Some(id)))
}

fn write_list<T>(
    (id, name, explanation): (&str, &str, &str),
    count: usize,
    list: &[T],
    out: &mut dyn Write,
    line: impl Fn(&T) -> String,
) -> io::Result<()> {
    if list.is_empty() {
        return Ok(());
    }
    let count = grouped(count);
    write!(
        out,
        "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\" tabindex=\"-1\">{name}: {count}</h2><p>{explanation}</p>"
    )?;
    for chunk in list.chunks(CHUNK) {
        out.write_all(if list.len() > CHUNK { b"<ul class=\"chunk\">" } else { b"<ul>" })?;
        chunk.iter().try_for_each(|element| writeln!(out, "<li>{}</li>", line(element)))?;
        out.write_all(b"</ul>")?;
    }
    out.write_all(b"</section>")
}
