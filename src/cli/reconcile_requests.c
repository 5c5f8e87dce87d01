// `reconcile requests`: requests without responses, responses without requests, halves that contradict each other.
#include <inttypes.h>

#include "base/time.h"
#include "cli/halves.h"
#include "cli/json_text.h"
#include "cli/reconcile.h"
#include "cli/transport.h"

#define LIMIT_DEFAULT 1000
#define ENTRIES_SHOWN_MAX 64 // of one id; its count is whole
// The halves of what is asked about are looked for this much before and after the range: a model answers within.
#define MARGIN_NS (600 * MLT_NS_PER_S)

enum fault { UNANSWERED, UNASKED, CONFLICTING, DUPLICATE, NUM_FAULTS };
static const struct {
    const char *name, *says;
} FAULTS[NUM_FAULTS] = {
    [UNANSWERED] = {"unanswered", "a request and no response"},
    [UNASKED] = {"unasked", "a response and no request"},
    [CONFLICTING] = {"conflicting", "sent with different bodies"},
    [DUPLICATE] = {"duplicate", "sent again, the same"},
};

struct reconciling {
    struct mlt_cli *cli;
    struct mlt_arena arena; // of one entry
    struct mlt_cli_halves halves;
    bool has_from, has_to;
    int64_t from, to;
    const char *endpoint; // NULL: any
    uint64_t limit;
    uint64_t records, ids;
    struct {
        uint64_t ids, entries;
        struct mlt_buf items; // JSON, joined by commas
        uint64_t listed;
    } faults[NUM_FAULTS];
};

// --- reading ---

static struct mlt_bytes text_of(struct reconciling *r, const struct mlt_json *json, mlt_json_at at, const char *path) {
    return mlt_json_string(json, mlt_json_path(json, at, path), &r->arena);
}

static void show(char *out, size_t cap, struct mlt_bytes text) {
    const size_t len = text.len < cap - 1 ? text.len : cap - 1;
    if (len > 0) {
        memcpy(out, text.ptr, len);
    }
    out[len] = '\0';
}

static void make_key(uint8_t out[static 16], struct mlt_bytes pair, struct mlt_bytes producer,
                     struct mlt_bytes deployment) {
    uint8_t hash[MLT_HASH_LEN], lens[16];
    mlt_store_u64be(lens, pair.len);
    mlt_store_u64be(lens + 8, producer.len);
    const struct mlt_bytes parts[] = {mlt_bytes_of(lens, sizeof(lens)), pair, producer, deployment};
    mlt_sha256(hash, parts, 4);
    memcpy(out, hash, 16);
}

static bool is_outside(const struct reconciling *r, struct mlt_bytes time) {
    int64_t at;
    return !mlt_time_parse(&at, time) || (r->has_from && at < r->from) || (r->has_to && at >= r->to);
}

static enum mlt_status take_entry(struct reconciling *r, const struct mlt_json *json, struct mlt_error *err) {
    const mlt_json_at facts = mlt_json_path(json, 0, "entry/facts");
    const struct mlt_bytes half = text_of(r, json, facts, "half");
    const struct mlt_bytes request_id = text_of(r, json, facts, "request_id");
    const struct mlt_bytes event_id = text_of(r, json, facts, "event_id");
    const struct mlt_bytes endpoint = text_of(r, json, facts, "deployment/endpoint");
    struct mlt_cli_half h = {.response = mlt_bytes_is(half, "response")};
    uint64_t row;
    r->records++;
    if ((!h.response && !mlt_bytes_is(half, "request")) || (r->endpoint && !mlt_bytes_is(endpoint, r->endpoint))) {
        return MLT_OK;
    }
    // An id is no password: what another producer sends under it is no half of this prediction.
    make_key(h.key, event_id.len > 0 ? event_id : request_id, text_of(r, json, 0, "entry/producer/principal"),
             mlt_json_raw(json, mlt_json_get(json, facts, "deployment")));
    h.row = mlt_json_u64(json, mlt_json_get(json, facts, "row"), &row) ? row + 1 : 0;
    (void)mlt_json_u64(json, mlt_json_get(json, 0, "index"), &h.entry);
    h.outside = is_outside(r, text_of(r, json, 0, "entry/time"));
    make_key(h.digest, mlt_json_raw(json, mlt_json_get(json, facts, "message_digest")), (struct mlt_bytes){0},
             (struct mlt_bytes){0});
    show(h.request_id, sizeof(h.request_id), request_id);
    show(h.endpoint, sizeof(h.endpoint), endpoint);
    return mlt_cli_halves_add(&r->halves, &h, err);
}

static int take_page(struct reconciling *r, struct mlt_bytes page) {
    struct mlt_cursor c = mlt_cursor_of(page);
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    enum mlt_status status = MLT_OK;
    while (status == MLT_OK && mlt_cursor_left(&c) > 0) {
        const struct mlt_bytes line = mlt_cursor_line(&c);
        status = c.failed ? mlt_fail(&err, MLT_CORRUPT, "the answer breaks off") : mlt_json_scan(&json, line, &err);
        status = status ? status : take_entry(r, &json, &err);
        mlt_arena_reset(&r->arena);
    }
    mlt_json_clear(&json);
    return status == MLT_OK ? 0 : mlt_cli_fail(r->cli, MLT_EXIT_FAILED, "%s", err.text);
}

