#include "crypto/timestamp.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "crypto/provider.h"

#define CERTS_MAX 64   // inside a token: a chain has two to four, and every candidate costs a signature check
#define CHAIN_DEPTH 10 // intermediates; practice knows three
#define AUTH_LEVEL 1   // at least 80 bits: no MD5, no SHA-1, no RSA below 1024 in a chain

struct mlt_timestamp_roots {
    STACK_OF(X509) * certs;
};

// -- verdicts ---------------------------------------------------------------------------------------------------------

static void judge_false(struct mlt_timestamp_verdict *verdict, const char *fmt, ...) MLT_PRINTF(2, 3);
static void judge_false(struct mlt_timestamp_verdict *verdict, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    verdict->good = false;
    (void)vsnprintf(verdict->why, sizeof verdict->why, fmt, args);
    va_end(args);
}

// judge_by_library takes the reason that OpenSSL gives, and empties its queue.
static void judge_by_library(struct mlt_timestamp_verdict *verdict, const char *what) {
    const char *data = NULL;
    int flags = 0;
    unsigned long code = ERR_peek_last_error_data(&data, &flags);
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    bool has_data = data && (flags & ERR_TXT_STRING) && data[0];
    judge_false(verdict, "%s: %s%s%s", what, reason ? reason : "no reason given", has_data ? ": " : "",
                has_data ? data : "");
    ERR_clear_error();
}

// -- reading a token --------------------------------------------------------------------------------------------------

static PKCS7 *decode_token(struct mlt_bytes token) {
    const uint8_t *at = token.ptr;
    PKCS7 *p7 = token.len > 0 && token.len <= MLT_TIMESTAMP_MAX ? d2i_PKCS7(NULL, &at, (long)token.len) : NULL;
    if (p7 && at != token.ptr + token.len) { // bytes after the token are signed by nobody
        PKCS7_free(p7);
        p7 = NULL;
    }
    return p7;
}

// read_time takes GeneralizedTime as RFC 3161 section 2.4.2 restricts it: YYYYMMDDhhmmss[.f…]Z.
static bool read_time(int64_t *out, const ASN1_GENERALIZEDTIME *time) {
    char text[64];
    const char *digits = (const char *)ASN1_STRING_get0_data(time);
    int len = ASN1_STRING_length(time);
    if (!digits || len < 15 || len > 40 || digits[len - 1] != 'Z') {
        return false;
    }
    (void)snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s%.*s", digits, digits + 4, digits + 6, digits + 8,
                   digits + 10, digits + 12, len - 14, digits + 14);
    return mlt_time_parse(out, mlt_str(text));
}

static bool read_part(const ASN1_INTEGER *part, int64_t unit, int64_t most, int64_t *sum) {
    int64_t value = 0;
    if (part && (!ASN1_INTEGER_get_int64(&value, part) || value < 0 || value > most)) {
        return false;
    }
    *sum += value * unit;
    return true;
}

static bool read_accuracy(struct mlt_timestamp *out, TS_ACCURACY *accuracy) {
    out->accuracy_ns = 0;
    out->has_accuracy = accuracy != NULL;
    return !accuracy || (read_part(TS_ACCURACY_get_seconds(accuracy), MLT_NS_PER_S, 1000000000, &out->accuracy_ns) &&
                         read_part(TS_ACCURACY_get_millis(accuracy), 1000000, 999, &out->accuracy_ns) &&
                         read_part(TS_ACCURACY_get_micros(accuracy), 1000, 999, &out->accuracy_ns));
}

static bool read_serial(char *out, size_t cap, const ASN1_INTEGER *serial) {
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    bool fits = hex && strlen(hex) < cap;
    if (fits) {
        (void)snprintf(out, cap, "%s", hex);
    }
    OPENSSL_free(hex);
    BN_free(number);
    return fits;
}

