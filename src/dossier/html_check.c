// The page's own check: its script, what the script reads, and the digest of the page's text.
#include "dossier/html_out.h"

extern const unsigned char mlt_page_check_js[];
extern const size_t mlt_page_check_js_len;

static struct mlt_bytes script(void) {
    return mlt_bytes_of(mlt_page_check_js, mlt_page_check_js_len);
}

void mlt_html_check_policy(struct mlt_buf *out) {
    uint8_t hash[MLT_HASH_LEN];
    mlt_sha256_one(hash, script());
    mlt_buf_put_str(out, "script-src 'sha256-");
    mlt_buf_put_base64(out, mlt_bytes_of(hash, sizeof(hash)));
    mlt_buf_put_str(out, "'; ");
}

void mlt_html_check_box(struct mlt_buf *out) {
    mlt_buf_put_str(out, "<aside id=\"check\" class=\"verdict warn\" aria-live=\"polite\"><strong>Not checked</strong>"
                         "<p>This page checks itself where scripts may run; here they may not.</p></aside>\n");
}

// JSON within a script element: no '<' may stand in it. It only occurs within strings, where an escape says the same.
static void put_json(struct mlt_buf *out, struct mlt_bytes json) {
    while (json.len) {
        const uint8_t *at = memchr(json.ptr, '<', json.len);
        const size_t len = at ? (size_t)(at - json.ptr) : json.len;
        mlt_buf_put(out, json.ptr, len);
        json = mlt_bytes_of(json.ptr + len, json.len - len);
        if (at) {
            mlt_buf_put_str(out, "\\u003c");
            json = mlt_bytes_of(json.ptr + 1, json.len - 1);
        }
    }
}

void mlt_html_check_script(struct mlt_view *v, struct mlt_buf *out) {
    const mlt_json_at integrity = mlt_json_get(&v->json, 0, "integrity");
    mlt_buf_put_str(out, "<script type=\"application/json\" id=\"proof\">");
    put_json(out, integrity == MLT_JSON_NONE ? mlt_str("{}") : mlt_json_raw(&v->json, integrity));
    mlt_buf_put_str(out, "</script>\n<script>");
    mlt_buf_put_bytes(out, script());
    mlt_buf_put_str(out, "</script>\n");
}

// --- the text of the page ---

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

// The entities that the renderings write. Returns the character, and how long the entity is.
static char entity_at(struct mlt_bytes html, size_t *len) {
    static const struct {
        const char *text;
        char c;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        *len = strlen(known[i].text);
        if (html.len >= *len && memcmp(html.ptr, known[i].text, *len) == 0) {
            return known[i].c;
        }
    }
    *len = 1;
    return '&';
}

bool mlt_html_text_digest(struct mlt_bytes html, uint8_t out[static MLT_HASH_LEN]) {
    struct mlt_buf text = {0};
    while (html.len) {
        size_t len = 1;
        if (html.ptr[0] == '<') {
            // Values of attributes are escaped: the next '>' ends the tag.
            const uint8_t *end = memchr(html.ptr, '>', html.len);
            len = end ? (size_t)(end - html.ptr) + 1 : html.len;
        } else if (html.ptr[0] == '&') {
            mlt_buf_put_u8(&text, (uint8_t)entity_at(html, &len));
        } else if (html.len >= 2 && html.ptr[0] == 0xc2 && html.ptr[1] == 0xa0) {
            len = 2; // a space that does not break
        } else if (!is_space(html.ptr[0])) {
            mlt_buf_put_u8(&text, html.ptr[0]);
        }
        html = mlt_bytes_of(html.ptr + len, html.len - len);
    }
    const bool ok = !text.failed;
    mlt_sha256_one(out, mlt_buf_bytes(&text));
    mlt_buf_clear(&text);
    return ok;
}
