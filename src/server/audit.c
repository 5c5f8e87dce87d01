#include "server/audit.h"

#include <stdio.h>

#include "server/api_state.h"

enum mlt_status mlt_audit_init(struct mlt_audit *audit, struct mlt_error *err) {
    memset(audit, 0, sizeof *audit);
    int rc = pthread_mutex_init(&audit->lock, NULL);
    return rc == 0 ? MLT_OK : mlt_fail_errno(err, rc, NULL, "make a lock");
}

void mlt_audit_clear(struct mlt_audit *audit) {
    pthread_mutex_destroy(&audit->lock);
}

static void write_who(struct mlt_json_writer *w, const char *principal, const char *address, const char *user_agent) {
    mlt_jw_member(w, "principal", principal);
    mlt_jw_name(w, "source");
    mlt_jw_object(w);
    if (address && address[0]) {
        mlt_jw_member(w, "address", address);
    }
    if (user_agent && user_agent[0]) {
        mlt_jw_member(w, "user_agent", user_agent);
    }
    mlt_jw_end_object(w);
}

static void write_resource(struct mlt_json_writer *w, const char *type, struct mlt_bytes id) {
    mlt_jw_name(w, "resource");
    mlt_jw_object(w);
    mlt_jw_member(w, "type", type);
    mlt_jw_member_bytes(w, "id", id);
    mlt_jw_end_object(w);
}

// The purpose may come with the request's header or, for clients that cannot set one, its query.
static void write_purpose(struct mlt_json_writer *w, const struct mlt_request *req) {
    if (req->purpose && req->purpose[0]) {
        mlt_jw_member(w, "purpose", req->purpose);
        return;
    }
    struct mlt_arena arena = {0};
    struct mlt_query query;
    if (mlt_query_parse(&query, mlt_str(req->query), &arena, NULL) == MLT_OK) {
        const struct mlt_query_param *p = mlt_query_find(&query, "purpose");
        if (p && p->value.len > 0) {
            mlt_jw_member_bytes(w, "purpose", p->value);
        }
    }
    mlt_arena_clear(&arena);
}

static void write_query(struct mlt_json_writer *w, const struct mlt_request *req, struct mlt_buf *scratch) {
    mlt_buf_printf(scratch, "%s %s%s%s", req->method, req->path, req->query[0] ? "?" : "", req->query);
    mlt_jw_member_bytes(w, "query", mlt_buf_bytes(scratch));
}

enum mlt_status mlt_audit_read(struct mlt_api *api, const struct mlt_request *req, const struct mlt_read *read,
                               struct mlt_error *err) {
    struct mlt_buf text = {0};
    struct mlt_buf scratch = {0};
    struct mlt_json_writer w;
    mlt_own_begin(&w, &text, api, "access");
    mlt_jw_member(&w, "action", read->action);
    write_resource(&w, read->resource_type, read->resource_id);
    write_who(&w, req->principal->name, req->principal->address, req->principal->user_agent);
    mlt_jw_member(&w, "outcome", "allowed");
    mlt_jw_member_u64(&w, "count", read->count);
    mlt_jw_name(&w, "entries");
    mlt_jw_array(&w);
    for (size_t i = 0; i < read->num_entries && (read->all || i < MLT_AUDIT_ENTRIES_MAX); i++) {
        mlt_jw_u64(&w, read->entries[i]);
    }
    mlt_jw_end_array(&w);
    write_query(&w, req, &scratch);
    write_purpose(&w, req);
    text.failed = text.failed || scratch.failed;
    enum mlt_status status = mlt_own_end(&w, &text, api, NULL, err);
    mlt_buf_clear(&scratch);
    return status == MLT_OK ? MLT_OK : mlt_context(err, status, "the read cannot be recorded, so it is not answered");
}

// Called with the lock held. The last window takes everybody for whom there is no other.
static struct mlt_window *window_for(struct mlt_api *api, const struct mlt_request *req, enum mlt_window_of of) {
    const char *principal = req->principal ? req->principal->name : "unauthenticated";
    const char *address = req->principal ? req->principal->address : req->address ? req->address : "";
    struct mlt_window *spare = NULL;
    for (size_t i = 0; i + 1 < MLT_WINDOWS_MAX; i++) {
        struct mlt_window *w = &api->audit.windows[i];
        if (w->of == MLT_WINDOW_FREE) {
            spare = spare ? spare : w;
        } else if (w->of == of && strcmp(w->principal, principal) == 0 && strcmp(w->address, address) == 0) {
            return w;
        }
    }
    struct mlt_window *w = spare ? spare : &api->audit.windows[MLT_WINDOWS_MAX - 1];
    if (w->of == MLT_WINDOW_FREE) {
        *w = (struct mlt_window){.of = spare ? of : MLT_WINDOW_DENIED, .began = api->env->monotonic(api->env)};
        (void)snprintf(w->principal, sizeof w->principal, "%s", spare ? principal : "several");
        (void)snprintf(w->address, sizeof w->address, "%s", spare ? address : "");
        (void)snprintf(w->first_path, sizeof w->first_path, "%.255s", req->path);
    }
    return w;
}

