//! Counts of what a stretch of work asks of libtorch: operations and memory, without a clock. Tests guard the hot paths with
//! them, and the memory that is foretold is compared with what is taken.

use std::ffi::c_void;

/// What a stretch of work asked for on its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Operations of libtorch, those within others included.
    pub operations: u64,
    /// Blocks taken from its CPU allocator.
    pub allocations: u64,
    /// Bytes of them together.
    pub bytes: u64,
    /// The most bytes that were held at once, beyond those held at the beginning.
    pub peak: u64,
}

#[allow(unsafe_code, reason = "the function is C++")]
unsafe extern "C" {
    fn facetui_count(work: unsafe extern "C" fn(*mut c_void), data: *mut c_void, out: *mut i64);
    #[cfg(test)]
    fn facetui_threads(out: *mut i64);
}

/// Runs `work` and counts. A panic in it goes on once the counting has ended.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Counts) {
    struct Job<F, T> {
        work: Option<F>,
        result: Option<std::thread::Result<T>>,
    }
    #[expect(unsafe_code, reason = "C++ calls it, with a pointer")]
    unsafe extern "C" fn run<T, F: FnOnce() -> T>(data: *mut c_void) {
        // SAFETY: `data` is the `Job<F, T>` that `count` gives away for the length of the call.
        let job = unsafe { &mut *data.cast::<Job<F, T>>() };
        if let Some(work) = job.work.take() {
            job.result = Some(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)));
        }
    }
    fn call<F: FnOnce() -> T, T>(job: &mut Job<F, T>, out: &mut [i64; 4]) {
        #[expect(unsafe_code, reason = "C++")]
        // SAFETY: `run` is of the types of `job`, which lives through the call; `out` has the four places that are filled.
        unsafe {
            facetui_count(run::<T, F>, std::ptr::from_mut(job).cast(), out.as_mut_ptr());
        }
    }
    let mut job = Job { work: Some(work), result: None };
    let mut out = [0i64; 4];
    call(&mut job, &mut out);
    let [operations, allocations, bytes, peak] = out.map(|count| count.max(0) as u64);
    match job.result {
        Some(Ok(result)) => (result, Counts { operations, allocations, bytes, peak }),
        Some(Err(panic)) => std::panic::resume_unwind(panic),
        None => unreachable!("the work was given once"),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn our_kernels_run_on_as_many_threads_as_libtorchs() {
        let mut found = [0i64; 2];
        #[expect(unsafe_code, reason = "C++")]
        // SAFETY: the two places that are filled.
        unsafe {
            facetui_threads(found.as_mut_ptr());
        }
        assert_eq!(found[0], found[1], "compiled without OpenMP?");
    }

    #[test]
    fn operations_and_bytes_are_counted() {
        let (sum, counts) = count(|| {
            let ones = Tensor::ones([1 << 20], (Kind::Float, Device::Cpu));
            let twice = &ones + &ones;
            drop(ones);
            twice.sum(Kind::Float).double_value(&[])
        });
        assert!((sum - f64::from(1 << 21)).abs() < 1.0);
        assert!(counts.operations >= 3, "{counts:?}");
        assert!((2 << 22..(2 << 22) + 4096).contains(&counts.peak), "{counts:?}");
        assert!(counts.bytes >= counts.peak && counts.allocations >= 3, "{counts:?}");
    }
}
