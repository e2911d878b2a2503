//! The flow hash's key: in the configuration, or in a file of its own that fewer may read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use lb_common::siphash::HashKey;

use super::file::Word;
use super::section::Section;
use super::value;

/// Octets of a key's file that are looked at: more than it ever has, so that one that is no key is told.
const LONGEST: u64 = 256;

/// The key, if there is one. None if something is wrong; then it has been reported.
#[expect(clippy::option_option, reason = "as of every field: known or not; this one may also be absent")]
pub(super) fn from_written(
    root: &mut Section,
    key: Option<&Word>,
    file: Option<&Word>,
) -> Option<Option<HashKey>> {
    let written = root.optional("hash_key", key, None, |text| value::hash_key(text).map(Some));
    let Some(word) = file else { return written };
    if key.is_some() {
        let message = "hash_key is given as well; remove one of them";
        root.error("hash_key_file", word.referenced, message);
        return None;
    }
    root.required("hash_key_file", file, "", |text| read(&value::path(text)?).map(Some))
}

/// The key that a file holds. It is a secret: messages don't repeat it.
fn read(file: &Path) -> Result<HashKey, String> {
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
