#include <inttypes.h>
#include <stdio.h>

#include "cli/list.h"

#define LIMIT_DEFAULT 50
#define PAGE_MAX 1000 // items asked for at once

struct listing {
    struct mlt_buf items; // raw JSON values, joined by commas
    uint64_t count, total;
    bool has_total;
    char *next; // NULL: the end
};

static void take_page(struct mlt_cli *cli, struct listing *l, const struct mlt_json *json) {
    mlt_json_at items = mlt_json_get(json, 0, "items");
    for (mlt_json_at n = mlt_json_first(json, items); n != MLT_JSON_NONE; n = mlt_json_next(json, items, n)) {
        if (l->items.len > 0) {
            mlt_buf_put_u8(&l->items, ',');
        }
        mlt_buf_put_bytes(&l->items, mlt_json_raw(json, n));
        l->count++;
    }
    l->has_total = mlt_json_u64(json, mlt_json_get(json, 0, "total"), &l->total);
    mlt_json_at next = mlt_json_get(json, 0, "next");
    l->next = NULL;
    if (next != MLT_JSON_NONE && !mlt_json_is(json, next, MLT_JSON_NULL)) {
        struct mlt_bytes text = mlt_json_is(json, next, MLT_JSON_STRING) ? mlt_json_string(json, next, &cli->arena)
                                                                         : mlt_json_raw(json, next);
        l->next = mlt_arena_cstr(&cli->arena, text);
    }
}

static int fetch(struct mlt_cli *cli, struct listing *l, const char *path, const struct mlt_buf *query,
                 uint64_t limit) {
    int code = 0;
    bool more = true;
    while (code == 0 && more && l->count < limit) {
        struct mlt_buf page = {0};
        struct mlt_reply reply = {0};
        struct mlt_json json = {0};
        char asked[24];
        uint64_t left = limit - l->count;
        mlt_buf_put_bytes(&page, mlt_buf_bytes(query));
        (void)snprintf(asked, sizeof asked, "%" PRIu64, left < PAGE_MAX ? left : PAGE_MAX);
        mlt_query_add(&page, "limit", asked);
        mlt_query_add(&page, "cursor", l->next);
        code = mlt_cli_get(cli, path, mlt_buf_cstr(&page), &reply);
        code = code == 0 ? mlt_cli_scan(cli, &json, mlt_buf_bytes(&reply.body)) : code;
        if (code == 0) {
            take_page(cli, l, &json);
        }
        more = l->next != NULL;
        mlt_json_clear(&json);
        mlt_reply_clear(&reply);
        mlt_buf_clear(&page);
    }
    return code;
}

static int print(struct mlt_cli *cli, const struct listing *l, const struct mlt_column *columns, size_t num_columns) {
    struct mlt_buf out = {0};
    struct mlt_json json = {0};
    struct mlt_error err = {0};
    int code = 0;
    mlt_buf_put_str(&out, "{\"items\":[");
    mlt_buf_put_bytes(&out, mlt_buf_bytes(&l->items));
    mlt_buf_put_str(&out, "]");
    if (l->has_total) {
        mlt_buf_printf(&out, ",\"total\":%" PRIu64, l->total);
    }
    mlt_buf_put_str(&out, l->next ? ",\"more\":true}" : ",\"more\":false}");
    if (cli->json) {
        mlt_cli_out_json(cli, mlt_buf_bytes(&out));
    } else if (mlt_json_scan(&json, mlt_buf_bytes(&out), &err) != MLT_OK) {
        code = mlt_cli_fail_error(cli, &err);
    } else if (l->count == 0) {
        mlt_cli_note(cli, "nothing found");
    } else {
        mlt_json_table(cli, &json, mlt_json_get(&json, 0, "items"), columns, num_columns);
        if (l->next && l->has_total) {
            mlt_cli_note(cli, "the first %" PRIu64 " of %" PRIu64 "; --limit N shows more", l->count, l->total);
        } else if (l->next) {
            mlt_cli_note(cli, "there are more; --limit N shows them");
        }
    }
    mlt_json_clear(&json);
    mlt_buf_clear(&out);
    return code;
}

int mlt_cli_list(struct mlt_cli *cli, const char *path, struct mlt_buf *query, const struct mlt_column *columns,
                 size_t num_columns) {
    struct listing l = {0};
    uint64_t limit = LIMIT_DEFAULT;
    if (!mlt_cli_number(cli, "limit", &limit)) {
        return MLT_EXIT_USAGE;
    }
    if (limit == 0) {
        return mlt_cli_fail(cli, MLT_EXIT_USAGE, "--limit 0 asks for nothing; give 1 or more");
    }
    int code = fetch(cli, &l, path, query, limit);
    code = code == 0 ? print(cli, &l, columns, num_columns) : code;
    mlt_buf_clear(&l.items);
    return code;
}
