// A frame:
//
//   0   u32be  length of the body, at most MLT_FRAME_BODY_MAX
//   4   u32be  CRC-32 of bytes 8 to 16 and the body
//   8   u64be  number, contiguous from 1 in the stream
//   16  u8     type
//   17  …      body
//
// Valid if and only if (1) all of it is there, (2) the length is allowed, (3) the checksum is right, (4) the number is
// the one that is due, (5) the type is known.
#include "spool/frame.h"

#include <zlib.h>

#define FIND_WORK_MAX ((uint64_t)1 << 30) // bytes of checksums in one search: only bytes made for it need more

#include "record/json.h"

static uint32_t checksum(const uint8_t numbered[static 9], struct mlt_bytes body) {
    uLong sum = crc32(0, numbered, 9);
    if (body.len > 0) {
        sum = crc32(sum, body.ptr, (uInt)body.len); // MLT_FRAME_BODY_MAX fits
    }
    return (uint32_t)sum;
}

void mlt_frame_put_head(uint8_t out[static MLT_FRAME_HEAD_LEN], uint64_t number, enum mlt_frame_type type,
                        struct mlt_bytes body) {
    mlt_store_u32be(out, (uint32_t)body.len);
    mlt_store_u64be(out + 8, number);
    out[16] = (uint8_t)type;
    mlt_store_u32be(out + 4, checksum(out + 8, body));
}

enum mlt_frame_found mlt_frame_read(struct mlt_frame *out, size_t *need, struct mlt_bytes bytes, uint64_t number) {
    *out = (struct mlt_frame){0};
    *need = MLT_FRAME_HEAD_LEN;
    if (bytes.len < MLT_FRAME_HEAD_LEN) {
        return MLT_FRAME_SHORT;
    }
    size_t len = mlt_load_u32be(bytes.ptr);
    *need = MLT_FRAME_HEAD_LEN + len;
    if (len > MLT_FRAME_BODY_MAX || bytes.len < *need) {
        return MLT_FRAME_SHORT;
    }
    const struct mlt_frame f = {.number = mlt_load_u64be(bytes.ptr + 8),
                                .type = (enum mlt_frame_type)bytes.ptr[16],
                                .body = mlt_bytes_of(bytes.ptr + MLT_FRAME_HEAD_LEN, len)};
    bool good = checksum(bytes.ptr + 8, f.body) == mlt_load_u32be(bytes.ptr + 4) && f.number == number &&
                (f.type == MLT_FRAME_RECORD || f.type == MLT_FRAME_REQUEST);
    if (!good) {
        return MLT_FRAME_BAD;
    }
    *out = f;
    return MLT_FRAME_WHOLE;
}

bool mlt_frame_find(struct mlt_frame *out, size_t *at, struct mlt_bytes bytes, size_t from, uint64_t number) {
    uint64_t last = number + bytes.len / MLT_FRAME_HEAD_LEN;
    uint64_t work = 0;
    for (size_t i = from + 1; i + MLT_FRAME_HEAD_LEN <= bytes.len && work < FIND_WORK_MAX; i++) {
        const uint8_t *p = bytes.ptr + i;
        size_t len = mlt_load_u32be(p);
        uint64_t found = mlt_load_u64be(p + 8);
        bool possible = (p[16] == MLT_FRAME_RECORD || p[16] == MLT_FRAME_REQUEST) && found >= number && found <= last &&
                        len <= bytes.len - i - MLT_FRAME_HEAD_LEN;
        size_t need;
        work += possible ? len : 0;
        if (possible && mlt_frame_read(out, &need, mlt_bytes_of(p, bytes.len - i), found) == MLT_FRAME_WHOLE) {
            *at = i;
            return true;
        }
    }
    return false;
}

// -- requests ---------------------------------------------------------------------------------------------------------

