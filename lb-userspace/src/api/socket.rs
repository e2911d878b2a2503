//! The unix socket that the API listens on.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use std::os::unix::net::UnixListener;
use tokio::net::UnixStream;

/// Owner and group may connect.
const OWNER_AND_GROUP: u32 = 0o660;

/// Everyone may connect, and is told then what they may do.
const EVERYONE: u32 = 0o666;

/// A listening socket, removed when dropped.
pub struct Socket {
    path: PathBuf,
    listener: Option<UnixListener>,
}

impl Socket {
    /// Listens, in place of a socket that a former process left behind. Everyone may connect, or only its owner and group.
    ///
    /// # Errors
    /// Another process answers there, something else is there, or the path can't be used.
    pub async fn bind(path: &Path, for_everyone: bool) -> Result<Self> {
        let shown = path.display();
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        }
        match UnixStream::connect(path).await {
            Ok(_) => bail!("{shown}: another lbd answers here; stop it, or name another `api.socket`"),
            // The same answer for a socket that nobody listens on and for any other file.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let found = fs::symlink_metadata(path).with_context(|| shown.to_string())?;
                if !found.file_type().is_socket() {
                    bail!("{shown}: this is not a socket; remove it, or name another `api.socket`");
                }
                fs::remove_file(path).with_context(|| shown.to_string())?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(shown.to_string()),
        }
        let listener = UnixListener::bind(path).with_context(|| shown.to_string())?;
        listener.set_nonblocking(true)?;
        let mode = if for_everyone { EVERYONE } else { OWNER_AND_GROUP };
        fs::set_permissions(path, Permissions::from_mode(mode)).with_context(|| shown.to_string())?;
        Ok(Socket { path: path.to_path_buf(), listener: Some(listener) })
    }

    /// What connections are taken from; it can be had once.
    pub fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net;

    use super::*;

    /// A directory of this test's own.
    fn directory(test: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("lb-socket-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    #[tokio::test]
    async fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let directory = directory("replaced");
        let path = directory.join("lbd.sock");
        drop(net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path, false).await.unwrap();
        let error = Socket::bind(&path, false).await.err().unwrap().to_string();
        assert!(error.contains("another lbd answers here"), "{error}");
        drop(socket);
        assert!(!path.exists());
        fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test]
    async fn any_other_file_stays() {
        let directory = directory("stays");
        let file = directory.join("notes");
        let link = directory.join("link");
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link, &directory] {
            let error = Socket::bind(path, false).await.err().unwrap().to_string();
            assert_eq!(
                error,
                format!("{}: this is not a socket; remove it, or name another `api.socket`", path.display())
            );
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(link.is_symlink());
        fs::remove_dir_all(directory).unwrap();
    }
}
