// mltrail/client.h: log predictions and other records from a serving process.
//
// A record that was logged is on disk before the call returns, in a spool (docs/FORMAT.md, "Spool"), and a thread of
// the library sends it to the server: now, or when the server is there again, or by whichever process opens the spool
// next. Nothing else is needed than libcurl and zlib. A program that may not wait for a disk uses MLTRAIL_FIRE; one
// that may not go on without a receipt uses MLTRAIL_SYNC.
//
// Conventions (docs/api-conventions.md has the reasons):
//
//   * Functions return whether it could be done; `err` belongs to the caller and may be NULL.
//   * Pointers are borrowed for the call; nothing that is passed in is kept.
//   * A client may be used by several threads at once. After a fork the child uses it as well: it then has a stream of
//     its own.
#ifndef MLTRAIL_CLIENT_H
#define MLTRAIL_CLIENT_H

#include <mltrail/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MLTRAIL_STREAM_LEN 32                 // a stream's name with its terminator
#define MLTRAIL_LEAF_LEN 65                   // a leaf hash in hexadecimal with its terminator
#define MLTRAIL_CHECKPOINT_LEN 4096           // a signed tree head with its terminator
#define MLTRAIL_RECORD_MAX (20 * 1024 * 1024) // bytes of one record

// mltrail_client_version returns the version of the library, e.g. "0.1.0". The text is static.
MLTRAIL_API const char *mltrail_client_version(void);

// mltrail_client_status_name returns a stable word for a status: "ok", "invalid", "limit", "no-memory", "internal",
// "io", "no-space", "timeout", "rejected"; "unknown" for other numbers.
MLTRAIL_API const char *mltrail_client_status_name(enum mltrail_status status);

// ---- options ----

enum mltrail_client_mode {
    MLTRAIL_SPOOL = 0, // a record is logged when it is in the spool
    MLTRAIL_SYNC,      // ... when the server gave the receipt; it is in the spool before
    MLTRAIL_FIRE,      // ... when it is in memory: it may be lost with the process, or when memory is full
};

enum mltrail_on_full {
    MLTRAIL_BLOCK = 0, // wait for space, at most `full_wait_ms`, then MLTRAIL_NOSPACE
    MLTRAIL_ERROR,     // MLTRAIL_NOSPACE at once
    MLTRAIL_DROP,      // drop it and say MLTRAIL_OK; a prediction's number is taken, so that its gap shows
};

// All zero but for `url` and `spool_dir` is a good choice.
struct mltrail_client_options {
    const char *url;          // http://HOST:PORT, https://HOST:PORT or unix:///PATH/TO/sock: a server or an agent
    const char *token;        // bearer token; NULL: none
    const char *token_file;   // or a file with it; NULL: none
    const char *cacert;       // PEM file of the authorities for https; NULL: the system's
    const char *spool_dir;    // made if it is not there (0700); needed but for MLTRAIL_FIRE
    const char *serving_node; // NULL: the host's name
    enum mltrail_client_mode mode;
    enum mltrail_on_full on_full;
    uint64_t spool_max;    // bytes of this process's stream, 65536 or more; 0: 1 GiB (MLTRAIL_FIRE: 64 MiB)
    uint32_t sync_ms;      // at most how long what was logged may be lost to a power loss; 0: 100
    bool sync_each;        // fdatasync before each call returns, whatever `sync_ms` says
    uint32_t full_wait_ms; // of MLTRAIL_BLOCK; 0: 10000
    uint32_t wait_ms;      // of MLTRAIL_SYNC: how long a receipt is waited for; 0: 30000
    bool no_adoption;      // leave the streams of processes that died to others
};

// ---- a client ----

struct mltrail_client;

