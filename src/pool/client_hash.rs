//! Affinity by the client's address (`sessionAffinity: ClientIP`): each member has a score for each client, and the highest one takes
//! its requests (rendezvous hashing). Every replica finds the same member, nothing is stored, and a member that comes or goes moves its
//! own clients alone.

use std::net::{IpAddr, SocketAddr};

/// The score of a member for a client. Other versions of the gateway must find the same one, or a rollout moves every client.
pub(super) fn score(client: IpAddr, member: SocketAddr) -> u64 {
    mix(hash(client, 0) ^ mix(hash(member.ip(), member.port())))
}

/// The score of a member that has a weight: the highest one falls to each member in the proportion of the weights (weighted rendezvous
/// hashing, `-weight / ln(hash)`). A weight that changes moves clients to or from its own member alone.
pub(super) fn weighted_score(client: IpAddr, member: SocketAddr, weight: u16) -> f64 {
    // The middle of one of 2^53 intervals of equal length: neither 0 nor 1.
    let uniform = ((score(client, member) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(weight) / uniform.ln()
}

/// A hash of an address; one of IPv4 and its form in IPv6 (RFC 4291 section 2.5.5.2) are the same.
fn hash(ip: IpAddr, port: u16) -> u64 {
    let bits = match ip {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(ip),
    };
    let (high, low) = ((bits >> 64) as u64, bits as u64);
    mix(mix(mix(high) ^ low) ^ u64::from(port))
}

/// SplitMix64: each bit of the input changes half of the output.
fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use super::*;

    const CLIENTS: u32 = 10_000;

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + number).into()
    }

    fn members(count: u16) -> Vec<SocketAddr> {
        (1..=count).map(|number| SocketAddr::from(([10, 1, 0, number as u8], 8080))).collect()
    }

    fn chosen(client: IpAddr, members: &[SocketAddr]) -> SocketAddr {
        *members.iter().max_by_key(|member| score(client, **member)).expect("members")
    }

    #[test]
    fn a_client_of_a_replica_is_one_of_every_replica_and_version() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let member = "10.1.0.1:8080".parse().expect("an address");
        assert_eq!(score(address("192.0.2.1"), member), 0xb023_e238_bc0a_9322);
        assert_eq!(score(address("::ffff:192.0.2.1"), member), 0xb023_e238_bc0a_9322);
        assert_eq!(score(address("2001:db8::1"), member), 0x2a58_34eb_c676_5854);
    }

    #[test]
    fn clients_are_spread_evenly() {
        let members = members(5);
        let mut counts: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        (0..CLIENTS).for_each(|number| *counts.entry(chosen(client(number), &members)).or_default() += 1);
        let share = CLIENTS / 5;
        assert!(counts.values().all(|count| count.abs_diff(share) < share / 10), "{counts:?}");
    }

    #[test]
    fn a_member_that_goes_moves_its_own_clients_alone() {
        let (all, mut left) = (members(5), members(5));
        let gone = left.remove(2);
        for number in 0..CLIENTS {
            let before = chosen(client(number), &all);
            assert!(before == gone || chosen(client(number), &left) == before);
        }
    }
}
