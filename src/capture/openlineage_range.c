// What a `subset` facet restricts a dataset to: as text, and as a range of dates where it is one.
//
// A range is never narrower than the condition. AND narrows; OR takes the hull of both sides, and restricts only if
// both do; what compares no dates restricts nothing. Bounds:
//
//   >= L             from L            <  L             to L
//   >  L             from L, from_exclusive
//   <= L, a time     to L, to_inclusive
//   <= L, a date     to the day after: the whole day is in
//   =  L, a date     that day          =  L, a time     from L to L, to_inclusive
#include <stdio.h>

#include "base/time.h"
#include "capture/openlineage_run.h"

#define NS_PER_DAY (MLT_NS_PER_S * 86400)
#define DATE_LEN 10    // YYYY-MM-DD
#define MONTH_LEN 7    // YYYY-MM
#define LITERAL_MAX 40 // longer is no time

// --- as text ---

static void put_operand(struct mlt_buf *out, struct mlt_openlineage_value v, struct mlt_arena *arena) {
    struct mlt_bytes field = mlt_openlineage_text(v, "field", arena);
    struct mlt_openlineage_value value = mlt_openlineage_get(v, "value");
    if (field.ptr) {
        mlt_buf_put_bytes(out, field);
    } else if (value.json && mlt_json_is(value.json, value.at, MLT_JSON_STRING)) {
        mlt_buf_put_str(out, "'");
        mlt_buf_put_bytes(out, mlt_openlineage_text(value, NULL, arena));
        mlt_buf_put_str(out, "'");
    } else {
        mlt_buf_put_bytes(out, value.json ? mlt_json_raw(value.json, value.at) : mlt_str("?"));
    }
}

static const char *sign(struct mlt_bytes comparison) {
    static const char *const SIGNS[][2] = {{"EQUAL", " = "},
                                           {"GREATER_THAN", " > "},
                                           {"GREATER_EQUAL_THAN", " >= "},
                                           {"LESS_THAN", " < "},
                                           {"LESS_EQUAL_THAN", " <= "}};
    for (size_t i = 0; i < sizeof SIGNS / sizeof SIGNS[0]; i++) {
        if (mlt_bytes_is(comparison, SIGNS[i][0])) {
            return SIGNS[i][1];
        }
    }
    return " ? ";
}

static void put_texts(struct mlt_buf *out, struct mlt_openlineage_value list, struct mlt_arena *arena) {
    const char *between = "";
    for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE; at = mlt_openlineage_next(list, at)) {
        mlt_buf_put_str(out, between);
        mlt_buf_put_bytes(out, mlt_openlineage_text(mlt_openlineage_of(list, at), NULL, arena));
        between = ", ";
    }
}

static void put_partition(struct mlt_buf *out, struct mlt_openlineage_value partition, struct mlt_arena *arena) {
    struct mlt_openlineage_value dimensions = mlt_openlineage_get(partition, "dimensions");
    const char *between = "";
    for (mlt_json_at n = mlt_openlineage_first(dimensions); n != MLT_JSON_NONE;
         n = mlt_openlineage_next(dimensions, n)) {
        mlt_buf_put_str(out, between);
        mlt_buf_put_bytes(out, mlt_json_string(dimensions.json, n, arena));
        mlt_buf_put_str(out, "=");
        struct mlt_bytes text = mlt_json_string(dimensions.json, n + 1, arena);
        mlt_buf_put_bytes(out, text.ptr ? text : mlt_json_raw(dimensions.json, n + 1));
        between = "/";
    }
    if (!between[0]) {
        mlt_buf_put_bytes(out, mlt_openlineage_text(partition, "identifier", arena));
    }
}

static void put_partitions(struct mlt_buf *out, struct mlt_openlineage_value list, struct mlt_arena *arena) {
    const char *between = "partitions ";
    for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE; at = mlt_openlineage_next(list, at)) {
        mlt_buf_put_str(out, between);
        put_partition(out, mlt_openlineage_of(list, at), arena);
        between = ", ";
    }
}

static bool is_binary(struct mlt_openlineage_value c) {
    return mlt_openlineage_get(c, "operator").json != NULL;
}
static bool is_compare(struct mlt_openlineage_value c) {
    return mlt_openlineage_get(c, "comparison").json != NULL;
}

