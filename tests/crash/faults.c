/* Put before libc (LD_PRELOAD): chosen calls fail, or kill the process, on chosen occasions.
 *
 * What is to fail stands in a file that the test holds mapped too (see faults.py), so that a fault can begin and
 * end while the house runs. A kill comes before the call, or, of a write, after half of its bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { FSYNC = 1, PWRITE = 2, WRITE = 4, FTRUNCATE = 8, RENAME = 16, UNLINK = 32, MKDIR = 64 };
enum { KILL = -1, KILL_IN_HALF = -2 };

struct control {
    int64_t calls, error, first, last, seen;
    char about[216];
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CRASH_CONTROL");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *found = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) control = found;
    close(fd);
}

static int ends_so(const char *path) {
    size_t have = strlen(path), want = strlen(control->about);
    return have >= want && strcmp(path + have - want, control->about) == 0;
}

static int is_about(int fd, const char *path) {
    char link[32], found[4096];
    if (!control->about[0]) return 1;
    if (path) return ends_so(path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, found, sizeof found - 1);
    if (length < 0) return 0;
    found[length] = 0;
    return ends_so(found);
}

/* 0: nothing happens to this call; else errno, or one of the kills. */
static int64_t met(int64_t call, int fd, const char *path) {
    if (!control || !(control->calls & call) || !is_about(fd, path)) return 0;
    int64_t nth = __sync_add_and_fetch(&control->seen, 1);
    if (nth < control->first || nth > control->last) return 0;
    if (control->error == KILL) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (control->error > 0) errno = (int)control->error;
    return control->error;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return met(FSYNC, fd, NULL) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return met(FSYNC, fd, NULL) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return met(FTRUNCATE, fd, NULL) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return met(FTRUNCATE, fd, NULL) ? -1 : REAL(ftruncate64)(fd, size); }
int rename(const char *from, const char *to) { return met(RENAME, -1, from) ? -1 : REAL(rename)(from, to); }
int unlink(const char *path) { return met(UNLINK, -1, path) ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return met(MKDIR, -1, path) ? -1 : REAL(mkdir)(path, mode); }

static void die_in_half(ssize_t written) {
    (void)written;
    kill(getpid(), SIGKILL);
    pause();
}

ssize_t write(int fd, const void *data, size_t size) {
    int64_t fault = met(WRITE, fd, NULL);
    if (fault == KILL_IN_HALF) die_in_half(REAL(write)(fd, data, size / 2));
    return fault ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    int64_t fault = met(PWRITE, fd, NULL);
    if (fault == KILL_IN_HALF) die_in_half(REAL(pwrite)(fd, data, size / 2, at));
    return fault ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    int64_t fault = met(PWRITE, fd, NULL);
    if (fault == KILL_IN_HALF) die_in_half(REAL(pwrite64)(fd, data, size / 2, at));
    return fault ? -1 : REAL(pwrite64)(fd, data, size, at);
}
