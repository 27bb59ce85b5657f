//! The proxy for an address, from the usual environment variables.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::{Host, Url};

/// The variables for a scheme; the first that is set counts.
const FOR_HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const FOR_HTTP: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Addresses that are called without a proxy.
const FOR_NONE: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy and the variable that names it. Shown as both, without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    variable: &'static str,
}

impl Proxy {
    /// The proxy that these variables name for calls to an address; none for addresses of this machine.
    pub fn on_the_way_to<'v>(
        address: &Url,
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<Option<Self>, String> {
        let variables = if address.scheme() == "https" { FOR_HTTPS } else { FOR_HTTP };
        let named = variables.into_iter().find_map(|name| Some((name, variable(name)?)));
        let exempt = FOR_NONE.into_iter().find_map(&variable).unwrap_or_default();
        let Some((variable, value)) = named.filter(|_| !is_loopback(address) && !is_exempt(address, exempt)) else {
            return Ok(None);
        };
        let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        match Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            Some(url) => Ok(Some(Self { url, variable })),
            None => Err(format!("{variable}: is not the address of an HTTP proxy, such as http://proxy.internal:3128")),
        }
    }

    /// Its address, credentials included.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The proxy's status if it refuses to connect to an address, which the library does not tell. Only for a proxy
    /// that is called without TLS.
    pub(super) async fn refusal(&self, address: &Url) -> Option<u16> {
        let (host, port) = (address.host_str()?, address.port_or_known_default()?);
        let own = (self.url.host_str()?, self.url.port_or_known_default()?);
        if self.url.scheme() != "http" {
            return None;
        }
        let mut connection = TcpStream::connect((own.0.trim_matches(['[', ']']), own.1)).await.ok()?;
        let matcher = Matcher::builder().all(self.url.as_str()).build();
        let credentials = match matcher.intercept(&address.as_str().parse().ok()?)?.basic_auth() {
            Some(credentials) => format!("Proxy-Authorization: {}\r\n", credentials.to_str().ok()?),
            None => String::new(),
        };
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{credentials}\r\n");
        connection.write_all(request.as_bytes()).await.ok()?;
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.ok()?;
        let status = answer.strip_prefix(b"HTTP/1.")?.get(2..)?;
        str::from_utf8(status).ok()?.parse().ok().filter(|status| *status >= 300)
    }

    /// What to do if it asks for credentials.
    pub(super) fn unauthorized(&self) -> String {
        let variable = self.variable;
        if self.url.username().is_empty() {
            format!("{self} asks for credentials (407): put them in {variable}, as in http://user:password@host:port")
        } else {
            format!("{self} refuses the credentials in {variable} (407)")
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.url.port().map_or(String::new(), |port| format!(":{port}"));
        let (scheme, host) = (self.url.scheme(), self.url.host_str().unwrap_or_default());
        write!(f, "the proxy {scheme}://{host}{port} of {}", self.variable)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_loopback(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// By the rules of curl: names including all subdomains, addresses, networks, and `*` for all.
fn is_exempt(address: &Url, exempt: &str) -> bool {
    let others = Matcher::builder().all("http://a.proxy").no(exempt).build();
    address.as_str().parse().is_ok_and(|address| others.intercept(&address).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_the_way_to(address: &str, variables: &[(&str, &'static str)]) -> Result<Option<String>, String> {
        let get = |name: &str| variables.iter().find(|variable| variable.0 == name).map(|variable| variable.1);
        let proxy = Proxy::on_the_way_to(&Url::parse(address).unwrap(), get);
        proxy.map(|proxy| proxy.map(|proxy| proxy.to_string()))
    }

    #[test]
    fn the_variable_of_the_scheme_names_it_and_then_the_one_for_all() {
        let variables = [("HTTP_PROXY", "u:p@one:1"), ("https_proxy", "https://two"), ("ALL_PROXY", "http://three:3")];
        let told = |address, variables| on_the_way_to(address, variables).unwrap().unwrap();
        assert_eq!(told("http://a.example", &variables), "the proxy http://one:1 of HTTP_PROXY");
        assert_eq!(told("https://a.example", &variables), "the proxy https://two of https_proxy");
        assert_eq!(told("https://a.example", &variables[2..]), "the proxy http://three:3 of ALL_PROXY");
        assert_eq!(on_the_way_to("https://a.example", &variables[..1]), Ok(None));
    }

    #[test]
    fn there_is_none_to_this_machine_and_to_what_is_exempt() {
        let to = |address, exempt| on_the_way_to(address, &[("ALL_PROXY", "socks5://none"), ("no_proxy", exempt)]);
        for here in
            ["http://127.0.0.1:8765", "http://127.9.9.9", "http://[::1]:1", "https://LOCALHOST.", "http://a.localhost"]
        {
            assert_eq!(to(here, ""), Ok(None), "{here}");
        }
        for (address, exempt) in [
            ("https://api.explo.co", "b.example, explo.co"),
            ("https://api.explo.co", "*"),
            ("http://10.1.2.3:80", "10.0.0.0/8"),
            ("http://[fd00::1]", "fd00::1"),
        ] {
            assert_eq!(to(address, exempt), Ok(None), "{address}");
        }
        let refused = to("https://notexplo.co", "explo.co").unwrap_err();
        assert!(refused.starts_with("ALL_PROXY: is not the address of an HTTP proxy"), "{refused}");
    }
}
