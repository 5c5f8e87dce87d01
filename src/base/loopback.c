#include "base/loopback.h"

#include <string.h>
#include <strings.h>

static bool is(const char *host, size_t len, const char *name) {
    return len == strlen(name) && strncasecmp(host, name, len) == 0;
}

// 127. and three more numbers; a name such as 127.example.org is none.
static bool is_127(const char *host, size_t len) {
    size_t dots = 0;
    if (len < sizeof "127.0.0.1" - 1 || strncmp(host, "127.", 4) != 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (host[i] != '.' && (host[i] < '0' || host[i] > '9')) {
            return false;
        }
        dots += host[i] == '.';
    }
    return dots == 3;
}

bool mlt_loopback_url(const char *url) {
    const char *host = url ? strstr(url, "://") : NULL;
    if (!host) {
        return false;
    }
    host += 3;
    size_t len = strcspn(host, "/?#");
    for (size_t i = len; i > 0; i--) { // behind credentials
        if (host[i - 1] == '@') {
            host += i;
            len -= i;
            break;
        }
    }
    if (len > 0 && host[0] == '[') {
        const char *end = memchr(host, ']', len);
        return end && is(host, (size_t)(end - host) + 1, "[::1]");
    }
    const char *colon = len > 0 ? memchr(host, ':', len) : NULL;
    len = colon ? (size_t)(colon - host) : len;
    return is(host, len, "localhost") || is_127(host, len);
}
