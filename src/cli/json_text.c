#include "cli/json_text.h"

#include "dossier/visible.h"

#define COLUMNS_MAX 16

void mlt_json_show(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at at) {
    struct mlt_arena arena = {0};
    if (mlt_json_is(json, at, MLT_JSON_STRING)) {
        mlt_visible_put(out, mlt_json_string(json, at, &arena), MLT_VISIBLE_PLAIN);
    } else if (at != MLT_JSON_NONE) {
        struct mlt_buf text = {0};
        mlt_json_minify(json, at, &text);
        mlt_visible_put(out, mlt_buf_bytes(&text), MLT_VISIBLE_PLAIN);
        mlt_buf_clear(&text);
    }
    mlt_arena_clear(&arena);
}

static bool is_branch(const struct mlt_json *json, mlt_json_at at) {
    return (mlt_json_is(json, at, MLT_JSON_OBJECT) || mlt_json_is(json, at, MLT_JSON_ARRAY)) &&
           mlt_json_first(json, at) != MLT_JSON_NONE;
}

static void outline_value(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at at, unsigned indent) {
    if (is_branch(json, at)) {
        mlt_buf_put_u8(out, '\n');
        mlt_json_outline(out, json, at, indent + 1);
        return;
    }
    mlt_buf_put_u8(out, ' ');
    mlt_json_show(out, json, at);
    mlt_buf_put_u8(out, '\n');
}

// The depth is bounded by MLT_JSON_DEPTH_MAX.
void mlt_json_outline(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at at, unsigned indent) {
    bool object = mlt_json_is(json, at, MLT_JSON_OBJECT);
    for (mlt_json_at n = mlt_json_first(json, at); n != MLT_JSON_NONE; n = mlt_json_next(json, at, n)) {
        mlt_buf_printf(out, "%*s", (int)indent * 2, "");
        if (object) {
            mlt_json_show(out, json, n);
            mlt_buf_put_u8(out, ':');
            outline_value(out, json, n + 1, indent);
        } else {
            mlt_buf_put_u8(out, '-');
            outline_value(out, json, n, indent);
        }
    }
}

static mlt_json_at follow(const struct mlt_json *json, mlt_json_at at, const char *path, size_t len) {
    while (len > 0 && at != MLT_JSON_NONE) {
        const char *slash = memchr(path, '/', len);
        size_t step = slash ? (size_t)(slash - path) : len;
        at = mlt_json_get_bytes(json, at, mlt_bytes_of(path, step));
        path += step + (slash != NULL);
        len -= step + (slash != NULL);
    }
    return at;
}

mlt_json_at mlt_json_path(const struct mlt_json *json, mlt_json_at at, const char *path) {
    for (;;) {
        size_t len = strcspn(path, "|");
        mlt_json_at found = follow(json, at, path, len);
        if (found != MLT_JSON_NONE && !mlt_json_is(json, found, MLT_JSON_NULL)) {
            return found;
        }
        if (path[len] == '\0') {
            return MLT_JSON_NONE;
        }
        path += len + 1;
    }
}

static void put_cell(struct mlt_buf *cell, const struct mlt_json *json, mlt_json_at item,
                     const struct mlt_column *col) {
    struct mlt_buf whole = {0};
    mlt_json_show(&whole, json, mlt_json_path(json, item, col->path));
    if (whole.len == 0) {
        mlt_buf_put_str(&whole, "-");
    }
    // Already visible: putting it again only cuts.
    mlt_visible_put_cut(cell, mlt_buf_bytes(&whole), MLT_VISIBLE_PLAIN, col->max);
    mlt_buf_clear(&whole);
}

static void print_row(struct mlt_cli *cli, struct mlt_buf *cells, const size_t *widths, size_t num) {
    struct mlt_buf line = {0};
    for (size_t i = 0; i < num; i++) {
        mlt_buf_put_bytes(&line, mlt_buf_bytes(&cells[i]));
        size_t width = mlt_visible_width(mlt_buf_bytes(&cells[i]));
        if (i + 1 < num) {
            mlt_buf_printf(&line, "%*s", (int)(widths[i] > width ? widths[i] - width : 0) + 2, "");
        }
    }
    mlt_buf_put_u8(&line, '\n');
    mlt_cli_out(cli, mlt_buf_bytes(&line));
    mlt_buf_clear(&line);
}

static void measure(const struct mlt_json *json, mlt_json_at items, const struct mlt_column *columns, size_t num,
                    size_t *widths) {
    struct mlt_buf cell = {0};
    for (size_t i = 0; i < num; i++) {
        widths[i] = strlen(columns[i].title);
    }
    for (mlt_json_at n = mlt_json_first(json, items); n != MLT_JSON_NONE; n = mlt_json_next(json, items, n)) {
        for (size_t i = 0; i < num; i++) {
            mlt_buf_reset(&cell);
            put_cell(&cell, json, n, &columns[i]);
            size_t width = mlt_visible_width(mlt_buf_bytes(&cell));
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    mlt_buf_clear(&cell);
}

void mlt_json_table(struct mlt_cli *cli, const struct mlt_json *json, mlt_json_at items,
                    const struct mlt_column *columns, size_t num_columns) {
    struct mlt_buf cells[COLUMNS_MAX] = {0};
    size_t widths[COLUMNS_MAX] = {0};
    size_t num = num_columns < COLUMNS_MAX ? num_columns : COLUMNS_MAX;
    measure(json, items, columns, num, widths);
    for (size_t i = 0; i < num; i++) {
        mlt_buf_put_str(&cells[i], columns[i].title);
    }
    print_row(cli, cells, widths, num);
    for (mlt_json_at n = mlt_json_first(json, items); n != MLT_JSON_NONE; n = mlt_json_next(json, items, n)) {
        for (size_t i = 0; i < num; i++) {
            mlt_buf_reset(&cells[i]);
            put_cell(&cells[i], json, n, &columns[i]);
        }
        print_row(cli, cells, widths, num);
    }
    for (size_t i = 0; i < num; i++) {
        mlt_buf_clear(&cells[i]);
    }
}