// As deep as JSON nests (MLT_JSON_DEPTH_MAX).
void mlt_openlineage_condition(struct mlt_buf *out, struct mlt_openlineage_value c, struct mlt_arena *arena) {
    if (is_binary(c)) {
        mlt_buf_put_str(out, "(");
        mlt_openlineage_condition(out, mlt_openlineage_get(c, "left"), arena);
        mlt_buf_put_str(out, " ");
        mlt_buf_put_bytes(out, mlt_openlineage_text(c, "operator", arena));
        mlt_buf_put_str(out, " ");
        mlt_openlineage_condition(out, mlt_openlineage_get(c, "right"), arena);
        mlt_buf_put_str(out, ")");
    } else if (is_compare(c)) {
        put_operand(out, mlt_openlineage_get(c, "left"), arena);
        mlt_buf_put_str(out, sign(mlt_openlineage_text(c, "comparison", arena)));
        put_operand(out, mlt_openlineage_get(c, "right"), arena);
    } else if (mlt_openlineage_get(c, "partitions").json) {
        put_partitions(out, mlt_openlineage_get(c, "partitions"), arena);
    } else if (mlt_openlineage_get(c, "locations").json) {
        mlt_buf_put_str(out, "locations ");
        put_texts(out, mlt_openlineage_get(c, "locations"), arena);
    } else {
        mlt_buf_put_bytes(out, c.json ? mlt_json_raw(c.json, c.at) : mlt_str("?"));
    }
}

// --- times in literals ---

struct instant {
    int64_t ns;
    char text[LITERAL_MAX + 2]; // as a record takes it
    bool is_date;
    bool no_zone; // read as UTC
};

static struct mlt_bytes without_quotes(struct mlt_bytes b) {
    bool quoted = b.len >= 2 && b.ptr[0] == '\'' && b.ptr[b.len - 1] == '\'';
    return quoted ? mlt_bytes_of(b.ptr + 1, b.len - 2) : b;
}

static bool read_instant(struct instant *out, struct mlt_bytes literal) {
    literal = without_quotes(literal);
    *out = (struct instant){.is_date = literal.len == DATE_LEN};
    if (literal.len > LITERAL_MAX || !mlt_text_copy(out->text, sizeof out->text, literal)) {
        return false;
    }
    if (mlt_date_parse(&out->ns, literal)) {
        return true;
    }
    out->no_zone = true;
    memcpy(out->text + literal.len, "Z", 2);
    return mlt_time_parse(&out->ns, mlt_str(out->text));
}

static void set_date(struct instant *out, int64_t ns) {
    char text[MLT_TIME_TEXT_LEN + 1];
    mlt_time_format(text, ns);
    *out = (struct instant){.ns = ns, .is_date = true};
    memcpy(out->text, text, DATE_LEN);
}

// Days that a record can name.
static bool day_after(struct instant *out, const struct instant *day) {
    if (day->ns > INT64_MAX - 2 * NS_PER_DAY) {
        return false;
    }
    set_date(out, day->ns + NS_PER_DAY);
    return true;
}

// --- as a range ---

struct range {
    struct mlt_bytes column;
    bool has_from, has_to;
    bool from_exclusive, to_inclusive;
    struct instant from, to;
};

// Does `a` begin later, or end earlier?
static bool narrower_from(const struct range *a, const struct range *b) {
    return !b->has_from || a->from.ns > b->from.ns || (a->from.ns == b->from.ns && a->from_exclusive);
}
static bool narrower_to(const struct range *a, const struct range *b) {
    return !b->has_to || a->to.ns < b->to.ns || (a->to.ns == b->to.ns && !a->to_inclusive);
}

static void take_from(struct range *r, const struct range *of) {
    r->has_from = of->has_from;
    r->from = of->from;
    r->from_exclusive = of->from_exclusive;
}
static void take_to(struct range *r, const struct range *of) {
    r->has_to = of->has_to;
    r->to = of->to;
    r->to_inclusive = of->to_inclusive;
}

static void intersect(struct range *r, const struct range *b) {
    if (b->has_from && narrower_from(b, r)) {
        take_from(r, b);
    }
    if (b->has_to && narrower_to(b, r)) {
        take_to(r, b);
    }
}

static void hull(struct range *r, const struct range *b) {
    if (!b->has_from || (r->has_from && narrower_from(r, b))) {
        take_from(r, b);
    }
    if (!b->has_to || (r->has_to && narrower_to(r, b))) {
        take_to(r, b);
    }
}

enum bound { ABOVE, FROM, EQUAL, UNTIL, BELOW, NO_BOUND };

