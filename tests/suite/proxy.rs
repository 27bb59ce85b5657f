//! Proxies: none on the way to this machine, and one that fails is named with its variable.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    faults::reach::tls,
    support::{Database, Program, World, sandbox, serve},
};

/// A proxy that nobody serves.
const DEAD: &str = "http://user:my-secret-proxy@127.0.0.1:1";

const ALL: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The program before an Explo of this address, which no name server knows.
async fn before(base_url: &str) -> (Database, Program) {
    let world = World::of([("a", "Ann")]).with("EXPLO_SYNC__EXPLO__BASE_URL", base_url);
    let (database, _, program) = world.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1").start().await;
    (database, program)
}

/// A proxy that answers like this itself.
async fn answering(app: Router) -> String {
    serve(app).await.replace("http://", "")
}

#[tokio::test]
async fn no_proxy_is_on_the_way_to_this_machine() {
    let with_proxies = |program: Program| ALL.into_iter().fold(program, |program, name| program.with(name, DEAD));
    let output = with_proxies(Program::default()).run(&["demo"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let sandbox = sandbox([]).await;
    let (_database, program) = before(&sandbox.url().replace("127.0.0.1", "localhost")).await;
    let output = with_proxies(program).run(&["sync"]).await;
    assert_eq!((output.code, sandbox.customers().len()), (0, 1), "{output:?}");
}

#[tokio::test]
async fn calls_go_through_the_proxy_that_is_named() {
    let list = async |headers: HeaderMap| match headers.get("proxy-authorization") {
        Some(credentials) if credentials == "Basic dXNlcjpteS1zZWNyZXQtcHJveHk=" => {
            Ok(r#"{"total_count": 0, "results": {"customers": []}}"#)
        }
        _ => Err(StatusCode::PROXY_AUTHENTICATION_REQUIRED),
    };
    let address = answering(Router::new().route("/v2/api/customers/", get(list))).await;
    let (_database, program) = before("http://explo.test").await;
    // Written without its kind, as curl takes it.
    let program = program.with("http_proxy", &format!("user:my-secret-proxy@{address}"));
    let (code, report) = program.sync(&["--dry-run"]).await;
    assert_eq!((code, &report["counts"]["create"]), (0, &1.into()), "{report}");
}

#[rstest]
#[case("HTTP_PROXY", "http://explo.test")]
#[case("https_proxy", "https://explo.test")]
#[case("ALL_PROXY", "https://explo.test")]
#[tokio::test]
async fn a_proxy_that_fails_is_named(#[case] variable: &str, #[case] base_url: &str) {
    let (_database, program) = before(base_url).await;
    let output = program.clone().with(variable, DEAD).run(&["sync"]).await;
    let told = format!("the proxy http://127.0.0.1:1 of {variable}");
    assert!(output.code == 1 && output.stderr.contains(&told), "{output:?}");
    assert!(output.stderr.contains("refused") && !output.stderr.contains("my-secret"), "{output:?}");

    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let waiting = program.clone().with("EXPLO_SYNC__EXPLO__TIMEOUT", "500ms");
    let output = waiting.with(variable, &format!("http://{address}")).run(&["sync"]).await;
    let told = format!("it timed out; the call goes through the proxy http://{address} of {variable}");
    assert!(output.code == 1 && output.stderr.contains(&told), "{output:?}");

    for (credentials, told) in [
        ("", format!("asks for credentials (407): put them in {variable}, as in http://user:password@host:port")),
        ("user:my-secret-proxy@", format!("refuses the credentials in {variable} (407)")),
    ] {
        let app = Router::new().fallback(async || StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        let address = answering(app).await;
        let proxy = format!("http://{credentials}{address}");
        let output = program.clone().with(variable, &proxy).run(&["check"]).await;
        let told = format!("the proxy http://{address} of {variable} {told}");
        assert!(output.code == 1 && output.stdout.contains(&told), "{output:?}");
        assert!(!format!("{output:?}").contains("my-secret"), "{output:?}");
    }
}

/// A proxy that leads every call to this port.
async fn leading_to(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut incoming, _) = listener.accept().await.unwrap();
            let (mut asked, mut piece) = (Vec::new(), [0; 1024]);
            while !asked.ends_with(b"\r\n\r\n") {
                let length = incoming.read(&mut piece).await.unwrap();
                asked.extend(&piece[..length]);
            }
            incoming.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut outgoing = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing).await;
        }
    });
    address
}

#[tokio::test]
async fn a_certificate_behind_a_proxy_is_told_with_the_proxy() {
    let sandbox = sandbox([]).await;
    let address = leading_to(tls(&sandbox, "server", 0).await).await;
    let (_database, program) = before("https://explo.test").await;
    let output = program.with("HTTPS_PROXY", &format!("http://{address}")).run(&["check"]).await;
    let told = format!(
        "signed the server's in explo.ca_file; the call goes through the proxy http://{address} of HTTPS_PROXY to \
         explo.base_url (https://explo.test/)"
    );
    assert!(output.code == 1 && output.stdout.contains(&told), "{output:?}");
}

