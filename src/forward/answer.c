#include "forward/answer.h"

enum mlt_answer mlt_answer_judge(int status, bool batch) {
    if (status >= 200 && status < 300) {
        return MLT_ANSWER_TAKEN;
    }
    switch (status) {
    case 401: // the token, the address or the server are what is wrong; somebody will repair it
    case 403:
    case 407:
    case 408:
    case 409:
    case 421:
    case 425:
    case 426:
    case 429:
        return MLT_ANSWER_LATER;
    case 404:
    case 405:
        return batch ? MLT_ANSWER_LATER : MLT_ANSWER_REFUSED;
    case 422:
        return batch ? MLT_ANSWER_TAKEN : MLT_ANSWER_REFUSED;
    default:
        return status >= 400 && status < 500 ? MLT_ANSWER_REFUSED : MLT_ANSWER_LATER;
    }
}
