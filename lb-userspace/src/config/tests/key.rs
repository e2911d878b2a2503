//! A key in a file of its own.

use std::fs;

use lb_common::siphash::HashKey;

use super::{edited, lines, parse};

/// What is made of a key's file that holds these octets: its configuration, or the lines that are printed, with KEY for
/// the file's path.
fn with_key(test: &str, octets: &[u8]) -> Result<Option<HashKey>, Vec<String>> {
    let file = std::env::temp_dir().join(format!("lb-config-{test}-{}.key", std::process::id()));
    let document = edited("version: 1\n", &format!("version: 1\nhash_key_file: {}\n", file.display()));
    fs::write(&file, octets).unwrap();
    let read = parse(&document);
    let said = lines(&document);
    fs::remove_file(&file).unwrap();
    read.map(|config| config.hash_key)
        .map_err(|_| said.iter().map(|line| line.replace(&file.display().to_string(), "KEY")).collect())
}

#[test]
fn a_key_is_read_from_its_file() {
    let key = HashKey::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    for ending in ["", "\n", "\r\n"] {
        let text = format!("000102030405060708090a0b0c0d0e0f{ending}");
        assert_eq!(with_key("good", text.as_bytes()), Ok(Some(key)));
    }
}

/// What a file holds that is no key may be another secret: it isn't repeated.
#[test]
fn a_file_without_a_key_says_what_is_wrong() {
    let remedy = "write 32 hexadecimal digits, such as openssl rand -hex 16 prints";
    let rows: [(&[u8], &str); 5] = [
        (b"", "the key has 0 digits"),
        (b"0001\n", "the key has 4 digits"),
        (
            b"000102030405060708090a0b0c0d0e0f\n000102030405060708090a0b0c0d0e0f",
            "character 33 is not a hexadecimal digit",
        ),
        (b"secret", "character 1 is not a hexadecimal digit"),
        (b"\xff\xfe", "character 1 is not a hexadecimal digit"),
    ];
    for (octets, fault) in rows {
        let expected = format!("lb.yaml:2:16: hash_key_file: KEY: {fault}; {remedy}");
        assert_eq!(with_key("bad", octets), Err(vec![expected]));
    }
}
