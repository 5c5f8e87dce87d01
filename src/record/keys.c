#include "record/draft.h"

enum mlt_status mlt_record_keys_sealer(struct mlt_sealer **out, const struct mlt_record_keys *keys,
                                       struct mlt_error *err) {
    enum mlt_status st = mlt_sealer_new(out, keys->kek, err);
    if (!st && keys->has_old_kek) {
        st = mlt_sealer_accept(*out, keys->old_kek, err);
        if (st) {
            mlt_sealer_free(*out);
            *out = NULL;
        }
    }
    return st;
}
