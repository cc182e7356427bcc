// A library for LD_PRELOAD that makes a program's writing fail, or ends the program, at chosen system calls.
//
// Counted are the calls that change something at paths which contain FAULTS_UNDER or FAULTS_AND (locks excepted): open for writing, write,
// pwrite, fsync, ftruncate, rename, link, unlink, mkdir. Of these
//   FAULTS_KILL=n            ends the process at call n, counted from 1;
//   FAULTS_AT=n              is the first that fails, and with FAULTS_STRIDE=s more follow after s to s + 10 calls each. Kinds of
//                            failure take turns: EIO, ENOSPC, a short write (EIO where nothing is written);
//   FAULTS_EACH=s            each place of the program's writing fails once in every way, s calls or more apart. A place is
//                            what a thread put in place last, how many calls at temporary files followed, the call, the kind of
//                            file; FAULTS_AT is the first call that may fail;
//   FAULTS_PLACE=place       the first call at that place fails, as FAULTS_WAY says: EIO, ENOSPC, short;
//   FAULTS_WHILE=path        all fail with ENOSPC while a file is at that path;
//   FAULTS_FULL_AT=n         puts that file there at call n;
//   FAULTS_HANG=path         all wait while a file is at that path, and so does what looks at a file or opens one for reading.
// FAULTS_LOG=path gets a line a fault: number, kind, call, path, files of the program that are open below FAULTS_UNDER; and at
// the program's end one a place: calls there, `place`, its name, `-`, faults there.
// FAULTS_KEEP=path: at each fault a folder of the fault's number is made there with links to the files beside the one that
// failed, as a killed process would leave them.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

constexpr int MOST = 4096;
bool ours[MOST];
char places[MOST][512];
long calls = 0;
long faults = 0;

enum Kind { NONE, EIO_, ENOSPC_, SHORT };

long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

bool matches(const char *path) {
    static const char *under = getenv("FAULTS_UNDER");
    static const char *also = getenv("FAULTS_AND");
    if (!under || !*under || !path || !(strstr(path, under) || (also && *also && strstr(path, also)))) return false;
    size_t length = strlen(path);
    return length < 5 || strcmp(path + length - 5, ".lock") != 0;
}

bool is_ours(int fd) { return fd >= 0 && fd < MOST && __atomic_load_n(&ours[fd], __ATOMIC_ACQUIRE); }

void keep(const char *path, long fault) {
    static const char *place = getenv("FAULTS_KEEP");
    static const char *under = getenv("FAULTS_UNDER");
    if (!place || !path || !under) return;
    char folder[512], target[1200], source[1200];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? static_cast<int>(slash - path) : 0, path);
    // A folder itself was synced, or made.
    if (!strstr(folder, under)) snprintf(folder, sizeof folder, "%s", path);
    snprintf(target, sizeof target, "%s/%ld", place, fault);
    syscall(SYS_mkdirat, AT_FDCWD, target, 0777);
    DIR *files = opendir(folder);
    if (!files) return;
    while (dirent *entry = readdir(files)) {
        size_t length = strlen(entry->d_name);
        if (entry->d_type != DT_REG || (length > 5 && strcmp(entry->d_name + length - 5, ".lock") == 0)) continue;
        snprintf(source, sizeof source, "%s/%s", folder, entry->d_name);
        snprintf(target, sizeof target, "%s/%ld/%s", place, fault, entry->d_name);
        syscall(SYS_linkat, AT_FDCWD, source, AT_FDCWD, target, 0);
    }
    closedir(files);
}

void note(const char *kind, const char *call, const char *path, long fault, int last = -1) {
    static const char *place = getenv("FAULTS_LOG");
    if (!place) return;
    int open_files = 0;
    for (bool open : ours) open_files += open;
    if (last >= 0) open_files = last;
    char line[1024];
    int length = snprintf(line, sizeof line, "%ld %s %s %s %d\n", fault, kind, call, path ? path : "?", open_files);
    long fd = syscall(SYS_openat, AT_FDCWD, place, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, length);
    syscall(SYS_close, fd);
}

// What is done to a call of which it is decided that it fails.
Kind fail(Kind kind, const char *call, const char *path) {
    long fault = __atomic_add_fetch(&faults, 1, __ATOMIC_ACQ_REL);
    note(kind == EIO_ ? "EIO" : kind == ENOSPC_ ? "ENOSPC" : "short", call, path, fault);
    keep(path, fault);
    return kind;
}

// A place of the program's writing.
struct Place {
    char name[256];
    long calls;
    int faults;
};

Place table[1024];
int length = 0;
char turn = 0;

