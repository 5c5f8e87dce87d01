#ifndef MLT_ARCHIVE_ARCHIVE_LAYOUT_H
#define MLT_ARCHIVE_ARCHIVE_LAYOUT_H

#include <zip.h>

#include "base/status.h"

// mlt_archive_check_layout walks an archive whose directory libzip has read. MLT_INVALID: it has room for something
// else than its members.
enum mlt_status mlt_archive_check_layout(zip_source_t *source, struct mlt_error *err) MLT_MUST_USE;

#endif