// mltrail_client_open makes a stream in the spool and starts the threads that empty it. It does not wait for a server.
// Streams that processes left there when they died are sent as well, and closed by their final tally.
//
// MLTRAIL_INVALID: an option is not what it should be. MLTRAIL_IO, MLTRAIL_NOSPACE: the spool cannot be written.
MLTRAIL_API enum mltrail_status mltrail_client_open(struct mltrail_client **out,
                                                    const struct mltrail_client_options *options,
                                                    struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_client_close closes the stream by its tally, sends until everything is at the server or `timeout_ms` is over,
// and frees the client. NULL is accepted.
//
// MLTRAIL_TIMEOUT: not everything was sent; the text says how much. It stays in the spool, and is sent by the next
// process that opens it, or by `mltrail agent --adopt`. In MLTRAIL_FIRE it is lost.
MLTRAIL_API enum mltrail_status mltrail_client_close(struct mltrail_client *client, uint32_t timeout_ms,
                                                     struct mltrail_error *err);

// ---- logging ----

// What is known of a record that was logged.
struct mltrail_receipt {
    char stream[MLTRAIL_STREAM_LEN];
    uint64_t frame;    // its number in the stream, from 1; 0: it was dropped
    uint64_t sequence; // a prediction's, from 1; 0: the library gave it none
    bool in_log;       // MLTRAIL_SYNC: the server has it, and what follows is set
    bool duplicate;    // it had it already
    uint64_t index;
    uint64_t tree_size;
    char leaf[MLTRAIL_LEAF_LEN];
    char checkpoint[MLTRAIL_CHECKPOINT_LEN]; // empty when it does not fit
};

// mltrail_client_log logs one record: a JSON object as POST /v1/records takes it (docs/RECORDS.md). A prediction that
// has neither stream nor sequence gets `serving_node`, `stream` and the next `sequence`; a record that a retry could
// not be known by gets an `event_id`. `receipt` may be NULL.
//
// MLTRAIL_INVALID, MLTRAIL_LIMIT: the record is not what it should be; the text names the member and what would be
// right. MLTRAIL_NOSPACE, MLTRAIL_IO: it is not logged; a prediction's number is taken all the same, and counted as
// lost. MLTRAIL_TIMEOUT (MLTRAIL_SYNC): it is in the spool, and the receipt did not come in time. MLTRAIL_REJECTED
// (MLTRAIL_SYNC): the server refused it, and the text says why.
MLTRAIL_API enum mltrail_status mltrail_client_log(struct mltrail_client *client, struct mltrail_receipt *receipt,
                                                   const void *record, size_t record_len,
                                                   struct mltrail_error *err) MLTRAIL_MUST_USE;

// A prediction by its members. Texts are UTF-8; values are JSON. NULL: the member is left out, but for `request_id` and
// `timestamp`, which are made: a random one, and now.
struct mltrail_prediction {
    const char *request_id; // opaque: it stands readable in the log
    const char *timestamp;  // RFC 3339
    const char *model;
    const char *model_version;
    const char *model_artifact_hash; // "sha256:..."
    const char *feature_values;      // JSON
    const char *prediction;          // JSON
    const char *deployment;          // JSON object with environment, region, endpoint, variant
    const char *subject;
    const char *members; // a JSON object whose members are added to these
};
MLTRAIL_API enum mltrail_status mltrail_client_log_prediction(struct mltrail_client *client,
                                                              struct mltrail_receipt *receipt,
                                                              const struct mltrail_prediction *prediction,
                                                              struct mltrail_error *err) MLTRAIL_MUST_USE;

// mltrail_client_flush waits until what this process logged is at the server, or was refused by it.
//
// MLTRAIL_TIMEOUT: not in this time; the text says why, if the server is what is in the way.
MLTRAIL_API enum mltrail_status mltrail_client_flush(struct mltrail_client *client, uint32_t timeout_ms,
                                                     struct mltrail_error *err);

// ---- what became of it ----

struct mltrail_client_stats {
    uint64_t logged;    // by this process
    uint64_t sent;      // accepted by the server, streams of dead processes included
    uint64_t rejected;  // refused for good: they are in <spool_dir>/rejected.ndjson
    uint64_t lost;      // dropped, or missing in what a dead process left
    uint64_t damaged;   // places of the spool that could not be read
    uint64_t adopted;   // streams of dead processes that were taken over
    uint64_t pending;   // records that are not at the server
    uint64_t bytes;     // of the spool that is in use
    uint64_t oldest_ms; // how long the oldest of the pending waits, about
    uint64_t failures;  // exchanges with the server that are tried again
    bool up;            // the last exchange succeeded, or there was none
    char error[256];    // why not
};
MLTRAIL_API void mltrail_client_get_stats(struct mltrail_client *client, struct mltrail_client_stats *out);

// mltrail_client_stream returns the name of this process's stream; valid until the client is closed, or used after a
// fork.
MLTRAIL_API const char *mltrail_client_stream(struct mltrail_client *client);

#ifdef __cplusplus
}
#endif

#endif
