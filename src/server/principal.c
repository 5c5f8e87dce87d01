// Who runs a command on a directory, or asks through its socket.
#include <pwd.h>
#include <stdio.h>

#include "server/api.h"

void mlt_principal_local(struct mlt_principal *out, unsigned uid) {
    memset(out, 0, sizeof *out);
    struct passwd entry;
    struct passwd *found = NULL;
    char text[4096]; // one line of the password file
    if (getpwuid_r(uid, &entry, text, sizeof text, &found) == 0 && found) {
        (void)snprintf(out->name, sizeof out->name, "local:%.200s", found->pw_name);
    } else {
        (void)snprintf(out->name, sizeof out->name, "local:%u", uid);
    }
    (void)snprintf(out->assurance, sizeof out->assurance, "local");
    out->grant.rights = MLT_MAY_ALL;
    out->grant.payloads = true;
}
