// JSON: a strict scanner that keeps the bytes, and a writer that puts raw tokens out again unchanged.
//
// The scanner accepts exactly the texts of RFC 8259 (UTF-8, one value, insignificant white space around it) within the
// limits below, refuses duplicate member names (compared after unescaping), a byte order mark, lone surrogates in \u
// escapes, and everything else that RFC 8259 leaves to the reader's taste. Numbers keep their digits: nobody here
// turns a number into a double to print it again.
#ifndef MLT_RECORD_JSON_H
#define MLT_RECORD_JSON_H

#include "base/bytes.h"

#define MLT_JSON_DEPTH_MAX 64          // deeper than any record; bounds the scanner's stack
#define MLT_JSON_TOKENS_MAX (1u << 22) // 4 M values: a 16 MiB record of short numbers

enum mlt_json_type {
    MLT_JSON_NULL,
    MLT_JSON_FALSE,
    MLT_JSON_TRUE,
    MLT_JSON_NUMBER,
    MLT_JSON_STRING,
    MLT_JSON_ARRAY,
    MLT_JSON_OBJECT
};

// One token of the tape. Values follow each other in document order; the member name comes right before its value.
struct mlt_json_token {
    uint8_t type;    // enum mlt_json_type; a member name is MLT_JSON_STRING
    uint8_t escaped; // string with a backslash: unescape before comparing
    uint8_t spaced;  // object or array with insignificant white space inside
    uint8_t is_name;
    uint32_t start; // offset of the first byte (the quote, the bracket)
    uint32_t end;   // offset after the last byte
    uint32_t next;  // tape position after this value and everything in it
    uint32_t count; // members of an object, elements of an array
};

// A scanned document: text and tape. Reused from one record to the next without allocating once grown.
struct mlt_json {
    struct mlt_bytes text; // borrowed
    struct mlt_json_token *tape;
    size_t num_tokens;
    size_t cap;
    // Where scanning failed: byte offset, and a JSON pointer (RFC 6901) to the innermost value reached.
    uint32_t error_off;
    const char *error_code; // static: "not-json", "invalid-utf8", "duplicate-member", "too-deep", "too-many-values"
    char error_pointer[256];
    // Scratch of the search for duplicate names.
    uint32_t *slots;
    size_t slots_cap;
};

// mlt_json_scan reads one value. MLT_INVALID: `err` says what is wrong, where (offset) and what would be right.
// MLT_LIMIT: too deep or too many values. Text of at most 2^32-2 bytes.
enum mlt_status mlt_json_scan(struct mlt_json *json, struct mlt_bytes text, struct mlt_error *err) MLT_MUST_USE;
void mlt_json_clear(struct mlt_json *json);

// A value is its position on the tape; the document is 0. MLT_JSON_NONE: absent; every reader accepts it.
typedef uint32_t mlt_json_at;
#define MLT_JSON_NONE UINT32_MAX

enum mlt_json_type mlt_json_type_of(const struct mlt_json *json, mlt_json_at at);       // NULL for MLT_JSON_NONE
bool mlt_json_is(const struct mlt_json *json, mlt_json_at at, enum mlt_json_type type); // false for MLT_JSON_NONE
struct mlt_bytes mlt_json_raw(const struct mlt_json *json, mlt_json_at at); // the value's bytes as submitted
// mlt_json_get finds a member of an object by its unescaped name; MLT_JSON_NONE when absent or `at` is no object.
mlt_json_at mlt_json_get(const struct mlt_json *json, mlt_json_at at, const char *name);
mlt_json_at mlt_json_get_bytes(const struct mlt_json *json, mlt_json_at at, struct mlt_bytes name);
// Iteration: first returns the first element (array) or member *name* (object); next steps to the following one.
// For objects the value of a name at `n` is at `n + 1`. MLT_JSON_NONE at the end.
mlt_json_at mlt_json_first(const struct mlt_json *json, mlt_json_at at);
mlt_json_at mlt_json_next(const struct mlt_json *json, mlt_json_at container, mlt_json_at at);
// mlt_json_string gives the unescaped text of a string or name: borrowed from the document when nothing was escaped,
// else in `arena`. {NULL, 0} when `at` is no string.
struct mlt_bytes mlt_json_string(const struct mlt_json *json, mlt_json_at at, struct mlt_arena *arena);
bool mlt_json_u64(const struct mlt_json *json, mlt_json_at at,
                  uint64_t *out); // a non-negative integer without fraction or exponent
bool mlt_json_double(const struct mlt_json *json, mlt_json_at at, double *out);
// mlt_json_equal compares values: members in any order, strings unescaped, numbers by value (digits first, then exact
// decimal).
bool mlt_json_equal(const struct mlt_json *a, mlt_json_at a_at, const struct mlt_json *b, mlt_json_at b_at);
// mlt_json_minify appends the value without insignificant white space, everything else as submitted.
void mlt_json_minify(const struct mlt_json *json, mlt_json_at at, struct mlt_buf *out);

// The writer. Commas and colons are its business; a value goes where the caller is. `failed` of the buffer is the
// check.
struct mlt_json_writer {
    struct mlt_buf *out;
    unsigned depth;
    bool need_comma[MLT_JSON_DEPTH_MAX + 8];
    bool after_name;
};
void mlt_jw_init(struct mlt_json_writer *w, struct mlt_buf *out);
void mlt_jw_object(struct mlt_json_writer *w);
void mlt_jw_end_object(struct mlt_json_writer *w);
void mlt_jw_array(struct mlt_json_writer *w);
void mlt_jw_end_array(struct mlt_json_writer *w);
void mlt_jw_name(struct mlt_json_writer *w, const char *name);
void mlt_jw_name_bytes(struct mlt_json_writer *w, struct mlt_bytes name);
void mlt_jw_string(struct mlt_json_writer *w, struct mlt_bytes text); // escapes; bytes that are no UTF-8 become U+FFFD
void mlt_jw_cstr(struct mlt_json_writer *w, const char *text);        // NULL writes null
void mlt_jw_raw(struct mlt_json_writer *w, struct mlt_bytes json);    // a whole JSON value, trusted
// mlt_jw_value writes a scanned value on one line, without its white space; MLT_JSON_NONE, or `json` NULL, writes null.
void mlt_jw_value(struct mlt_json_writer *w, const struct mlt_json *json, mlt_json_at at);
void mlt_jw_u64(struct mlt_json_writer *w, uint64_t v);
void mlt_jw_i64(struct mlt_json_writer *w, int64_t v);
void mlt_jw_bool(struct mlt_json_writer *w, bool v);
void mlt_jw_null(struct mlt_json_writer *w);
void mlt_jw_hex(struct mlt_json_writer *w, struct mlt_bytes b);
void mlt_jw_base64(struct mlt_json_writer *w, struct mlt_bytes b);
// name and value in one: the common case
void mlt_jw_member(struct mlt_json_writer *w, const char *name, const char *value); // NULL value writes null
void mlt_jw_member_bytes(struct mlt_json_writer *w, const char *name, struct mlt_bytes value);
void mlt_jw_member_value(struct mlt_json_writer *w, const char *name, const struct mlt_json *json, mlt_json_at at);
void mlt_jw_member_u64(struct mlt_json_writer *w, const char *name, uint64_t v);
void mlt_jw_member_bool(struct mlt_json_writer *w, const char *name, bool v);
void mlt_jw_member_raw(struct mlt_json_writer *w, const char *name, struct mlt_bytes json);

#endif
