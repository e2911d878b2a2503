//! Who is at the other end of a unix socket, as the kernel knows them.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use tokio::net::UnixStream;

use super::access::Peer;

/// Groups of a process that are asked for first; there may be 65,536 (`NGROUPS_MAX`).
const FEW: usize = 64;

/// The process that connected, at the time when it did.
///
/// # Errors
/// The kernel doesn't say.
pub fn of(stream: &UnixStream) -> io::Result<Peer> {
    let credentials = stream.peer_cred()?;
    let mut groups = supplementary_groups(stream.as_raw_fd())?;
    groups.push(credentials.gid());
    Ok(Peer::Local { user: credentials.uid(), groups })
}

/// The groups beside the effective one (`SO_PEERGROUPS`, Linux 4.13).
fn supplementary_groups(socket: RawFd) -> io::Result<Vec<libc::gid_t>> {
    let mut groups = vec![0; FEW];
    loop {
        let mut length = (size_of::<libc::gid_t>() * groups.len()) as libc::socklen_t;
        // SAFETY: the pointer and the length are those of `groups`, which nobody else has; the kernel writes no more than
        // `length` octets there, and any octets are a gid_t. `length` outlives the call.
        let done = unsafe {
            libc::getsockopt(
                socket,
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        if done == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // Too little room: the length is now what it takes.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::{getegid, geteuid, getgroups};

    use super::*;

    #[tokio::test]
    async fn this_process_is_known_with_all_its_groups() {
        let (stream, _other) = UnixStream::pair().unwrap();
        let Peer::Local { user, groups } = of(&stream).unwrap() else { unreachable!("it is local") };
        assert_eq!(user, geteuid().as_raw());
        let own = getgroups().unwrap().into_iter().chain([getegid()]);
        assert_eq!(groups, own.map(nix::unistd::Gid::as_raw).collect::<Vec<_>>());
    }
}
