// The words of enum mltrail_status: each public library gives them under a name of its own.
#ifndef MLT_BASE_PUBLIC_STATUS_H
#define MLT_BASE_PUBLIC_STATUS_H

#include <mltrail/status.h>

const char *mlt_public_status_name(enum mltrail_status status);

#endif
