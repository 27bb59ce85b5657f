//! What writes to the demo customer tell: each is one call, and what it stored is in its answer.

use super::{
    demo::{Answer, Demo, EMAIL, NAME},
    question::{
        ADDRESS_CASE, EMAILS, EXISTING, Finding, LONG_NAME, MAPPING, MAPPING_VALUES, MARKUP, NULLS, NUMBERS,
        PROPERTIES, Question, SPACES, TAG_CALLS, UNICODE,
    },
};
use crate::{
    explo::{Endpoint, Error},
    model::{Customer, json},
};

const UPDATE: Endpoint = Endpoint::UpdateCustomer;

/// Space at its ends and within, a letter that Unicode can compose, and markup.
const ODD: &str = " e\u{301}  <&> ";

/// The questions that it answers.
const RULES: [(&Question, Judge); 3] = [(SPACES, spaces), (UNICODE, unicode), (MARKUP, markup)];
type Judge = fn(&str) -> &'static str;

/// More digits than a double has.
const NUMBERS_SENT: [(&str, &str); 2] = [("whole", "9007199254740993"), ("fraction", "0.12345678901234567891")];

/// Characters of the long name.
const LONG: usize = 5000;

/// Ids of a schema and of data sources that hardly exist.
const SCHEMAS: [&str; 2] = ["999999991", "999999992"];
const DATA_SOURCE: &str = "999999993";

pub(super) async fn measure(demo: &mut Demo<'_>) -> Result<(), Error> {
    existing(demo).await?;
    lists(demo).await?;
    texts(demo).await?;
    mapping(demo).await?;
    null(demo).await?;
    long_name(demo).await?;
    let tags = demo.ask(Endpoint::GroupTags, None, |_| Ok(Some(()))).await?;
    demo.find(match tags {
        Answer::Shows(()) => TAG_CALLS.found("present", ""),
        Answer::Refuses(refused) => TAG_CALLS.found("missing", refused.to_string()),
    });
    Ok(())
}

/// Creates it once more under another name.
async fn existing(demo: &mut Demo<'_>) -> Result<(), Error> {
    let fields = [("name", "\"probed again\""), ("is_demo_group", "true")];
    let answered = demo.send(Endpoint::CreateCustomer, &fields).await?;
    demo.find(judged(EXISTING, &answered, |customer| if customer.name == NAME { "left" } else { "updated" }));
    Ok(())
}

async fn lists(demo: &mut Demo<'_>) -> Result<(), Error> {
    let fields = [("emails", r#"["to@probe.invalid"]"#), ("properties", r#"{"third":"3"}"#)];
    let answered = demo.send(UPDATE, &fields).await?;
    demo.find(judged(EMAILS, &answered, |customer| replaced(1, 2, customer.emails.len())));
    demo.find(judged(PROPERTIES, &answered, |customer| replaced(1, 3, json::members(&customer.properties).count())));
    Ok(())
}

/// From the number of values: those sent, or those and the former ones.
fn replaced(sent: usize, all: usize, kept: usize) -> &'static str {
    match kept {
        kept if kept == sent => "replace",
        kept if kept == all => "merge",
        _ => "changed",
    }
}

async fn texts(demo: &mut Demo<'_>) -> Result<(), Error> {
    let numbers = NUMBERS_SENT.iter().map(|(key, number)| (*key, (*number).to_owned()));
    let properties = json::object([("text", json::quote(ODD))].into_iter().chain(numbers));
    let answered = demo.send(UPDATE, &[("name", &json::quote(ODD)), ("properties", &properties)]).await?;
    for (question, rule) in RULES {
        let mut finding = judged(question, &answered, |customer| rule(&customer.name));
        if let Answer::Shows(customer) = &answered {
            let (of_name, of_property) = (rule(&customer.name), rule(&json::string(member(customer, "text"))));
            if of_name != of_property {
                finding = question.found(of_name, format!("in names; in properties {of_property}"));
            }
        }
        demo.find(finding);
    }
    demo.find(judged(NUMBERS, &answered, |customer| {
        match NUMBERS_SENT.map(|(key, number)| member(customer, key) == number) {
            [true, true] => "kept",
            [true, false] => "whole",
            [false, false] => "doubles",
            [false, true] => "changed",
        }
    }));
    Ok(())
}

/// The text of a property's value; an empty string if there is none.
fn member<'a>(customer: &'a Customer<'_>, key: &str) -> &'a str {
    json::members(&customer.properties).find(|(known, _)| known == key).map_or("\"\"", |(_, value)| value)
}

fn spaces(kept: &str) -> &'static str {
    match (kept.starts_with(' '), kept.contains("  ")) {
        (true, _) => "kept",
        (false, true) => "trimmed",
        (false, false) => "collapsed",
    }
}

