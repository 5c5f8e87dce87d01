# What the tests of both installed libraries begin with, read by them: $component is installed into a prefix of its own,
# and exports what its header declares. The filter must see the names of $open, a library that does not hide them.
source=$1 build=$2 cc=$3 cxx=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cmake --install "$build" --component "$component" --prefix "$prefix" >"$work/install.log"
lib=$(dirname "$(find "$prefix" -name "libmltrail-$component.so")")
export PKG_CONFIG_PATH="$lib/pkgconfig" LD_LIBRARY_PATH="$lib"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# foreign_names: names that are not public, on standard input as nm prints them.
foreign_names() { awk 'NF == 3 && $2 != "A" {print $3}' | sed 's/@.*//' | grep -v '^mltrail_' || true; }

shared=$lib/libmltrail-$component.so
[ -z "$(nm -D --defined-only "$shared" | foreign_names)" ] || fail "the shared library exports more"
[ -z "$(nm -g --defined-only "$lib/libmltrail-$component.a" | foreign_names)" ] || fail "the static library exports more"
[ -n "$(nm -g --defined-only "$build/$open" | foreign_names)" ] || fail "the filter sees nothing"
exported=$(nm -D --defined-only "$shared" | awk '$2 == "T" {print $3}' | sed 's/@.*//' | sort)
declared=$(grep -ohE 'mltrail_[a-z_0-9]+\(' "$prefix/include/mltrail/$component.h" | tr -d '(' | sort -u)
[ "$exported" = "$declared" ] || fail "header and library differ: $exported / $declared"
readelf -d "$shared" | grep -q "SONAME.*libmltrail-$component.so.0" || fail "no versioned soname"
