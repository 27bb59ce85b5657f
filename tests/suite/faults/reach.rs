//! An Explo that is not there, is not the one, or gives no answer: the reason is told, and the way out.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use explo_sync::sandbox::Sandbox;
use rstest::rstest;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{Calls, UNDISTURBED, holds_what_is_wanted, made, sides};

fn ca_file() -> String {
    std::env::var("TEST_CA_FILE").unwrap_or_else(|_| panic!("TEST_CA_FILE is not set: run the tests with tests/run"))
}

/// Speaks TLS before the sandbox, as a server with this certificate of `tests/run`; breaks the first connections off.
pub(crate) async fn tls(sandbox: &Sandbox, shown: &str, broken: usize) -> u16 {
    explo_sync::install_crypto();
    let ca = ca_file();
    let directory = Path::new(&ca).parent().unwrap();
    let certificates =
        CertificateDer::pem_file_iter(directory.join(format!("{shown}.pem"))).unwrap().map(Result::unwrap);
    let key = directory.join(if shown == "ca" { "ca.key" } else { "server.key" });
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates.collect(), key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (upstream, accepted) = (sandbox.url().replace("http://", ""), AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (incoming, _) = listener.accept().await.unwrap();
            if accepted.fetch_add(1, Ordering::Relaxed) < broken {
                continue;
            }
            let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
            tokio::spawn(async move {
                let mut outgoing = TcpStream::connect(upstream).await.unwrap();
                if let Ok(mut incoming) = acceptor.accept(incoming).await {
                    let _ = tokio::io::copy_bidirectional(&mut incoming, &mut outgoing).await;
                }
            });
        }
    });
    port
}

/// The code, the report and the calls where Explo is at this address, its port that of a server which shows a certificate, and
/// whether all is as wanted then.
async fn reach(address: &str, is_trusted: bool, broken: usize) -> (i32, Value, Calls, bool) {
    let (_database, sandbox, program) = sides().await;
    let (host, port) = address.rsplit_once(':').unwrap();
    let address = match port {
        "PLAIN" => format!("{host}:{}", sandbox.url().rsplit(':').next().unwrap()),
        _ if port.starts_with(|first: char| first.is_ascii_lowercase()) => {
            format!("{host}:{}", tls(&sandbox, port, broken).await)
        }
        _ => address.to_owned(),
    };
    let program = program.with("EXPLO_SYNC__EXPLO__BASE_URL", &address);
    let program = if is_trusted { program.with("EXPLO_SYNC__EXPLO__CA_FILE", &ca_file()) } else { program };
    let (code, report) = program.sync(&[]).await;
    (code, report, made(&sandbox), holds_what_is_wanted(&sandbox))
}

#[rstest]
#[case::no_such_name("http://no-such-host.invalid:80", true, "no such host is known: check explo.base_url")]
#[case::nobody_listens("http://127.0.0.1:1", true, "nothing listens there: check explo.base_url")]
#[case::no_way("http://255.255.255.255:80", true, "that host can't be reached: check explo.base_url")]
#[case::no_tls_there("https://127.0.0.1:PLAIN", true, "the server there does not speak TLS: check explo.base_url")]
#[case::tls_there_alone("http://127.0.0.1:server", true, "speaks no HTTP: check explo.base_url")]
#[case::expired("https://127.0.0.1:expired", true, "has expired: renew it there; the call goes to explo.base_url")]
#[case::not_yet("https://127.0.0.1:future", true, "not valid yet: check the clocks of both machines")]
#[case::of_an_authority("https://127.0.0.1:ca", true, "give it one of its own there")]
#[case::an_unknown_authority("https://127.0.0.1:server", false, "signed the server's in explo.ca_file")]
#[case::the_certificate_of_another(
    "https://127.0.0.2:server",
    true,
    "a name that the server's certificate has: check explo.base_url"
)]
#[tokio::test]
async fn a_server_that_is_not_the_one_gets_no_call_and_the_reason_is_told(
    #[case] address: &str,
    #[case] is_trusted: bool,
    #[case] reason: &str,
) {
    let (code, report, calls, _) = reach(address, is_trusted, 0).await;
    assert_eq!((code, calls), (1, [0, 0, 0]), "{report}");
    assert!(report["error"].as_str().unwrap().contains(reason), "{report}");
}

#[rstest]
#[case::cut("cut", "the connection broke")]
#[case::cut_before("drop-before", "the connection broke")]
#[case::silent("hang-before", "it timed out; the call goes to explo.base_url")]
#[case::down("status=503", "it answered 503")]
#[case::html("html", "its answer is not JSON; the call goes to explo.base_url")]
#[tokio::test]
async fn an_explo_that_is_of_no_use_is_named(#[case] fault: &str, #[case] reason: &str) {
    let (_database, sandbox, program) = sides().await;
    sandbox.adjust(|api| api.faults = vec![fault.parse().unwrap()]);
    let program = program.with("EXPLO_SYNC__EXPLO__MAX_ATTEMPTS", "1");
    let output = program.with("EXPLO_SYNC__EXPLO__TIMEOUT", "1s").run(&["check"]).await;
    let place = format!("explo.base_url ({}/)", sandbox.url());
    assert!(output.code == 1 && output.stdout.contains(reason) && output.stdout.contains(&place), "{output:?}");
}

#[rstest]
#[case::none(0)]
#[case::one(1)]
#[tokio::test]
async fn a_trusted_server_is_talked_to_though_a_handshake_breaks(#[case] broken: usize) {
    for host in ["localhost", "127.0.0.1"] {
        let (code, report, calls, is_done) = reach(&format!("https://{host}:server"), true, broken).await;
        assert_eq!((code, calls, is_done), (0, UNDISTURBED, true), "{host}: {report}");
        assert_eq!(report["calls"]["made"]["customers"], 2 + broken, "{report}");
    }
}

#[rstest]
#[case::nobody(false, 78, "ca-certificates")]
#[case::the_one_that_is_named(true, 0, "")]
#[tokio::test]
async fn a_system_that_trusts_nobody_needs_the_authority_named(
    #[case] is_trusted: bool,
    #[case] expected: i32,
    #[case] told: &str,
) {
    let (_database, sandbox, program) = sides().await;
    let address = format!("https://localhost:{}", tls(&sandbox, "server", 0).await);
    let program = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .fold(program, |program, name| program.with(name, "/nonexistent"))
        .with("EXPLO_SYNC__EXPLO__BASE_URL", &address);
    let program = if is_trusted { program.with("EXPLO_SYNC__EXPLO__CA_FILE", &ca_file()) } else { program };
    let output = program.run(&["sync"]).await;
    assert!(output.code == expected && output.stderr.contains(told), "{output:?}");
}
