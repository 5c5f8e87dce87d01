#include "crypto/provider.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_MD *sha256;
static EVP_CIPHER *aes256_gcm;
static pthread_key_t thread_key; // its only purpose is the destructor
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local EVP_MD_CTX *thread_digest;

void mlt_provider_die(const char *what) {
    char reason[256] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, reason, sizeof(reason));
    }
    (void)fprintf(stderr, "mltrail: the cryptographic library does not work: what=\"%s\" err=\"%s\"\n", what, reason);
    abort();
}

enum mlt_status mlt_provider_fail(struct mlt_error *err, enum mlt_status status, const char *what) {
    char reason[256] = "no reason given";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, reason, sizeof(reason));
    }
    ERR_clear_error();
    return mlt_fail(err, status, "%s: %s", what, reason);
}

static void free_thread_digest(void *ctx) {
    thread_digest = NULL;
    EVP_MD_CTX_free(ctx);
}

static void fetch_all(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!sha256 || !aes256_gcm) {
        mlt_provider_die("fetch SHA2-256 and AES-256-GCM");
    }
    if (pthread_key_create(&thread_key, free_thread_digest) != 0) {
        mlt_provider_die("create a thread-specific key");
    }
}

static void fetch_once(void) {
    if (pthread_once(&once, fetch_all) != 0) {
        mlt_provider_die("initialise once");
    }
}

const EVP_MD *mlt_provider_sha256(void) {
    fetch_once();
    return sha256;
}

const EVP_CIPHER *mlt_provider_aes256_gcm(void) {
    fetch_once();
    return aes256_gcm;
}

EVP_MD_CTX *mlt_provider_thread_digest(void) {
    if (!thread_digest) {
        fetch_once();
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        if (!ctx || pthread_setspecific(thread_key, ctx) != 0) {
            mlt_provider_die("create a digest context");
        }
        thread_digest = ctx;
    }
    return thread_digest;
}
