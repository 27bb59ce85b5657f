//! Why there is no connection to an API or a database, or why it broke: the way out of what TLS and the system say of it.
//! Each row is a test with its cause staged.

use std::fmt::Debug;

/// What is done about it, with `{url}` and `{ca_file}` for the keys.
pub(crate) type WayOut = &'static str;

/// What stands in the debugging words of an error, and the way out; the first row that fits counts.
type Rows = [(&'static str, WayOut)];

/// With a proxy on the way or without: what this process lacks, and TLS.
const EITHER: &Rows = &[
    ("Too many open files", "no more files and connections may be open: raise the limit (ulimit -n, LimitNOFILE=)"),
    ("UnknownIssuer", "name the certificate of the authority that signed the server's in {ca_file}"),
    ("CaUsedAsEndEntity", "the server shows the certificate of an authority (CA:TRUE): give it one of its own there"),
    ("Expired", "the server's certificate has expired: renew it there"),
    ("NotValidYet", "the server's certificate is not valid yet: check the clocks of both machines"),
    ("NotValidForName", "connect by a name that the server's certificate has: check {url}"),
    ("InvalidContentType", "what listens there speaks no TLS: check {url}"),
];

/// Without a proxy: the system and HTTP.
const DIRECT: &Rows = &[
    ("lookup address", "no such host is known: check {url}"),
    ("kind: ConnectionRefused", "nothing listens there: check {url}, and that the server runs"),
    ("Unreachable", "no way leads to that host: check {url}, and the network"),
    ("kind: NotFound", "there is no such socket: check {url}, and that the server runs"),
    ("kind: PermissionDenied", "let the user that runs this open the socket"),
    ("kind: ConnectionReset", BROKEN),
    ("kind: UnexpectedEof", BROKEN),
    ("IncompleteMessage", BROKEN),
    ("IncompleteBody", BROKEN),
    ("Parse(", "what listens there speaks no HTTP: check {url}, and whether it begins with https"),
];

/// With a proxy: the connection tells of it, and not of the server.
const BEHIND_PROXY: &Rows = &[(
    REFUSED,
    "the proxy refuses to lead to {url}: its log says why; have it allow that host, or exempt the host in NO_PROXY",
)];

/// What the library calls a proxy's refusal to lead to the server.
const REFUSED: &str = "TunnelUnsuccessful";

/// Where nothing else is known of a connection that was there.
pub(crate) const BROKEN: WayOut = "the connection broke: see the log of the server, or of what is in between";

/// The way out of what an error says of a connection without a proxy.
pub(crate) fn way_out(error: &dyn Debug) -> Option<WayOut> {
    find(EITHER, DIRECT, error)
}

/// The same with a proxy on the way.
pub(crate) fn way_out_behind_proxy(error: &dyn Debug) -> Option<WayOut> {
    find(EITHER, BEHIND_PROXY, error)
}

/// Whether a proxy refused to lead to the server.
pub(crate) fn is_proxys_refusal(error: &dyn Debug) -> bool {
    format!("{error:?}").contains(REFUSED)
}

fn find(first: &Rows, then: &Rows, error: &dyn Debug) -> Option<WayOut> {
    let words = format!("{error:?}");
    first.iter().chain(then).find(|(known, _)| words.contains(known)).map(|(_, way_out)| *way_out)
}
