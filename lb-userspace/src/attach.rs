//! Attaching an XDP program to an interface.

/// Where on an interface the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the driver, before the kernel has made anything of the frame.
    Driver,
    /// In the kernel's generic receive path: works on every interface, slower.
    Generic,
    /// In the driver if it can, else generic.
    #[default]
    Auto,
}