fn unicode(kept: &str) -> &'static str {
    match (kept.contains("e\u{301}"), kept.contains('\u{e9}')) {
        (true, _) => "kept",
        (false, true) => "nfc",
        (false, false) => "changed",
    }
}

fn markup(kept: &str) -> &'static str {
    match (kept.contains("<&>"), kept.contains("&lt;&amp;&gt;")) {
        (true, _) => "kept",
        (false, true) => "escaped",
        (false, false) => "changed",
    }
}

pub(super) fn address_case(customer: &Customer<'_>) -> Finding {
    let address = customer.emails.first().map_or("", |email| email);
    let is_lower = || address.starts_with(&EMAIL[..2].to_lowercase());
    let answer = if address.starts_with(&EMAIL[..2]) {
        "kept"
    } else if is_lower() {
        "lower"
    } else {
        "changed"
    };
    ADDRESS_CASE.found(answer, "")
}

async fn mapping(demo: &mut Demo<'_>) -> Result<(), Error> {
    let [one, other] = SCHEMAS.map(|schema| format!("{{\"{schema}\":\"{DATA_SOURCE}\"}}"));
    let answered = demo.send(UPDATE, &[("mapping", &one)]).await?;
    if let Answer::Refuses(refused) = &answered {
        demo.find(MAPPING_VALUES.untried("the mapping was refused"));
        demo.find(MAPPING.found("refused", refused.to_string()));
        return Ok(());
    }
    demo.find(judged(MAPPING_VALUES, &answered, |customer| {
        match json::members(&customer.mapping).next().map_or("", |(_, value)| value) {
            DATA_SOURCE => "numbers",
            text if json::string(text) == DATA_SOURCE => "sent",
            _ => "changed",
        }
    }));
    let answered = demo.send(UPDATE, &[("mapping", &other)]).await?;
    demo.find(judged(MAPPING, &answered, |customer| replaced(1, 2, json::members(&customer.mapping).count())));
    Ok(())
}

async fn null(demo: &mut Demo<'_>) -> Result<(), Error> {
    let answered = demo.send(UPDATE, &[("emails", "null")]).await?;
    demo.find(judged(NULLS, &answered, |customer| if customer.emails.is_empty() { "cleared" } else { "ignored" }));
    Ok(())
}

async fn long_name(demo: &mut Demo<'_>) -> Result<(), Error> {
    let name = "x".repeat(LONG);
    let answered = demo.send(UPDATE, &[("name", &json::quote(&name))]).await?;
    let finding = match &answered {
        Answer::Shows(customer) if customer.name == name => LONG_NAME.found("kept", format!("{LONG} characters")),
        Answer::Shows(customer) if name.starts_with(&*customer.name) => {
            LONG_NAME.found("cut", format!("to {} characters", customer.name.len()))
        }
        Answer::Shows(_) => LONG_NAME.found("changed", ""),
        Answer::Refuses(refused) => LONG_NAME.found("refused", format!("{LONG} characters: {refused}")),
    };
    demo.find(finding);
    Ok(())
}

/// The finding from an answer; a refusal is one too.
fn judged(
    question: &'static Question,
    answered: &Answer<Customer<'static>>,
    judge: impl FnOnce(&Customer<'_>) -> &'static str,
) -> Finding {
    match answered {
        Answer::Shows(customer) => question.found(judge(customer), ""),
        Answer::Refuses(refused) => question.found("refused", refused.to_string()),
    }
}
