// mltrail/status.h: what the libraries of mltrail return. docs/api-conventions.md has the reasons.
#ifndef MLTRAIL_STATUS_H
#define MLTRAIL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define MLTRAIL_API __attribute__((visibility("default")))
#define MLTRAIL_MUST_USE __attribute__((warn_unused_result))
#else
#define MLTRAIL_API
#define MLTRAIL_MUST_USE
#endif

#define MLTRAIL_ERROR_TEXT_LEN 1024

// Could it be done, or checked? A library returns those that its header names, and no others.
enum mltrail_status {
    MLTRAIL_OK = 0,
    MLTRAIL_INVALID,  // the input is not what it should be; the text says what would be right
    MLTRAIL_LIMIT,    // the input is over a limit of this library
    MLTRAIL_NOMEM,    // memory ran out; nothing changed
    MLTRAIL_INTERNAL, // a mistake in this library
    MLTRAIL_IO,       // the system or the network failed
    MLTRAIL_NOSPACE,  // the spool or the disk is full; may be tried again
    MLTRAIL_TIMEOUT,  // not in the time that was given
    MLTRAIL_REJECTED, // the server refused it for good
};

struct mltrail_error {
    enum mltrail_status status;
    char text[MLTRAIL_ERROR_TEXT_LEN]; // one sentence, cut if longer, always terminated
};

#endif
