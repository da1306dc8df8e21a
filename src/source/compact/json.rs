//! JSON in few bytes: texts that many objects have in them take a byte each.
//!
//! The byte of a text is its index in [`COMMON`], 0 to 31. JSON has no such byte, for control characters are escaped there: any
//! other byte stands for itself.

/// Texts that many Ingresses have in them, as `serde_json` writes them: fields in the order of their declaration, no spaces.
///
/// The rule: packing is greedy. At each byte of the JSON the first text **of this list** that begins there is taken, and
/// packing goes on behind it. So the order matters: a text that begins with another one must stand before it, and a text that
/// overlaps the end of an earlier one may never be reached. Whatever the list, unpacking gives back the same JSON; the list
/// decides about the size alone (`a_plain_ingress_takes_little`). It is full: an index of 32 or more would be a character.
pub(super) const COMMON: [&str; 32] = [
    r#"{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"#,
    r#""annotations":{""#,
    r#"},"creationTimestamp":""#,
    r#"Z","generation":"#,
    r#","labels":{""#,
    r#""},"managedFields":[{"manager":""#,
    r#"","operation":"Apply","subresource":"status"}]"#,
    r#""},"name":""#,
    r#"","namespace":""#,
    r#"","resourceVersion":""#,
    r#"","uid":""#,
    r#""},"spec":{"#,
    r#""ingressClassName":""#,
    r#""rules":[{"host":""#,
    r#"","http":{"paths":[{"backend":{"service":{"name":""#,
    r#","http":{"paths":[{"backend":{"service":{"name":""#,
    r#"{"backend":{"service":{"name":""#,
    r#"","port":{"name":""#,
    r#"","port":{"number":"#,
    r#"}}},"path":""#,
    r#"","pathType":"Prefix"}"#,
    r#"","pathType":"Exact"}"#,
    r#"","pathType":"ImplementationSpecific"}"#,
    r#"],"tls":[{"hosts":[""#,
    r#"],"secretName":""#,
    r#""status":{"loadBalancer":{"ingress":[{""#,
    r#"nginx.ingress.kubernetes.io/"#,
    r#"appgw.ingress.kubernetes.io/"#,
    r#"steadygate.io/websocket-"#,
    r#"app.kubernetes.io/"#,
    r#"cert-manager.io/"#,
    r#"meta.helm.sh/release-name"#,
];

/// For each byte the texts that begin with it, a bit each.
const STARTS: [u32; 256] = {
    let mut starts = [0; 256];
    let mut index = 0;
    while index < COMMON.len() {
        starts[COMMON[index].as_bytes()[0] as usize] |= 1 << index;
        index += 1;
    }
    starts
};

/// Packs JSON without spaces. `None`: it has a byte below 32, which `serde_json` never writes, and which would be taken for an
/// index.
pub(super) fn pack(json: &[u8]) -> Option<Box<[u8]>> {
    let mut packed = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((byte, after)) = rest.split_first() {
        if COMMON.get(usize::from(*byte)).is_some() {
            return None;
        }
        let (code, after) = common_at(rest).unwrap_or((*byte, after));
        packed.push(code);
        rest = after;
    }
    Some(packed.into())
}

/// The JSON that was packed.
pub(super) fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut json = Vec::with_capacity(packed.len() * 4);
    for byte in packed {
        match COMMON.get(usize::from(*byte)) {
            Some(common) => json.extend_from_slice(common.as_bytes()),
            None => json.push(*byte),
        }
    }
    json
}

/// The index of the first of the common texts that `json` begins with, and the JSON behind it.
fn common_at(json: &[u8]) -> Option<(u8, &[u8])> {
    let starts = STARTS[usize::from(*json.first()?)];
    let mut codes = (0u8..).zip(COMMON).filter(|(code, _)| starts >> code & 1 == 1);
    codes.find_map(|(code, common)| Some((code, json.strip_prefix(common.as_bytes())?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_with_an_index_in_it_is_not_packed() {
        for index in 0..32u8 {
            assert_eq!(pack(&[b'"', index, b'"']), None, "{index}");
        }
        assert!(pack(b"\" \x7f\"").is_some());
    }

    #[test]
    fn a_common_text_that_begins_with_another_stands_before_it() {
        for (index, text) in COMMON.iter().enumerate() {
            for later in &COMMON[index + 1..] {
                assert!(!later.starts_with(text), "{later} is never reached, for {text} stands before it");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn json_is_unpacked_as_it_was(parts in proptest::collection::vec((0..COMMON.len() * 2, "\\PC{0,8}"), 0..40)) {
            let json: String = parts.iter().map(|(index, text)| COMMON.get(*index).copied().unwrap_or(text)).collect();
            proptest::prop_assert_eq!(unpack(&pack(json.as_bytes()).expect("packed")), json.as_bytes());
        }
    }
}
