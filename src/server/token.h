// Bearer tokens and certificate grants: <state>/tokens.json and <state>/certs.json, read again when they change.
//
//   tokens.json
//   {"tokens":[{"name":N,"sha256":hex,"created":T,"expires":T|null,"rights":[…],"payloads":bool,"kinds":[…],
//                "models":[…],"datasets":[…]}…]}
//   certs.json   {"certs":[{"subject":"CN=…","rights":[…],…}…]}
//
// A token is 32 random bytes, so its hash gives nothing away and a look-up that compares hashes may take any time: who
// sends guesses learns about SHA-256 of guesses, not about the token.
#ifndef MLT_SERVER_TOKEN_H
#define MLT_SERVER_TOKEN_H

#include <pthread.h>

#include "server/api.h"

#define MLT_TOKENS_MAX 4096                            // more principals than one tenant has
#define MLT_TOKENS_FILE_MAX ((size_t)32 * 1024 * 1024) // MLT_TOKENS_MAX of them with every pattern used
#define MLT_TOKEN_PREFIX "mlt_"
#define MLT_TOKEN_SECRET_LEN 32

struct mlt_token {
    char name[128];
    uint8_t hash[MLT_HASH_LEN]; // certificates: of the subject
    int64_t created;
    int64_t expires; // 0: never
    struct mlt_grant grant;
};

// Sorted by hash. One writer (mlt_tokens_load), many readers.
struct mlt_tokens {
    pthread_rwlock_t lock;
    struct mlt_token *items;
    size_t num_items;
    uint8_t version[MLT_HASH_LEN]; // SHA-256 of the file that was read
};

enum mlt_status mlt_tokens_init(struct mlt_tokens *t, struct mlt_error *err) MLT_MUST_USE;
void mlt_tokens_clear(struct mlt_tokens *t);
// mlt_tokens_load reads <state>/<file> when it changed; `list` is its member ("tokens", "certs"). Without the file
// there are none. MLT_CORRUPT: the file is no such list; what was read before stays in force.
enum mlt_status mlt_tokens_load(struct mlt_tokens *t, struct mlt_env *env, const char *state_dir, const char *file,
                                const char *list, struct mlt_error *err) MLT_MUST_USE;
// mlt_tokens_find copies the token with this hash that has not expired at `now`.
bool mlt_tokens_find(struct mlt_tokens *t, const uint8_t hash[static MLT_HASH_LEN], int64_t now, struct mlt_token *out);

#endif
