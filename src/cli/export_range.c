#include <inttypes.h>
#include <stdio.h>

#include "cli/export_extract.h"
#include "cli/json_text.h"
#include "cli/verify.h"

// --- the range ---

static int read_checkpoint(struct mlt_extract *x) {
    struct mlt_reply reply = {0};
    struct mlt_note note;
    struct mlt_checkpoint head;
    struct mlt_error err = {0};
    int code = mlt_cli_get(x->cli, "/checkpoint", NULL, &reply);
    if (code == 0) {
        x->statement.checkpoint = mlt_arena_copy(&x->cli->arena, mlt_buf_bytes(&reply.body));
        if (mlt_note_parse(&note, &x->cli->arena, x->statement.checkpoint, &err) != MLT_OK ||
            mlt_checkpoint_parse(&head, note.text, &err) != MLT_OK) {
            code = mlt_cli_fail(x->cli, MLT_EXIT_FAILED, "the trail's checkpoint is none: %s", err.text);
        } else {
            x->tiles->size = head.size;
        }
    }
    mlt_reply_clear(&reply);
    return code;
}

// The first entry received at or after `time`.
static int position(struct mlt_extract *x, const char *time, uint64_t *out) {
    struct mlt_reply reply = {0};
    struct mlt_buf query = {0};
    struct mlt_json json = {0};
    mlt_query_add(&query, "received", time);
    int code = mlt_cli_get(x->cli, "/v1/positions", mlt_buf_cstr(&query), &reply);
    if (code == 0 && (mlt_json_scan(&json, mlt_buf_bytes(&reply.body), NULL) != MLT_OK ||
                      !mlt_json_u64(&json, mlt_json_get(&json, 0, "index"), out))) {
        code = mlt_cli_fail(x->cli, MLT_EXIT_FAILED, "the trail does not say where %s is", time);
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&query);
    mlt_reply_clear(&reply);
    return code;
}

static int find_range(struct mlt_extract *x) {
    struct mlt_cli *cli = x->cli;
    const char *from = mlt_cli_value(cli, "from"), *to = mlt_cli_value(cli, "to");
    struct mlt_extract_statement *s = &x->statement;
    s->end = x->tiles->size;
    if ((from && mlt_cli_value(cli, "from-entry")) || (to && mlt_cli_value(cli, "to-entry"))) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "give either times (--from, --to) or entries (--from-entry, --to-entry)");
    }
    uint64_t end = s->end;
    if (!mlt_cli_number(cli, "from-entry", &s->first) || !mlt_cli_number(cli, "to-entry", &end)) {
        return MLT_EXIT_USAGE;
    }
    int code = from ? position(x, from, &s->first) : 0;
    code = code == 0 && to ? position(x, to, &end) : code;
    if (code == 0 && mlt_cli_value(cli, "to-entry") && end > s->end) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE,
                            "--to-entry %" PRIu64 " is beyond the published checkpoint of %" PRIu64, end, s->end);
    }
    s->end = end < s->end ? end : s->end;
    s->first = s->first < s->end ? s->first : s->end;
    if (code == 0 && s->first == s->end) {
        mlt_cli_note(cli, "no entry is in that range; the published checkpoint covers the first %" PRIu64,
                     x->tiles->size);
    }
    s->from = mlt_str(from);
    s->to = mlt_str(to);
    return code;
}

int mlt_extract_open(struct mlt_cli *cli, struct mlt_extract *x) {
    *x = (struct mlt_extract){.cli = cli};
    x->tiles = mlt_arena_zero(&cli->arena, sizeof(*x->tiles));
    if (!x->tiles) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    x->tiles->cli = cli;
    int code = read_checkpoint(x);
    if (code == 0) {
        x->statement.key = mlt_verify_key_offered(cli); // says whose key to look for
        code = find_range(x);
    }
    x->statement.kind = mlt_str(mlt_cli_value(cli, "kind"));
    x->statement.model = mlt_str(mlt_cli_value(cli, "model"));
    x->next = x->statement.first;
    return code;
}

// --- what is not shown ---

