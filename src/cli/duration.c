#include "cli/duration.h"

bool mlt_duration_parse(int64_t *out_ns, const char *text) {
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ms", 1000000},
                 {"s", MLT_NS_PER_S},
                 {"m", 60 * MLT_NS_PER_S},
                 {"h", 3600 * MLT_NS_PER_S},
                 {"d", 86400 * MLT_NS_PER_S}};
    size_t digits = strspn(text, "0123456789");
    uint64_t count;
    if (!mlt_decimal_decode(&count, mlt_bytes_of(text, digits))) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + digits, units[i].unit) == 0 && count <= (uint64_t)(INT64_MAX / units[i].ns)) {
            *out_ns = (int64_t)count * units[i].ns;
            return true;
        }
    }
    return false;
}

bool mlt_byte_rate_parse(uint64_t *out, const char *text) {
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
    size_t digits = strspn(text, "0123456789");
    size_t len = strlen(text);
    uint64_t count;
    if (len > digits + 2 && strcmp(text + len - 2, "/s") == 0) {
        len -= 2;
    }
    if (!mlt_decimal_decode(&count, mlt_bytes_of(text, digits))) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (mlt_bytes_is(mlt_bytes_of(text + digits, len - digits), units[i].unit) &&
            count <= UINT64_MAX / units[i].bytes) {
            *out = count * units[i].bytes;
            return true;
        }
    }
    return false;
}
