// Linux system calls that Swift's Glibc module leaves out.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>

/// Names the calling thread (pthread_setname_np(3), which glibc only declares to GNU sources).
static inline void weir_name_thread(const char *name) {
    extern int pthread_setname_np(pthread_t, const char *);
    (void)pthread_setname_np(pthread_self(), name);
}

/// Lets all threads share `count` malloc arenas (mallopt(3)); the constant is a macro that Swift does not see.
static inline void weir_limit_arenas(int count) { (void)mallopt(M_ARENA_MAX, count); }
