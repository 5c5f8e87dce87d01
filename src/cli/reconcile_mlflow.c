// The registry of an MLflow server against the trail. Nothing is changed on either side.
#include <inttypes.h>
#include <stdio.h>

#include "capture/mlflow.h"
#include "cli/mlflow_source.h"
#include "cli/reconcile.h"
#include "dossier/visible.h"
#include "record/digest.h"

#define WEBHOOK_GRACE_NS (120 * MLT_NS_PER_S) // a delivery may be late; MLflow tries it again for a minute

struct reconciling {
    struct mlt_cli *cli;
    struct mlt_mlflow_source source;
    struct mlt_progress progress;
    struct mlt_buf items; // JSON objects, comma-separated
    struct mlt_buf text;  // lines for people
    uint64_t num, models, versions, digests, undigested, deliveries;
};

struct difference {
    const char *code;
    struct mlt_bytes model, version, alias; // version, alias: {NULL, 0} when it is not about one
    struct mlt_bytes mlflow, trail;         // what each says
    const char *action;                     // what would be right
};

static void put_names(struct mlt_buf *out, const struct difference *d) {
    mlt_visible_put(out, d->model, MLT_VISIBLE_PLAIN);
    if (d->version.len > 0) {
        mlt_buf_put_u8(out, '/');
        mlt_visible_put(out, d->version, MLT_VISIBLE_PLAIN);
    }
    if (d->alias.len > 0) {
        mlt_buf_put_u8(out, '@');
        mlt_visible_put(out, d->alias, MLT_VISIBLE_PLAIN);
    }
}

static void add(struct reconciling *r, const struct difference *d) {
    struct mlt_json_writer w;
    r->num++;
    put_names(&r->text, d);
    mlt_buf_printf(&r->text, ": %s: MLflow: ", d->code);
    mlt_visible_put(&r->text, d->mlflow, MLT_VISIBLE_PLAIN);
    mlt_buf_put_str(&r->text, "; trail: ");
    mlt_visible_put(&r->text, d->trail, MLT_VISIBLE_PLAIN);
    mlt_buf_printf(&r->text, "\n    %s\n", d->action);
    mlt_buf_put_str(&r->items, r->items.len > 0 ? "," : "");
    mlt_jw_init(&w, &r->items);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "code", d->code);
    mlt_jw_member_bytes(&w, "model", d->model);
    if (d->version.len > 0) {
        mlt_jw_member_bytes(&w, "model_version", d->version);
    }
    if (d->alias.len > 0) {
        mlt_jw_member_bytes(&w, "alias", d->alias);
    }
    mlt_jw_member_bytes(&w, "mlflow", d->mlflow);
    mlt_jw_member_bytes(&w, "trail", d->trail);
    mlt_jw_member(&w, "action", d->action);
    mlt_jw_end_object(&w);
}

// -- versions ---------------------------------------------------------------------------------------------------------

static void compare_hash(struct reconciling *r, const struct mlt_mlflow_held *h,
                         const struct mlt_mlflow_held_version *v, struct mlt_manifest *m) {
    struct mlt_json now = {0}, recorded = {0};
    struct mlt_buf text = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &text);
    mlt_manifest_put_hash(m, &w);
    bool read = !text.failed && mlt_json_scan(&now, mlt_buf_bytes(&text), NULL) == MLT_OK;
    bool known = read && v->trail_hash.len > 0 && mlt_json_scan(&recorded, v->trail_hash, NULL) == MLT_OK;
    struct difference d = {.model = h->model, .version = v->version, .mlflow = mlt_buf_bytes(&text)};
    if (read && !known) {
        d.code = "artifact-unknown";
        d.trail = mlt_str("no digest");
        d.action = "Import it (mltrail import mlflow), or record the model.version with its digest.";
        add(r, &d);
    } else if (known && mlt_digest_compare(&now, 0, &recorded, 0) != MLT_DIGEST_SAME) {
        d.code = "artifact-differs";
        d.trail = v->trail_hash;
        d.action = "The files are not those that were registered: find out who changed them, and what runs on them.";
        add(r, &d);
    }
    mlt_json_clear(&now);
    mlt_json_clear(&recorded);
    mlt_buf_clear(&text);
}

static void check_files(struct reconciling *r, const struct mlt_mlflow_held *h,
                        const struct mlt_mlflow_held_version *v) {
    struct mlt_manifest m = {0};
    struct mlt_error why;
    if (!r->source.digests) {
        return;
    }
    mlt_mlflow_digest(&r->source, h->model, v->version, &m, &why);
    if (why.status == MLT_OK) {
        r->digests++;
        compare_hash(r, h, v, &m);
    } else {
        r->undigested++;
        mlt_cli_note(r->cli, "%.*s/%.*s: no digest: %s", MLT_ARG(h->model), MLT_ARG(v->version), why.text);
    }
    mlt_manifest_clear(&m);
}

