# Reads `ctest --verbose` and prints "passed failed skipped". A cmocka program counts as its tests, any other as one.
/^ *[0-9]+: \[  PASSED  \] [0-9]+ test/ { n = $1 + 0; inner[n] = 1; passed += $5 }
/^ *[0-9]+: \[  FAILED  \] [0-9]+ test/ { n = $1 + 0; inner[n] = 1; failed += $5; bad[n] = 1 }
/^ *[0-9]+: \[  SKIPPED \] [0-9]+ test/ { n = $1 + 0; inner[n] = 1; skipped += $5 }
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+:/ {
    match($0, /#[0-9]+/)
    n = substr($0, RSTART + 1, RLENGTH - 1) + 0
    if ($0 ~ /\*\*\*Skipped/) skipped++
    else if ($0 ~ / Passed /) passed += !(n in inner)
    else failed += !(n in bad)   # a crash, a time-out or a failure outside any test
}
END { print passed + 0, failed + 0, skipped + 0 }