static bool read_imprint(uint8_t out[static MLT_HASH_LEN], TS_MSG_IMPRINT *imprint) {
    const ASN1_OBJECT *algorithm = NULL;
    X509_ALGOR_get0(&algorithm, NULL, NULL, TS_MSG_IMPRINT_get_algo(imprint));
    const ASN1_OCTET_STRING *hash = TS_MSG_IMPRINT_get_msg(imprint);
    if (OBJ_obj2nid(algorithm) != NID_sha256 || ASN1_STRING_length(hash) != MLT_HASH_LEN) {
        return false;
    }
    memcpy(out, ASN1_STRING_get0_data(hash), MLT_HASH_LEN);
    return true;
}

// print_name writes an RFC 2253 name; bytes that are no UTF-8 are escaped.
static void print_name(char *out, size_t cap, const X509_NAME *name) {
    static const unsigned long forms[] = {XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB, XN_FLAG_RFC2253};
    out[0] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0] && !out[0]; i++) {
        BIO *text = BIO_new(BIO_s_mem());
        char *data = NULL;
        long len = text && X509_NAME_print_ex(text, name, 0, forms[i]) >= 0 ? BIO_get_mem_data(text, &data) : 0;
        if (len > 0 && (size_t)len < cap && mlt_utf8_valid(mlt_bytes_of(data, (size_t)len)) &&
            !memchr(data, '\0', (size_t)len)) {
            memcpy(out, data, (size_t)len);
            out[len] = '\0';
        }
        BIO_free(text);
    }
}

static void read_authority(char *out, size_t cap, PKCS7 *p7) {
    STACK_OF(X509) *signers = PKCS7_get0_signers(p7, NULL, 0);
    out[0] = '\0';
    if (sk_X509_num(signers) == 1) {
        print_name(out, cap, X509_get_subject_name(sk_X509_value(signers, 0)));
    }
    sk_X509_free(signers);
}

// read_info reads a decoded token; false: it is none of ours, `*why` says which part.
static bool read_info(struct mlt_timestamp *out, PKCS7 *p7, const char **why) {
    // PKCS7_to_TS_TST_INFO looks into the signed data: a token of another content type has none.
    TS_TST_INFO *info = PKCS7_type_is_signed(p7) ? PKCS7_to_TS_TST_INFO(p7) : NULL;
    *out = (struct mlt_timestamp){0};
    *why = NULL;
    if (!info) {
        *why = "it holds no time-stamp";
    } else if (TS_TST_INFO_get_version(info) != 1) {
        *why = "its version is not 1";
    } else if (!read_imprint(out->imprint, TS_TST_INFO_get_msg_imprint(info))) {
        *why = "what it stamps is no SHA-256 hash";
    } else if (!read_time(&out->gen_time, TS_TST_INFO_get_time(info))) {
        *why = "its time is not of the form YYYYMMDDhhmmss[.f]Z (RFC 3161 section 2.4.2)";
    } else if (!read_accuracy(out, TS_TST_INFO_get_accuracy(info))) {
        *why = "its accuracy is out of range";
    } else if (!read_serial(out->serial, sizeof out->serial, TS_TST_INFO_get_serial(info))) {
        *why = "its serial number has more than 160 bits";
    } else if (OBJ_obj2txt(out->policy, sizeof out->policy, TS_TST_INFO_get_policy_id(info), 1) >=
               (int)sizeof out->policy) {
        *why = "its policy is too long";
    } else {
        read_authority(out->authority, sizeof out->authority, p7);
    }
    TS_TST_INFO_free(info);
    ERR_clear_error();
    return *why == NULL;
}

