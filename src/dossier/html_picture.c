// The chain drawn as inline SVG: a row for each link, source tables at the top, access at the bottom. What is missing
// has a box too, dashed.
#include "dossier/html_out.h"

#define LAYERS 8
#define BOXES_IN_ROW 4 // more do not fit a printed page; the last says how many there are
#define PICTURE_WIDTH 980
#define LEFT 118 // the names of the rows
#define BOX_HEIGHT 62
#define ROW_HEIGHT 96
#define BOX_GAP 16
#define BOX_WIDTH_MAX 330
#define TITLE_CHAR_X10 83 // width of a character in tenths of a unit: the bold font, and the small one
#define LINE_CHAR_X10 70

enum layer { SOURCES, DATASETS, TRAINING, VERSIONS, APPROVALS, DEPLOYMENTS, PREDICTIONS, ACCESS };

struct box {
    enum box_state { BOX_RECORD, BOX_MORE, BOX_MISSING } state;
    mlt_json_at node;
    size_t hidden; // of BOX_MORE
    unsigned x, y, width;
    bool lit; // on the way to the served prediction
};
struct picture {
    struct mlt_view *v;
    struct mlt_buf *out;
    struct box boxes[LAYERS][BOXES_IN_ROW];
    size_t num[LAYERS];
};

static const struct {
    const char *title, *list, *missing;
} layers[LAYERS] = {
    {"Source tables", "sources", "no source table recorded"},
    {"Datasets", "dataset_versions", "no dataset recorded"},
    {"Training", "training_runs", "no training run recorded"},
    {"Model version", "model_versions", "model version not registered"},
    {"Approval", "approvals", "no approval recorded"},
    {"Deployment", "transitions", "no deployment recorded"},
    {"Prediction", "predictions", "no prediction recorded"},
    {"Access", "access", "no access recorded"},
};

static bool same_text(struct mlt_view *v, mlt_json_at a, const char *a_name, mlt_json_at b, const char *b_name) {
    const struct mlt_bytes x = mlt_view_string(v, a, a_name);
    return x.len > 0 && mlt_bytes_equal(x, mlt_view_string(v, b, b_name));
}

static bool is_lit(struct mlt_view *v, enum layer layer, mlt_json_at node) {
    switch (layer) {
    case PREDICTIONS:
        return node == mlt_view_served(v);
    case DEPLOYMENTS:
        return mlt_view_u64(v, node, "entry", 0) == mlt_view_u64(v, 0, "in_force.by_log.entry", UINT64_MAX);
    case APPROVALS:
        return node == mlt_view_approval(v, mlt_view_named(v), mlt_view_at(v, 0, "in_force.by_log"));
    case VERSIONS:
        return node == mlt_view_same_version(v, "model_versions", mlt_view_named(v));
    case TRAINING:
        return same_text(v, node, "training_job_id", mlt_view_same_version(v, "model_versions", mlt_view_named(v)),
                         "training_job_id");
    default:
        return false;
    }
}

// The boxes of one row: those on the way to the prediction first, so that the cut never hides them.
static void fill_layer(struct picture *p, enum layer layer) {
    const mlt_json_at list = mlt_json_get(&p->v->json, 0, layers[layer].list);
    const size_t total = mlt_view_count(p->v, list);
    const size_t shown = total > BOXES_IN_ROW ? BOXES_IN_ROW - 1 : total;
    size_t unlit_room = shown;
    size_t num = 0;
    MLT_VIEW_EACH(p->v, list, n) {
        unlit_room -= unlit_room > 0 && is_lit(p->v, layer, n);
    }
    MLT_VIEW_EACH(p->v, list, n) {
        const bool lit = is_lit(p->v, layer, n);
        if (num < shown && (lit || unlit_room > 0)) {
            unlit_room -= !lit;
            p->boxes[layer][num++] = (struct box){.state = BOX_RECORD, .node = n, .lit = lit};
        }
    }
    if (total > shown) {
        p->boxes[layer][num++] = (struct box){.state = BOX_MORE, .node = MLT_JSON_NONE, .hidden = total - shown};
    }
    if (num == 0) {
        p->boxes[layer][num++] = (struct box){.state = BOX_MISSING, .node = MLT_JSON_NONE};
    }
    p->num[layer] = num;
}

static void place_layer(struct picture *p, enum layer layer) {
    const unsigned num = (unsigned)p->num[layer];
    const unsigned room = PICTURE_WIDTH - LEFT - 10;
    unsigned width = (room - (num - 1) * BOX_GAP) / num;
    width = width > BOX_WIDTH_MAX ? BOX_WIDTH_MAX : width;
    const unsigned used = num * width + (num - 1) * BOX_GAP;
    for (unsigned i = 0; i < num; i++) {
        struct box *b = &p->boxes[layer][i];
        b->width = width;
        b->x = LEFT + (room - used) / 2 + i * (width + BOX_GAP);
        b->y = (unsigned)layer * ROW_HEIGHT + 12;
    }
}

