// JSON shown to people: an indented outline, an aligned table. Text of others is made harmless on the way.
#ifndef MLT_CLI_JSON_TEXT_H
#define MLT_CLI_JSON_TEXT_H

#include "cli/cli.h"
#include "record/json.h"

// mlt_json_outline prints a value as "name: value" lines, two spaces deeper for each level.
void mlt_json_outline(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at at, unsigned indent);

struct mlt_column {
    const char *title;
    const char *path; // member, or members joined by '/': "entry/kind"; alternatives separated by '|'
    size_t max;       // columns; longer values are cut
};
// mlt_json_table prints one row for each element of the array `items`.
void mlt_json_table(struct mlt_cli *cli, const struct mlt_json *json, mlt_json_at items,
                    const struct mlt_column *columns, size_t num_columns);
// mlt_json_path follows "a/b|c": the first alternative that is there and not null, MLT_JSON_NONE when none is.
mlt_json_at mlt_json_path(const struct mlt_json *json, mlt_json_at at, const char *path);
// mlt_json_show puts a value as visible text: strings without quotes, others as they are.
void mlt_json_show(struct mlt_buf *out, const struct mlt_json *json, mlt_json_at at);

#endif
