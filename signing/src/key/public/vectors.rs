//! Keys and signatures at the edges of Ed25519, about which verifiers differ.
//!
//! The signatures are the vectors of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko, 2020; ed25519-speccheck,
//! cases.json). The points were computed from the curve (RFC 8032, section 5.1).

use ed25519_dalek::Verifier as _;

use super::*;

/// All 8 points of low order, and in how many ways each can be written.
const LOW_ORDER: [&str; 14] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The last byte before 31 of 0xff, or 30 and 0x7f: numbers above the field's that are the y of a point. The others that
/// are so near the top are points of low order.
const ABOVE_THE_FIELD: [u8; 10] = [0xf0, 0xf1, 0xf2, 0xf3, 0xf6, 0xf7, 0xfb, 0xfc, 0xfd, 0xff];

/// What it is, message, key, signature, and whether a verifier by the letter of RFC 8032 without the factor 8 takes it.
const CASES: [(&str, &str, &str, &str, bool); 12] = [
    (
        "low order key and R, s = 0",
        "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
        true,
    ),
    (
        "low order key",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        true,
    ),
    (
        "low order R",
        "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
        true,
    ),
    (
        "mixed order key and R",
        "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
        true,
    ),
    (
        "mixed order key, cofactored only",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
        false,
    ),
    (
        "mixed order key, cofactored with k reduced after",
        "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
        "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
        false,
    ),
    (
        "s above L",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
        false,
    ),
    (
        "s far above L",
        "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
        "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
        "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
        false,
    ),
    (
        "R of low order, in a second spelling",
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
        false,
    ),
    (
        "the same, for another way to hash it",
        "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
        "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
        false,
    ),
    (
        "key of low order, in a second spelling",
        "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        false,
    ),
    (
        "the same, for another way to hash it",
        "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
        true,
    ),
];

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    std::array::from_fn(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
}

/// RFC 8410, section 4: SPKI of an Ed25519 key is these twelve bytes and the point.
fn spki(point: &[u8; 32]) -> Vec<u8> {
    [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(), point].concat()
}

#[test]
fn no_point_of_low_order_is_a_key() {
    for hex in LOW_ORDER {
        assert!(VerifyingKey::from_bytes(&bytes(hex)).is_ok(), "{hex} would be refused anyway");
        assert_eq!(PublicKey::from_der(&spki(&bytes(hex))).unwrap_err(), KeyError::Weak, "{hex}");
    }
}

#[test]
fn no_key_is_written_in_two_ways() {
    for (first, last) in ABOVE_THE_FIELD.iter().flat_map(|first| [(*first, 0x7f), (*first, 0xff)]) {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (first, last);
        assert!(VerifyingKey::from_bytes(&point).is_ok(), "{first:x} would be refused anyway");
        assert_eq!(PublicKey::from_der(&spki(&point)).unwrap_err(), KeyError::Odd, "{first:x}");
    }
}

#[test]
fn no_signature_at_the_edges_is_one() {
    for (name, message, key, signature, lenient) in CASES {
        let (message, key) = (bytes::<32>(message), bytes(key));
        let signature = bytes(signature);
        let point = VerifyingKey::from_bytes(&key).unwrap();
        let plain = point.verify(&message, &Signature::from_bytes(&signature)).is_ok();
        assert_eq!(plain, lenient, "{name}: whether the attack has teeth");
        // Of a key of mixed order some signatures are good to the strictest of verifiers; such a key is none here.
        let strict = PublicKey(point).has_signed(&Message::raw(&message), &signature);
        assert_eq!(strict, name == "mixed order key and R", "{name}");
        assert!(PublicKey::from_der(&spki(&key)).is_err() || !strict, "{name}");
    }
}

#[test]
fn a_key_of_mixed_order_is_none() {
    let (_, _, key, _, _) = CASES[3];
    assert_eq!(PublicKey::from_der(&spki(&bytes(key))).unwrap_err(), KeyError::Odd);
}
