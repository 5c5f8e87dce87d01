// What must succeed in a test whose fixture `f` has the error in `err`.
#ifndef MLT_TESTS_LIB_OK_H
#define MLT_TESTS_LIB_OK_H

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        if ((call) != MLT_OK) {                                                                                        \
            fail_msg("%s: %s", #call, f->err.text);                                                                    \
        }                                                                                                              \
    } while (0)

#endif
