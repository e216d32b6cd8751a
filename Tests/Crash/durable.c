// What would be left if the power were cut now: loaded before the C library (LD_PRELOAD), it keeps a copy of every
// file below WEIR_TEST_DURABLE_ROOT as it was when it was last synced, and of every folder the names that it had
// when it was last synced, in the folder WEIR_TEST_DURABLE_STORE. Nothing else is sure to be there afterwards.
//
// A copy is called after the file's number and time of birth, so that a file that takes another's number is not
// taken for it. A folder's copy is a line for each entry: `d` or `f`, the name of its copy, its own name. The first
// process with an empty store begins with everything that is there; power.py puts a machine back from a store.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *root, *store;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
// What is shorter is copied whole; longer files only grow, and so do their copies.
enum { WHOLE_BYTES_MAX = 64 << 10 };

static int copy_name(int folder, const char *name, int flags, char *target, size_t size, struct statx *status) {
    if (statx(folder, name, flags | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, status) != 0) return -1;
    snprintf(target, size, "%s/%llu-%lld.%09u", store, (unsigned long long)status->stx_ino,
             (long long)status->stx_btime.tv_sec, status->stx_btime.tv_nsec);
    return 0;
}

static void note_file(const char *path, const char *target, off_t length) {
    struct stat copied;
    off_t start = 0;
    if (length > WHOLE_BYTES_MAX && stat(target, &copied) == 0 && copied.st_size <= length) start = copied.st_size;
    char fresh[4200], buffer[65536];
    snprintf(fresh, sizeof fresh, "%s.new", target);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = open(start ? target : fresh, O_WRONLY | O_CREAT | O_CLOEXEC | (start ? 0 : O_TRUNC), 0600);
    while (from >= 0 && to >= 0 && start < length) {
        ssize_t got = pread(from, buffer, sizeof buffer, start);
        if (got <= 0 || pwrite(to, buffer, got, start) != got) break;
        start += got;
    }
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    rename(fresh, target);  // there is none where the copy has grown
}

static void note_folder(const char *path, const char *target) {
    char fresh[4200], copy[4200];
    snprintf(fresh, sizeof fresh, "%s.new", target);
    DIR *folder = opendir(path);
    FILE *list = fopen(fresh, "we");
    struct statx status;
    for (struct dirent *entry; folder && list && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (copy_name(dirfd(folder), entry->d_name, 0, copy, sizeof copy, &status) != 0) continue;
        fprintf(list, "%c %s %s\n", S_ISDIR(status.stx_mode) ? 'd' : 'f', strrchr(copy, '/') + 1, entry->d_name);
    }
    if (folder) closedir(folder);
    if (list) fclose(list);
    rename(fresh, target);
}

static void note(int file, const char *path) {
    char target[4096];
    struct statx status;
    if (copy_name(file, "", AT_EMPTY_PATH, target, sizeof target, &status) != 0) return;
    if (S_ISDIR(status.stx_mode)) note_folder(path, target);
    if (S_ISREG(status.stx_mode)) note_file(path, target, (off_t)status.stx_size);
}

static int note_found(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)place;
    int file = kind == FTW_F || kind == FTW_D ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) note(file, path), close(file);
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    char mark[4200];
    root = getenv("WEIR_TEST_DURABLE_ROOT");
    store = getenv("WEIR_TEST_DURABLE_STORE");
    if (!root || !store) return;
    snprintf(mark, sizeof mark, "%s/begun", store);
    if (access(mark, F_OK) == 0) return;
    nftw(root, note_found, 16, FTW_PHYS);
    int file = open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
}

static void synced(int file) {
    char link[64], path[4096];
    if (!root || !store) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    size_t prefix = strlen(root);
    if (strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != 0)) return;
    // The canary's broken disk keeps nothing of the database's log.
    if (getenv("WEIR_TEST_DURABLE_LIES") && length > 4 && !strcmp(path + length - 4, ".log")) return;
    pthread_mutex_lock(&lock);
    note(file, path);
    pthread_mutex_unlock(&lock);
}

int fsync(int file) {
    synced(file);
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    synced(file);
    return (int)syscall(SYS_fdatasync, file);
}