enum mlt_status mlt_timestamp_read(struct mlt_timestamp *out, struct mlt_bytes token, struct mlt_error *err) {
    *out = (struct mlt_timestamp){0};
    if (token.len > MLT_TIMESTAMP_MAX) {
        return mlt_fail(err, MLT_LIMIT, "a token of %zu bytes; at most %zu are read", token.len, MLT_TIMESTAMP_MAX);
    }
    const char *why = "it is no DER of a signed message, or bytes follow it";
    PKCS7 *p7 = decode_token(token);
    bool read = p7 && read_info(out, p7, &why);
    PKCS7_free(p7);
    ERR_clear_error();
    return read ? MLT_OK : mlt_fail(err, MLT_INVALID, "this is no time-stamp token: %s", why);
}

// -- asking -----------------------------------------------------------------------------------------------------------

static bool set_imprint(TS_REQ *request, const uint8_t imprint[static MLT_HASH_LEN]) {
    TS_MSG_IMPRINT *message = TS_MSG_IMPRINT_new();
    X509_ALGOR *algorithm = X509_ALGOR_new();
    uint8_t hash[MLT_HASH_LEN];
    memcpy(hash, imprint, sizeof hash); // OpenSSL takes it as not constant
    bool set = message && algorithm && X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
               TS_MSG_IMPRINT_set_algo(message, algorithm) && TS_MSG_IMPRINT_set_msg(message, hash, sizeof hash) &&
               TS_REQ_set_msg_imprint(request, message);
    X509_ALGOR_free(algorithm);
    TS_MSG_IMPRINT_free(message);
    return set;
}

static bool set_nonce(TS_REQ *request, const uint8_t nonce[static MLT_TIMESTAMP_NONCE_LEN]) {
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool set = number && ASN1_INTEGER_set_uint64(number, mlt_load_u64be(nonce)) && TS_REQ_set_nonce(request, number);
    ASN1_INTEGER_free(number);
    return set;
}

// make_request: `nonce` may be NULL. NULL: memory is out.
static TS_REQ *make_request(const uint8_t imprint[static MLT_HASH_LEN], const uint8_t *nonce) {
    TS_REQ *request = TS_REQ_new();
    if (request && TS_REQ_set_version(request, 1) && set_imprint(request, imprint) &&
        (!nonce || set_nonce(request, nonce)) && TS_REQ_set_cert_req(request, 1)) {
        return request;
    }
    TS_REQ_free(request);
    return NULL;
}

enum mlt_status mlt_timestamp_request(struct mlt_buf *out, const uint8_t imprint[static MLT_HASH_LEN],
                                      const uint8_t nonce[static MLT_TIMESTAMP_NONCE_LEN], struct mlt_error *err) {
    TS_REQ *request = make_request(imprint, nonce);
    uint8_t *der = NULL;
    int len = request ? i2d_TS_REQ(request, &der) : -1;
    TS_REQ_free(request);
    if (len <= 0) {
        return mlt_provider_fail(err, MLT_NOMEM, "make a time-stamp request");
    }
    mlt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    return out->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a time-stamp request") : MLT_OK;
}

// -- an answer --------------------------------------------------------------------------------------------------------

// refusal_text takes the authority's own words, as far as they are printable.
static void refusal_text(char *out, size_t cap, TS_STATUS_INFO *info) {
    const STACK_OF(ASN1_UTF8STRING) *texts = TS_STATUS_INFO_get0_text(info);
    const ASN1_UTF8STRING *first =
        texts && sk_ASN1_UTF8STRING_num(texts) > 0 ? sk_ASN1_UTF8STRING_value(texts, 0) : NULL;
    size_t len = first ? (size_t)ASN1_STRING_length(first) : 0;
    const uint8_t *text = first ? ASN1_STRING_get0_data(first) : NULL;
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < cap; i++) {
        const bool printable = text[i] >= ' ' && text[i] < 0x7f;
        out[used++] = (char)(printable ? text[i] : '?');
    }
    out[used] = '\0';
}

