// A process's wall clock, set while it runs: loaded before the C library (LD_PRELOAD), it adds to every answer
// the seconds that the file WEIR_TEST_CLOCK holds (a little-endian 64-bit integer). The monotonic clock stays.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t offset(void) {
    static int file = -1;
    int64_t seconds = 0;
    if (file < 0 && getenv("WEIR_TEST_CLOCK")) file = open(getenv("WEIR_TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
    return file >= 0 && pread(file, &seconds, sizeof seconds, 0) == sizeof seconds ? seconds : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    int code = (int)syscall(SYS_clock_gettime, id, now);
    if (code == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    int code = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return code;
}

time_t time(time_t *where) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (where) *where = precise.tv_sec;
    return precise.tv_sec;
}
