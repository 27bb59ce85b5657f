//! The source and the Explo of an instance: its ledger and its lock belong to this pair.

use reqwest::Url;

use crate::{config::Config, database::lock, ledger::Pair, source};

/// The pair; asks the source for its identity.
pub(super) async fn of(config: &Config) -> Result<Pair, source::Error> {
    Ok(Pair { source: config.source.identity().await?, explo: address(&config.explo.base_url) })
}

/// The name of the lock of the instance's runs.
pub(super) fn lock_name(config: &Config) -> String {
    lock::name(&config.name, &address(&config.explo.base_url), &config.explo.token)
}

/// The one form of an address: scheme, host, port unless it is the default, path.
fn address(base_url: &Url) -> String {
    let host = base_url.host_str().unwrap_or_default().trim_end_matches('.');
    let port = base_url.port().map_or(String::new(), |port| format!(":{port}"));
    format!("{}://{host}{port}{}", base_url.scheme(), base_url.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_explo_has_one_address_however_it_is_written() {
        let address = |url: &str| address(&Url::parse(url).unwrap());
        for same in ["https://api.explo.co", "https://API.explo.co:443/", "HTTPS://api.explo.co.//"] {
            assert_eq!(address(same), "https://api.explo.co");
        }
        let others =
            ["http://api.explo.co", "https://api.explo.co:8443", "https://api.explo.co/Eu/", "https://[::1]:1/"];
        let told = ["http://api.explo.co", "https://api.explo.co:8443", "https://api.explo.co/Eu", "https://[::1]:1"];
        assert_eq!(others.map(address), told);
    }
}
