// A model that has just been registered: its files are hashed beside the traffic, and the exchange waits for that.
#include <stdlib.h>

#include "capture/mlflow.h"
#include "mlflow/artifact.h"
#include "mlflow/proxy_private.h"

#define DIGESTS_MAX 4 // at once: each reads a whole model from the server
#define OWN_HEADERS_MAX 4
#define STACK_BYTES ((size_t)512 * 1024)

struct digest {
    struct mlt_proxy *proxy;
    struct mlt_buf line; // the exchange, complete but for this
    struct mlt_arena arena;
    struct mlt_bytes model, version;
    char *base;
    const char *headers[OWN_HEADERS_MAX];
    size_t num_headers;
};

static void put_artifact(struct digest *d, struct mlt_manifest *m) {
    struct mlt_json_writer w;
    struct mlt_buf object = {0};
    mlt_jw_init(&w, &object);
    mlt_jw_object(&w);
    mlt_jw_name(&w, "hash");
    mlt_manifest_put_hash(m, &w);
    mlt_jw_member_u64(&w, "size", m->bytes);
    if (m->num <= MLT_MANIFEST_SHOWN_MAX) {
        mlt_jw_name(&w, "manifest");
        mlt_manifest_put_files(m, false, &w);
    }
    mlt_jw_end_object(&w);
    if (!object.failed && d->line.len > 0 && d->line.data[d->line.len - 1] == '}') {
        d->line.len--;
        mlt_buf_put_str(&d->line, ",\"artifact\":");
        mlt_buf_put_bytes(&d->line, mlt_buf_bytes(&object));
        mlt_buf_put_u8(&d->line, '}');
    }
    mlt_buf_clear(&object);
}

// Without a digest the version is recorded all the same, and its absence is a finding.
static void compute(struct digest *d) {
    const struct mlt_client_options copt = {
        .base = d->base, .cacert = d->proxy->opt.cacert, .user_agent = "mltrail-proxy", .direct = true};
    const struct mlt_artifact_options opt = {.max_bytes = d->proxy->opt.digest_max};
    struct mlt_registry reg = {.headers = d->headers, .num_headers = d->num_headers};
    struct mlt_manifest m = {0};
    struct mlt_bytes location;
    if (mlt_client_open(&reg.client, &copt, NULL) != MLT_OK) {
        return;
    }
    if (mlt_artifact_location(&reg, d->model, d->version, &d->arena, &location, NULL) == MLT_OK &&
        mlt_artifact_read(&reg, location, &opt, &m, NULL) == MLT_OK) {
        put_artifact(d, &m);
    }
    atomic_fetch_add(&d->proxy->own_reads, reg.num_requests);
    mlt_manifest_clear(&m);
    mlt_client_close(reg.client);
}

static void digest_free(struct digest *d) {
    mlt_buf_clear(&d->line);
    mlt_arena_clear(&d->arena);
    free(d);
}

static void *run(void *arg) {
    struct digest *d = arg;
    struct mlt_proxy *p = d->proxy;
    compute(d);
    (void)p->opt.end(p->opt.arg, mlt_buf_bytes(&d->line));
    digest_free(d);
    atomic_fetch_sub(&p->digests, 1);
    return NULL;
}

static void copy_header(struct digest *d, const struct mlt_proxy_request *r, const char *name) {
    const char *value = name ? MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name) : NULL;
    char *line = value ? mlt_arena_printf(&d->arena, "%s: %s", name, value) : NULL;
    if (line && d->num_headers < OWN_HEADERS_MAX) {
        d->headers[d->num_headers++] = line;
    }
}

static struct digest *prepare(struct mlt_proxy_request *r) {
    struct mlt_json json = {0};
    struct mlt_buf base = {0};
    struct digest *d = calloc(1, sizeof *d);
    if (d && mlt_json_scan(&json, mlt_buf_bytes(&r->answer), NULL) == MLT_OK) {
        mlt_json_at v = mlt_json_get(&json, 0, "model_version");
        mlt_buf_put_str(&base, r->proxy->opt.upstream);
        mlt_url_put_path(&base, r->match.prefix);
        d->proxy = r->proxy;
        d->model = mlt_arena_copy(&d->arena, mlt_mlflow_text(&json, v, "name", &d->arena));
        d->version = mlt_arena_copy(&d->arena, mlt_mlflow_text(&json, v, "version", &d->arena));
        d->base = mlt_arena_cstr(&d->arena, mlt_buf_bytes(&base));
        copy_header(d, r, "Authorization");
        copy_header(d, r, "Cookie");
        copy_header(d, r, "X-MLFLOW-WORKSPACE");
        copy_header(d, r, r->proxy->opt.user_header);
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&base);
    if (d && (d->model.len == 0 || d->version.len == 0 || !d->base)) {
        digest_free(d);
        d = NULL;
    }
    return d;
}

static bool start(struct digest *d) {
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    bool started = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
                   pthread_attr_setstacksize(&attr, STACK_BYTES) == 0 && pthread_create(&thread, &attr, run, d) == 0;
    pthread_attr_destroy(&attr);
    return started;
}

bool mlt_proxy_add_digest(struct mlt_proxy_request *r, struct mlt_buf *line) {
    struct mlt_proxy *p = r->proxy;
    bool wanted = p->opt.digest_max > 0 && r->status >= 200 && r->status < 300 && r->match.route->native &&
                  strcmp(r->match.route->native, "createModelVersion") == 0 && r->answer.len > 0;
    if (!wanted || atomic_load(&p->digests) >= DIGESTS_MAX) {
        return false;
    }
    struct digest *d = prepare(r);
    if (!d) {
        return false;
    }
    d->line = *line;
    atomic_fetch_add(&p->digests, 1);
    if (!start(d)) {
        atomic_fetch_sub(&p->digests, 1);
        d->line = (struct mlt_buf){0};
        digest_free(d);
        return false;
    }
    *line = (struct mlt_buf){0};
    return true;
}
