//! The flow hash's key: in the configuration, or in a file of its own that fewer may read.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use lb_common::siphash::HashKey;

use super::field::{Scalar, Text};
use super::section::Section;
use super::value;

pub(super) static HASH_KEY: Scalar<Text<HashKey>> = Scalar {
    name: "hash_key",
    about: "The key of the flow hash, a secret: 32 hexadecimal digits, the same on every node that shares a VIP. \
            Default: made at the first start and kept in state_directory/hash_key.",
    remedy: None,
    form: Text(value::hash_key),
};

pub(super) static HASH_KEY_FILE: Scalar<Text<PathBuf>> = Scalar {
    name: "hash_key_file",
    about: "In place of hash_key, the absolute path of a file with the 32 digits.",
    remedy: None,
    form: Text(value::path),
};

/// Octets of a key's file that are looked at: more than it ever has, so that one that is no key is told.
const LONGEST: u64 = 256;

/// The key, if there is one. The outer option is none if something is wrong; then it has been reported.
#[expect(clippy::option_option, reason = "known or not, and if known, there or not")]
pub(super) fn read(root: &mut Section) -> Option<Option<HashKey>> {
    let Some(word) = root.word(&HASH_KEY_FILE) else { return root.maybe(&HASH_KEY) };
    if root.node(HASH_KEY.name).is_some() {
        let message = "hash_key is given as well; remove one of them";
        root.error(HASH_KEY_FILE.name, word.at, message);
        return None;
    }
    let file = root.required(&HASH_KEY_FILE)?;
    read_file(&file).map(Some).map_err(|message| root.error(HASH_KEY_FILE.name, word.at, message)).ok()
}

/// The key that a file holds. It is a secret: messages don't repeat it.
fn read_file(file: &Path) -> Result<HashKey, String> {
    let shown = file.display();
    let readable = "check the path and that this user may read it";
    let fault = |error: std::io::Error| format!("{shown}: {error}; {readable}");
    let opened = File::open(file).map_err(fault)?;
    if !opened.metadata().map_err(fault)?.is_file() {
        return Err(format!("{shown} is not a file; write the path of a file with 32 hexadecimal digits"));
    }
    let mut octets = Vec::new();
    opened.take(LONGEST).read_to_end(&mut octets).map_err(fault)?;
    let text = String::from_utf8_lossy(&octets);
    value::hash_key(text.trim_ascii_end()).map_err(|message| format!("{shown}: {message}"))
}