static enum bound bound_of(struct mlt_bytes comparison, bool swapped) {
    enum bound bound = mlt_bytes_is(comparison, "GREATER_THAN")         ? ABOVE
                       : mlt_bytes_is(comparison, "GREATER_EQUAL_THAN") ? FROM
                       : mlt_bytes_is(comparison, "EQUAL")              ? EQUAL
                       : mlt_bytes_is(comparison, "LESS_EQUAL_THAN")    ? UNTIL
                       : mlt_bytes_is(comparison, "LESS_THAN")          ? BELOW
                                                                        : NO_BOUND;
    return swapped && bound != NO_BOUND ? (enum bound)(BELOW - bound) : bound;
}

static void bound_from(struct range *r, const struct instant *at, bool exclusive) {
    r->has_from = true;
    r->from = *at;
    r->from_exclusive = exclusive;
}

static void bound_to(struct range *r, const struct instant *at, bool inclusive) {
    r->has_to = true;
    r->to = *at;
    if (inclusive && at->is_date) {
        r->has_to = day_after(&r->to, at);
        return;
    }
    r->to_inclusive = inclusive;
}

static void compare_range(struct range *r, struct mlt_openlineage_value c, struct mlt_arena *arena) {
    struct mlt_openlineage_value left = mlt_openlineage_get(c, "left"), right = mlt_openlineage_get(c, "right");
    bool swapped = !mlt_openlineage_text(left, "field", arena).ptr;
    struct mlt_bytes field = mlt_openlineage_text(swapped ? right : left, "field", arena);
    struct instant at;
    if (!field.ptr || !read_instant(&at, mlt_openlineage_text(swapped ? left : right, "value", arena))) {
        return;
    }
    r->column = r->column.ptr ? r->column : field; // the first column that is compared with a date is the one
    if (!mlt_bytes_equal(r->column, field)) {
        return;
    }
    enum bound bound = bound_of(mlt_openlineage_text(c, "comparison", arena), swapped);
    if (bound == ABOVE || bound == FROM || bound == EQUAL) {
        bound_from(r, &at, bound == ABOVE);
    }
    if (bound == BELOW || bound == UNTIL || bound == EQUAL) {
        bound_to(r, &at, bound != BELOW);
    }
}

// "2026-03" is a month.
static bool read_period(struct instant *from, struct instant *to, bool *inclusive, struct mlt_bytes text) {
    char month[DATE_LEN + 1];
    *inclusive = false;
    if (text.len == MONTH_LEN) {
        (void)snprintf(month, sizeof month, "%.*s-01", MLT_ARG(text));
        if (!read_instant(from, mlt_str(month)) || !day_after(to, from)) {
            return false;
        }
        bool counted = true;
        while (counted && memcmp(to->text, month, MONTH_LEN) == 0) {
            counted = day_after(to, to);
        }
        return counted;
    }
    if (!read_instant(from, text)) {
        return false;
    }
    *to = *from;
    *inclusive = !from->is_date;
    return !from->is_date || day_after(to, from);
}

// The dimension of a partition that is a date, by its name if it has one yet.
static bool partition_range(struct range *r, struct mlt_openlineage_value partition, struct mlt_arena *arena) {
    struct mlt_openlineage_value dimensions = mlt_openlineage_get(partition, "dimensions");
    for (mlt_json_at n = mlt_openlineage_first(dimensions); n != MLT_JSON_NONE;
         n = mlt_openlineage_next(dimensions, n)) {
        struct mlt_bytes name = mlt_json_string(dimensions.json, n, arena);
        struct mlt_bytes value = mlt_openlineage_text(mlt_openlineage_of(dimensions, n + 1), NULL, arena);
        bool wanted = !r->column.ptr || mlt_bytes_equal(r->column, name);
        if (wanted && value.ptr && read_period(&r->from, &r->to, &r->to_inclusive, value)) {
            r->column = name;
            r->has_from = r->has_to = true;
            return true;
        }
    }
    return false;
}

static void partitions_range(struct range *r, struct mlt_openlineage_value list, struct mlt_arena *arena) {
    struct range all = {.column = r->column};
    bool first = true;
    for (mlt_json_at at = mlt_openlineage_first(list); at != MLT_JSON_NONE; at = mlt_openlineage_next(list, at)) {
        struct range one = {.column = all.column};
        if (!partition_range(&one, mlt_openlineage_of(list, at), arena)) {
            return;
        }
        if (first) {
            all = one;
        } else {
            hull(&all, &one);
        }
        first = false;
    }
    *r = all;
}

