// `anchor verify`: every anchor of a trail, its token against trusted certificates, and its tree against the trail's.
#include <inttypes.h>
#include <stdio.h>

#include "cli/anchor.h"
#include "cli/tiles.h"
#include "cli/transport.h"
#include "dossier/visible.h"
#include "note/checkpoint.h"

#define PAGE "200" // anchors have some kilobytes each

struct checking {
    struct mlt_cli *cli;
    struct mlt_timestamp_roots *roots; // NULL: none given
    struct mlt_checkpoint head;        // of the trail
    char at_size[24];
    struct mlt_cli_tiles tiles; // of the trail's own tree
    struct mlt_buf items;       // JSON
    uint64_t num, num_good;
    uint64_t covered; // size of the largest tree that is anchored well
    char since[MLT_TIME_TEXT_LEN + 1];
};

// -- the trail's own tree, from its tiles -----------------------------------------------------------------------------

// tree_root gives the root at a size. 0, or the exit status.
static int tree_root(struct checking *c, uint64_t size, uint8_t root[static MLT_HASH_LEN]) {
    const struct mlt_hash_source src = mlt_cli_tiles_source(&c->tiles);
    struct mlt_error err = {0};
    return mlt_merkle_root(&src, size, root, &err) == MLT_OK ? 0 : mlt_cli_tiles_fail(&c->tiles, &err);
}

static int read_head(struct checking *c) {
    struct mlt_reply reply = {0};
    struct mlt_error err = {0};
    struct mlt_note note;
    uint8_t root[MLT_HASH_LEN];
    int code = mlt_cli_get(c->cli, "/checkpoint", NULL, &reply);
    if (code == 0 && (mlt_note_parse(&note, &c->cli->arena, mlt_buf_bytes(&reply.body), &err) != MLT_OK ||
                      mlt_checkpoint_parse(&c->head, note.text, &err) != MLT_OK || c->head.size > MLT_TREE_MAX)) {
        code = mlt_cli_fail(c->cli, MLT_EXIT_FAILED, "the trail's checkpoint is none: %s", err.text);
    }
    mlt_reply_clear(&reply);
    c->tiles.cli = c->cli;
    c->tiles.size = c->head.size;
    (void)snprintf(c->at_size, sizeof c->at_size, "%" PRIu64, c->head.size);
    code = code == 0 && c->head.size > 0 ? tree_root(c, c->head.size, root) : code;
    if (code == 0 && c->head.size > 0 && memcmp(root, c->head.root, sizeof root) != 0) {
        code = mlt_cli_fail(c->cli, MLT_EXIT_FAILED,
                            "the tiles do not have the root of the checkpoint; \"mltrail verify\" says where");
    }
    return code;
}

// -- one anchor -------------------------------------------------------------------------------------------------------

static int judge_tree(struct checking *c, const struct mlt_anchor *a, struct mlt_timestamp_verdict *verdict) {
    uint8_t root[MLT_HASH_LEN];
    int code = 0;
    if (a->tree_size == 0 || a->tree_size > c->head.size) {
        verdict->good = false;
        (void)snprintf(verdict->why, sizeof verdict->why, "it is for size %" PRIu64 ", but the trail has %" PRIu64,
                       a->tree_size, c->head.size);
        return 0;
    }
    code = tree_root(c, a->tree_size, root);
    if (code == 0 && memcmp(root, a->root, sizeof root) != 0) {
        verdict->good = false;
        (void)snprintf(verdict->why, sizeof verdict->why,
                       "the trail has another root at size %" PRIu64 " than was stamped", a->tree_size);
    }
    return code;
}

static void put_item(struct checking *c, const struct mlt_anchor_item *item,
                     const struct mlt_timestamp_verdict *verdict) {
    struct mlt_json_writer w;
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(time, item->anchor.says.gen_time);
    if (c->items.len > 0) {
        mlt_buf_put_u8(&c->items, ',');
    }
    mlt_jw_init(&w, &c->items);
    mlt_jw_object(&w);
    mlt_jw_member_u64(&w, "entry", item->entry);
    mlt_jw_member_u64(&w, "tree_size", item->anchor.tree_size);
    mlt_jw_member(&w, "gen_time", time);
    mlt_jw_member(&w, "authority", item->anchor.says.authority);
    mlt_jw_member_bool(&w, "good", verdict->good);
    mlt_jw_member(&w, "why", verdict->good ? NULL : verdict->why);
    mlt_jw_end_object(&w);
}

