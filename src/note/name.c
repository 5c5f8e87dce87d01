// Names of keys and logs, and the characters that a note may hold (C2SP signed-note, "Format").
#include "note/format.h"

// Whether a Unicode space (property White_Space) begins at `p`; the controls among them are refused as such.
static bool is_space(const uint8_t *p, size_t left) {
    if (p[0] == ' ') {
        return true;
    }
    if (left >= 2 && p[0] == 0xc2) {
        return p[1] == 0x85 || p[1] == 0xa0;
    }
    if (left < 3) {
        return false;
    }
    if (p[0] == 0xe1) {
        return p[1] == 0x9a && p[2] == 0x80; // U+1680
    }
    if (p[0] == 0xe2 && p[1] == 0x80) {
        return p[2] <= 0x8a || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf; // U+2000..200A, 2028, 2029, 202F
    }
    return (p[0] == 0xe2 && p[1] == 0x81 && p[2] == 0x9f) || (p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80);
}

bool mlt_note_name_form(struct mlt_bytes name) {
    if (name.len == 0 || !mlt_utf8_valid(name)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == '+' || is_space(name.ptr + i, name.len - i)) {
            return false;
        }
    }
    return true;
}

bool mlt_note_name_valid(struct mlt_bytes name) {
    return name.len <= MLT_NOTE_NAME_MAX && mlt_note_name_form(name);
}

enum mlt_status mlt_note_check_characters(struct mlt_bytes text, struct mlt_error *err) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 && text.ptr[i] != '\n') {
            return mlt_fail(err, MLT_INVALID, "note has the control character 0x%02x at byte %zu, only newline may be",
                            text.ptr[i], i);
        }
    }
    if (!mlt_utf8_valid(text)) {
        return mlt_fail(err, MLT_INVALID, "note is not valid UTF-8");
    }
    return MLT_OK;
}

enum mlt_status mlt_note_check_text(struct mlt_bytes text, struct mlt_error *err) {
    if (text.len == 0 || text.ptr[text.len - 1] != '\n') {
        return mlt_fail(err, MLT_INVALID, "note text must end with a newline");
    }
    return mlt_note_check_characters(text, err);
}