static void put_line(struct picture *p, const struct box *b, unsigned line, const char *class, struct mlt_bytes text) {
    mlt_buf_printf(p->out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, b->x + 13, b->y + 18 + line * 16);
    mlt_visible_put_cut(p->out, text, MLT_VISIBLE_HTML,
                        (b->width - 18) * 10 / (class[0] == 't' ? TITLE_CHAR_X10 : LINE_CHAR_X10));
    mlt_buf_put_str(p->out, "</text>");
}

// Three lines for each record: what it is, what matters about it, who or when.
static void box_lines(struct picture *p, enum layer layer, mlt_json_at n, struct mlt_buf lines[3]) {
    struct mlt_view *v = p->v;
    static const struct {
        const char *format[3]; // '%' and a path in braces stand for a value
    } forms[LAYERS] = {
        {{"{table}", "{system}, {rows} rows", "{date_range}"}},
        {{"{dataset} {version}", "{hash}", "{created_by}"}},
        {{"job {training_job_id}", "git {git_commit}", "by {triggered_by}"}},
        {{"{model} {model_version}", "{model_artifact_hash}", "registered by {registered_by}"}},
        {{"{verdict} by {approver}", "{approval_reference}, version {model_version}", "{timestamp}"}},
        {{"{from_stage} \xe2\x86\x92 {to_stage}, version {model_version}", "by {performed_by}", "{timestamp}"}},
        {{"{model} {model_version}", "{timestamp}", "on {serving_node}"}},
        {{"{principal}", "{action} {resource.type}", "{timestamp}"}},
    };
    for (size_t i = 0; i < 3; i++) {
        for (const char *at = forms[layer].format[i]; *at;) {
            const size_t plain = strcspn(at, "{");
            mlt_buf_put(&lines[i], at, plain);
            at += plain;
            if (*at == '{') {
                const size_t len = strcspn(at, "}");
                const char *path = mlt_arena_printf(&v->arena, "%.*s", (int)len - 1, at + 1);
                const mlt_json_at value = mlt_view_at(v, n, path ? path : "");
                const struct mlt_bytes text = path && strcmp(path, "date_range") == 0 ? mlt_view_range(v, value)
                                              : mlt_view_absent(v, value)             ? mlt_str("?")
                                                                                      : mlt_view_shown(v, value, "");
                mlt_buf_put_bytes(&lines[i], text);
                at += len + 1;
            }
        }
    }
}

static void draw_box(struct picture *p, enum layer layer, const struct box *b) {
    const bool missing = b->state == BOX_MISSING;
    // Nobody having looked is no gap in the chain.
    const char *class = missing && layer != ACCESS ? " gone" : b->lit ? " on" : "";
    mlt_buf_printf(p->out, "<rect class=\"bx%s\" x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" rx=\"5\"/>", class, b->x,
                   b->y, b->width, (unsigned)BOX_HEIGHT);
    if (missing) {
        put_line(p, b, 1, layer == ACCESS ? "ln" : "tt gt", mlt_str(layers[layer].missing));
        return;
    }
    if (b->state == BOX_MORE) {
        put_line(p, b, 1, "ln", mlt_str(mlt_arena_printf(&p->v->arena, "and %zu more", b->hidden)));
        return;
    }
    struct mlt_buf lines[3] = {{0}};
    box_lines(p, layer, b->node, lines);
    mlt_buf_printf(p->out, "<rect class=\"bar\" x=\"%u\" y=\"%u\" width=\"4\" height=\"%u\"/>", b->x + 1, b->y + 5,
                   (unsigned)BOX_HEIGHT - 10);
    for (unsigned i = 0; i < 3; i++) {
        put_line(p, b, i, i == 0 ? "tt" : "ln", mlt_buf_bytes(&lines[i]));
        mlt_buf_clear(&lines[i]);
    }
}

static void draw_edge(struct picture *p, const struct box *from, const struct box *to, const char *class) {
    const unsigned x1 = from->x + from->width / 2, y1 = from->y + BOX_HEIGHT;
    const unsigned x2 = to->x + to->width / 2, y2 = to->y;
    if (from->y == to->y) { // a dataset behind a dataset: an arc below the row
        mlt_buf_printf(p->out, "<path class=\"ed%s\" marker-end=\"url(#a)\" d=\"M%u %uC%u %u %u %u %u %u\"/>", class,
                       x1, y1, x1, y1 + 26, x2, y1 + 26, x2, y1 + 2);
        return;
    }
    const unsigned bend = (y2 - y1) / 2;
    mlt_buf_printf(p->out, "<path class=\"ed%s\" marker-end=\"url(#a)\" d=\"M%u %uC%u %u %u %u %u %u\"/>", class, x1,
                   y1, x1, y1 + bend, x2, y2 - bend, x2, y2 - 3);
}