static void check_version(struct reconciling *r, const struct mlt_mlflow_held *h,
                          const struct mlt_mlflow_held_version *v) {
    struct difference d = {.model = h->model, .version = v->version};
    if (!v->in_mlflow) {
        if (v->in_trail && !v->deleted) {
            d.code = "version-gone";
            d.mlflow = mlt_str("is not there");
            d.trail = mlt_str("registered, not deleted");
            d.action = "It was deleted past whoever records, or belongs to another server: find out who did it.";
            add(r, &d);
        }
        return;
    }
    r->versions++;
    if (!v->in_trail) {
        d.code = "version-missing";
        d.mlflow = mlt_str("registered");
        d.trail = mlt_str("no model.version");
        d.action = "Import it (mltrail import mlflow), and find out why its registration was not recorded.";
        add(r, &d);
    }
    if (!mlt_bytes_equal(v->stage, v->trail_stage)) {
        d.code = "stage-differs";
        d.mlflow = v->stage;
        d.trail = v->trail_stage;
        d.action = "Somebody moved it past whoever records: find out who, and record the transition.";
        add(r, &d);
    }
    if (v->run_id.len > 0 && !v->has_run) {
        d.code = "run-missing";
        d.mlflow = v->run_id;
        d.trail = mlt_str("no training.run");
        d.action = "Import the runs of its experiment (mltrail import mlflow).";
        add(r, &d);
    }
    if (v->in_trail) {
        check_files(r, h, v);
    }
}

static void check_alias(struct reconciling *r, const struct mlt_mlflow_held *h, const struct mlt_mlflow_held_alias *a) {
    if (mlt_bytes_equal(a->version, a->trail_version)) {
        return;
    }
    add(r, &(struct difference){
               .code = "alias-differs",
               .model = h->model,
               .alias = a->alias,
               .mlflow = a->version.len > 0 ? a->version : mlt_str("nobody has it"),
               .trail = a->trail_version.len > 0 ? a->trail_version : mlt_str("nobody has it"),
               .action = "Somebody moved it past whoever records: find out who, and record the transition."});
}

static int check_model(void *arg, struct mlt_bytes model) {
    struct reconciling *r = arg;
    struct mlt_mlflow_held h;
    int code = mlt_mlflow_hold(&r->source, model, &h);
    for (size_t i = 0; code == 0 && i < h.num_versions; i++) {
        check_version(r, &h, &h.versions[i]);
    }
    for (size_t i = 0; code == 0 && i < h.num_aliases; i++) {
        check_alias(r, &h, &h.aliases[i]);
    }
    r->models++;
    mlt_progress_step(&r->progress, r->models, 0);
    mlt_mlflow_held_clear(&h);
    return code;
}

// -- webhooks ---------------------------------------------------------------------------------------------------------

// A delivery is held against the access that made it: the same thing done to the same resource.
struct witness {
    const char *event, *native, *resource; // resource: of the access; "version" or "model"
};
static const struct witness witnesses[] = {
    {"model_version.created", "mlflow.createModelVersion", "version"},
    {"registered_model.created", "mlflow.createRegisteredModel", "model"},
    {"model_version_alias.created", "mlflow.setRegisteredModelAlias", "version"},
    {"model_version_alias.deleted", "mlflow.deleteRegisteredModelAlias", "model"},
    {"model_version_tag.set", "mlflow.setModelVersionTag", "version"},
    {"model_version_tag.deleted", "mlflow.deleteModelVersionTag", "version"},
};
#define NUM_WITNESSES (sizeof witnesses / sizeof witnesses[0])

// What happened, from either side: counted by key, which has the witness and what it was done to.
struct tally {
    struct mlt_bytes key, model, version;
    const struct witness *what;
    uint64_t delivered, recorded;
    uint64_t due; // of those recorded, for which a delivery must have come by now
};
struct tallies {
    struct mlt_arena arena;
    struct tally *items;
    size_t num, cap;
    bool any;          // there are deliveries at all
    int64_t since, to; // of the first delivery, by its own time, and of the last that must have come
};