static bool is_granted(TS_RESP *response, struct mlt_timestamp_verdict *verdict) {
    TS_STATUS_INFO *info = TS_RESP_get_status_info(response);
    int64_t status = -1;
    char text[200];
    if (!ASN1_INTEGER_get_int64(&status, TS_STATUS_INFO_get0_status(info)) || status < 0 || status > 1) {
        refusal_text(text, sizeof text, info);
        judge_false(verdict, "the authority did not grant it: status %lld%s%s", (long long)status, text[0] ? ": " : "",
                    text);
        return false;
    }
    return true;
}

// matches: version, imprint and nonce are those of the request (RFC 3161 section 2.4.2).
static bool matches(TS_RESP *response, TS_REQ *request, struct mlt_timestamp_verdict *verdict) {
    TS_VERIFY_CTX *ctx = TS_REQ_to_TS_VERIFY_CTX(request, NULL);
    if (ctx) {
        (void)TS_VERIFY_CTX_set_flags(ctx, TS_VFY_VERSION | TS_VFY_IMPRINT | TS_VFY_NONCE);
    }
    bool same = ctx && TS_RESP_verify_response(ctx, response) == 1;
    if (!same) {
        judge_by_library(verdict, "the answer does not fit the request");
    }
    TS_VERIFY_CTX_free(ctx);
    return same;
}

static bool has_few_certs(PKCS7 *p7, struct mlt_timestamp_verdict *verdict) {
    int num = PKCS7_type_is_signed(p7) && p7->d.sign ? sk_X509_num(p7->d.sign->cert) : 0;
    if (num > CERTS_MAX) {
        judge_false(verdict, "the token carries %d certificates; at most %d are looked at", num, CERTS_MAX);
    } else if (num <= 0) {
        judge_false(verdict, "the token carries no certificate; without one nobody can check it");
    }
    return num > 0 && num <= CERTS_MAX;
}

// is_signed: by the certificate inside, whoever vouches for that one.
static bool is_signed(PKCS7 *p7, struct mlt_timestamp_verdict *verdict) {
    bool good = PKCS7_verify(p7, NULL, NULL, NULL, NULL, PKCS7_NOVERIFY | PKCS7_BINARY) == 1;
    if (!good) {
        judge_by_library(verdict, "the token's signature is false");
    }
    return good;
}

static bool is_readable(PKCS7 *p7, struct mlt_timestamp *out, struct mlt_timestamp_verdict *verdict) {
    const char *why;
    bool read = read_info(out, p7, &why);
    if (!read) {
        judge_false(verdict, "this is no time-stamp token: %s", why);
    }
    return read;
}

static enum mlt_status put_token(struct mlt_buf *out, PKCS7 *p7, struct mlt_error *err) {
    uint8_t *der = NULL;
    int len = i2d_PKCS7(p7, &der);
    if (len <= 0) {
        return mlt_provider_fail(err, MLT_NOMEM, "encode a time-stamp token");
    }
    mlt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    return out->failed ? mlt_fail(err, MLT_NOMEM, "no memory for a time-stamp token") : MLT_OK;
}

static enum mlt_status check_answer(TS_RESP *response, TS_REQ *request, struct mlt_buf *token,
                                    struct mlt_timestamp_verdict *verdict, struct mlt_error *err) {
    struct mlt_timestamp says;
    if (!is_granted(response, verdict)) {
        return MLT_OK;
    }
    PKCS7 *p7 = TS_RESP_get_token(response);
    if (!p7) {
        judge_false(verdict, "the authority granted it, but sent no token");
        return MLT_OK;
    }
    if (!is_readable(p7, &says, verdict) || !matches(response, request, verdict) || !has_few_certs(p7, verdict) ||
        !is_signed(p7, verdict)) {
        return MLT_OK;
    }
    enum mlt_status status = put_token(token, p7, err);
    verdict->good = status == MLT_OK;
    return status;
}

