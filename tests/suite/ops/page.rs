//! The status page.

use explo_sync::{
    ops::Limits,
    reconciler::{Origin, WakeOutcome},
};
use html5gum::{DefaultEmitter, Token, Tokenizer};

use super::{Daemon, Duration, Sides, at};
use crate::browser;

const TOKEN: &str = "ops-token-0123456789";

/// A daemon after a run in which a tenant was refused and others can't be planned, and one that the guard holds.
async fn in_trouble() -> Daemon {
    let daemon = Daemon::limited(Limits { token: Some(TOKEN.to_owned().into()), ..Limits::default() }).await;
    let mut sides = Sides::new().await;
    sides.sandbox.adjust(|api| api.faults.push("status=400,id=ann".parse().unwrap()));
    sides.run_for(&daemon.status, 100).await;
    sides.floor = 0;
    sides
        .database
        .execute("update tenants set name = 'Everybody'; insert into tenants values ('nameless', null)")
        .await;
    sides.run_for(&daemon.status, 200).await;
    daemon.status.next_run(Some(at(400)));
    for millis in [20, 30, 900] {
        daemon.status.woken(Origin::Listen, WakeOutcome::Applied, Duration::from_millis(millis));
    }
    daemon.seconds.store(300, super::Ordering::Relaxed);
    daemon
}

#[tokio::test]
async fn the_page_says_what_is_wrong_and_names_nobody_but_to_who_has_the_token() {
    let daemon = in_trouble().await;
    let (code, page) = daemon.get("/").await;
    assert_eq!(code, 200);
    for part in [
        "<strong>Held by the guard</strong>",
        "(in 1m 40s)",
        "<code>explo-sync sync --allow ",
        "some tenants are in trouble",
        "<td class=\"number\">1</td>",
        "median of the last 100</dt><dd>30ms",
        "href=\"/?ids\"",
        "role=\"img\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for id in ["nameless", "bob"] {
        assert!(!page.contains(&format!(">{id}<")), "{page}");
    }
    let get = |user: Option<&'static str>| {
        let request = reqwest::Client::new().get(format!("{}/?ids", daemon.url));
        match user {
            Some(password) => request.basic_auth("anybody", Some(password)),
            None => request,
        }
    };
    for wrong in [None, Some(""), Some("wrong"), Some("ops-token-012345678")] {
        let answer = get(wrong).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    }
    let answer = get(Some(TOKEN)).send().await.unwrap();
    let headers = answer.headers().clone();
    let page = answer.text().await.unwrap();
    assert!(page.contains("<bdi class=\"id\">nameless</bdi>"), "{page}");
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'; style-src 'sha256-"));
    assert_eq!(headers["cache-control"], "no-store");
}

#[tokio::test]
async fn the_page_is_well_formed_before_any_run_and_in_one() {
    let daemon = Daemon::start().await;
    let is_well_formed = async || {
        let (_, page) = daemon.get("/").await;
        let mut open = Vec::new();
        for token in Tokenizer::new_with_emitter(&page, DefaultEmitter::default()) {
            match token.unwrap() {
                Token::StartTag(tag) => {
                    let name = String::from_utf8(tag.name.to_vec()).unwrap();
                    assert!(
                        !tag.attributes.keys().any(|name| name.starts_with(b"on") || **name == *b"style"),
                        "{page}"
                    );
                    if !tag.self_closing && !["meta", "br"].contains(&&*name) {
                        open.push(name);
                    }
                }
                Token::EndTag(tag) => {
                    assert_eq!(open.pop().map(String::into_bytes), Some(tag.name.to_vec()), "{page}");
                }
                Token::Error(error) => panic!("{error:?}: {page}"),
                _ => {}
            }
        }
        assert_eq!(open, [""; 0]);
        page
    };
    let page = is_well_formed().await;
    assert!(page.contains("No run yet") && page.contains("None has ended yet."), "{page}");
    daemon.status.run_began("run-1", at(10));
    explo_sync::progress::Progress::listed(&*daemon.status, 3, 12);
    let page = is_well_formed().await;
    assert!(page.contains("3 of 12<progress value=\"3\" max=\"12\">"), "{page}");
    daemon.status.standby("another daemon has the lock: <b>");
    let page = is_well_formed().await;
    assert!(page.contains("Stands by</strong>: another daemon has the lock: &lt;b&gt;"), "{page}");
}

#[ignore = "needs a browser: tests/run --browser"]
#[tokio::test]
async fn in_a_browser_the_page_breaks_no_policy_whatever_the_scheme_and_the_width() {
    let daemon = in_trouble().await;
    for (scheme, width) in [(0, 1200), (1, 1200), (0, 390)] {
        let shown = [format!("--blink-settings=preferredColorScheme={scheme}"), format!("--window-size={width},900")];
        let (page, complaints) = browser::open(&format!("{}/", daemon.url), &shown).await;
        assert_eq!(complaints, [""; 0]);
        assert!(page.contains("<h2 id=\"held\">Held by the guard</h2>"), "{page}");
    }
}

/// By the rules of WCAG 2 for text: AA is 4.5.
#[test]
fn all_text_stands_out_in_light_and_dark() {
    let style = concat!(include_str!("../../../src/html/style.css"), include_str!("../../../src/ops/page.css"));
    let colour = |name: &str, scheme: usize| {
        let digits = style.split(&format!("--{name}: #")).nth(1 + scheme).unwrap().split(';').next().unwrap();
        let wide = if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits.to_owned() };
        let part = |place: usize| {
            let part = f64::from(u8::from_str_radix(&wide[place..place + 2], 16).unwrap()) / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        part(0).mul_add(0.2126, part(2).mul_add(0.7152, part(4) * 0.0722))
    };
    for (scheme, text) in
        (0..2).flat_map(|scheme| ["text", "dim", "link", "good", "warn", "bad"].map(|text| (scheme, text)))
    {
        for back in ["page", "card", "good-back", "bad-back"] {
            let (one, other) = (colour(text, scheme), colour(back, scheme));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{text} on {back} has {contrast:.1}");
        }
    }
}
