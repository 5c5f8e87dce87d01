#define _GNU_SOURCE // pipe2
#include "cli/ssh_sign.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/sshsig.h"

// The pipes to and from the child, closed on exec: the child gets copies as its standard input and output.
struct pipes {
    int in[2], out[2];
};

static void close_fd(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void pipes_close(struct pipes *p) {
    close_fd(&p->in[0]);
    close_fd(&p->in[1]);
    close_fd(&p->out[0]);
    close_fd(&p->out[1]);
}

static enum mlt_status pipes_open(struct pipes *p, struct mlt_error *err) {
    *p = (struct pipes){{-1, -1}, {-1, -1}};
    if (pipe2(p->in, O_CLOEXEC) != 0 || pipe2(p->out, O_CLOEXEC) != 0) {
        enum mlt_status status = mlt_fail_errno(err, errno, NULL, "cannot make a pipe to ssh-keygen");
        pipes_close(p);
        return status;
    }
    return MLT_OK;
}

static enum mlt_status start(pid_t *pid, const struct pipes *p, const char *key_file, const char *name_space,
                             struct mlt_error *err) {
    const char *const argv[] = {"ssh-keygen", "-Y", "sign", "-q", "-n", name_space, "-f", key_file, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t defaults;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE); // ignored here, and would be there
    if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&attr) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no memory to start ssh-keygen");
    }
    int failed = posix_spawn_file_actions_adddup2(&files, p->in[0], STDIN_FILENO);
    failed = failed ? failed : posix_spawn_file_actions_adddup2(&files, p->out[1], STDOUT_FILENO);
    failed = failed ? failed : posix_spawnattr_setsigdefault(&attr, &defaults);
    failed = failed ? failed : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    failed = failed ? failed : posix_spawnp(pid, argv[0], &files, &attr, (char *const *)argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    (void)posix_spawnattr_destroy(&attr);
    if (failed == ENOENT) {
        return mlt_fail(err, MLT_NOTFOUND, "ssh-keygen is not installed; install OpenSSH's client (openssh-client)");
    }
    return failed ? mlt_fail_errno(err, failed, NULL, "cannot start ssh-keygen") : MLT_OK;
}

// A child that ends early takes no more: what it then says counts.
static void write_all(int fd, struct mlt_bytes message) {
    while (message.len > 0) {
        ssize_t some = write(fd, message.ptr, message.len);
        if (some < 0 && errno != EINTR) {
            return;
        }
        if (some > 0) {
            message = mlt_bytes_of(message.ptr + some, message.len - (size_t)some);
        }
    }
}

// At most one byte more than a signature can have, so that a longer answer is seen to be none.
static void read_all(int fd, struct mlt_buf *out) {
    uint8_t some[1024];
    size_t left = MLT_SSHSIG_ARMOURED_MAX + 1;
    while (left > 0) {
        ssize_t got = read(fd, some, left < sizeof some ? left : sizeof some);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return;
        }
        if (got > 0) {
            mlt_buf_put(out, some, (size_t)got);
            left -= (size_t)got;
        }
    }
}

static enum mlt_status finish(pid_t pid, struct mlt_error *err) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return mlt_fail_errno(err, errno, NULL, "cannot wait for ssh-keygen");
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) { // where the C library starts it through a shell's convention
        return mlt_fail(err, MLT_NOTFOUND, "ssh-keygen is not installed; install OpenSSH's client (openssh-client)");
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? MLT_OK
               : mlt_fail(err, MLT_DENIED, "ssh-keygen made no signature; nothing was appended");
}

enum mlt_status mlt_ssh_sign(struct mlt_buf *out, const char *key_file, const char *name_space,
                             struct mlt_bytes message, struct mlt_error *err) {
    struct pipes p;
    pid_t pid;
    enum mlt_status status = pipes_open(&p, err);
    if (status != MLT_OK) {
        return status;
    }
    status = start(&pid, &p, key_file, name_space, err);
    if (status == MLT_OK) {
        close_fd(&p.in[0]);
        close_fd(&p.out[1]);
        write_all(p.in[1], message); // ssh-keygen reads all of it before it writes
        close_fd(&p.in[1]);
        read_all(p.out[0], out);
        close_fd(&p.out[0]);
        status = finish(pid, err);
    }
    pipes_close(&p);
    return status == MLT_OK && out->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a signature") : status;
}
