// Listening sockets.
#ifndef MLT_HTTP_LISTEN_H
#define MLT_HTTP_LISTEN_H

#include "base/status.h"

#define MLT_LISTEN_BACKLOG 512 // connections that may wait while threads are busy

// mlt_listen_tcp listens on "host:port", "[v6]:port" or ":port" (all addresses). Not on loopback and not
// `allow_remote`: MLT_INVALID says what would be right. MLT_BUSY: the port is taken.
enum mlt_status mlt_listen_tcp(int *out_fd, unsigned *out_port, const char *address, bool allow_remote,
                               struct mlt_error *err) MLT_MUST_USE;
// mlt_listen_local listens on <dir>/sock, for this user alone; one left by a process that died is replaced (the trail's
// lock says that nobody serves it).
enum mlt_status mlt_listen_local(int *out_fd, const char *dir, struct mlt_error *err) MLT_MUST_USE;
// mlt_listen_socket listens on a socket of this path, with this mode. One that nobody listens on any more is replaced;
// MLT_BUSY: somebody does. MLT_INVALID: it is no socket, or its path is too long for one.
enum mlt_status mlt_listen_socket(int *out_fd, const char *path, unsigned mode, struct mlt_error *err) MLT_MUST_USE;

#endif