enum mlt_status mlt_timestamp_answer(struct mlt_bytes response, const uint8_t imprint[static MLT_HASH_LEN],
                                     const uint8_t nonce[static MLT_TIMESTAMP_NONCE_LEN], struct mlt_buf *token,
                                     struct mlt_timestamp_verdict *verdict, struct mlt_error *err) {
    *verdict = (struct mlt_timestamp_verdict){.good = false};
    mlt_buf_reset(token);
    if (response.len == 0 || response.len > MLT_TIMESTAMP_MAX) {
        judge_false(verdict, "an answer of %zu bytes; it should have 1 to %zu", response.len, MLT_TIMESTAMP_MAX);
        return MLT_OK;
    }
    enum mlt_status status = MLT_OK;
    const uint8_t *at = response.ptr;
    TS_REQ *request = make_request(imprint, nonce);
    TS_RESP *parsed = d2i_TS_RESP(NULL, &at, (long)response.len);
    if (!request) {
        status = mlt_provider_fail(err, MLT_NOMEM, "make a time-stamp request");
    } else if (!parsed || at != response.ptr + response.len) {
        judge_false(verdict, "the answer is no time-stamp response (RFC 3161 section 2.4.2)");
    } else {
        status = check_answer(parsed, request, token, verdict, err);
    }
    TS_RESP_free(parsed);
    TS_REQ_free(request);
    ERR_clear_error();
    return status;
}

// -- verifying --------------------------------------------------------------------------------------------------------

