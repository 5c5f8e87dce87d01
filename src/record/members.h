// The top-level members of one record, wherever they were read from: a submitted record, or an entry's facts and
// payload put together again.
#ifndef MLT_RECORD_MEMBERS_H
#define MLT_RECORD_MEMBERS_H

#include "record/draft.h"

#define MLT_RECORD_MEMBERS_MAX 512  // top-level members of one record; a record is flat and made by people
#define MLT_PAYLOAD_MEMBERS_MAX 256 // of these: each costs a commitment of about 60 bytes in an entry of 64 KiB
#define MLT_NAME_MAX 1024           // bytes of a string that names something: it is hashed, shown, and put into URLs

struct mlt_member_ref {
    struct mlt_bytes name; // unescaped
    const struct mlt_json *json;
    mlt_json_at at;                // of the value; the name is at `at - 1`
    const struct mlt_member *info; // NULL: not in the table
    bool payload;
};

struct mlt_members {
    const struct mlt_kind_info *kind; // NULL: a kind of a later version
    struct mlt_bytes kind_name;
    struct mlt_member_ref *refs; // room for MLT_RECORD_MEMBERS_MAX
    size_t num;
    uint16_t by_info[MLT_KIND_MEMBERS_MAX]; // for each member of the table its position in `refs` plus one; 0: absent
    bool has_time;                          // `timestamp` is given
    int64_t time;
};

// mlt_members_begin empties `m`, which keeps its refs.
void mlt_members_begin(struct mlt_members *m, const struct mlt_kind_info *kind, struct mlt_bytes kind_name);
// mlt_members_add appends one; there must be room.
struct mlt_member_ref *mlt_members_add(struct mlt_members *m, struct mlt_bytes name, const struct mlt_json *json,
                                       mlt_json_at at);
// mlt_members_find gives NULL when the member is not in the kind's table, absent, or null: a null member says no more
// than an absent one.
const struct mlt_member_ref *mlt_members_find_bytes(const struct mlt_members *m, struct mlt_bytes name);
static inline const struct mlt_member_ref *mlt_members_find(const struct mlt_members *m, const char *name) {
    return mlt_members_find_bytes(m, mlt_str(name)); // inline, so that the length of a literal is known
}
// mlt_members_read_time finds out has_time and time; validation has done it already.
void mlt_members_read_time(struct mlt_members *m, struct mlt_arena *scratch);
// mlt_members_sort fills `order`, which has room for m->num, with the members in order of their names, bytewise.
void mlt_members_sort(const struct mlt_members *m, const struct mlt_member_ref **order);

#endif
