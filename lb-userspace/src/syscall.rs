//! bpf(2), for commands that aya doesn't offer.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya_obj::generated::bpf_attr;
use aya_obj::generated::bpf_cmd::{
    self, BPF_LINK_DETACH, BPF_MAP_DELETE_ELEM, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_BATCH, BPF_OBJ_GET,
};

/// Puts inner maps into an array of maps, in one system call.
///
/// The kernel waits in each such call for the packets that are on their way, 8 ms and more; with all maps in one call it
/// does so once.
pub fn update_inner_maps(array: BorrowedFd, indices: &[u32], maps: &[i32]) -> io::Result<()> {
    assert_eq!(indices.len(), maps.len());
    let mut attributes = no_attributes();
    attributes.batch.map_fd = array.as_raw_fd().cast_unsigned();
    attributes.batch.keys = indices.as_ptr() as u64;
    attributes.batch.values = maps.as_ptr() as u64;
    attributes.batch.count = indices.len() as u32;
    // SAFETY: the kernel reads `count` keys and values of four octets each, as many as the slices hold.
    unsafe { bpf(BPF_MAP_UPDATE_BATCH, &mut attributes) }.map(drop)
}

/// The identifier of an inner map; 0 if there is none.
pub fn inner_map_id(array: BorrowedFd, index: u32) -> io::Result<u32> {
    let mut id = 0;
    let mut attributes = no_attributes();
    attributes.__bindgen_anon_2.map_fd = array.as_raw_fd().cast_unsigned();
    attributes.__bindgen_anon_2.key = &raw const index as u64;
    attributes.__bindgen_anon_2.__bindgen_anon_1.value = &raw mut id as u64;
    // SAFETY: the kernel reads the key and writes the value, of four octets each.
    match unsafe { bpf(BPF_MAP_LOOKUP_ELEM, &mut attributes) } {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        looked => looked.map(|_| id),
    }
}

/// Takes an inner map out of an array of maps.
pub fn delete_inner_map(array: BorrowedFd, index: u32) -> io::Result<()> {
    let mut attributes = no_attributes();
    attributes.__bindgen_anon_2.map_fd = array.as_raw_fd().cast_unsigned();
    attributes.__bindgen_anon_2.key = &raw const index as u64;
    // SAFETY: the kernel reads the key, of four octets.
    unsafe { bpf(BPF_MAP_DELETE_ELEM, &mut attributes) }.map(drop)
}

/// Takes the program of a pinned link off its interface, at once. Without the pin, the kernel would do so a little later.
pub fn detach_link(pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attributes = no_attributes();
    attributes.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    // SAFETY: the kernel reads the path, which ends with a zero.
    let link = unsafe { bpf(BPF_OBJ_GET, &mut attributes) }?;
    // SAFETY: the kernel has just opened it, and nobody else knows of it.
    let link = unsafe { OwnedFd::from_raw_fd(link) };
    let mut attributes = no_attributes();
    attributes.link_detach.link_fd = link.as_raw_fd().cast_unsigned();
    // SAFETY: the attributes point to nothing.
    unsafe { bpf(BPF_LINK_DETACH, &mut attributes) }.map(drop)
}

fn no_attributes() -> bpf_attr {
    // SAFETY: made of integers alone, of which all may be zero.
    unsafe { std::mem::zeroed() }
}

/// The system call.
///
/// # Safety
/// What the attributes point to is as long as the command says.
unsafe fn bpf(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes the attributes, and what they point to by the caller's promise.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
