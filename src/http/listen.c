#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Takes "host:port" apart.
static enum mlt_status split(const char *address, char host[static 256], char port[static 16], struct mlt_error *err) {
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    const char *start = address;
    if (colon && len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        start++;
        len -= 2;
    } else if (colon && memchr(address, ':', len)) {
        colon = NULL; // a bare IPv6 address
    }
    if (!colon || len >= 256 || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return mlt_fail(err, MLT_INVALID,
                        "\"%s\" is no address to listen on; write host:port, [v6 address]:port or :port", address);
    }
    memcpy(host, start, len);
    host[len] = '\0';
    (void)snprintf(port, 16, "%s", colon + 1);
    return MLT_OK;
}

static bool is_loopback(const struct sockaddr *sa) {
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)sa;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static unsigned port_of(int fd) {
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        return 0;
    }
    return ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
                                         : ((struct sockaddr_in6 *)&sa)->sin6_port);
}

static enum mlt_status prepare(int fd, struct mlt_error *err) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        return mlt_fail_errno(err, errno, NULL, "prepare the listening socket");
    }
    return MLT_OK;
}

static enum mlt_status bind_tcp(int fd, const struct addrinfo *ai, const char *address, struct mlt_error *err) {
    int on = 1;
    int off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ai->ai_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        if (errno == EADDRINUSE) {
            return mlt_fail(err, MLT_BUSY, "%s is taken by another process; stop it or listen on another port (0: any)",
                            address);
        }
        return mlt_fail_errno(err, errno, NULL, "listen on %s", address);
    }
    return prepare(fd, err);
}

enum mlt_status mlt_listen_tcp(int *out_fd, unsigned *out_port, const char *address, bool allow_remote,
                               struct mlt_error *err) {
    char host[256];
    char port[16];
    *out_fd = -1;
    enum mlt_status status = split(address, host, port, err);
    if (status != MLT_OK) {
        return status;
    }
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host[0] ? host : NULL, port, &hints, &list);
    if (rc != 0) {
        return mlt_fail(err, MLT_INVALID, "cannot listen on %s: %s", address, gai_strerror(rc));
    }
    if (!allow_remote && !is_loopback(list->ai_addr)) {
        freeaddrinfo(list);
        return mlt_fail(err, MLT_INVALID,
                        "%s is not a loopback address, and plain HTTP can be read and changed on the way; give a TLS "
                        "certificate and key, or say --insecure when something in front does TLS",
                        address);
    }
    int fd = socket(list->ai_family, SOCK_STREAM, 0);
    status = fd < 0 ? mlt_fail_errno(err, errno, NULL, "make a socket") : bind_tcp(fd, list, address, err);
    freeaddrinfo(list);
    if (status == MLT_OK && listen(fd, MLT_LISTEN_BACKLOG) != 0) {
        status = errno == EADDRINUSE ? mlt_fail(err, MLT_BUSY, "%s is taken by another process", address)
                                     : mlt_fail_errno(err, errno, NULL, "listen on %s", address);
    }
    if (status != MLT_OK) {
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    *out_fd = fd;
    *out_port = port_of(fd);
    return MLT_OK;
}

// A socket's address is short; a directory whose path is longer is reached through its descriptor.
static int local_address(struct sockaddr_un *sa, const char *dir) {
    memset(sa, 0, sizeof *sa);
    sa->sun_family = AF_UNIX;
    if ((size_t)snprintf(sa->sun_path, sizeof sa->sun_path, "%s/sock", dir) < sizeof sa->sun_path) {
        return -1;
    }
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(sa->sun_path, sizeof sa->sun_path, "/proc/self/fd/%d/sock", dir_fd);
    return dir_fd;
}

enum mlt_status mlt_listen_local(int *out_fd, const char *dir, struct mlt_error *err) {
    struct sockaddr_un sa;
    *out_fd = -1;
    int dir_fd = local_address(&sa, dir);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    enum mlt_status status = fd < 0 ? mlt_fail_errno(err, errno, NULL, "make a socket") : prepare(fd, err);
    if (status == MLT_OK) {
        unlink(sa.sun_path);
        // Until listen nobody can connect, so the mode is in force before anybody could.
        if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || chmod(sa.sun_path, S_IRUSR | S_IWUSR) != 0 ||
            listen(fd, MLT_LISTEN_BACKLOG) != 0) {
            status = mlt_fail_errno(err, errno, NULL, "listen on %s/sock", dir);
        }
    }
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    if (status != MLT_OK && fd >= 0) {
        close(fd);
    }
    *out_fd = status == MLT_OK ? fd : -1;
    return status;
}

// What an earlier process left goes; a file that is no socket, or a socket with somebody behind it, stays.
static enum mlt_status clear_way(const struct sockaddr_un *sa, struct mlt_error *err) {
    struct stat st;
    if (lstat(sa->sun_path, &st) != 0) {
        return MLT_OK;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return mlt_fail(err, MLT_INVALID, "%s is there and is no socket; give another path", sa->sun_path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    bool taken = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0;
    if (fd >= 0) {
        close(fd);
    }
    if (taken) {
        return mlt_fail(err, MLT_BUSY, "another process listens on %s", sa->sun_path);
    }
    return unlink(sa->sun_path) == 0 ? MLT_OK : mlt_fail_errno(err, errno, NULL, "replace %s", sa->sun_path);
}

enum mlt_status mlt_listen_socket(int *out_fd, const char *path, unsigned mode, struct mlt_error *err) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    *out_fd = -1;
    if (strlen(path) >= sizeof sa.sun_path) {
        return mlt_fail(err, MLT_INVALID, "the path of a socket has at most %zu bytes, this one %zu",
                        sizeof sa.sun_path - 1, strlen(path));
    }
    memcpy(sa.sun_path, path, strlen(path) + 1);
    enum mlt_status status = clear_way(&sa, err);
    int fd = status == MLT_OK ? socket(AF_UNIX, SOCK_STREAM, 0) : -1;
    if (status == MLT_OK) {
        status = fd < 0 ? mlt_fail_errno(err, errno, NULL, "make a socket") : prepare(fd, err);
    }
    // Until listen nobody can connect, so the mode is in force before anybody could.
    if (status == MLT_OK && (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || chmod(path, (mode_t)mode) != 0 ||
                             listen(fd, MLT_LISTEN_BACKLOG) != 0)) {
        status = mlt_fail_errno(err, errno, NULL, "listen on %s", path);
    }
    if (status != MLT_OK && fd >= 0) {
        close(fd);
    }
    *out_fd = status == MLT_OK ? fd : -1;
    return status;
}
