//! Why a connection can't be had, or broke, whoever is called, an API or a database: the way out of what TLS and the system say
//! of it. Each row is a test with its cause staged.

use std::fmt::Debug;

/// Of this process and this machine, wherever they were calling.
const FILES: [(&str, WayOut); 1] =
    [("Too many open files", "no more files and connections may be open: raise the limit (ulimit -n, LimitNOFILE=)")];

/// How the library calls it where a proxy refuses to lead to the server.
const REFUSED: &str = "TunnelUnsuccessful";

/// Of a proxy, which is asked to lead to the server.
const PROXIES: [(&str, WayOut); 1] = [(
    REFUSED,
    "the proxy refuses to lead to {url}: its log says why; have it allow that host, or exempt the host in NO_PROXY",
)];

/// What is done about it, with `{url}` and `{ca_file}` for the keys.
pub(crate) type WayOut = &'static str;

/// Of TLS, by what stands in the debugging words of an error; the first that does counts.
const CERTIFICATES: [(&str, WayOut); 6] = [
    ("UnknownIssuer", "name the certificate of the authority that signed the server's in {ca_file}"),
    ("CaUsedAsEndEntity", "the server shows the certificate of an authority (CA:TRUE): give it one of its own there"),
    ("Expired", "the server's certificate has expired: renew it there"),
    ("NotValidYet", "the server's certificate is not valid yet: check the clocks of both machines"),
    ("NotValidForName", "connect by a name that the server's certificate has: check {url}"),
    ("InvalidContentType", "what listens there speaks no TLS: check {url}"),
];

/// Where nothing else is known of a connection that was there.
pub(crate) const BROKEN: WayOut = "the connection broke: see the log of the server, or of what is in between";

/// Of the system and of HTTP, likewise.
const CONNECTIONS: [(&str, WayOut); 10] = [
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

/// The way out of what an error says of a connection.
pub(crate) fn way_out(error: &dyn Debug) -> Option<WayOut> {
    let words = format!("{error:?}");
    find(&FILES, &words).or_else(|| find(&CERTIFICATES, &words)).or_else(|| find(&CONNECTIONS, &words))
}

/// Whether a proxy refused to lead to the server.
pub(crate) fn is_proxys_refusal(error: &dyn Debug) -> bool {
    format!("{error:?}").contains(REFUSED)
}

/// The same where a proxy is on the way, of which the connection tells more than of the server.
pub(crate) fn way_out_behind_proxy(error: &dyn Debug) -> Option<WayOut> {
    let words = format!("{error:?}");
    find(&FILES, &words).or_else(|| find(&CERTIFICATES, &words)).or_else(|| find(&PROXIES, &words))
}

fn find(rows: &[(&str, WayOut)], words: &str) -> Option<WayOut> {
    rows.iter().find(|(known, _)| words.contains(known)).map(|(_, way_out)| *way_out)
}
