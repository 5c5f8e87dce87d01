// Request headers as a list, for what asks for them by name.
#ifndef TEST_HEADERS_H
#define TEST_HEADERS_H

#include <stddef.h>
#include <strings.h>

struct named {
    const char *name, *value;
};

// The value of a header in a list that ends with a NULL name; NULL: not sent.
static inline const char *headers_find(const struct named *headers, const char *name) {
    for (; headers->name != NULL; headers++) {
        if (strcasecmp(headers->name, name) == 0) {
            return headers->value;
        }
    }
    return NULL;
}

#endif