static bool lists_dataset(struct mlt_view *v, mlt_json_at owner, const char *list, mlt_json_at dataset) {
    MLT_VIEW_EACH(v, mlt_view_at(v, owner, list), d) {
        if (same_text(v, d, "dataset", dataset, "dataset") && same_text(v, d, "version", dataset, "version")) {
            return true;
        }
    }
    return false;
}

static bool same_version(struct mlt_view *v, mlt_json_at a, mlt_json_at b) {
    return same_text(v, a, "model", b, "model") && same_text(v, a, "model_version", b, "model_version");
}

// Whether the records of two neighbouring rows belong together.
static bool linked(struct mlt_view *v, enum layer upper, mlt_json_at a, mlt_json_at b) {
    switch (upper) {
    case SOURCES:
        return same_text(v, a, "dataset", b, "dataset") && same_text(v, a, "version", b, "version");
    case DATASETS:
        return lists_dataset(v, b, "datasets", a);
    case TRAINING:
        return same_text(v, a, "training_job_id", b, "training_job_id");
    case VERSIONS:
        return same_version(v, a, b);
    case APPROVALS:
        return same_version(v, a, b) && (same_text(v, a, "approval_reference", b, "approval_reference") ||
                                         mlt_view_absent(v, mlt_view_at(v, b, "approval_reference")));
    case DEPLOYMENTS:
        return mlt_view_u64(v, a, "entry", 0) == mlt_view_u64(v, 0, "in_force.by_log.entry", UINT64_MAX) &&
               b == mlt_view_served(v);
    case PREDICTIONS:
        return a == mlt_view_served(v) && mlt_view_is(v, b, "resource.type", "prediction_log") &&
               same_text(v, a, "request_id", b, "resource.id");
    default:
        return false;
    }
}

static void draw_edges_below(struct picture *p, enum layer upper) {
    for (size_t i = 0; i < p->num[upper]; i++) {
        const struct box *a = &p->boxes[upper][i];
        for (size_t j = 0; j < p->num[upper + 1]; j++) {
            const struct box *b = &p->boxes[upper + 1][j];
            if (a->state == BOX_RECORD && b->state == BOX_RECORD) {
                if (linked(p->v, upper, a->node, b->node)) {
                    draw_edge(p, a, b, a->lit && b->lit ? " on" : "");
                }
            } else if ((a->state == BOX_MISSING || b->state == BOX_MISSING) && upper + 1 != ACCESS && i == 0 &&
                       j == 0) {
                draw_edge(p, a, b, " gone");
            }
        }
    }
}

static void draw_edges_between_datasets(struct picture *p) {
    for (size_t i = 0; i < p->num[DATASETS]; i++) {
        for (size_t j = 0; j < p->num[DATASETS]; j++) {
            const struct box *a = &p->boxes[DATASETS][i], *b = &p->boxes[DATASETS][j];
            if (i != j && a->state == BOX_RECORD && b->state == BOX_RECORD &&
                lists_dataset(p->v, b->node, "inputs", a->node)) {
                draw_edge(p, a, b, "");
            }
        }
    }
}

void mlt_html_picture(struct mlt_view *v, struct mlt_buf *out) {
    struct picture p = {.v = v, .out = out};
    mlt_buf_printf(out,
                   "<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"chain-title\">"
                   "<title id=\"chain-title\">The chain from source tables through datasets, training, model version, "
                   "approval, deployment and prediction to access</title><defs><marker id=\"a\" viewBox=\"0 0 8 8\" "
                   "refX=\"6\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\" "
                   "markerUnits=\"userSpaceOnUse\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>",
                   PICTURE_WIDTH, LAYERS * ROW_HEIGHT - (ROW_HEIGHT - BOX_HEIGHT) + 24);
    for (unsigned l = 0; l < LAYERS; l++) {
        fill_layer(&p, (enum layer)l);
        place_layer(&p, (enum layer)l);
    }
    for (unsigned l = 0; l + 1 < LAYERS; l++) {
        draw_edges_below(&p, (enum layer)l);
    }
    draw_edges_between_datasets(&p);
    for (unsigned l = 0; l < LAYERS; l++) {
        mlt_buf_printf(out, "<text class=\"lay\" x=\"4\" y=\"%u\">%s</text>", l * ROW_HEIGHT + 12 + BOX_HEIGHT / 2 + 4,
                       layers[l].title);
        for (size_t i = 0; i < p.num[l]; i++) {
            draw_box(&p, (enum layer)l, &p.boxes[l][i]);
        }
    }
    mlt_buf_put_str(out,
                    "</svg><figcaption>The chain, from source data at the top to access at the bottom. Outlined in "
                    "colour: what led to the served prediction. Dashed: a link that is not recorded.</figcaption>"
                    "</figure>\n");
}
