#include "server/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

static enum mlt_status load(struct mlt_buf *out, struct mlt_env *env, const char *path, const char *begins,
                            struct mlt_error *err) {
    if (!path) {
        return MLT_OK;
    }
    enum mlt_status status = mlt_env_read_file(env, path, MLT_PEM_MAX, out, err);
    if (status != MLT_OK) {
        return status;
    }
    const char *text = mlt_buf_cstr(out);
    if (!text) {
        return mlt_fail(err, MLT_NOMEM, "no memory for %s", path);
    }
    if (!strstr(text, "-----BEGIN ") || !strstr(text, begins)) {
        return mlt_fail(err, MLT_INVALID, "%s is no PEM file with \"%s\"", path, begins);
    }
    return MLT_OK;
}

// The key must belong to the certificate: otherwise every handshake would fail, one by one.
static enum mlt_status check_pair(const struct mlt_tls *tls, const char *cert, struct mlt_error *err) {
    gnutls_certificate_credentials_t cred;
    if (gnutls_certificate_allocate_credentials(&cred) != 0) {
        return mlt_fail(err, MLT_NOMEM, "no memory for TLS");
    }
    gnutls_datum_t cert_text = {tls->cert.data, (unsigned)tls->cert.len};
    gnutls_datum_t key_text = {tls->key.data, (unsigned)tls->key.len};
    int rc = gnutls_certificate_set_x509_key_mem(cred, &cert_text, &key_text, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(cred);
    return rc >= 0 ? MLT_OK
                   : mlt_fail(err, MLT_INVALID, "%s and its key do not go together: %s", cert, gnutls_strerror(rc));
}

enum mlt_status mlt_tls_load(struct mlt_tls *out, struct mlt_env *env, const char *cert, const char *key,
                             const char *client_ca, struct mlt_error *err) {
    *out = (struct mlt_tls){0};
    if ((cert != NULL) != (key != NULL) || (client_ca && !cert)) {
        return mlt_fail(err, MLT_INVALID, "TLS needs a certificate and its key; client authorities need both");
    }
    enum mlt_status status = load(&out->cert, env, cert, "CERTIFICATE-----", err);
    if (status == MLT_OK) {
        status = load(&out->key, env, key, "PRIVATE KEY-----", err);
    }
    if (status == MLT_OK) {
        status = load(&out->client_ca, env, client_ca, "CERTIFICATE-----", err);
    }
    if (status == MLT_OK && cert) {
        status = check_pair(out, cert, err);
    }
    if (status != MLT_OK) {
        mlt_tls_clear(out);
    }
    return status;
}

void mlt_tls_clear(struct mlt_tls *tls) {
    if (tls->key.data) {
        memset(tls->key.data, 0, tls->key.cap);
    }
    mlt_buf_clear(&tls->cert);
    mlt_buf_clear(&tls->key);
    mlt_buf_clear(&tls->client_ca);
}

bool mlt_tls_subject(void *session, char *out, size_t cap) {
    gnutls_session_t tls = session;
    unsigned verdict = 0;
    unsigned num = 0;
    bool ok = false;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &num);
    if (!chain || num == 0 || gnutls_certificate_verify_peers2(tls, &verdict) != 0 || verdict != 0) {
        return false;
    }
    gnutls_x509_crt_t leaf;
    if (gnutls_x509_crt_init(&leaf) != 0) {
        return false;
    }
    size_t len = cap;
    if (gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_crt_get_dn(leaf, out, &len) == 0) {
        ok = len > 0;
    }
    gnutls_x509_crt_deinit(leaf);
    return ok;
}
