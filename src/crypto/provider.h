// What this layer keeps of OpenSSL: algorithms fetched once per process, one digest context per thread.
//
// A fetch by name on every use costs more than hashing a tree node does; the context costs an allocation.
#ifndef MLT_CRYPTO_PROVIDER_H
#define MLT_CRYPTO_PROVIDER_H

#include <openssl/evp.h>

#include "base/status.h"

// Never NULL: a library without these algorithms ends the process, since nothing can be proved without them.
const EVP_MD *mlt_provider_sha256(void);
const EVP_CIPHER *mlt_provider_aes256_gcm(void);

// mlt_provider_thread_digest returns this thread's digest context, which lives as long as the thread.
EVP_MD_CTX *mlt_provider_thread_digest(void);

// mlt_provider_die ends the process; `what` names the call that cannot fail in a working library.
MLT_NORETURN void mlt_provider_die(const char *what);

// mlt_provider_fail reports a refusal by OpenSSL, with its reason, and empties the thread's error queue.
enum mlt_status mlt_provider_fail(struct mlt_error *err, enum mlt_status status, const char *what);

#endif
