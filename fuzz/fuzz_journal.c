// links: mlt_store
//
// Whatever parses as a group holds exactly the entries and details that it counts, within its bytes; a header that
// parses is encoded to the same bytes again. The first byte chooses between the two; the CRC of a group is not asked
// for, since no fuzzer finds one.
#include <stdlib.h>

#include "store/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void try_group(struct mlt_bytes bytes) {
    struct mlt_group g;
    struct mlt_error err = {0};
    struct mlt_bytes entry;
    struct mlt_detail detail;
    size_t at = 0;
    uint32_t num_entries = 0;
    if (mlt_group_parse(&g, bytes, false, &err) != MLT_OK) {
        require(err.status == MLT_CORRUPT && err.text[0] != '\0');
        return;
    }
    while (mlt_group_entry(&g, &at, &entry)) {
        require(entry.ptr >= bytes.ptr && entry.ptr + entry.len <= bytes.ptr + bytes.len);
        num_entries++;
    }
    require(num_entries == g.count && mlt_group_len(&g) == bytes.len);
    at = 0;
    while (mlt_group_detail(&g, &at, &detail)) {
        require(detail.bytes.ptr + detail.bytes.len <= bytes.ptr + bytes.len);
    }
}

static void try_header(struct mlt_bytes bytes) {
    struct mlt_journal_header h;
    uint8_t again[MLT_IO_ALIGN];
    if (mlt_journal_header_parse(&h, bytes)) {
        struct mlt_journal_header second;
        mlt_journal_header_encode(again, &h);
        require(mlt_journal_header_parse(&second, mlt_bytes_of(again, sizeof(again))));
        require(second.sequence == h.sequence && second.mark.size == h.mark.size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 0) {
        struct mlt_bytes rest = mlt_bytes_of(data + 1, size - 1);
        if (data[0] == 'h') {
            try_header(rest);
        } else {
            try_group(rest);
        }
    }
    return 0;
}
