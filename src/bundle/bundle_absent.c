// What is not there: the proofs that a bundle leaves no record out, and what it asserts beside them.
#include <stdio.h>

#include "bundle/bundle_read.h"

static void check_segment(struct mlt_bundle_reading *r, struct mlt_bundle_segment *s, uint64_t *covered) {
    char name[MLT_BUNDLE_NAME_LEN];
    struct mlt_bundle_read_entry *e = mlt_bundle_entry_find(r, s->entry);
    (void)snprintf(name, sizeof(name), "entries/%llu.json", (unsigned long long)s->entry);
    if (!e || !e->proved) {
        mlt_bundle_fault(r, "absence.json", "rests on the segment in entry %llu, which is not proved here",
                         (unsigned long long)s->entry);
        return;
    }
    e->used = true;
    if (mlt_bundle_get_segment(&s->segment, s->entry, e->bytes, r->arena, r->err)) {
        (void)mlt_bundle_blame(r, name, MLT_CORRUPT);
    } else if (s->segment.first != *covered) {
        mlt_bundle_fault(r, "absence.json", "the segment in entry %llu begins at %llu; up to %llu is covered",
                         (unsigned long long)s->entry, (unsigned long long)s->segment.first,
                         (unsigned long long)*covered);
    } else {
        *covered = s->segment.end;
        r->report->segments++;
    }
}

static void check_link(struct mlt_bundle_reading *r, struct mlt_bundle_link *link) {
    for (size_t s = 0; s < r->absence.num_segments; s++) {
        const struct mlt_link_proof *p = &link->proofs[s];
        const uint64_t least = p->count < MLT_LINK_SHOWN_MAX ? p->count : MLT_LINK_SHOWN_MAX;
        const char *why = NULL;
        bool holds = mlt_link_proof_verify(&r->absence.segments[s].segment, &link->link, p, &why);
        if (holds && p->num_shown < least) {
            why = "leaves are counted and not shown";
            holds = false;
        }
        if (!holds) {
            mlt_bundle_fault(r, "absence.json", "%s, segment %zu: %s", mlt_bundle_term_text(&link->term, r->arena), s,
                             why);
            link->refuted = true;
        }
    }
    r->report->links++;
}

// Proofs of links are silent about what an entry has no room to commit to; which entries those are is proved as well,
// and they are looked into.
static enum mlt_status check_partial(struct mlt_bundle_reading *r) {
    const struct mlt_source src = mlt_bundle_read_source(r);
    const enum mlt_status status = mlt_bundle_complete(&r->absence, &src, r->arena, r->err);
    if (status) {
        r->absence.num_links = 0; // what they refer to is not known: nothing is proved absent
        return mlt_bundle_blame(r, "absence.json", status);
    }
    if (!r->absence.partial) {
        mlt_bundle_fault(r, "absence.json", "does not show which entries refer to more than they commit to");
    } else if (r->absence.num_open > 0) {
        mlt_bundle_assert(r,
                          "that none of the %llu entries which refer to more than they commit to, and are not here "
                          "with their details, belongs here",
                          (unsigned long long)r->absence.num_open);
    }
    return MLT_OK;
}

enum mlt_status mlt_bundle_check_absence(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, "absence.json");
    uint64_t covered = 0;
    if (!m) {
        return MLT_OK;
    }
    const enum mlt_status status = mlt_bundle_get_absence(&r->absence, m->data, r->arena, r->err);
    if (status) {
        r->absence = (struct mlt_bundle_absence){0};
        return mlt_bundle_blame(r, m->name, status);
    }
    struct mlt_buf again = {0};
    mlt_bundle_put_absence(&again, &r->absence);
    mlt_bundle_check_form(r, m, &again);
    const uint64_t faults = r->report->num_faults;
    for (size_t i = 0; i < r->absence.num_segments; i++) {
        check_segment(r, &r->absence.segments[i], &covered);
    }
    // The walk is not to stand on lists that are out of order: they are dropped, so that it finds no answer.
    if (r->report->num_faults > faults) {
        r->absence.num_links = 0;
        return MLT_OK;
    }
    if (covered < r->then.size) {
        mlt_bundle_fault(r, m->name,
                         "segments cover entries up to %llu of %llu: that nothing is left out is not proved",
                         (unsigned long long)covered, (unsigned long long)r->then.size);
        r->absence.num_links = 0;
        return MLT_OK;
    }
    for (size_t i = 0; i < r->absence.num_links; i++) {
        check_link(r, &r->absence.links[i]);
    }
    return check_partial(r);
}

enum mlt_status mlt_bundle_read_answers(struct mlt_bundle_reading *r) {
    const struct mlt_bundle_member *m = mlt_bundle_member_need(r, "answers.json");
    const enum mlt_status status = m ? mlt_bundle_get_answers(&r->answers, m->data, r->arena, r->err) : MLT_OK;
    if (status) {
        r->answers = (struct mlt_bundle_answers){0};
        return mlt_bundle_blame(r, m->name, status);
    }
    if (m) {
        struct mlt_buf again = {0};
        mlt_bundle_put_answers(&again, &r->answers);
        mlt_bundle_check_form(r, m, &again);
    }
    return MLT_OK;
}
