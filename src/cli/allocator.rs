//! Settings of the C allocator, made before anything is allocated.

/// Keeps large freed blocks in the process. Training allocates the same large tensors every step; glibc would hand them
/// back to the kernel each time, and the page faults of taking them again cost a quarter of a step on the CPU.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn keep_large_blocks() {
    const KEEP: libc::c_int = 1 << 30;
    for (setting, value) in [
        // One arena: large blocks do not fit into the arenas of threads.
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_MAX, 0),
        (libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
        (libc::M_TOP_PAD, KEEP / 4),
    ] {
        #[expect(unsafe_code, reason = "mallopt is a C function")]
        // SAFETY: mallopt only sets tunables; it is called before any other thread exists.
        unsafe {
            libc::mallopt(setting, value);
        }
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) const fn keep_large_blocks() {}
