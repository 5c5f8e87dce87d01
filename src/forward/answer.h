// What the server's status says about what was sent to it.
#ifndef MLT_FORWARD_ANSWER_H
#define MLT_FORWARD_ANSWER_H

#include <stdbool.h>

enum mlt_answer {
    MLT_ANSWER_TAKEN,   // it says of each record what became of it
    MLT_ANSWER_REFUSED, // what was sent is wrong
    MLT_ANSWER_LATER,   // it speaks of us, or of the server's own trouble
};
// mlt_answer_judge: `batch` when what was sent are lines for a route that every server of ours has and that answers
// each of them. A 422 is then such an answer, or, when its body is none, a refusal.
enum mlt_answer mlt_answer_judge(int status, bool batch);

#endif