static void add_time(struct mlt_buf *query, const char *name, bool given, int64_t at) {
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, at);
    mlt_query_add(query, name, given ? text : NULL);
}

static int read_all(struct reconciling *r) {
    char cursor[24] = "";
    struct mlt_progress progress;
    int code = 0;
    mlt_progress_init(&progress, r->cli, "reading");
    do {
        struct mlt_buf query = {0};
        struct mlt_reply reply = {0};
        mlt_query_add(&query, "kind", "prediction");
        mlt_query_add(&query, "payloads", "none");
        add_time(&query, "from", r->has_from, r->from - MARGIN_NS);
        add_time(&query, "to", r->has_to, r->to + MARGIN_NS);
        mlt_query_add(&query, "cursor", cursor[0] ? cursor : NULL);
        code = mlt_cli_get(r->cli, "/v1/export", mlt_buf_cstr(&query), &reply);
        code = code ? code : take_page(r, mlt_buf_bytes(&reply.body));
        memcpy(cursor, reply.next_cursor, sizeof(cursor));
        mlt_reply_clear(&reply);
        mlt_buf_clear(&query);
        mlt_progress_step(&progress, r->records, 0);
    } while (code == 0 && cursor[0]);
    mlt_progress_end(&progress);
    return code;
}

// --- judging ---

static bool same_place(const struct mlt_cli_half *a, const struct mlt_cli_half *b) {
    return a->response == b->response && a->row == b->row;
}

static size_t first_response(const struct mlt_cli_half *group, size_t num) {
    size_t at = 0;
    while (at < num && !group[at].response) {
        at++;
    }
    return at;
}

// Whether the halves of the other kind have this row. Sorted by row: one without rows stands first, for all rows.
static bool has_row(const struct mlt_cli_half *others, size_t num, uint64_t row) {
    size_t low = 0, high = num;
    if (num == 0 || row == 0 || others[0].row == 0) {
        return num > 0;
    }
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        low = others[mid].row < row ? mid + 1 : low;
        high = others[mid].row < row ? high : mid;
    }
    return low < num && others[low].row == row;
}

// One id that something is wrong with: entries are added while it is judged, the item is written at the end.
struct item {
    uint64_t entries[ENTRIES_SHOWN_MAX];
    uint64_t num;
};

static void add_to(struct item *items, enum fault fault, uint64_t entry) {
    if (items[fault].num < ENTRIES_SHOWN_MAX) {
        items[fault].entries[items[fault].num] = entry;
    }
    items[fault].num++;
}

static void judge(const struct mlt_cli_half *group, size_t num, struct item *items) {
    const size_t split = first_response(group, num);
    for (size_t i = 0; i < num; i++) {
        const struct mlt_cli_half *h = &group[i];
        const struct mlt_cli_half *first = i < split ? &group[0] : &group[split];
        const struct mlt_cli_half *others = i < split ? group + split : group;
        if (!has_row(others, i < split ? num - split : split, h->row)) {
            add_to(items, h->response ? UNASKED : UNANSWERED, h->entry);
        }
        if (memcmp(h->digest, first->digest, sizeof(h->digest)) != 0) {
            if (items[CONFLICTING].num == 0) {
                add_to(items, CONFLICTING, first->entry);
            }
            add_to(items, CONFLICTING, h->entry);
        } else if (i > 0 && same_place(&group[i - 1], h) &&
                   memcmp(group[i - 1].digest, h->digest, sizeof(h->digest)) == 0) {
            add_to(items, DUPLICATE, h->entry);
        }
    }
}

static void put_item(struct mlt_buf *out, const struct mlt_cli_half *h, const struct item *item) {
    struct mlt_json_writer w;
    mlt_buf_put_str(out, out->len > 0 ? "," : "");
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "request_id", h->request_id);
    mlt_jw_member(&w, "endpoint", h->endpoint[0] ? h->endpoint : NULL);
    mlt_jw_member_u64(&w, "count", item->num);
    mlt_jw_name(&w, "entries");
    mlt_jw_array(&w);
    for (size_t i = 0; i < item->num && i < ENTRIES_SHOWN_MAX; i++) {
        mlt_jw_u64(&w, item->entries[i]);
    }
    mlt_jw_end_array(&w);
    mlt_jw_end_object(&w);
}

static enum mlt_status take_group(void *arg, const struct mlt_cli_half *group, size_t num, struct mlt_error *err) {
    struct reconciling *r = arg;
    struct item items[NUM_FAULTS] = {0};
    bool inside = false;
    for (size_t i = 0; i < num; i++) {
        inside = inside || !group[i].outside;
    }
    if (!inside) {
        return MLT_OK;
    }
    r->ids++;
    judge(group, num, items);
    for (size_t f = 0; f < NUM_FAULTS; f++) {
        if (items[f].num > 0) {
            r->faults[f].ids++;
            r->faults[f].entries += items[f].num;
            if (r->faults[f].listed < r->limit) {
                put_item(&r->faults[f].items, &group[0], &items[f]);
                r->faults[f].listed++;
            }
        }
        if (r->faults[f].items.failed) {
            return mlt_fail(err, MLT_NOMEM, "no memory for the answer");
        }
    }
    return MLT_OK;
}

