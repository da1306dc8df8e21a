//! The little that is read of a server's certificate (RFC 5280): its public key and its names. Nothing else of it is judged here,
//! neither its version nor its extensions: whether it is good enough, its clients decide.

/// A certificate, as far as it is read.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// The bits of `subjectPublicKey`.
    public_key: &'a [u8],
    /// The DNS names among the alternative names of the subject.
    names: Vec<&'a [u8]>,
}

impl<'a> Leaf<'a> {
    /// Reads a certificate (DER). `None`: it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Elements(Elements(der).next_of(SEQUENCE)?);
        let mut fields = Elements(certificate.next_of(SEQUENCE)?).peekable();
        // The version, which a certificate of version 1 does not have.
        fields.next_if(|field| field.tag == VERSION);
        // Serial number, signature algorithm, issuer, validity, subject.
        let key = fields.nth(5).filter(|field| field.tag == SEQUENCE)?;
        let extensions = fields.find(|field| field.tag == EXTENSIONS);
        let names = extensions.and_then(|extensions| alternative_names(extensions.content)).unwrap_or_default();
        Some(Self { public_key: public_key_bits(key.content)?, names })
    }

    /// Whether it has the public key of a SubjectPublicKeyInfo (DER). The parameters of the algorithm, which may be written in
    /// several ways, are not compared.
    pub(super) fn has_key(&self, key_info: &[u8]) -> bool {
        let key = Elements(key_info).next_of(SEQUENCE).and_then(public_key_bits);
        key.is_some_and(|key| key == self.public_key || is_compressed(self.public_key, key))
    }

    /// Whether one of its DNS names is for a host (RFC 6125 section 6.4): `*` stands for the whole first label.
    pub(super) fn is_for(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent.as_bytes());
        self.names.iter().any(|name| match name.strip_prefix(b"*.") {
            Some(wide) => parent.is_some_and(|parent| parent.eq_ignore_ascii_case(wide)),
            None => name.eq_ignore_ascii_case(host.as_bytes()),
        })
    }
}

/// The first element of a DER text, without what follows it.
pub(super) fn first_element(der: &[u8]) -> Option<&[u8]> {
    let mut rest = Elements(der);
    rest.next()?;
    Some(&der[..der.len() - rest.0.len()])
}

const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// `version [0]` of a certificate.
const VERSION: u8 = 0xA0;
/// `extensions [3]` of a certificate.
const EXTENSIONS: u8 = 0xA3;
/// `dNSName [2]` of a general name.
const DNS_NAME: u8 = 0x82;
/// The identifier of the extension with the alternative names of the subject (2.5.29.17).
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

fn public_key_bits(key_info: &[u8]) -> Option<&[u8]> {
    Elements(key_info).find(|element| element.tag == BIT_STRING).map(|bits| bits.content)
}

/// Whether the bits of `short` are the compressed form of the point in `long` (SEC 1 section 2.3.3): its x, and whether y is odd.
fn is_compressed(short: &[u8], long: &[u8]) -> bool {
    match (short, long) {
        ([0, sign @ (2 | 3), x @ ..], [0, 4, point @ ..]) => {
            point.len() == 2 * x.len() && point.starts_with(x) && point.last().is_some_and(|y| y & 1 == sign & 1)
        }
        _ => false,
    }
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<&[u8]>> {
    let mut extensions = Elements(Elements(extensions).next_of(SEQUENCE)?);
    let names = extensions.find_map(|extension| {
        let mut fields = Elements(extension.content);
        let is_wanted = fields.next_of(OBJECT_IDENTIFIER)? == SUBJECT_ALT_NAME;
        fields.find(|field| field.tag == OCTET_STRING && is_wanted)
    })?;
    let names = Elements(Elements(names.content).next_of(SEQUENCE)?);
    Some(names.filter(|name| name.tag == DNS_NAME).map(|name| name.content).collect())
}

/// One element of DER (X.690).
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// The elements that follow each other. It ends at the first that is none.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The content of the next element, if it has this tag.
    fn next_of(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&[tag, first], rest) = self.0.split_first_chunk()?;
        // A length is one byte, or a count of the bytes that it takes.
        let (length, rest) = match first {
            ..=0x7F => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, CustomExtension, KeyPair, PublicKeyData};

    use super::*;

    fn certificate(names: &[&str], extension: Option<CustomExtension>) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().expect("generated");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.custom_extensions.extend(extension);
        let certificate = params.self_signed(&key).expect("signed");
        (certificate.der().to_vec(), key.subject_public_key_info())
    }

    #[test]
    fn key_and_names_are_read_whatever_other_extensions_there_are() {
        let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        unknown.set_criticality(true);
        for extension in [None, Some(unknown)] {
            let (der, key) = certificate(&["a.example", "*.b.example"], extension);
            let leaf = Leaf::read(&der).expect("read");
            assert!(leaf.has_key(&key));
            assert!(!leaf.has_key(&certificate(&[], None).1));
            for (host, expected) in [
                ("a.example", true),
                ("A.Example", true),
                ("b.example", false),
                ("x.b.example", true),
                ("y.x.b.example", false),
                ("example", false),
            ] {
                assert_eq!(leaf.is_for(host), expected, "{host}");
            }
        }
    }

    #[test]
    fn a_certificate_without_a_version_is_one_of_version_1() {
        // Serial number, signature algorithm, issuer, validity, subject, and a key of one byte.
        let fields =
            [&[0x02, 1, 1][..], &[0x30, 0], &[0x30, 0], &[0x30, 0], &[0x30, 0], &[0x30, 6, 0x30, 0, 0x03, 2, 0, 7]];
        let fields = fields.concat();
        let body = [&[0x30, u8::try_from(fields.len()).expect("short")], &*fields].concat();
        let der = [&[0x30, u8::try_from(body.len()).expect("short")], &*body].concat();
        let leaf = Leaf::read(&der).expect("read");
        assert!(leaf.has_key(&[0x30, 4, 0x03, 2, 0, 7]));
        assert!(!leaf.is_for("a.example"));
    }

    #[test]
    fn a_point_may_be_compressed() {
        for (short, long, expected) in [
            (&[0, 2, 5, 6][..], &[0, 4, 5, 6, 7, 8][..], true),
            (&[0, 3, 5, 6], &[0, 4, 5, 6, 7, 9], true),
            (&[0, 3, 5, 6], &[0, 4, 5, 6, 7, 8], false),
            (&[0, 2, 5, 7], &[0, 4, 5, 6, 7, 8], false),
            (&[0, 2, 5], &[0, 4, 5, 6, 7, 8], false),
            (&[0, 2], &[0, 4], false),
            (&[], &[], false),
        ] {
            assert_eq!(is_compressed(short, long), expected, "{short:?} {long:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..600usize, byte: u8, random in prop::collection::vec(any::<u8>(), 0..64)) {
            let _any: Option<Leaf<'_>> = Leaf::read(&random);
            let (mut der, _) = certificate(&["a.example"], None);
            let at = at % der.len();
            der[at] = byte;
            let _any: Option<Leaf<'_>> = Leaf::read(&der);
            let _any: Option<Leaf<'_>> = Leaf::read(&der[..at]);
        }
    }
}
