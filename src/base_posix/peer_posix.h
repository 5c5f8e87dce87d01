// Who is at the other end of a local socket.
#ifndef MLT_BASE_POSIX_PEER_POSIX_H
#define MLT_BASE_POSIX_PEER_POSIX_H

#include <stdbool.h>
#include <sys/types.h>

// mlt_peer_uid tells the user of the process that connected to the Unix socket `fd`, as the kernel knows it.
bool mlt_peer_uid(int fd, uid_t *uid);
// mlt_peer_process tells its process as well.
bool mlt_peer_process(int fd, uid_t *uid, pid_t *pid);

#endif