static void range_of(struct range *r, struct mlt_openlineage_value c, struct mlt_arena *arena) {
    if (is_compare(c)) {
        compare_range(r, c, arena);
    } else if (is_binary(c)) {
        range_of(r, mlt_openlineage_get(c, "left"), arena);
        struct range right = {.column = r->column};
        range_of(&right, mlt_openlineage_get(c, "right"), arena);
        r->column = right.column;
        if (mlt_bytes_is(mlt_openlineage_text(c, "operator", arena), "AND")) {
            intersect(r, &right);
        } else {
            hull(r, &right);
        }
    } else if (mlt_openlineage_get(c, "partitions").json) {
        partitions_range(r, mlt_openlineage_get(c, "partitions"), arena);
    }
}

static void put_end(struct mlt_json_writer *w, const char *name, bool has, const struct instant *at) {
    mlt_jw_member(w, name, has ? at->text : NULL);
}

static void put_range(struct mlt_json_writer *w, const struct range *r) {
    mlt_jw_name(w, "date_range");
    mlt_jw_object(w);
    if (r->column.ptr) {
        mlt_jw_member_bytes(w, "column", r->column);
    }
    put_end(w, "from", r->has_from, &r->from);
    put_end(w, "to", r->has_to, &r->to);
    if ((r->has_from && r->from.no_zone) || (r->has_to && r->to.no_zone)) {
        mlt_jw_member(w, "zone", "not stated, read as UTC");
    }
    if (r->has_from && r->from_exclusive) {
        mlt_jw_member_bool(w, "from_exclusive", true);
    }
    if (r->has_to && r->to_inclusive) {
        mlt_jw_member_bool(w, "to_inclusive", true);
    }
    mlt_jw_end_object(w);
}

// --- what a dataset's facets say ---

// Our own facet: the only one that can say that nothing was restricted (null).
static bool stated_end(struct instant *out, bool *has, struct mlt_openlineage_value facet, const char *name,
                       struct mlt_arena *arena) {
    struct mlt_openlineage_value value = mlt_openlineage_get(facet, name);
    *has = value.json != NULL;
    return !*has || read_instant(out, mlt_openlineage_text(value, NULL, arena));
}

static bool put_stated(struct mlt_json_writer *w, struct mlt_openlineage_value facet, struct mlt_arena *arena) {
    struct range r = {.column = mlt_openlineage_text(facet, "column", arena)};
    struct mlt_bytes zone = mlt_openlineage_text(facet, "zone", arena);
    if (!facet.json || !stated_end(&r.from, &r.has_from, facet, "from", arena) ||
        !stated_end(&r.to, &r.has_to, facet, "to", arena)) {
        return false;
    }
    if (!zone.ptr) {
        put_range(w, &r);
        return true;
    }
    mlt_jw_name(w, "date_range");
    mlt_jw_object(w);
    if (r.column.ptr) {
        mlt_jw_member_bytes(w, "column", r.column);
    }
    put_end(w, "from", r.has_from, &r.from);
    put_end(w, "to", r.has_to, &r.to);
    mlt_jw_member_bytes(w, "zone", zone);
    mlt_jw_end_object(w);
    return true;
}

static bool put_subset(struct mlt_json_writer *w, struct mlt_openlineage_value subset, struct mlt_arena *arena) {
    struct range r = {0};
    range_of(&r, mlt_openlineage_get(subset, "inputCondition"), arena);
    if (r.has_from || r.has_to) {
        put_range(w, &r);
    }
    return r.has_from || r.has_to;
}

// What the run is about, by its scheduler: not what it read, so the record says where the range comes from.
static void put_nominal(struct mlt_json_writer *w, const struct mlt_openlineage_run *run) {
    struct mlt_openlineage_value nominal = mlt_openlineage_run_facet(run, "nominalTime");
    struct instant from, to;
    if (!read_instant(&from, mlt_openlineage_text(nominal, "nominalStartTime", run->arena)) ||
        !read_instant(&to, mlt_openlineage_text(nominal, "nominalEndTime", run->arena))) {
        return;
    }
    mlt_jw_name(w, "date_range");
    mlt_jw_object(w);
    mlt_jw_member(w, "from", from.text);
    mlt_jw_member(w, "to", to.text);
    mlt_jw_member(w, "basis", "nominalTime of the run");
    mlt_jw_end_object(w);
}

void mlt_openlineage_date_range(struct mlt_json_writer *w, const struct mlt_openlineage_run *run,
                                const struct mlt_openlineage_dataset *dataset) {
    struct mlt_openlineage_value subset = mlt_openlineage_dataset_facet(dataset, "subset");
    if (put_stated(w, mlt_openlineage_dataset_facet(dataset, "mltrail_dateRange"), run->arena) ||
        put_subset(w, subset, run->arena) || subset.json) {
        return; // a subset without dates is no statement about dates
    }
    put_nominal(w, run);
}
