// Linux system calls that Swift's Glibc module leaves out. No feature macro is set here: types that this and
// Swift's module both define would then differ, and which of them comes first is left to the build.
#pragma once
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>

/// Names the calling thread (pthread_setname_np(3), which glibc only declares to GNU sources).
static inline void weir_name_thread(const char *name) {
    extern int pthread_setname_np(pthread_t, const char *);
    (void)pthread_setname_np(pthread_self(), name);
}

/// Leaves a spawned program the descriptors 0 to 2 alone (posix_spawn_file_actions_addclosefrom_np(3)).
static inline void weir_spawn_close_others(posix_spawn_file_actions_t *actions) {
    extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
    (void)posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/// Lets all threads share `count` malloc arenas (mallopt(3)); the constant is a macro that Swift does not see.
static inline void weir_limit_arenas(int count) { (void)mallopt(M_ARENA_MAX, count); }