// The largest subtrees that fit; the first and the last entry of the range by their own hashes.
static int hide(struct mlt_extract *x, uint64_t end) {
    const struct mlt_hash_source hashes = mlt_cli_tiles_source(x->tiles);
    struct mlt_error err = {0};
    while (x->next < end) {
        const uint64_t last = x->statement.end - 1;
        struct mlt_extract_hidden h = {.at = x->next};
        if (x->next != x->statement.first && x->next != last) {
            h.level = mlt_range_subtree(x->next, end < last ? end : last);
        }
        if (mlt_merkle_subtree(&hashes, h.at, h.level, h.hash, &err) != MLT_OK) {
            return mlt_cli_tiles_fail(x->tiles, &err);
        }
        mlt_buf_put(&x->hidden, &h, sizeof(h));
        x->next += UINT64_C(1) << h.level;
    }
    return 0;
}

int mlt_extract_shown(struct mlt_extract *x, uint64_t index) {
    if (index < x->next || index >= x->statement.end) {
        return mlt_cli_fail(x->cli, MLT_EXIT_FAILED, "the trail gives entry %" PRIu64 " out of order", index);
    }
    const int code = hide(x, index);
    x->next = index + 1;
    x->statement.found++;
    return code;
}

int mlt_extract_close(struct mlt_extract *x) {
    const struct mlt_hash_source hashes = mlt_cli_tiles_source(x->tiles);
    struct mlt_extract_statement *s = &x->statement;
    struct mlt_error err = {0};
    int code = hide(x, s->end);
    if (code == 0 && s->first < s->end &&
        (mlt_merkle_prove_inclusion(&hashes, s->first, x->tiles->size, &s->first_proof, &err) != MLT_OK ||
         mlt_merkle_prove_inclusion(&hashes, s->end - 1, x->tiles->size, &s->last_proof, &err) != MLT_OK)) {
        code = mlt_cli_tiles_fail(x->tiles, &err);
    }
    if (code == 0 && x->hidden.failed) {
        code = mlt_cli_fail(x->cli, MLT_EXIT_FAILED, "out of memory");
    }
    s->hidden = (void *)x->hidden.data;
    s->num_hidden = x->hidden.len / sizeof(*s->hidden);
    return code;
}

void mlt_extract_clear(struct mlt_extract *x) {
    mlt_buf_clear(&x->hidden);
}

// --- pages ---

void mlt_extract_pages_init(struct mlt_extract_pages *p, struct mlt_extract *x, bool filtered, const char *payloads) {
    *p = (struct mlt_extract_pages){.x = x, .filtered = filtered, .payloads = payloads};
    (void)snprintf(p->cursor, sizeof(p->cursor), "%" PRIu64, x->statement.first);
    p->ended = x->statement.first == x->statement.end;
}

static int next_page(struct mlt_extract_pages *p) {
    struct mlt_cli *cli = p->x->cli;
    struct mlt_buf query = {0};
    char size[24];
    (void)snprintf(size, sizeof(size), "%" PRIu64, p->x->statement.end);
    mlt_query_add(&query, "kind", p->filtered ? mlt_cli_value(cli, "kind") : NULL);
    mlt_query_add(&query, "model", p->filtered ? mlt_cli_value(cli, "model") : NULL);
    mlt_query_add(&query, "payloads", p->payloads);
    mlt_query_add(&query, "at_size", size);
    mlt_query_add(&query, "cursor", p->cursor);
    const int code = mlt_cli_get(cli, "/v1/export", mlt_buf_cstr(&query), &p->reply);
    mlt_buf_clear(&query);
    p->lines = mlt_cursor_of(mlt_buf_bytes(&p->reply.body));
    memcpy(p->cursor, p->reply.next_cursor, sizeof(p->cursor));
    p->ended = code != 0 || !p->cursor[0];
    return code;
}

int mlt_extract_pages_next(struct mlt_extract_pages *p, struct mlt_bytes *line) {
    *line = (struct mlt_bytes){0};
    while (mlt_cursor_left(&p->lines) == 0 && !p->ended) {
        const int code = next_page(p);
        if (code != 0) {
            return code;
        }
    }
    if (mlt_cursor_left(&p->lines) > 0) {
        *line = mlt_cursor_line(&p->lines);
    }
    return 0;
}

void mlt_extract_pages_clear(struct mlt_extract_pages *p) {
    mlt_reply_clear(&p->reply);
}
