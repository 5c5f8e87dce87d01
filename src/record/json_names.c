// Finding a member name that stands twice in one object.
//
// Three ways, by size: each pair for a handful, a hash table for the rest, and sorting where the table does not work:
// names with escapes, and names chosen so that their hashes collide. The hash has no key, since the scanner has no
// source of randomness; the budget of probes is what keeps an attacker's object from taking quadratic time.
#include "record/json_names.h"

#include <stdlib.h>

#include "record/quick_hash.h"

#define PAIRWISE_MAX 6  // up to here comparing each pair costs less than clearing a table
#define LOCAL_SLOTS 128 // table on the stack, half full at most: objects of up to 64 members
#define PROBES_A_NAME 8 // average length of a search that honest names stay far below at half load

static struct mlt_bytes name_at(const struct mlt_json *json, uint32_t at) {
    const struct mlt_json_token *t = &json->tape[at];
    return mlt_bytes_of(json->text.ptr + t->start + 1, t->end - t->start - 2);
}

static uint32_t first_name(uint32_t object) {
    return object + 1;
}
static uint32_t next_name(const struct mlt_json *json, uint32_t name) {
    return json->tape[name + 1].next;
}

static uint32_t by_pairs(const struct mlt_json *json, uint32_t object, uint32_t count) {
    struct mlt_bytes seen[PAIRWISE_MAX];
    uint32_t at = first_name(object);
    for (uint32_t i = 0; i < count; i++, at = next_name(json, at)) {
        seen[i] = name_at(json, at);
        for (uint32_t k = 0; k < i; k++) {
            if (mlt_bytes_equal(seen[k], seen[i])) {
                return at;
            }
        }
    }
    return MLT_JSON_NONE;
}

// `slots` holds tape positions (0: free; a name is never at 0) and has room for a power of two, at least twice `count`.
// False when the budget of probes is used up and nothing is known.
static bool by_hash(const struct mlt_json *json, uint32_t object, uint32_t count, uint32_t *slots, size_t num_slots,
                    uint32_t *duplicate) {
    size_t budget = (size_t)count * PROBES_A_NAME;
    uint32_t at = first_name(object);
    for (uint32_t i = 0; i < count; i++, at = next_name(json, at)) {
        struct mlt_bytes name = name_at(json, at);
        size_t slot = mlt_quick_hash(name) & (num_slots - 1);
        while (slots[slot] != 0) {
            if (mlt_bytes_equal(name_at(json, slots[slot]), name)) {
                *duplicate = at;
                return true;
            }
            if (budget-- == 0) {
                return false;
            }
            slot = (slot + 1) & (num_slots - 1);
        }
        slots[slot] = at;
    }
    *duplicate = MLT_JSON_NONE;
    return true;
}

struct name_ref {
    struct mlt_bytes text; // unescaped
    uint32_t at;
};

static int by_text(const void *a, const void *b) {
    const struct name_ref *x = a;
    const struct name_ref *y = b;
    int order = mlt_bytes_compare(x->text, y->text);
    return order != 0 ? order : x->at < y->at ? -1 : 1;
}

static enum mlt_status by_sorting(const struct mlt_json *json, uint32_t object, uint32_t count, uint32_t *duplicate,
                                  struct mlt_error *err) {
    struct mlt_arena arena = {0};
    enum mlt_status status = MLT_NOMEM;
    struct name_ref *names = malloc(count * sizeof(*names));
    if (!names) {
        goto out;
    }
    uint32_t at = first_name(object);
    for (uint32_t i = 0; i < count; i++, at = next_name(json, at)) {
        names[i] = (struct name_ref){.text = mlt_json_string(json, at, &arena), .at = at};
        if (!names[i].text.ptr) {
            goto out;
        }
    }
    qsort(names, count, sizeof(*names), by_text);
    *duplicate = MLT_JSON_NONE;
    for (uint32_t i = 1; i < count; i++) {
        // Of several the first in the text is reported, so that the report does not depend on the way it was found.
        if (mlt_bytes_equal(names[i - 1].text, names[i].text) && names[i].at < *duplicate) {
            *duplicate = names[i].at;
        }
    }
    status = MLT_OK;
out:
    free(names);
    mlt_arena_clear(&arena);
    return status == MLT_OK ? MLT_OK : mlt_fail(err, status, "no memory for %u member names", count);
}

static bool any_escaped(const struct mlt_json *json, uint32_t object, uint32_t count) {
    uint32_t at = first_name(object);
    for (uint32_t i = 0; i < count; i++, at = next_name(json, at)) {
        if (json->tape[at].escaped) {
            return true;
        }
    }
    return false;
}

// The table of a large object is kept with the tape, so that the next one allocates nothing.
static uint32_t *large_table(struct mlt_json *json, size_t num_slots) {
    if (json->slots_cap < num_slots) {
        uint32_t *slots = realloc(json->slots, num_slots * sizeof(*slots));
        if (!slots) {
            return NULL;
        }
        json->slots = slots;
        json->slots_cap = num_slots;
    }
    memset(json->slots, 0, num_slots * sizeof(*json->slots));
    return json->slots;
}

enum mlt_status mlt_json_duplicate(struct mlt_json *json, uint32_t object, uint32_t *name, struct mlt_error *err) {
    uint32_t count = json->tape[object].count;
    *name = MLT_JSON_NONE;
    if (count < 2) {
        return MLT_OK;
    }
    if (any_escaped(json, object, count)) {
        return by_sorting(json, object, count, name, err);
    }
    if (count <= PAIRWISE_MAX) {
        *name = by_pairs(json, object, count);
        return MLT_OK;
    }
    bool known;
    if (count <= LOCAL_SLOTS / 2) {
        uint32_t slots[LOCAL_SLOTS] = {0};
        known = by_hash(json, object, count, slots, LOCAL_SLOTS, name);
    } else {
        size_t num_slots = LOCAL_SLOTS;
        while (num_slots < 2 * (size_t)count) {
            num_slots *= 2;
        }
        uint32_t *slots = large_table(json, num_slots);
        if (!slots) {
            return mlt_fail(err, MLT_NOMEM, "no memory for %u member names", count);
        }
        known = by_hash(json, object, count, slots, num_slots, name);
    }
    return known ? MLT_OK : by_sorting(json, object, count, name, err);
}
