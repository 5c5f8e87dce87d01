// Which payload members a bundle shows.
#include "bundle/bundle.h"

static struct mlt_bytes next_name(struct mlt_bytes *list) {
    const uint8_t *comma = list->len > 0 ? memchr(list->ptr, ',', list->len) : NULL;
    const size_t len = comma ? (size_t)(comma - list->ptr) : list->len;
    const struct mlt_bytes name = mlt_bytes_of(list->ptr, len);
    list->ptr += len + (comma != NULL);
    list->len -= len + (comma != NULL);
    return name;
}

// "17.name" is the member of one entry; without an index, of any.
static bool of_entry(struct mlt_bytes name, const uint64_t *index, struct mlt_bytes member) {
    const uint8_t *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;
    uint64_t given;
    return dot && mlt_decimal_decode(&given, mlt_bytes_of(name.ptr, (size_t)(dot - name.ptr))) &&
           (!index || given == *index) &&
           mlt_bytes_equal(mlt_bytes_of(dot + 1, name.len - (size_t)(dot + 1 - name.ptr)), member);
}

static bool lists(struct mlt_bytes list, const uint64_t *index, struct mlt_bytes member) {
    while (list.len > 0) {
        const struct mlt_bytes name = next_name(&list);
        if (mlt_bytes_equal(name, member) || of_entry(name, index, member)) {
            return true;
        }
    }
    return false;
}

bool mlt_bundle_shows(const struct mlt_bundle_choice *choice, uint64_t index, struct mlt_bytes member) {
    return (choice->only.len == 0 || lists(choice->only, &index, member)) && !lists(choice->not, &index, member);
}

bool mlt_bundle_masks_anywhere(const struct mlt_bundle_choice *choice, struct mlt_bytes member) {
    return lists(choice->not, NULL, member);
}
