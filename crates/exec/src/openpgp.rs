//! OpenPGP's public keys, as far as telling them apart needs it (RFC 9580): aitk checks no signature itself, apt does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";
/// The packet that a key begins with.
const PUBLIC_KEY: u8 = 6;

/// One key with everything that belongs to it: names, signatures, subkeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PgpKey {
    /// 40 hexadecimal digits, in capitals.
    pub fingerprint: String,
    packets: Vec<u8>,
}

impl PgpKey {
    /// The key as text. apt reads the first block of a file and no more, and knows neither notes nor checksums in it.
    pub fn armored(&self) -> String {
        let encoded = STANDARD.encode(&self.packets);
        let mut text = format!("{BEGIN}\n\n");
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            text += line;
            text.push('\n');
            rest = more;
        }
        text + END + "\n"
    }
}

/// The keys in a file, whether as text or in their binary form; none where it holds anything else.
pub(crate) fn keys(file: &[u8]) -> Vec<PgpKey> {
    let text = String::from_utf8_lossy(file);
    let packets = if text.contains(BEGIN) { dearmored(&text) } else { Some(file.to_vec()) };
    packets.and_then(|packets| parse(&packets)).unwrap_or_default()
}

/// What the blocks of text hold. Their checksums say nothing that the fingerprint does not say.
fn dearmored(text: &str) -> Option<Vec<u8>> {
    let mut packets = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let (block, _) = block.split_once(END)?;
        let encoded: String = block
            .lines()
            .map(str::trim)
            // `Comment: …` and the like; `=abcd` is the checksum.
            .filter(|line| !line.contains(": ") && !line.starts_with('='))
            .collect();
        packets.extend(STANDARD.decode(encoded).ok()?);
    }
    Some(packets)
}

fn parse(mut rest: &[u8]) -> Option<Vec<PgpKey>> {
    let mut keys: Vec<PgpKey> = Vec::new();
    while !rest.is_empty() {
        let Header { tag, start, length } = header(rest)?;
        let end = start.checked_add(length)?;
        let (packet, body) = (rest.get(..end)?, rest.get(start..end)?);
        if tag == PUBLIC_KEY {
            keys.push(PgpKey { fingerprint: fingerprint(body)?, packets: Vec::new() });
        }
        keys.last_mut()?.packets.extend(packet);
        rest = &rest[end..];
    }
    Some(keys)
}

/// What stands before a packet.
struct Header {
    tag: u8,
    start: usize,
    length: usize,
}

fn header(packet: &[u8]) -> Option<Header> {
    let first = *packet.first()?;
    let number = |from: usize, bytes: usize| -> Option<usize> {
        let bytes = packet.get(from..from + bytes)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    match first {
        0..0x80 => None,
        // The older form has the length's own length in the first byte; a packet without any is none of a key's.
        0x80..0xC0 => {
            let bytes = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            let tag = first >> 2 & 0xF;
            Some(Header { tag, start: 1 + bytes, length: number(1, bytes)? })
        }
        0xC0.. => {
            let (bytes, length) = match number(1, 1)? {
                short @ 0..192 => (1, short),
                192..224 => (2, number(1, 2)? - (192 << 8) + 192),
                255 => (5, number(2, 4)?),
                // In pieces, which only data comes in.
                _ => return None,
            };
            Some(Header { tag: first & 0x3F, start: 1 + bytes, length })
        }
    }
}

/// The fingerprint of a key of version 4, which is what archives sign with. To make another key of the same one takes a
/// second preimage, which nobody can with SHA-1 either.
fn fingerprint(body: &[u8]) -> Option<String> {
    if body.first() != Some(&4) {
        return None;
    }
    let mut hashed = vec![0x99];
    hashed.extend(u16::try_from(body.len()).ok()?.to_be_bytes());
    hashed.extend(body);
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, &hashed);
    Some(digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with gpg, which said the fingerprints: an RSA key alone, and with an Ed25519 key behind it.
    const ONE: &[u8] = include_bytes!("../fixtures/one-key.asc");
    const TWO: &[u8] = include_bytes!("../fixtures/two-keys.asc");
    const RSA: &str = "ACA0A9D7297E80B8B8A7AF3C44EE32AF25422428";
    const ED25519: &str = "5FB0AACF1A0DC52AD7725F81DD17EBAC168860F3";

    fn fingerprints(file: &[u8]) -> Vec<String> {
        keys(file).into_iter().map(|key| key.fingerprint).collect()
    }

    #[test]
    fn fingerprints_are_those_that_gpg_says() {
        assert_eq!(fingerprints(ONE), [RSA]);
        assert_eq!(fingerprints(TWO), [RSA, ED25519]);
    }

    #[test]
    fn a_key_is_the_same_as_text_and_in_its_binary_form_and_alone() {
        let two = keys(TWO);
        assert_eq!(keys(two[0].armored().as_bytes()), keys(ONE));
        assert_eq!(keys(two[1].armored().as_bytes()), two[1..]);
        assert_eq!(keys(&two[1].packets), two[1..]);
        let blocks = two[0].armored() + &two[1].armored();
        assert_eq!(keys(blocks.as_bytes()), two);
    }

    #[test]
    fn what_is_no_whole_key_is_none() {
        let binary = &keys(ONE)[0].packets;
        assert_eq!(fingerprints(&binary[..binary.len() - 1]), [""; 0]);
        assert_eq!(fingerprints(&ONE[..ONE.len() / 2]), [""; 0]);
        for other in ["", "<html>not found</html>", "-----BEGIN PGP PUBLIC KEY BLOCK-----"] {
            assert_eq!(fingerprints(other.as_bytes()), [""; 0], "{other}");
        }
    }

    #[test]
    fn one_changed_bit_is_another_key() {
        let mut binary = keys(ONE)[0].packets.clone();
        binary[40] ^= 1;
        assert_ne!(fingerprints(&binary), [RSA]);
    }
}
