#include "hsm/session.h"

#include <stdlib.h>

#define SLOTS_MAX 256    // slots of one module; network modules have some dozens
#define MATCHES_MAX 2    // enough to tell one from several
#define ATTRIBUTES_MAX 3 // class, label, id

static const char SCHEME[] = "pkcs11:";
static const char FILE_SCHEME[] = "file:";

bool mlt_hsm_is_uri(struct mlt_bytes text) {
    return text.len > sizeof(SCHEME) - 1 && memcmp(text.ptr, SCHEME, sizeof(SCHEME) - 1) == 0;
}

static const char *what_failed(ck_rv_t rv) {
    switch (rv) {
    case CKR_PIN_INCORRECT:
        return "the PIN is wrong";
    case CKR_PIN_LOCKED:
        return "the PIN is locked after too many wrong ones";
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
        return "the token is gone";
    case CKR_USER_NOT_LOGGED_IN:
        return "the token wants a login again";
    case CKR_MECHANISM_INVALID:
        return "the token does not know the mechanism";
    case CKR_KEY_FUNCTION_NOT_PERMITTED:
    case CKR_KEY_TYPE_INCONSISTENT:
        return "the key is not made for that";
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
        return "it was not encrypted with this key";
    default:
        return "it answered with an error";
    }
}

enum mlt_status mlt_hsm_fail(const struct mlt_hsm *h, struct mlt_error *err, ck_rv_t rv, const char *doing) {
    return mlt_fail(err, MLT_DENIED, "PKCS#11 token %s: %s: %s (CKR 0x%lx)", h->label[0] ? h->label : "(none)", doing,
                    what_failed(rv), rv);
}

static enum mlt_status parse_uri(P11KitUri **out, const char *text, struct mlt_error *err) {
    P11KitUri *uri = NULL;
    enum mlt_status st = MLT_INVALID;
    *out = NULL;
    if (strlen(text) >= MLT_HSM_URI_MAX || strchr(text, '\n')) {
        return mlt_fail(err, MLT_INVALID, "a PKCS#11 URI has one line of at most %d bytes", MLT_HSM_URI_MAX - 1);
    }
    uri = p11_kit_uri_new();
    if (!uri) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a PKCS#11 URI");
    }
    int rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (rc != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri)) {
        (void)mlt_fail(err, st,
                       "\"%s\" is no PKCS#11 URI (RFC 7512): %s; one like pkcs11:token=trail;object=signing would be "
                       "right",
                       text, rc ? p11_kit_uri_message(rc) : "it has an attribute that is not known");
    } else if (p11_kit_uri_get_pin_value(uri)) {
        (void)mlt_fail(err, st,
                       "a PIN in a PKCS#11 URI is seen by everybody on the machine and kept in a file; "
                       "MLTRAIL_PIN_FILE, or pin-source=file:/path in the URI, would be right");
    } else if (p11_kit_uri_get_pin_source(uri) &&
               strncmp(p11_kit_uri_get_pin_source(uri), FILE_SCHEME, sizeof(FILE_SCHEME) - 1) != 0) {
        (void)mlt_fail(err, st, "pin-source of a PKCS#11 URI is file:/path here, and nothing else");
    } else if (!p11_kit_uri_get_attribute(uri, CKA_LABEL) && !p11_kit_uri_get_attribute(uri, CKA_ID)) {
        (void)mlt_fail(err, st, "the PKCS#11 URI names no key; object=… or id=… would be right");
    } else {
        *out = uri;
        return MLT_OK;
    }
    p11_kit_uri_free(uri);
    return st;
}

enum mlt_status mlt_hsm_check_uri(const char *uri, struct mlt_error *err) {
    P11KitUri *parsed;
    enum mlt_status st = parse_uri(&parsed, uri, err);
    p11_kit_uri_free(parsed);
    return st;
}

static enum mlt_status load_module(struct mlt_hsm *h, const char *path, struct mlt_error *err) {
    h->module = p11_kit_module_load(path, 0);
    if (!h->module) {
        return mlt_fail(err, MLT_NOTFOUND, "the PKCS#11 module %s cannot be loaded: %s", path, p11_kit_message());
    }
    ck_rv_t rv = p11_kit_module_initialize(h->module);
    h->module_ready = rv == CKR_OK;
    return rv == CKR_OK ? MLT_OK : mlt_hsm_fail(h, err, rv, "start the module");
}

// Takes the first fitting slots of one module.
static void match_slots(struct mlt_hsm *h, struct ck_function_list *module, struct ck_function_list **found_in,
                        ck_slot_id_t *slot, size_t *num) {
    ck_slot_id_t slots[SLOTS_MAX];
    unsigned long count = SLOTS_MAX;
    if (module->C_GetSlotList(1, slots, &count) != CKR_OK) {
        return; // of a module without tokens, or with more than anybody has
    }
    for (unsigned long i = 0; i < count && *num < MATCHES_MAX; i++) {
        struct ck_token_info info;
        if (module->C_GetTokenInfo(slots[i], &info) == CKR_OK && p11_kit_uri_match_token_info(h->uri, &info)) {
            *found_in = module;
            *slot = slots[i];
            ++*num;
        }
    }
}