// What this thread put in place last, and its calls at temporary files since then.
thread_local char last[96] = "-";
thread_local int since = 0;

// The kind of file at a path: its name without numbers.
void kind_of(const char *path, char *kind, size_t most) {
    const char *slash = path ? strrchr(path, '/') : nullptr;
    const char *name = slash ? slash + 1 : path ? path : "?";
    size_t at = 0;
    for (; *name && at + 1 < most; name++) {
        char letter = *name >= '0' && *name <= '9' ? '#' : *name == ' ' ? '_' : *name;
        if (letter != '#' || at == 0 || kind[at - 1] != '#') kind[at++] = letter;
    }
    kind[at] = 0;
    // What stands between is drawn.
    if (at > 8 && strcmp(kind + at - 8, ".partial") == 0 && !strstr(kind, "-link")) snprintf(kind, most, "partial");
}

// What is to happen at this call of a place.
Kind decide_by_place(const char *call, const char *path, bool writes, long now) {
    static const long first = number("FAULTS_AT"), stride = number("FAULTS_EACH");
    static const char *chosen = getenv("FAULTS_PLACE"), *way = getenv("FAULTS_WAY");
    static long next = first;
    char kind[96], name[256];
    kind_of(path, kind, sizeof kind);
    if (strcmp(kind, "partial") == 0) since++;
    int number_of = strcmp(kind, "partial") == 0 ? since : 0;
    snprintf(name, sizeof name, "%s:%d:%s:%s", last, number_of, call, kind);
    if (strcmp(call, "rename") == 0) {
        snprintf(last, sizeof last, "%s", kind);
        since = 0;
    }
    while (__atomic_test_and_set(&turn, __ATOMIC_ACQUIRE)) {}
    int at = 0;
    while (at < length && strcmp(table[at].name, name) != 0) at++;
    if (at == length && length + 1 < 1024) snprintf(table[length++].name, sizeof name, "%s", name);
    Place &place = table[at];
    place.calls++;
    Kind result = NONE;
    if (chosen) {
        bool is = strcmp(chosen, name) == 0 && place.calls == 1;
        if (is) result = way && *way == 's' ? SHORT : way && strcmp(way, "EIO") == 0 ? EIO_ : ENOSPC_;
    } else if (now >= next && place.faults < (writes ? 3 : 2)) {
        Kind ways[] = {EIO_, ENOSPC_, SHORT};
        result = ways[place.faults];
        next = now + stride;
    }
    place.faults += result != NONE;
    __atomic_clear(&turn, __ATOMIC_RELEASE);
    if (result == NONE) return NONE;
    // What is written to this file begins anew.
    if (number_of || strcmp(call, "rename") == 0) {
        snprintf(last, sizeof last, "fault");
        since = 0;
    }
    return fail(result, call, path);
}

// Waits, as for a server that is gone.
void hang() {
    static const char *during = getenv("FAULTS_HANG");
    while (during && syscall(SYS_faccessat, AT_FDCWD, during, F_OK) == 0) usleep(20000);
}

// What is to happen at this call.
Kind decide(const char *call, const char *path, bool writes) {
    static const long end = number("FAULTS_KILL"), first = number("FAULTS_AT"), stride = number("FAULTS_STRIDE");
    static const long full = number("FAULTS_FULL_AT");
    static const char *during = getenv("FAULTS_WHILE");
    static const bool by_place = getenv("FAULTS_EACH") || getenv("FAULTS_PLACE");
    long now = __atomic_add_fetch(&calls, 1, __ATOMIC_ACQ_REL);
    hang();
    if (end && now == end) {
        note("kill", call, path, now);
        _exit(137);
    }
    if (full && now == full && during) {
        long fd = syscall(SYS_openat, AT_FDCWD, during, O_WRONLY | O_CREAT, 0666);
        if (fd >= 0) syscall(SYS_close, fd);
    }
    if (during && syscall(SYS_faccessat, AT_FDCWD, during, F_OK) == 0) {
        note("ENOSPC", call, path, __atomic_add_fetch(&faults, 1, __ATOMIC_ACQ_REL));
        return ENOSPC_;
    }
    if (by_place) return decide_by_place(call, path, writes, now);
    static long next = first;
    if (!first || now < __atomic_load_n(&next, __ATOMIC_ACQUIRE)) return NONE;
    long fault = __atomic_load_n(&faults, __ATOMIC_ACQUIRE) + 1;
    // Gaps that change, so that no call of a save is always spared.
    __atomic_store_n(&next, stride ? now + stride + fault % 11 : __LONG_MAX__, __ATOMIC_RELEASE);
    Kind kinds[] = {EIO_, ENOSPC_, SHORT};
    Kind kind = kinds[fault % 3];
    return fail(kind == SHORT && !writes ? EIO_ : kind, call, path);
}

