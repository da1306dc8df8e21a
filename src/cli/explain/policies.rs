//! The policies of a route, one line a step, in the order in which they apply.

use crate::model::{ClientAddresses, ErrorPages, Policies};

/// The steps that a request takes, each with the object and field that asked for it.
pub(super) fn steps(policies: &Policies) -> Vec<String> {
    let Policies { client_addresses, error_pages } = policies;
    let addresses = client_addresses.as_ref().map(addresses).into_iter().flatten();
    addresses.chain(error_pages.as_deref().map(pages).into_iter().flatten()).collect()
}

fn addresses(ClientAddresses { deny, allow }: &ClientAddresses) -> impl Iterator<Item = String> {
    let lists = [("all clients but", deny), ("no clients but", allow)];
    lists.into_iter().filter_map(|(who, list)| {
        let list = list.as_ref()?;
        let networks: Vec<_> = list.networks.iter().map(ToString::to_string).collect();
        Some(format!("admits     {who} {} ({})", networks.join(", "), list.origin))
    })
}

fn pages(ErrorPages(pages): &ErrorPages) -> impl Iterator<Item = String> {
    pages.iter().map(|(status, page)| format!("errors     {status} has a page ({})", page.origin))
}