static enum mlt_status find_slot(struct mlt_hsm *h, ck_slot_id_t *slot, struct mlt_error *err) {
    struct ck_function_list *found_in = NULL;
    size_t num = 0;
    const char *path = p11_kit_uri_get_module_path(h->uri);
    if (path) {
        enum mlt_status st = load_module(h, path, err);
        if (st) {
            return st;
        }
        match_slots(h, h->module, &found_in, slot, &num);
    } else {
        h->loaded = p11_kit_modules_load_and_initialize(0);
        for (struct ck_function_list **m = h->loaded; m && *m; m++) {
            match_slots(h, *m, &found_in, slot, &num);
        }
    }
    if (num != 1) {
        return mlt_fail(err, num == 0 ? MLT_NOTFOUND : MLT_CONFLICT,
                        num == 0 ? "no PKCS#11 token that the URI names is present"
                                 : "the PKCS#11 URI fits several tokens; token=… or serial=… would tell them apart");
    }
    h->module = found_in;
    return MLT_OK;
}

static void keep_label(struct mlt_hsm *h, const struct ck_token_info *info) {
    size_t len = sizeof(info->label); // padded with spaces, without a NUL
    while (len > 0 && info->label[len - 1] == ' ') {
        len--;
    }
    memcpy(h->label, info->label, len);
    h->label[len] = '\0';
}

static enum mlt_status log_in(struct mlt_hsm *h, const struct mlt_pin_source *pin, struct mlt_error *err) {
    char text[MLT_PIN_MAX] = "";
    const char *file = p11_kit_uri_get_pin_source(h->uri);
    if (!pin || !pin->read) {
        return mlt_fail(err, MLT_DENIED, "PKCS#11 token %s wants a PIN, and none was given", h->label);
    }
    enum mlt_status st = pin->read(pin->arg, h->label, file ? file + sizeof(FILE_SCHEME) - 1 : NULL, text, err);
    if (!st) {
        ck_rv_t rv = h->module->C_Login(h->session, CKU_USER, (unsigned char *)text, strlen(text));
        // A process is logged in once; its other keys on the token are so too.
        st = rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? MLT_OK : mlt_hsm_fail(h, err, rv, "log in");
    }
    mlt_wipe(text, sizeof(text));
    return st;
}

static bool is_logged_in(struct mlt_hsm *h) {
    struct ck_session_info info;
    return h->module->C_GetSessionInfo(h->session, &info) == CKR_OK &&
           (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS);
}

static enum mlt_status open_session(struct mlt_hsm *h, const struct mlt_pin_source *pin, struct mlt_error *err) {
    ck_slot_id_t slot;
    struct ck_token_info info;
    enum mlt_status st = find_slot(h, &slot, err);
    if (st) {
        return st;
    }
    ck_rv_t rv = h->module->C_GetTokenInfo(slot, &info);
    if (rv == CKR_OK) {
        keep_label(h, &info);
        rv = h->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &h->session);
        h->has_session = rv == CKR_OK;
    }
    if (rv != CKR_OK) {
        return mlt_hsm_fail(h, err, rv, "open a session");
    }
    return (info.flags & CKF_LOGIN_REQUIRED) == 0 || is_logged_in(h) ? MLT_OK : log_in(h, pin, err);
}

enum mlt_status mlt_hsm_open(struct mlt_hsm **out, const char *uri, const struct mlt_pin_source *pin,
                             struct mlt_error *err) {
    *out = NULL;
    struct mlt_hsm *h = calloc(1, sizeof(*h));
    if (!h) {
        return mlt_fail(err, MLT_NOMEM, "no memory for a PKCS#11 session");
    }
    enum mlt_status st = parse_uri(&h->uri, uri, err);
    st = st ? st : open_session(h, pin, err);
    if (st) {
        mlt_hsm_close(h);
        return st;
    }
    *out = h;
    return MLT_OK;
}

void mlt_hsm_close(struct mlt_hsm *h) {
    if (!h) {
        return;
    }
    if (h->has_session) {
        (void)h->module->C_CloseSession(h->session);
    }
    if (h->loaded) {
        p11_kit_modules_finalize_and_release(h->loaded);
    } else if (h->module) {
        if (h->module_ready) {
            (void)p11_kit_module_finalize(h->module);
        }
        p11_kit_module_release(h->module);
    }
    p11_kit_uri_free(h->uri);
    free(h);
}

enum mlt_status mlt_hsm_find(struct mlt_hsm *h, ck_object_handle_t *out, ck_object_class_t object_class,
                             const char *what, struct mlt_error *err) {
    struct ck_attribute template[ATTRIBUTES_MAX] = {{CKA_CLASS, &object_class, sizeof(object_class)}};
    unsigned long num_attributes = 1;
    const ck_attribute_type_t named_by[] = {CKA_LABEL, CKA_ID};
    for (size_t i = 0; i < sizeof(named_by) / sizeof(named_by[0]); i++) {
        struct ck_attribute *given = p11_kit_uri_get_attribute(h->uri, named_by[i]);
        if (given) {
            template[num_attributes++] = *given;
        }
    }
    ck_object_handle_t found[MATCHES_MAX];
    unsigned long num = 0;
    ck_rv_t rv = h->module->C_FindObjectsInit(h->session, template, num_attributes);
    if (rv == CKR_OK) {
        rv = h->module->C_FindObjects(h->session, found, MATCHES_MAX, &num);
        (void)h->module->C_FindObjectsFinal(h->session);
    }
    if (rv != CKR_OK) {
        return mlt_hsm_fail(h, err, rv, "look for the key");
    }
    if (num != 1) {
        return mlt_fail(err, num == 0 ? MLT_NOTFOUND : MLT_CONFLICT,
                        num == 0
                            ? "PKCS#11 token %s has no %s that the URI names"
                            : "PKCS#11 token %s has several objects %s that the URI names; id=… would tell them apart",
                        h->label, what);
    }
    *out = found[0];
    return MLT_OK;
}