enum mlt_status mlt_timestamp_roots_new(struct mlt_timestamp_roots **out, struct mlt_bytes pem, struct mlt_error *err) {
    *out = NULL;
    if (pem.len > MLT_TIMESTAMP_ROOTS_MAX) {
        return mlt_fail(err, MLT_LIMIT, "certificates of %zu bytes; at most %zu are read", pem.len,
                        MLT_TIMESTAMP_ROOTS_MAX);
    }
    struct mlt_timestamp_roots *roots = calloc(1, sizeof *roots);
    BIO *text = BIO_new_mem_buf(pem.len > 0 ? (const void *)pem.ptr : "", (int)pem.len);
    if (roots) {
        roots->certs = sk_X509_new_null();
    }
    bool ok = roots && roots->certs && text;
    X509 *cert = NULL;
    while (ok && (cert = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
        ok = sk_X509_push(roots->certs, cert) > 0;
        if (!ok) {
            X509_free(cert);
        }
    }
    // The end of the text reads as "no further block begins"; any other reason is a block that does not parse.
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    enum mlt_status status = MLT_OK;
    if (!ok) {
        status = mlt_fail(err, MLT_NOMEM, "no memory for certificates");
    } else if (!at_end) {
        status = mlt_provider_fail(err, MLT_INVALID, "a certificate in the list does not parse");
    } else if (sk_X509_num(roots->certs) == 0) {
        status = mlt_fail(err, MLT_INVALID, "there is no certificate in it; it should be PEM (-----BEGIN CERTIFICATE)");
    }
    ERR_clear_error();
    BIO_free(text);
    if (status != MLT_OK) {
        mlt_timestamp_roots_free(roots);
        return status;
    }
    *out = roots;
    return MLT_OK;
}

void mlt_timestamp_roots_free(struct mlt_timestamp_roots *roots) {
    if (roots) {
        sk_X509_pop_free(roots->certs, X509_free);
        free(roots);
    }
}

size_t mlt_timestamp_roots_count(const struct mlt_timestamp_roots *roots) {
    return (size_t)sk_X509_num(roots->certs);
}

// make_store trusts `roots` as of `gen_time`. NULL: memory is out.
static X509_STORE *make_store(const struct mlt_timestamp_roots *roots, int64_t gen_time) {
    X509_STORE *store = X509_STORE_new();
    bool ok = store != NULL;
    for (int i = 0; ok && i < sk_X509_num(roots->certs); i++) {
        ok = X509_STORE_add_cert(store, sk_X509_value(roots->certs, i)) == 1;
    }
    if (!ok) {
        X509_STORE_free(store);
        return NULL;
    }
    X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_time(param, (time_t)(gen_time / MLT_NS_PER_S));
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    return store;
}

// is_digest_strong: the signature over the token rests on its digest as the chain's do on theirs.
static bool is_digest_strong(PKCS7 *p7, struct mlt_timestamp_verdict *verdict) {
    static const int strong[] = {NID_sha256, NID_sha384, NID_sha512, NID_sha3_256, NID_sha3_384, NID_sha3_512};
    STACK_OF(PKCS7_SIGNER_INFO) *infos = PKCS7_get_signer_info(p7);
    const ASN1_OBJECT *algorithm = NULL;
    if (sk_PKCS7_SIGNER_INFO_num(infos) != 1) {
        judge_false(verdict, "the token has %d signers instead of one (RFC 3161 section 2.4.2)",
                    sk_PKCS7_SIGNER_INFO_num(infos));
        return false;
    }
    X509_ALGOR_get0(&algorithm, NULL, NULL, sk_PKCS7_SIGNER_INFO_value(infos, 0)->digest_alg);
    for (size_t i = 0; i < sizeof strong / sizeof strong[0]; i++) {
        if (OBJ_obj2nid(algorithm) == strong[i]) {
            return true;
        }
    }
    judge_false(verdict, "the token is signed over a digest that is too weak or unknown");
    return false;
}

// is_trusted: chain, purpose, binding of the certificate, signature, imprint, as OpenSSL judges them.
static enum mlt_status is_trusted(PKCS7 *p7, const struct mlt_timestamp *says,
                                  const uint8_t imprint[static MLT_HASH_LEN], const struct mlt_timestamp_roots *roots,
                                  struct mlt_timestamp_verdict *verdict, struct mlt_error *err) {
    TS_REQ *request = make_request(imprint, NULL);
    TS_VERIFY_CTX *ctx = request ? TS_REQ_to_TS_VERIFY_CTX(request, NULL) : NULL;
    X509_STORE *store = make_store(roots, says->gen_time);
    TS_REQ_free(request);
    if (!ctx || !store) {
        TS_VERIFY_CTX_free(ctx);
        X509_STORE_free(store);
        return mlt_provider_fail(err, MLT_NOMEM, "prepare to verify a time-stamp token");
    }
    (void)TS_VERIFY_CTX_set_store(ctx, store); // which it frees
    (void)TS_VERIFY_CTX_set_flags(ctx, TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_IMPRINT | TS_VFY_SIGNER);
    verdict->good = TS_RESP_verify_token(ctx, p7) == 1;
    if (!verdict->good) {
        judge_by_library(verdict, "the token does not verify");
    }
    TS_VERIFY_CTX_free(ctx);
    return MLT_OK;
}

enum mlt_status mlt_timestamp_verify(struct mlt_timestamp *out, struct mlt_bytes token,
                                     const uint8_t imprint[static MLT_HASH_LEN],
                                     const struct mlt_timestamp_roots *roots, struct mlt_timestamp_verdict *verdict,
                                     struct mlt_error *err) {
    struct mlt_timestamp says = {0};
    *verdict = (struct mlt_timestamp_verdict){.good = false};
    if (out) {
        *out = says;
    }
    enum mlt_status status = MLT_OK;
    PKCS7 *p7 = decode_token(token);
    if (!p7) {
        judge_false(verdict, "this is no time-stamp token: no DER of a signed message, too long, or bytes follow it");
    } else if (is_readable(p7, &says, verdict) && has_few_certs(p7, verdict) && is_digest_strong(p7, verdict)) {
        if (memcmp(says.imprint, imprint, MLT_HASH_LEN) != 0) {
            judge_false(verdict, "the token is for other bytes: its imprint is another hash");
        } else {
            status = is_trusted(p7, &says, imprint, roots, verdict, err);
        }
    }
    if (out && status == MLT_OK && verdict->good) {
        *out = says;
    }
    PKCS7_free(p7);
    ERR_clear_error();
    return status;
}
