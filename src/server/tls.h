// TLS of the server: files, and the client certificate, which libmicrohttpd asks for and does not enforce.
#ifndef MLT_SERVER_TLS_H
#define MLT_SERVER_TLS_H

#include "base/env.h"

#define MLT_PEM_MAX ((size_t)1024 * 1024) // a chain or a list of authorities

struct mlt_tls {
    struct mlt_buf cert, key, client_ca; // PEM text, terminated; empty: none
};
// mlt_tls_load reads and checks the files. MLT_INVALID: a key without a certificate, or no PEM.
enum mlt_status mlt_tls_load(struct mlt_tls *out, struct mlt_env *env, const char *cert, const char *key,
                             const char *client_ca, struct mlt_error *err) MLT_MUST_USE;
void mlt_tls_clear(struct mlt_tls *tls);
// mlt_tls_subject gives the subject of the peer's certificate (RFC 4514) when there is one and it verifies against the
// authorities; false otherwise. `session` is a gnutls_session_t.
bool mlt_tls_subject(void *session, char *out, size_t cap);

#endif
