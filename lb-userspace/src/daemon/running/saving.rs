//! Writes the configuration file.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Where the former file is now.
pub type FormerFile = PathBuf;

/// Replaces a file that still has the text `former`, whole or not at all. Mode and owner stay; what was there is kept
/// beside it under its name with `~`.
///
/// # Errors
/// The file was changed, or can't be written: what to do.
pub fn save(file: &Path, former: &str, text: &str) -> Result<FormerFile> {
    // A link stays one.
    let file = &fs::canonicalize(file).with_context(|| file.display().to_string())?;
    let shown = file.display();
    let present = fs::read(file).with_context(|| shown.to_string())?;
    ensure!(
        present == former.as_bytes(),
        "{shown}: the file was changed since it was read; nothing was saved, lbctl reload reads it again"
    );
    let written = written(file, text).with_context(|| {
        format!("{shown} can't be written, nothing was saved; lbctl config show prints what to write there")
    })?;
    Ok(written)
}

fn written(file: &Path, text: &str) -> Result<FormerFile> {
    let (unfinished, kept) = (beside(file, ".new"), beside(file, "~"));
    let metadata = fs::metadata(file)?;
    let mode = metadata.permissions().mode() & 0o7777;
    // It may hold the key of the flow hash: nobody reads it before its owner is known.
    let mut new = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished)?;
    let done = (|| {
        new.write_all(text.as_bytes())?;
        fchown(&new, Some(metadata.uid()), Some(metadata.gid()))?;
        new.set_permissions(Permissions::from_mode(mode))?;
        new.sync_all()?;
        // Never without a file of that name.
        match fs::remove_file(&kept) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::hard_link(file, &kept)?,
        }
        fs::rename(&unfinished, file)
    })();
    if let Err(error) = done {
        let _ = fs::remove_file(&unfinished);
        return Err(error.into());
    }
    if let Some(directory) = file.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(kept)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_former_file_is_kept_and_mode_stays() {
        let directory = std::env::temp_dir().join(format!("lb-saving-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (file, link) = (directory.join("lb.yaml"), directory.join("link"));
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("lb.yaml", &link).unwrap();
        for (former, text) in [("one", "two"), ("two", "three")] {
            let kept = save(&link, former, text).unwrap();
            assert_eq!(fs::read_to_string(kept).unwrap(), former);
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        }
        assert!(link.is_symlink());
        let error = save(&file, "two", "four").unwrap_err().to_string();
        assert!(error.contains("was changed since it was read"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3, "lb.yaml, lb.yaml~ and the link");
        fs::remove_dir_all(directory).unwrap();
    }
}
