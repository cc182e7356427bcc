//! Compiles the C++ of `src/native` against libtorch's headers, and lets what is built here find libtorch when it runs.
//!
//! An rpath to the folder that torch-sys linked from makes the program start in any folder with an empty environment;
//! `LD_LIBRARY_PATH` still takes precedence, so the same program runs on another machine's libtorch.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/native");
    // Set by torch-sys (`links = "tch"`); cargo runs this again when torch-sys has been built from another folder.
    let folder = env::var("DEP_TCH_LIBTORCH_LIB").unwrap_or_default();
    if folder.is_empty() {
        return;
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    let Some(include) = Path::new(&folder).parent().map(|root| root.join("include")) else { return };
    let mut build = cc::Build::new();
    // libtorch's `parallel_for` is a header's: without OpenMP it is a plain loop. Clang would ask for another OpenMP than the
    // one that libtorch brings.
    let gnu = build.get_compiler().is_like_gnu();
    let parallel = gnu && build.is_flag_supported("-fopenmp").unwrap_or(false);
    if parallel {
        build.flag("-fopenmp");
    } else {
        println!(
            "cargo::warning=the kernels of src/native run on one thread: set CXX to g++, which can compile them for all"
        );
    }
    build
        .cpp(true)
        .std("c++17")
        .opt_level(3)
        .debug(false)
        .warnings(false)
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        // libtorch's macros decide the layout of std::string; torch-sys and the wheel use the new one.
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .flag_if_supported("-fno-math-errno")
        // No result depends on it, and loops with conditions are vectorised without AVX-512 too.
        .flag_if_supported("-fno-trapping-math")
        .file("src/native/augment.cpp")
        .file("src/native/counters.cpp")
        .file("src/native/norm_act.cpp")
        .file("src/native/sgd.cpp")
        .compile("facetui_native");
    if parallel {
        // The OpenMP that libtorch brings: two of them would have twice the threads.
        if Path::new(&folder).join("libgomp.so.1").exists() {
            println!("cargo::rustc-link-search=native={folder}");
            println!("cargo::rustc-link-lib=dylib:+verbatim=libgomp.so.1");
        } else {
            println!("cargo::rustc-link-lib=dylib=gomp");
        }
    }
}
