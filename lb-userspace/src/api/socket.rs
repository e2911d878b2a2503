//! The unix socket that the API listens on.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::net::{UnixListener, UnixStream};

/// Owner and group may connect.
const PERMISSIONS: u32 = 0o660;

/// A listening socket, removed when dropped.
pub struct Socket {
    path: PathBuf,
    listener: Option<UnixListener>,
}

impl Socket {
    /// Listens, in place of a socket that a former process left behind.
    ///
    /// # Errors
    /// Another process answers there, or the path can't be used.
    pub async fn bind(path: &Path) -> Result<Self> {
        let shown = path.display();
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        match UnixStream::connect(path).await {
            Ok(_) => bail!("{shown}: another lbd answers here; stop it, or name another `socket:`"),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                fs::remove_file(path).with_context(|| shown.to_string())?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(shown.to_string()),
        }
        let listener = UnixListener::bind(path).with_context(|| shown.to_string())?;
        fs::set_permissions(path, Permissions::from_mode(PERMISSIONS)).with_context(|| shown.to_string())?;
        Ok(Socket { path: path.to_path_buf(), listener: Some(listener) })
    }

    /// Serves requests until the runtime ends.
    ///
    /// # Errors
    /// The kernel takes the socket away.
    pub async fn serve(mut self, router: axum::Router) -> Result<()> {
        match self.listener.take() {
            Some(listener) => Ok(axum::serve(listener, router).await?),
            None => Ok(()),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