// --- telling ---

static void put_answer(const struct reconciling *r, struct mlt_buf *out) {
    struct mlt_json_writer w;
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "reconciled", "requests");
    mlt_jw_member(&w, "from", mlt_cli_value(r->cli, "from"));
    mlt_jw_member(&w, "to", mlt_cli_value(r->cli, "to"));
    mlt_jw_member(&w, "endpoint", r->endpoint);
    mlt_jw_member_u64(&w, "records", r->records);
    mlt_jw_member_u64(&w, "halves", r->halves.total);
    mlt_jw_member_u64(&w, "ids", r->ids);
    for (size_t f = 0; f < NUM_FAULTS; f++) {
        mlt_jw_name(&w, FAULTS[f].name);
        mlt_jw_object(&w);
        mlt_jw_member_u64(&w, "ids", r->faults[f].ids);
        mlt_jw_member_u64(&w, "records", r->faults[f].entries);
        mlt_jw_name(&w, "items");
        mlt_jw_array(&w);
        if (r->faults[f].items.len > 0) {
            mlt_jw_raw(&w, mlt_buf_bytes(&r->faults[f].items));
        }
        mlt_jw_end_array(&w);
        mlt_jw_end_object(&w);
    }
    mlt_jw_end_object(&w);
}

static int tell(struct reconciling *r) {
    static const struct mlt_column columns[] = {{"REQUEST", "request_id", 40},
                                                {"ENDPOINT", "endpoint", 30},
                                                {"RECORDS", "count", 8},
                                                {"ENTRIES", "entries", 60}};
    struct mlt_cli *cli = r->cli;
    struct mlt_buf out = {0};
    struct mlt_json json = {0};
    put_answer(r, &out);
    if (cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    } else if (mlt_cli_scan(cli, &json, mlt_buf_bytes(&out)) == 0) {
        mlt_cli_out_line(cli, "%" PRIu64 " ids in %" PRIu64 " halves, of %" PRIu64 " prediction records", r->ids,
                         r->halves.total, r->records);
        for (size_t f = 0; f < NUM_FAULTS; f++) {
            mlt_cli_out_line(cli, "%-12s %" PRIu64 " (%s)", FAULTS[f].name, r->faults[f].ids, FAULTS[f].says);
        }
        for (size_t f = 0; f < NUM_FAULTS; f++) {
            if (r->faults[f].ids > 0) {
                mlt_cli_outf(cli, "\n%s:\n", FAULTS[f].name);
                mlt_json_table(cli, &json, mlt_json_get(&json, mlt_json_get(&json, 0, FAULTS[f].name), "items"),
                               columns, sizeof(columns) / sizeof(columns[0]));
            }
            if (r->faults[f].ids > r->faults[f].listed) {
                mlt_cli_out_line(cli, "and %" PRIu64 " more; --limit shows them",
                                 r->faults[f].ids - r->faults[f].listed);
            }
        }
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    return r->faults[UNANSWERED].ids + r->faults[UNASKED].ids + r->faults[CONFLICTING].ids > 0 ? MLT_EXIT_FALSE
                                                                                               : MLT_EXIT_TRUE;
}

static bool read_time(struct mlt_cli *cli, const char *option, bool *given, int64_t *out) {
    const char *text = mlt_cli_value(cli, option);
    *given = text != NULL;
    if (text && !mlt_date_parse(out, mlt_str(text))) {
        (void)mlt_cli_fail(cli, MLT_EXIT_USAGE, "--%s %s is no time; write it as 2026-03-01 or 2026-03-01T12:00:00Z",
                           option, text);
        return false;
    }
    return true;
}

int mlt_reconcile_requests(struct mlt_cli *cli) {
    struct reconciling r = {.cli = cli, .endpoint = mlt_cli_value(cli, "endpoint"), .limit = LIMIT_DEFAULT};
    struct mlt_error err = {0};
    if (!read_time(cli, "from", &r.has_from, &r.from) || !read_time(cli, "to", &r.has_to, &r.to) ||
        !mlt_cli_number(cli, "limit", &r.limit)) {
        return MLT_EXIT_USAGE;
    }
    mlt_cli_halves_init(&r.halves);
    int code = read_all(&r);
    if (code == 0 && mlt_cli_halves_each(&r.halves, take_group, &r, &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    }
    code = code == 0 ? tell(&r) : code;
    for (size_t f = 0; f < NUM_FAULTS; f++) {
        mlt_buf_clear(&r.faults[f].items);
    }
    mlt_cli_halves_clear(&r.halves);
    mlt_arena_clear(&r.arena);
    return code;
}