static struct tally *tally_of(struct tallies *t, const struct witness *what, struct mlt_bytes model,
                              struct mlt_bytes version) {
    bool of_version = strcmp(what->resource, "version") == 0;
    struct mlt_bytes v = of_version ? version : (struct mlt_bytes){0};
    char *key = mlt_arena_printf(&t->arena, "%s %.*s/%.*s", what->event, MLT_ARG(model), MLT_ARG(v));
    if (!key) {
        return NULL;
    }
    for (size_t i = 0; i < t->num; i++) {
        if (mlt_bytes_is(t->items[i].key, key)) {
            return &t->items[i];
        }
    }
    if (t->num == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        struct tally *items = mlt_arena_zero(&t->arena, cap * sizeof *items);
        if (!items) {
            return NULL;
        }
        if (t->num > 0) {
            memcpy(items, t->items, t->num * sizeof *items);
        }
        t->items = items;
        t->cap = cap;
    }
    struct tally *new = &t->items[t->num++];
    *new = (struct tally){.key = mlt_str(key),
                          .model = mlt_arena_copy(&t->arena, model),
                          .version = mlt_arena_copy(&t->arena, v),
                          .what = what};
    return new;
}

typedef void take_item(struct tallies *t, const struct mlt_json *json, mlt_json_at item);

static int each_item(struct reconciling *r, struct tallies *t, const char *kind, take_item *take) {
    uint64_t cursor = 0;
    bool more = true;
    int code = 0;
    while (code == 0 && more) {
        struct mlt_buf query = {0};
        struct mlt_reply reply = {0};
        struct mlt_json json = {0};
        mlt_buf_printf(&query, "kind=%s&order=asc&limit=1000", kind);
        if (cursor > 0) {
            mlt_buf_printf(&query, "&cursor=%" PRIu64, cursor);
        }
        code = mlt_cli_get(r->cli, "/v1/records", mlt_buf_cstr(&query), &reply);
        code = code == 0 ? mlt_cli_scan(r->cli, &json, mlt_buf_bytes(&reply.body)) : code;
        mlt_json_at list = mlt_json_get(&json, 0, "items");
        for (mlt_json_at n = mlt_json_first(&json, list); code == 0 && n != MLT_JSON_NONE;
             n = mlt_json_next(&json, list, n)) {
            take(t, &json, n);
        }
        more = code == 0 && mlt_json_u64(&json, mlt_json_get(&json, 0, "next"), &cursor);
        mlt_json_clear(&json);
        mlt_reply_clear(&reply);
        mlt_buf_clear(&query);
    }
    return code;
}

static void take_delivery(struct tallies *t, const struct mlt_json *json, mlt_json_at item) {
    mlt_json_at entry = mlt_json_get(json, item, "entry"), facts = mlt_json_get(json, entry, "facts");
    mlt_json_at message = mlt_json_get(json, mlt_json_get(json, item, "payload"), "message");
    mlt_json_at data = mlt_json_get(json, message, "data");
    struct mlt_arena *arena = &t->arena;
    int64_t at;
    if (!mlt_bytes_is(mlt_mlflow_text(json, facts, "format", arena), "mlflow-webhook")) {
        return;
    }
    char *event = mlt_arena_printf(arena, "%.*s.%.*s", MLT_ARG(mlt_mlflow_text(json, message, "entity", arena)),
                                   MLT_ARG(mlt_mlflow_text(json, message, "action", arena)));
    if (mlt_time_parse(&at, mlt_mlflow_text(json, facts, "timestamp", arena)) && (!t->any || at < t->since)) {
        t->since = at;
        t->any = true;
    }
    for (size_t i = 0; event && i < NUM_WITNESSES; i++) {
        struct tally *tally = strcmp(event, witnesses[i].event) == 0
                                  ? tally_of(t, &witnesses[i], mlt_mlflow_text(json, data, "name", arena),
                                             mlt_mlflow_text(json, data, "version", arena))
                                  : NULL;
        if (tally) {
            tally->delivered++;
        }
    }
}

// "model/version" as an access names its resource; the last slash separates.
static void take_access(struct tallies *t, const struct mlt_json *json, mlt_json_at item) {
    mlt_json_at entry = mlt_json_get(json, item, "entry"), facts = mlt_json_get(json, entry, "facts");
    struct mlt_arena *arena = &t->arena;
    struct mlt_bytes native = mlt_mlflow_text(json, facts, "native_action", arena);
    struct mlt_bytes id = mlt_mlflow_text(json, mlt_json_get(json, facts, "resource"), "id", arena);
    int64_t at;
    bool allowed = mlt_bytes_is(mlt_mlflow_text(json, facts, "outcome", arena), "allowed");
    if (!allowed || id.len == 0 || !mlt_time_parse(&at, mlt_mlflow_text(json, facts, "timestamp", arena))) {
        return;
    }
    for (size_t i = 0; i < NUM_WITNESSES; i++) {
        size_t slash = id.len;
        while (slash > 0 && id.ptr[slash - 1] != '/') {
            slash--;
        }
        struct mlt_bytes model = slash > 0 ? mlt_bytes_of(id.ptr, slash - 1) : id;
        struct mlt_bytes version = slash > 0 ? mlt_bytes_of(id.ptr + slash, id.len - slash) : (struct mlt_bytes){0};
        bool whole = strcmp(witnesses[i].native, "mlflow.createRegisteredModel") == 0;
        struct tally *tally =
            mlt_bytes_is(native, witnesses[i].native) ? tally_of(t, &witnesses[i], whole ? id : model, version) : NULL;
        if (tally) {
            tally->recorded++;
            tally->due += at >= t->since && at <= t->to ? 1u : 0u;
        }
    }
}

