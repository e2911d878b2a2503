//! The key of the flow hash, when the configuration names none.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lb_common::siphash::HashKey;

/// The key kept in the state directory. The first start makes one: with another key at the next start, every flow would
/// find another backend.
///
/// # Errors
/// The file can't be read or made, or holds something else.
pub fn kept(state_directory: &Path) -> Result<HashKey> {
    let file = state_directory.join("hash_key");
    let octets = match fs::read_to_string(&file) {
        Ok(text) => match parse(text.trim()) {
            Some(octets) => octets,
            None => bail!(
                "{}: not 32 hexadecimal digits; restore it, or remove it to get a new key",
                file.display()
            ),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(state_directory, &file).with_context(|| file.display().to_string())?
        }
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    Ok(HashKey::new(octets))
}

/// The octets that 32 hexadecimal digits stand for.
#[must_use]
pub fn parse(digits: &str) -> Option<[u8; 16]> {
    let all_digits = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = all_digits.then(|| u128::from_str_radix(digits, 16).ok())??;
    Some(number.to_be_bytes())
}

fn make(state_directory: &Path, file: &Path) -> Result<[u8; 16]> {
    fs::create_dir_all(state_directory)?;
    let mut octets = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut octets)?;
    // Written whole under another name first: a crash leaves either no key or a good one.
    let unfinished = file.with_extension("new");
    let mut text =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(text, "{:032x}", u128::from_be_bytes(octets))?;
    text.sync_all()?;
    fs::rename(&unfinished, file)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_key_is_its_octets_in_hexadecimal() {
        let octets = core::array::from_fn(|i| i as u8);
        assert_eq!(parse("000102030405060708090a0b0c0d0e0f"), Some(octets));
        assert_eq!(parse("000102030405060708090A0B0C0D0E0F"), Some(octets));
        assert_eq!(parse("000102030405060708090a0b0c0d0e0"), None);
        assert_eq!(parse("+00102030405060708090a0b0c0d0e0f"), None);
    }
}
