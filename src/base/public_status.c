#include "base/public_status.h"

const char *mlt_public_status_name(enum mltrail_status status) {
    switch (status) {
    case MLTRAIL_OK:
        return "ok";
    case MLTRAIL_INVALID:
        return "invalid";
    case MLTRAIL_LIMIT:
        return "limit";
    case MLTRAIL_NOMEM:
        return "no-memory";
    case MLTRAIL_INTERNAL:
        return "internal";
    case MLTRAIL_IO:
        return "io";
    case MLTRAIL_NOSPACE:
        return "no-space";
    case MLTRAIL_TIMEOUT:
        return "timeout";
    case MLTRAIL_REJECTED:
        return "rejected";
    }
    return "unknown";
}
