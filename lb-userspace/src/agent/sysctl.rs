//! Kernel settings of this network namespace, and putting them back.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::record::{Record, Setting};

/// The value of a setting that is a number, by its name with dots.
pub fn read(name: &str) -> Result<u32> {
    let text = fs::read_to_string(path(name)).with_context(|| format!("read sysctl {name}"))?;
    text.trim().parse().with_context(|| format!("sysctl {name}"))
}

/// A setting that was raised. Dropping it restores the former value.
#[derive(Debug)]
pub struct Raised<'record> {
    setting: Setting,
    record: &'record Record,
}

impl<'record> Raised<'record> {
    /// Those that a killed agent left.
    pub fn left(record: &'record Record) -> impl Iterator<Item = Self> {
        record.settings().into_iter().map(move |setting| Raised { setting, record })
    }

    /// Raises a setting to at least this value; never lowers it.
    pub fn to(name: &str, value: u32, record: &'record Record) -> Result<Option<Self>> {
        let former = read(name)?;
        if former >= value {
            return Ok(None);
        }
        let setting = Setting { name: name.to_owned(), former, value };
        record.note_setting(setting.clone())?;
        let raised = Raised { setting, record };
        write(name, value)
            .with_context(|| format!("sysctl {name} must be {value} or more and is {former}"))?;
        info!("sysctl {name}: {former} raised to {value}");
        Ok(Some(raised))
    }

    /// Whether it has the value that it was raised to.
    pub fn is_in_force(&self) -> bool {
        read(&self.setting.name).is_ok_and(|now| now == self.setting.value)
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        let Setting { name, former, value } = &self.setting;
        match read(name) {
            Ok(now) if now == *value => {
                if let Err(error) = write(name, *former) {
                    // It stays on record for the next agent.
                    return warn!("sysctl {name} stays {now} instead of {former}: {error}");
                }
                info!("sysctl {name}: restored to {former}");
            }
            Ok(now) if now == *former => info!("sysctl {name} is {former} already"),
            Ok(now) => warn!("sysctl {name} was set to {now} by someone else: left alone"),
            Err(error) => warn!("{error:#}"),
        }
        self.record.strike_setting(name);
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
