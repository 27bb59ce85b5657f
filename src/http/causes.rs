//! Why a connection to an API or a database fails or breaks: the way out for errors of TLS and of the system.
//! Each row has a test that stages its cause.

use std::fmt::Debug;

/// What the user can do, with `{url}` and `{ca_file}` for the config keys.
pub(crate) type WayOut = &'static str;

/// A part of an error's debug text, and the way out; the first row that fits counts.
type Rows = [(&'static str, WayOut)];

/// With or without a proxy: limits of this process, and TLS.
const EITHER: &Rows = &[
    ("Too many open files", "too many files and connections are open: raise the limit (ulimit -n, LimitNOFILE=)"),
    ("UnknownIssuer", "name the certificate of the authority that signed the server's in {ca_file}"),
    ("CaUsedAsEndEntity", "the server shows the certificate of an authority (CA:TRUE): give it one of its own there"),
    ("Expired", "the server's certificate has expired: renew it there"),
    ("NotValidYet", "the server's certificate is not valid yet: check the clocks of both machines"),
    ("NotValidForName", "connect by a name that the server's certificate has: check {url}"),
    ("InvalidContentType", "the server there does not speak TLS: check {url}"),
];

/// Without a proxy: errors of the system and of HTTP.
const DIRECT: &Rows = &[
    ("lookup address", "no such host is known: check {url}"),
    ("kind: ConnectionRefused", "nothing listens there: check {url}, and that the server runs"),
    ("Unreachable", "that host can't be reached: check {url}, and the network"),
    ("kind: NotFound", "there is no such socket: check {url}, and that the server runs"),
    ("kind: PermissionDenied", "let the user that runs this open the socket"),
    ("kind: ConnectionReset", BROKEN),
    ("kind: UnexpectedEof", BROKEN),
    ("IncompleteMessage", BROKEN),
    ("IncompleteBody", BROKEN),
    ("Parse(", "the server there speaks no HTTP: check {url}, and whether it begins with https"),
];

/// With a proxy: such errors are about the proxy, not about the server.
const BEHIND_PROXY: &Rows = &[(
    REFUSED,
    "the proxy refuses to connect to {url}: its log says why; have it allow that host, or exempt the host in NO_PROXY",
)];

/// The library's name for a proxy's refusal to connect to the server.
const REFUSED: &str = "TunnelUnsuccessful";

/// The library's name for a certificate that it does not accept.
const CERTIFICATE: &str = "InvalidCertificate";

/// If a connection existed and nothing else is known.
pub(crate) const BROKEN: WayOut = "the connection broke: see the logs of the server, and of any proxy in between";

/// The way out of a connection error without a proxy.
pub(crate) fn way_out(error: &dyn Debug) -> Option<WayOut> {
    find(EITHER, DIRECT, error)
}

/// The way out of a connection error with a proxy.
pub(crate) fn way_out_behind_proxy(error: &dyn Debug) -> Option<WayOut> {
    find(EITHER, BEHIND_PROXY, error)
}

/// Whether a proxy refused to connect to the server.
pub(crate) fn is_proxys_refusal(error: &dyn Debug) -> bool {
    format!("{error:?}").contains(REFUSED)
}

/// Whether the server's certificate was not accepted.
pub(crate) fn is_about_certificate(error: &dyn Debug) -> bool {
    format!("{error:?}").contains(CERTIFICATE)
}

fn find(first: &Rows, then: &Rows, error: &dyn Debug) -> Option<WayOut> {
    let words = format!("{error:?}");
    first.iter().chain(then).find(|(known, _)| words.contains(known)).map(|(_, way_out)| *way_out)
}
