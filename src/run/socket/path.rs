//! Where a run's socket lies, and how it is made for its owner alone.
//!
//! It lies in the run's folder. A socket's path must be short, and some file systems have no sockets: then it lies in
//! `$XDG_RUNTIME_DIR/facetui`, or in `facetui-<user>` in the folder for temporary files. `process.json` tells where.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

/// The socket's name in a run's folder.
pub const SOCKET_FILE: &str = "run.sock";

/// Clients that may knock at the same time.
const BACKLOG: i32 = 16;

/// Makes the socket of a run's folder, in the first place that takes one.
///
/// # Errors
/// No place takes one: the last place's error.
pub fn make(run: &str, folder: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let folder = std::path::absolute(folder)?;
    let mut last = None;
    let own = folder.join(SOCKET_FILE);
    match make_at(&own) {
        Ok(listener) => return Ok((listener, own)),
        Err(error) => last.get_or_insert(error),
    };
    for shared in shared_folders() {
        let path = shared.join(format!("{}-{}.sock", cut(run), std::process::id()));
        match private(&shared).and_then(|()| make_at(&path)) {
            Ok(listener) => {
                sweep(&shared);
                return Ok((listener, path));
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no folder can hold a socket")))
}

/// A run's name, short enough for a path.
fn cut(run: &str) -> String {
    run.chars().filter(char::is_ascii).take(40).collect()
}

/// Folders of this user on this machine, the best one first.
fn shared_folders() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let user = rustix::process::geteuid().as_raw();
    let temporary = std::env::temp_dir().join(format!("facetui-{user}"));
    runtime.map(|folder| folder.join("facetui")).into_iter().chain([temporary]).collect()
}

/// Makes a folder that only its owner may enter. One that is there must be so already.
fn private(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let there = std::fs::symlink_metadata(folder)?;
    let mine = there.is_dir() && there.uid() == rustix::process::geteuid().as_raw() && there.mode() & 0o777 == 0o700;
    if mine { Ok(()) } else { Err(io::Error::other(format!("`{}` is not for its owner alone", folder.display()))) }
}

/// Makes a socket at a path. One that nobody listens to is removed first; one that somebody listens to stays.
fn make_at(path: &Path) -> io::Result<UnixListener> {
    let address = SocketAddrUnix::new(path)?;
    let socket: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    match bind(&socket, &address) {
        Err(rustix::io::Errno::ADDRINUSE) if remove_stale(path) => bind(&socket, &address)?,
        bound => bound?,
    }
    // Nobody can connect before it listens, and by then it is its owner's alone.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Removes a socket that nobody listens to; whether it did.
pub fn remove_stale(path: &Path) -> bool {
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path).is_ok(),
        _ => false,
    }
}

/// Removes what dead processes left in a folder of sockets.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let sockets = entries.flatten().map(|entry| entry.path());
    for socket in sockets.filter(|path| path.extension().is_some_and(|extension| extension == "sock")) {
        remove_stale(&socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_owners_alone_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (listener, path) = make("demo-1", folder.path()).expect("makes");
        assert_eq!(path, folder.path().join(SOCKET_FILE));
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert!(make_at(&path).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse), "one is at work there");
        drop(listener);
        make_at(&path).expect("the dead one gives way");
    }

    #[test]
    fn a_long_path_moves_the_socket_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).expect("makes");
        let (_listener, path) = make("demo-1", &deep).expect("makes");
        assert!(!path.starts_with(&deep) && path.as_os_str().len() < 108, "{}", path.display());
        let parent = path.parent().expect("a folder");
        assert_eq!(std::fs::metadata(parent).expect("there").mode() & 0o077, 0, "others may not enter");
        std::fs::remove_file(path).expect("removes");
    }
}