void mlt_audit_count(struct mlt_api *api, const struct mlt_request *req, enum mlt_window_of of, uint64_t entries) {
    if (api->raw || api->read_only) {
        return;
    }
    pthread_mutex_lock(&api->audit.lock);
    struct mlt_window *w = window_for(api, req, of);
    w->count++;
    w->entries += entries;
    pthread_mutex_unlock(&api->audit.lock);
}

bool mlt_audit_may_keep(struct mlt_api *api, const struct mlt_request *req) {
    pthread_mutex_lock(&api->audit.lock);
    struct mlt_window *w = window_for(api, req, MLT_WINDOW_REJECTED);
    bool keep = w->kept < MLT_REJECTED_MINUTE_MAX;
    if (keep) {
        w->kept++;
    } else {
        w->count++;
    }
    pthread_mutex_unlock(&api->audit.lock);
    return keep;
}

void mlt_audit_not_kept(struct mlt_api *api, const struct mlt_request *req) {
    mlt_audit_count(api, req, MLT_WINDOW_REJECTED, 0);
}

static void write_window(struct mlt_json_writer *w, struct mlt_buf *text, struct mlt_api *api,
                         const struct mlt_window *window) {
    if (window->of == MLT_WINDOW_REJECTED) {
        mlt_own_begin(w, text, api, "control");
        mlt_jw_member(w, "control", "rejected-input-not-kept");
        mlt_jw_member(w, "principal", window->principal);
        mlt_jw_member_u64(w, "count", window->count);
        return;
    }
    mlt_own_begin(w, text, api, "access");
    mlt_jw_member(w, "action", "read");
    bool denied = window->of == MLT_WINDOW_DENIED;
    write_resource(w, "trail", mlt_str(denied ? "refused-attempts" : "entry-bundles"));
    write_who(w, window->principal, window->address, NULL);
    mlt_jw_member(w, "outcome", denied ? "denied" : "allowed");
    mlt_jw_member_u64(w, "count", window->count);
    mlt_jw_name(w, "query");
    mlt_jw_object(w);
    mlt_jw_member(w, "first_path", window->first_path);
    if (!denied) {
        mlt_jw_member_u64(w, "entries_copied", window->entries);
    }
    mlt_jw_end_object(w);
}

// Takes one window that has ended out of the table; false: none.
static bool take_ended(struct mlt_api *api, bool all, struct mlt_window *out) {
    int64_t now = api->env->monotonic(api->env);
    bool found = false;
    pthread_mutex_lock(&api->audit.lock);
    for (size_t i = 0; i < MLT_WINDOWS_MAX && !found; i++) {
        struct mlt_window *w = &api->audit.windows[i];
        if (w->of != MLT_WINDOW_FREE && (all || now - w->began >= MLT_WINDOW_NS)) {
            *out = *w;
            w->of = MLT_WINDOW_FREE;
            found = true;
        }
    }
    pthread_mutex_unlock(&api->audit.lock);
    return found;
}

static void put_back(struct mlt_api *api, const struct mlt_window *window) {
    pthread_mutex_lock(&api->audit.lock);
    for (size_t i = 0; i < MLT_WINDOWS_MAX; i++) {
        struct mlt_window *w = &api->audit.windows[i];
        if (w->of == MLT_WINDOW_FREE) {
            *w = *window;
            break;
        }
    }
    pthread_mutex_unlock(&api->audit.lock);
}

enum mlt_status mlt_audit_flush(struct mlt_api *api, bool all, struct mlt_error *err) {
    struct mlt_window window;
    struct mlt_buf text = {0};
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && take_ended(api, all, &window)) {
        if (window.count == 0) {
            continue;
        }
        struct mlt_json_writer w;
        write_window(&w, &text, api, &window);
        status = mlt_own_end(&w, &text, api, NULL, err);
        if (status != MLT_OK) {
            put_back(api, &window);
        }
    }
    return status;
}

enum mlt_status mlt_shown_by(struct mlt_shown *out, struct mlt_bytes json, struct mlt_error *err) {
    struct mlt_json doc = {0};
    *out = (struct mlt_shown){0};
    enum mlt_status status = mlt_json_scan(&doc, json, err);
    if (status == MLT_OK) {
        mlt_json_at list = mlt_json_get(&doc, mlt_json_get(&doc, 0, "integrity"), "entries");
        for (mlt_json_at n = mlt_json_first(&doc, list); n != MLT_JSON_NONE; n = mlt_json_next(&doc, list, n)) {
            uint64_t index;
            if (mlt_json_u64(&doc, mlt_json_get(&doc, n, "index"), &index)) {
                if (out->num_entries < MLT_AUDIT_ENTRIES_MAX) {
                    out->entries[out->num_entries++] = index;
                }
                out->count++;
            }
        }
    }
    mlt_json_clear(&doc);
    return status;
}
