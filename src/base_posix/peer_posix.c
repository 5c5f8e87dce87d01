#ifndef _GNU_SOURCE
#define _GNU_SOURCE // struct ucred
#endif
#include "base_posix/peer_posix.h"

#include <sys/socket.h>

bool mlt_peer_uid(int fd, uid_t *uid) {
    pid_t pid;
    return mlt_peer_process(fd, uid, &pid);
}

bool mlt_peer_process(int fd, uid_t *uid, pid_t *pid) {
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0 || len != sizeof who) {
        return false;
    }
    *uid = who.uid;
    *pid = who.pid;
    return true;
}