void mlt_frame_request_put(struct mlt_buf *out, const struct mlt_frame_request *req) {
    struct mlt_json_writer w;
    size_t begin = out->len;
    mlt_buf_put_u32be(out, 0);
    mlt_jw_init(&w, out);
    mlt_jw_object(&w);
    mlt_jw_member(&w, "method", req->method);
    mlt_jw_member(&w, "path", req->path);
    mlt_jw_member(&w, "content_type", req->content_type);
    mlt_jw_name(&w, "headers");
    mlt_jw_object(&w);
    for (size_t i = 0; i < req->num_headers; i++) {
        mlt_jw_member(&w, req->headers[i].name, req->headers[i].value);
    }
    mlt_jw_end_object(&w);
    mlt_jw_end_object(&w);
    if (!out->failed) {
        mlt_store_u32be(out->data + begin, (uint32_t)(out->len - begin - 4));
    }
    mlt_buf_put_bytes(out, req->body);
}

// A text that goes into a request line or a header: no line ends, or it would be two.
static const char *text_of(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena) {
    struct mlt_bytes text = mlt_json_string(json, at, arena);
    if (!text.ptr) {
        return NULL;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < ' ' || text.ptr[i] == 0x7f) {
            return NULL;
        }
    }
    return mlt_arena_cstr(arena, text);
}

static enum mlt_status read_headers(struct mlt_frame_request *out, const struct mlt_json *json, struct mlt_arena *arena,
                                    struct mlt_error *err) {
    mlt_json_at headers = mlt_json_get(json, 0, "headers");
    for (mlt_json_at n = mlt_json_first(json, headers); n != MLT_JSON_NONE; n = mlt_json_next(json, headers, n)) {
        if (out->num_headers == MLT_FRAME_HEADERS_MAX) {
            return mlt_fail(err, MLT_INVALID, "a request has at most %d headers", MLT_FRAME_HEADERS_MAX);
        }
        struct mlt_frame_header *h = &out->headers[out->num_headers++];
        h->name = text_of(json, n, arena);
        h->value = text_of(json, n + 1, arena);
        if (!h->name || !h->value || !h->name[0] || strpbrk(h->name, ": ")) {
            return mlt_fail(err, MLT_INVALID, "a header of the request is no name with a text");
        }
    }
    return MLT_OK;
}

static enum mlt_status read_head(struct mlt_frame_request *out, struct mlt_json *json, struct mlt_bytes head,
                                 struct mlt_arena *arena, struct mlt_error *err) {
    enum mlt_status status = mlt_json_scan(json, head, err);
    if (status != MLT_OK) {
        return status == MLT_NOMEM ? status : mlt_context(err, MLT_INVALID, "head of a request");
    }
    out->method = text_of(json, mlt_json_get(json, 0, "method"), arena);
    out->path = text_of(json, mlt_json_get(json, 0, "path"), arena);
    out->content_type = text_of(json, mlt_json_get(json, 0, "content_type"), arena);
    out->content_type = out->content_type ? out->content_type : "";
    if (!out->method || !out->method[0] || strpbrk(out->method, " /")) {
        return mlt_fail(err, MLT_INVALID, "a request has a method such as POST");
    }
    if (!out->path || out->path[0] != '/' || strchr(out->path, ' ')) {
        return mlt_fail(err, MLT_INVALID, "a request has a path that begins with /");
    }
    return read_headers(out, json, arena, err);
}

enum mlt_status mlt_frame_request_read(struct mlt_frame_request *out, struct mlt_arena *arena, struct mlt_bytes body,
                                       struct mlt_error *err) {
    struct mlt_json json = {0};
    struct mlt_cursor c = mlt_cursor_of(body);
    *out = (struct mlt_frame_request){0};
    struct mlt_bytes head = mlt_cursor_take(&c, mlt_cursor_u32be(&c));
    if (c.failed) {
        return mlt_fail(err, MLT_INVALID, "the head of a request is longer than its frame");
    }
    out->body = mlt_cursor_take(&c, mlt_cursor_left(&c));
    enum mlt_status status = read_head(out, &json, head, arena, err);
    mlt_json_clear(&json);
    return status;
}
