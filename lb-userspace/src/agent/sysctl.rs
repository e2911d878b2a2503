//! Kernel settings of this network namespace, and putting them back.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tracing::{info, warn};

/// The value of a setting that is a number, by its name with dots.
pub fn read(name: &str) -> Result<u32> {
    let text = fs::read_to_string(path(name)).with_context(|| format!("read sysctl {name}"))?;
    text.trim().parse().with_context(|| format!("sysctl {name}"))
}

/// A setting that was raised. Dropping it restores the former value.
#[derive(Debug)]
pub struct Raised {
    name: String,
    former: u32,
    value: u32,
}

impl Raised {
    /// Raises a setting to at least this value; never lowers it.
    pub fn to(name: &str, value: u32) -> Result<Option<Raised>> {
        let former = read(name)?;
        if former >= value {
            return Ok(None);
        }
        write(name, value)
            .with_context(|| format!("sysctl {name} must be {value} or more and is {former}"))?;
        info!("sysctl {name}: {former} raised to {value}");
        Ok(Some(Raised { name: name.to_owned(), former, value }))
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        let Raised { name, former, value } = self;
        match read(name) {
            Ok(now) if now == *value => match write(name, *former) {
                Ok(()) => info!("sysctl {name}: restored to {former}"),
                Err(error) => warn!("sysctl {name} stays {now} instead of {former}: {error}"),
            },
            Ok(now) => warn!("sysctl {name} was set to {now} by someone else: left alone"),
            Err(error) => warn!("{error:#}"),
        }
    }
}

fn write(name: &str, value: u32) -> std::io::Result<()> {
    fs::write(path(name), value.to_string())
}

/// A dot within the name of an interface (`eth0.100`) is written as a slash, as sysctl(8) does.
fn path(name: &str) -> PathBuf {
    let swapped = name.chars().map(|character| match character {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    PathBuf::from("/proc/sys").join(swapped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn dots_separate_and_slashes_stand_for_dots() {
        let path = path("net.ipv4.conf.eth0/100.rp_filter");
        assert_eq!(path.to_str(), Some("/proc/sys/net/ipv4/conf/eth0.100/rp_filter"));
    }
}
