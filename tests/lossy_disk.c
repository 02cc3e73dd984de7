/* A disk whose cache is lost: what a process had written by its last fsync of a file is kept beside it, as FILE.safe.

   cc -shared -fPIC -o lossy_disk.so lossy_disk.c -ldl; LD_PRELOAD=./lossy_disk.so program
   Only what fsync or fdatasync was asked to bring to the disk is in FILE.safe, as after a power cut at its worst. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(int fd) {
    char link[64], path[4096], safe[4200], part[4210], buffer[65536];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    struct stat about;
    if (length <= 0 || fstat(fd, &about) || !S_ISREG(about.st_mode)) return;
    path[length] = 0;
    snprintf(safe, sizeof safe, "%s.safe", path);
    snprintf(part, sizeof part, "%s.part", safe);
    int to = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to < 0) abort();
    ssize_t got;
    for (off_t at = 0; (got = pread(fd, buffer, sizeof buffer, at)) > 0; at += got)
        if (write(to, buffer, got) != got) abort();
    close(to);
    if (got < 0 || rename(part, safe)) abort(); /* a file that cannot be read back would make the test say nothing */
}

int fsync(int fd) {
    keep(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    keep(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
