// Whether a URL leads to this machine by its name alone, without resolving it.
#ifndef MLT_BASE_LOOPBACK_H
#define MLT_BASE_LOOPBACK_H

#include <stdbool.h>

// mlt_loopback_url is true for SCHEME://[USER@]HOST[:PORT][/...] whose host is localhost, 127.0.0.0/8 or [::1]. Such a
// URL is never sent through a proxy that the environment names: for that one, localhost is another machine.
bool mlt_loopback_url(const char *url);

#endif
