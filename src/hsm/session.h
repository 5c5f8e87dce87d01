// A session with the token that a URI names, logged in; what the files of this layer share.
#ifndef MLT_HSM_SESSION_H
#define MLT_HSM_SESSION_H

#include <stddef.h>

#define CRYPTOKI_GNU 1 // the names of p11-kit's header that need no casts
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "crypto/sha256.h"
#include "hsm/hsm.h"

struct mlt_hsm {
    P11KitUri *uri;
    struct ck_function_list **loaded; // modules of p11-kit's configuration; NULL: `module` was loaded by its path
    struct ck_function_list *module;
    bool module_ready; // loaded by path and initialised
    ck_session_handle_t session;
    bool has_session;
    char label[33]; // of the token, for messages
};

enum mlt_status mlt_hsm_open(struct mlt_hsm **out, const char *uri, const struct mlt_pin_source *pin,
                             struct mlt_error *err) MLT_MUST_USE;
void mlt_hsm_close(struct mlt_hsm *h); // NULL is fine
// mlt_hsm_find finds the one object of a class that fits the URI. MLT_NOTFOUND, MLT_CONFLICT: none, several.
enum mlt_status mlt_hsm_find(struct mlt_hsm *h, ck_object_handle_t *out, ck_object_class_t object_class,
                             const char *what, struct mlt_error *err) MLT_MUST_USE;
// mlt_hsm_fail says what the token answered: MLT_DENIED.
enum mlt_status mlt_hsm_fail(const struct mlt_hsm *h, struct mlt_error *err, ck_rv_t rv, const char *doing);

#endif
