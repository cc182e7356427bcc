//! Lets what is built here find libtorch when it runs.
//!
//! An rpath to the folder that torch-sys linked from makes the program start in any folder with an empty environment;
//! `LD_LIBRARY_PATH` still takes precedence, so the same program runs on another machine's libtorch. The folder is also
//! compiled in as `FACETUI_LIBTORCH_LIB`, since CUDA's part of libtorch lies there and is loaded only when it is wanted.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by torch-sys (`links = "tch"`); cargo runs this again when torch-sys has been built from another folder.
    let folder = env::var("DEP_TCH_LIBTORCH_LIB").unwrap_or_default();
    if !folder.is_empty() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
    println!("cargo::rustc-env=FACETUI_LIBTORCH_LIB={folder}");
}