static void print_item(struct checking *c, const struct mlt_anchor_item *item,
                       const struct mlt_timestamp_verdict *verdict) {
    struct mlt_buf line = {0};
    char time[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(time, item->anchor.says.gen_time);
    mlt_buf_printf(&line, "entry %" PRIu64 ": size %" PRIu64 " at %s by ", item->entry, item->anchor.tree_size, time);
    mlt_visible_put(&line, mlt_str(item->anchor.says.authority), MLT_VISIBLE_PLAIN);
    mlt_buf_put_str(&line, verdict->good ? ": good" : ": FALSE: ");
    mlt_visible_put(&line, mlt_str(verdict->why), MLT_VISIBLE_PLAIN);
    mlt_buf_put_str(&line, "\n");
    mlt_cli_out(c->cli, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

// Before a recovery the log had another name: what counts is that the stamped tree grew into the one that is signed
// now.
static int check_item(struct checking *c, const struct mlt_json *json, mlt_json_at at) {
    struct mlt_anchor_item item;
    struct mlt_timestamp_verdict verdict = {.good = false};
    struct mlt_error err = {0};
    struct mlt_arena arena = {0};
    int code = 0;
    mlt_anchor_item_read(&item, &arena, json, at);
    if (item.problem.status != MLT_OK) {
        (void)snprintf(verdict.why, sizeof verdict.why, "%.300s", item.problem.text);
    } else if (mlt_anchor_judge(&item.anchor, NULL, c->roots, &verdict, &err) != MLT_OK) {
        code = mlt_cli_fail_error(c->cli, &err);
    } else if (verdict.good) {
        code = judge_tree(c, &item.anchor, &verdict);
    }
    if (code == 0) {
        c->num++;
        c->num_good += verdict.good;
        if (c->roots && verdict.good && item.anchor.tree_size >= c->covered) {
            c->covered = item.anchor.tree_size;
            mlt_time_format(c->since, item.anchor.says.gen_time);
        }
        c->cli->json ? put_item(c, &item, &verdict) : print_item(c, &item, &verdict);
    }
    mlt_anchor_item_clear(&item);
    mlt_arena_clear(&arena);
    return code;
}

// -- all of them ------------------------------------------------------------------------------------------------------

// check_page checks the anchors of one page; `*next` is the cursor of the following one, NULL: the end.
static int check_page(struct checking *c, char **next) {
    struct mlt_buf query = {0};
    struct mlt_reply reply = {0};
    struct mlt_json json = {0};
    mlt_query_add(&query, "kind", "anchor");
    mlt_query_add(&query, "order", "asc");
    mlt_query_add(&query, "limit", PAGE);
    mlt_query_add(&query, "at_size", c->at_size); // one that is made meanwhile may be for a larger tree
    mlt_query_add(&query, "cursor", *next);
    int code = mlt_cli_get(c->cli, "/v1/records", mlt_buf_cstr(&query), &reply);
    code = code == 0 ? mlt_cli_scan(c->cli, &json, mlt_buf_bytes(&reply.body)) : code;
    mlt_json_at items = code == 0 ? mlt_json_get(&json, 0, "items") : MLT_JSON_NONE;
    for (mlt_json_at at = mlt_json_first(&json, items); code == 0 && at != MLT_JSON_NONE;
         at = mlt_json_next(&json, items, at)) {
        code = check_item(c, &json, at);
    }
    struct mlt_bytes cursor =
        code == 0 ? mlt_json_string(&json, mlt_json_get(&json, 0, "next"), &c->cli->arena) : mlt_bytes_of(NULL, 0);
    *next = cursor.len > 0 ? mlt_arena_cstr(&c->cli->arena, cursor) : NULL;
    mlt_json_clear(&json);
    mlt_reply_clear(&reply);
    mlt_buf_clear(&query);
    return code;
}

static void print_json(struct checking *c, bool verdict) {
    struct mlt_buf out = {0};
    struct mlt_json_writer w;
    mlt_jw_init(&w, &out);
    mlt_jw_object(&w);
    mlt_jw_member_bool(&w, "verdict", verdict);
    mlt_jw_member_bool(&w, "checked_against_roots", c->roots != NULL);
    mlt_jw_member_u64(&w, "tree_size", c->head.size);
    mlt_jw_member_u64(&w, "anchored_size", c->covered);
    mlt_jw_member(&w, "anchored_at", c->covered > 0 ? c->since : NULL);
    mlt_buf_put_str(&out, ",\"items\":[");
    mlt_buf_put_bytes(&out, mlt_buf_bytes(&c->items));
    mlt_buf_put_str(&out, "]}");
    mlt_cli_out_json(c->cli, mlt_buf_bytes(&out));
    mlt_buf_clear(&out);
}

static void print_text(struct checking *c) {
    if (c->num == 0) {
        mlt_cli_outf(c->cli, "the trail has no anchor; \"mltrail serve --tsa URL\" makes them\n");
    } else if (c->num_good < c->num) {
        mlt_cli_outf(c->cli, "NOT VERIFIED: %" PRIu64 " of %" PRIu64 " anchors are false\n", c->num - c->num_good,
                     c->num);
    } else if (!c->roots) {
        mlt_cli_outf(c->cli,
                     "consistent: %" PRIu64 " anchors, not checked against roots; give --roots with the certificates "
                     "of the authorities that you trust\n",
                     c->num);
    } else {
        mlt_cli_outf(c->cli, "verified: %" PRIu64 " anchors\n", c->num);
    }
    if (c->covered > 0) {
        mlt_cli_outf(c->cli, "the first %" PRIu64 " of %" PRIu64 " entries existed at %s\n", c->covered, c->head.size,
                     c->since);
    }
}

int mlt_anchor_verify(struct mlt_cli *cli) {
    struct checking *c = mlt_arena_zero(&cli->arena, sizeof *c);
    if (!c) {
        return mlt_cli_fail(cli, MLT_EXIT_FAILED, "out of memory");
    }
    c->cli = cli;
    int code = mlt_anchor_roots(cli, "roots", &c->roots);
    code = code == 0 ? read_head(c) : code;
    char *next = NULL;
    bool more = c->head.size > 0;
    while (code == 0 && more) {
        code = check_page(c, &next);
        more = next != NULL;
    }
    if (code == 0) {
        bool verdict = c->num > 0 && c->num_good == c->num && c->roots;
        cli->json ? print_json(c, verdict) : print_text(c);
        code = verdict ? MLT_EXIT_TRUE : MLT_EXIT_FALSE;
    }
    mlt_timestamp_roots_free(c->roots);
    mlt_buf_clear(&c->items);
    return code;
}
