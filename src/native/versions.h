// What all kernels share: GCC makes a version of a function for each family of processors, and the best is taken at run time.

#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define VERSIONS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VERSIONS
#endif
