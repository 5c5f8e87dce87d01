// VERIFY.txt of an extract.
#include "bundle/extract.h"

const char mlt_extract_how_to[] =
    "HOW TO CHECK THIS EXTRACT\n"
    "\n"
    "It holds every entry of a range of the log (entries/: two bytes of length, high byte first, and the entry, one "
    "after\n"
    "the other), with what you may see of their payloads and salts (payloads/) and their details. extract.json says "
    "which\n"
    "range, and carries the checkpoint and the paths of the first and the last entry, which prove that none is "
    "missing.\n"
    "\n"
    "    mltrail verify extract.zip --key trail.vkey\n"
    "\n"
    "Take the key from the log's owner or a witness, not from whoever gave you this file. docs/FORMAT.md of mltrail\n"
    "describes every byte. The hash of an entry is SHA-256 over a zero byte and its bytes (RFC 6962).\n";