#[rstest]
#[case("http://explo.test/tenants")]
#[case("https://explo.test/tenants")]
#[tokio::test]
async fn so_is_one_on_the_way_to_a_source(#[case] url: &str) {
    let directory = tempfile::tempdir().unwrap();
    let config = format!(
        "[source]\nkind = 'rest'\nurl = '{url}'\nrecords = ''\npaging = 'none'\ntotal = ''\n\
         [source.columns]\nprovided_id = '/id'\n[explo]\nmax_attempts = 1\n"
    );
    std::fs::write(directory.path().join("explo-sync.toml"), config).unwrap();
    let program = Program::default().with("EXPLO_TOKEN", "test-team-token-0123456789").within(directory.path());
    let output = program.with("all_proxy", DEAD).run(&["sync"]).await;
    assert!(output.code == 1 && output.stderr.contains("the proxy http://127.0.0.1:1 of all_proxy"), "{output:?}");
}

#[tokio::test]
async fn what_is_exempt_is_called_without_and_what_is_no_proxy_is_a_mistake() {
    let (_database, program) = before("http://explo.test").await;
    let program = program.with("HTTP_PROXY", "socks5://user:my-secret-proxy@127.0.0.1:1");
    let output = program.clone().with("NO_PROXY", "b.example,.explo.test").run(&["sync"]).await;
    assert!(output.code == 1 && !output.stderr.contains("proxy"), "{output:?}");
    let output = program.run(&["sync"]).await;
    let told = "HTTP_PROXY: is not the address of an HTTP proxy, such as http://proxy.internal:3128";
    assert!(output.code == 78 && output.stderr.contains(told) && !output.stderr.contains("my-secret"), "{output:?}");
}

/// What each answers that stands before Explo, and Explo itself where it looks the same.
#[rstest]
#[case::forbids(StatusCode::FORBIDDEN, "<html><h1>Forbidden by policy</h1></html>", 1)]
#[case::forbids_in_json(StatusCode::FORBIDDEN, r#"{"error": "denied"}"#, 1)]
#[case::wants_a_login(StatusCode::UNAUTHORIZED, "Log in first", 1)]
#[case::reaches_nobody(StatusCode::BAD_GATEWAY, "<html><h1>Bad gateway</h1></html>", 1)]
#[case::knows_no_page(StatusCode::NOT_FOUND, "", 1)]
#[case::leads_elsewhere(StatusCode::FOUND, "", 1)]
#[case::shows_a_page(StatusCode::OK, "<html><h1>Welcome</h1></html>", 1)]
#[case::explo_forbids(StatusCode::FORBIDDEN, r#"{"success": false, "error": "not allowed"}"#, 77)]
#[case::explo_knows_no_token(StatusCode::UNAUTHORIZED, r#"{"detail": "Invalid token."}"#, 77)]
#[tokio::test]
async fn what_a_proxy_answers_is_not_taken_for_explos_word(
    #[case] status: StatusCode,
    #[case] body: &'static str,
    #[case] code: i32,
) {
    let address = answering(Router::new().fallback(async move || (status, body))).await;
    let (_database, program) = before("http://explo.test").await;
    let program = program.with("HTTP_PROXY", &format!("http://user:my-secret-proxy@{address}"));
    let output = program.run(&["sync"]).await;
    let names_proxy = output.stderr.contains(&format!("the proxy http://{address} of HTTP_PROXY"));
    assert_eq!((output.code, names_proxy), (code, code == 1), "{output:?}");
    assert!(!output.stderr.contains("my-secret"), "{output:?}");
    // Nor for its word on one customer.
    if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status) && code == 1 {
        let output = program.run(&["sync", "--only", "a"]).await;
        let told = format!("get_customer answered {}", status.as_u16());
        assert!(output.code == 1 && output.stderr.contains(&told), "{output:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_proxy_that_leads_nowhere_is_told_with_what_to_do(
    #[values(StatusCode::FORBIDDEN, StatusCode::BAD_GATEWAY)] status: StatusCode,
) {
    let address = answering(Router::new().fallback(async move || status)).await;
    let (_database, program) = before("https://explo.test").await;
    let proxied = program.with("HTTPS_PROXY", &format!("http://user:my-secret-proxy@{address}"));
    let output = proxied.run(&["sync"]).await;
    assert!(!output.stderr.contains("my-secret"), "{output:?}");
    let (proxy, refusal) = (format!("the proxy http://{address} of HTTPS_PROXY"), format!("({})", status.as_u16()));
    for part in [&*proxy, &*refusal, "have it allow that host", "NO_PROXY"] {
        assert!(output.code == 1 && output.stderr.contains(part), "{part}: {output:?}");
    }
}
