// Inference events of KServe and Seldon Core v1: requests and responses become the two halves of a prediction.
//
// An event has one half only, and which comes first nobody knows. Both halves have the same request_id, row and
// deployment, so that the lineage walk puts them together (lineage/halves.h).
#ifndef MLT_CAPTURE_KSERVE_H
#define MLT_CAPTURE_KSERVE_H

#include "capture/cloudevents.h"

#define MLT_KSERVE_ROWS_MAX 1000 // as many as a dossier has; a longer batch stays in one piece
#define MLT_KSERVE_REPEATED_MAX ((size_t)16 * 1024 * 1024) // what the rows of one event repeat of it; more: one piece
#define MLT_KSERVE_TENSORS_MAX 256 // that are split by rows; wide tables have a tensor for each column
#define MLT_KSERVE_KEPT_MAX                                                                                            \
    ((size_t)5 << 19) // bytes of one value: as base64 it fits a payload of 4 MiB; of a longer one the digest is kept

// mlt_kserve_knows: events of this type are halves of predictions.
bool mlt_kserve_knows(struct mlt_bytes type);
// mlt_kserve_record writes the records of an event of a known type: one, or one for each row of a batch.
enum mlt_status mlt_kserve_record(struct mlt_capture *out, const struct mlt_cloudevent *event,
                                  const struct mlt_foreign *msg, struct mlt_error *err);

#endif