// A registration is recorded as what it made, whatever the access says: fail-closed, the version was not known when
// the access was recorded.
static void take_registered(struct tallies *t, const struct mlt_json *json, mlt_json_at item) {
    mlt_json_at facts = mlt_json_get(json, mlt_json_get(json, item, "entry"), "facts");
    struct tally *tally = tally_of(t, &witnesses[0], mlt_mlflow_text(json, facts, "model", &t->arena),
                                   mlt_mlflow_text(json, facts, "model_version", &t->arena));
    if (tally && tally->delivered > 0) {
        tally->recorded = tally->recorded > 0 ? tally->recorded : 1;
    }
}

static void compare(struct reconciling *r, const struct tallies *t) {
    for (size_t i = 0; i < t->num; i++) {
        const struct tally *c = &t->items[i];
        bool registration = c->what == &witnesses[0];
        char delivered[96], recorded[96];
        (void)snprintf(delivered, sizeof delivered, "%s %" PRIu64 " times, by webhook", c->what->event, c->delivered);
        (void)snprintf(recorded, sizeof recorded, "%" PRIu64 " times", c->recorded);
        struct difference d = {
            .model = c->model, .version = c->version, .mlflow = mlt_str(delivered), .trail = mlt_str(recorded)};
        r->deliveries += c->delivered;
        if (c->delivered > c->recorded) {
            d.code = "webhook-unrecorded";
            d.action = "MLflow says that it happened, and no request is on record: somebody went past whoever records.";
            add(r, &d);
        } else if (c->due > c->delivered && !(registration && c->version.len == 0)) {
            d.code = "webhook-missing";
            d.action = "It is on record and no webhook came: deliveries are lost silently; see MLflow's log.";
            add(r, &d);
        }
    }
}

static int check_webhooks(struct reconciling *r) {
    struct tallies t = {.to = r->cli->env->now(r->cli->env) - WEBHOOK_GRACE_NS};
    int code = each_item(r, &t, "capture", take_delivery);
    if (code == 0 && t.any) {
        code = each_item(r, &t, "access", take_access);
        code = code == 0 ? each_item(r, &t, "model.version", take_registered) : code;
    }
    if (code == 0 && t.any) {
        compare(r, &t);
    }
    mlt_arena_clear(&t.arena);
    return code;
}

// -- the command ------------------------------------------------------------------------------------------------------

static void tell(struct reconciling *r) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    if (!r->cli->json) {
        mlt_cli_out(r->cli, mlt_buf_bytes(&r->text));
        mlt_cli_outf(r->cli,
                     "%" PRIu64 " models, %" PRIu64 " versions, %" PRIu64 " digests, %" PRIu64
                     " webhooks compared: %" PRIu64 " %s\n",
                     r->models, r->versions, r->digests, r->deliveries, r->num,
                     r->num == 1 ? "difference" : "differences");
        return;
    }
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_buf_put_str(&out, "\"items\":[");
    mlt_buf_put_bytes(&out, mlt_buf_bytes(&r->items));
    mlt_buf_put_u8(&out, ']');
    w.need_comma[w.depth] = true;
    mlt_jw_member(&w, "server", r->source.name);
    mlt_jw_member_u64(&w, "models", r->models);
    mlt_jw_member_u64(&w, "versions", r->versions);
    mlt_jw_member_u64(&w, "digests", r->digests);
    mlt_jw_member_u64(&w, "without_digest", r->undigested);
    mlt_jw_member_u64(&w, "webhooks", r->deliveries);
    mlt_jw_end_object(&w);
    mlt_cli_out_json(r->cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

int mlt_reconcile_mlflow(struct mlt_cli *cli) {
    struct reconciling r = {.cli = cli};
    int code = mlt_mlflow_open(cli, cli->args[1], &r.source);
    mlt_progress_init(&r.progress, cli, "models");
    code = code == 0 ? mlt_cli_open(cli) : code;
    code = code == 0 ? mlt_mlflow_each_name(&r.source, check_model, &r) : code;
    code = code == 0 ? check_webhooks(&r) : code;
    mlt_progress_end(&r.progress);
    if (code == 0) {
        tell(&r);
        code = r.num > 0 ? MLT_EXIT_FALSE : MLT_EXIT_TRUE;
    }
    mlt_mlflow_close(&r.source);
    mlt_buf_clear(&r.items);
    mlt_buf_clear(&r.text);
    return code;
}