int refuse(Kind kind) {
    errno = kind == ENOSPC_ ? ENOSPC : EIO;
    return -1;
}

int remember(int fd, const char *path) {
    if (fd >= 0 && fd < MOST) {
        bool is = matches(path);
        if (is) snprintf(places[fd], sizeof places[fd], "%s", path);
        __atomic_store_n(&ours[fd], is, __ATOMIC_RELEASE);
    }
    return fd;
}

bool counts(const char *path, int flags) {
    return matches(path) && (flags & (O_CREAT | O_WRONLY | O_RDWR)) && (flags & O_TMPFILE) != O_TMPFILE;
}

mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0; }

// Says at the end how many calls there were.
struct Count {
    ~Count() {
        note("calls", "-", "-", calls);
        for (int at = 0; at < length; at++) note("place", table[at].name, "-", table[at].calls, table[at].faults);
    }
} count;

} // namespace

extern "C" {

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...) {                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        if (counts(path, flags)) {                                                                                     \
            if (Kind kind = decide("open", path, false)) return refuse(kind);                                          \
        } else if (matches(path)) {                                                                                    \
            hang();                                                                                                    \
        }                                                                                                              \
        return remember(static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode)), path);       \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                   \
    int name(int folder, const char *path, int flags, ...) {                                                           \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = mode_of(flags, rest);                                                                            \
        va_end(rest);                                                                                                  \
        if (counts(path, flags)) {                                                                                     \
            if (Kind kind = decide("open", path, false)) return refuse(kind);                                          \
        } else if (matches(path)) {                                                                                    \
            hang();                                                                                                    \
        }                                                                                                              \
        return remember(static_cast<int>(syscall(SYS_openat, folder, path, flags | O_LARGEFILE, mode)), path);         \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (fd >= 0 && fd < MOST) __atomic_store_n(&ours[fd], false, __ATOMIC_RELEASE);
    return static_cast<int>(syscall(SYS_close, fd));
}

ssize_t write(int fd, const void *data, size_t count) {
    if (is_ours(fd))
        if (Kind kind = decide("write", places[fd], count > 1)) {
            if (kind != SHORT) return refuse(kind);
            count /= 2;
        }
    return syscall(SYS_write, fd, data, count);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) {
    if (is_ours(fd))
        if (Kind kind = decide("pwrite", places[fd], count > 1)) {
            if (kind != SHORT) return refuse(kind);
            count /= 2;
        }
    return syscall(SYS_pwrite64, fd, data, count, at);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at) { return pwrite64(fd, data, count, at); }

#define BY_FD(name, call)                                                                                              \
    int name(int fd) {                                                                                                 \
        if (is_ours(fd))                                                                                               \
            if (Kind kind = decide("fsync", places[fd], false)) return refuse(kind);                                   \
        return static_cast<int>(syscall(call, fd));                                                                    \
    }
BY_FD(fsync, SYS_fsync)
BY_FD(fdatasync, SYS_fdatasync)

int ftruncate64(int fd, off64_t length) {
    if (is_ours(fd))
        if (Kind kind = decide("ftruncate", places[fd], false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_ftruncate, fd, length));
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int rename(const char *from, const char *to) {
    if (matches(to))
        if (Kind kind = decide("rename", to, false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int link(const char *from, const char *to) {
    if (matches(to))
        if (Kind kind = decide("link", to, false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int linkat(int one, const char *from, int other, const char *to, int flags) {
    if (matches(to))
        if (Kind kind = decide("link", to, false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_linkat, one, from, other, to, flags));
}

int unlink(const char *path) {
    if (matches(path))
        if (Kind kind = decide("unlink", path, false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdir(const char *path, mode_t mode) {
    if (matches(path))
        if (Kind kind = decide("mkdir", path, false)) return refuse(kind);
    return static_cast<int>(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *is) {
    if (matches(path)) hang();
    return static_cast<int>(syscall(SYS_statx, folder, path, flags, mask, is));
}

int statvfs64(const char *path, struct statvfs64 *is) {
    if (matches(path)) hang();
    static auto *real = reinterpret_cast<int (*)(const char *, struct statvfs64 *)>(dlsym(RTLD_NEXT, "statvfs64"));
    return real(path, is);
}

int statvfs(const char *path, struct statvfs *is) {
    if (matches(path)) hang();
    static auto *real = reinterpret_cast<int (*)(const char *, struct statvfs *)>(dlsym(RTLD_NEXT, "statvfs"));
    return real(path, is);
}

} // extern "C"
