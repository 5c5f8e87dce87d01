// Where a scan failed, as a JSON pointer.
#include <stdio.h>

#include "record/json_report.h"

// Adds "/part" to the pointer, escaped after RFC 6901 section 3, cut where the room ends.
static void add_part(struct mlt_json *json, size_t *len, struct mlt_bytes part) {
    char *out = json->error_pointer;
    size_t cap = sizeof(json->error_pointer) - 1;
    if (*len < cap) {
        out[(*len)++] = '/';
    }
    for (size_t i = 0; i < part.len && *len + 2 <= cap; i++) {
        uint8_t c = part.ptr[i];
        if (c == '~' || c == '/') {
            out[(*len)++] = '~';
            c = c == '~' ? '0' : '1';
        }
        out[(*len)++] = (char)c;
    }
    while (*len > 0 && !mlt_utf8_valid(mlt_bytes_of(out, *len))) {
        (*len)--; // the cut went through a character
    }
    out[*len] = '\0';
}

// The last name that stands directly in the object at `object`; MLT_JSON_NONE when there is none.
static uint32_t last_name(const struct mlt_json *json, uint32_t object) {
    uint32_t last = MLT_JSON_NONE;
    uint32_t at = object + 1;
    while (at < json->num_tokens && json->tape[at].end != 0) {
        last = at;
        if (at + 1 >= json->num_tokens || json->tape[at + 1].next == 0) {
            break; // its value is being read
        }
        at = json->tape[at + 1].next;
    }
    return last;
}

void mlt_json_report_place(struct mlt_json *json, const uint32_t *open, uint32_t depth, uint32_t name) {
    struct mlt_arena arena = {0};
    size_t len = 0;
    json->error_pointer[0] = '\0';
    for (uint32_t d = 0; d < depth; d++) {
        const struct mlt_json_token *container = &json->tape[open[d]];
        if (container->type == MLT_JSON_ARRAY) {
            char number[12];
            int n = snprintf(number, sizeof(number), "%u", container->count > 0 ? container->count - 1 : 0);
            add_part(json, &len, mlt_bytes_of(number, (size_t)n));
            continue;
        }
        bool innermost = d + 1 == depth;
        uint32_t at = !innermost ? open[d + 1] - 1 : name != MLT_JSON_NONE ? name : last_name(json, open[d]);
        if (at == MLT_JSON_NONE) {
            break;
        }
        add_part(json, &len, mlt_json_string(json, at, &arena));
    }
    mlt_arena_clear(&arena);
}
