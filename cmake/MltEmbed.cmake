# mlt_embed(TARGET FILE SYMBOL): the bytes of FILE become `const unsigned char SYMBOL[]` and `const size_t SYMBOL_len` of
# TARGET. The script of a page stays a script that an editor and a browser's tools know.
function(mlt_embed TARGET FILE SYMBOL)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${FILE})
  file(READ ${FILE} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " bytes "${bytes}")
  set(source ${CMAKE_BINARY_DIR}/embedded/${SYMBOL}.c)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <stddef.h>
extern const unsigned char ${SYMBOL}[];
extern const size_t ${SYMBOL}_len;
const unsigned char ${SYMBOL}[] = {
    ${bytes}
};
const size_t ${SYMBOL}_len = sizeof(${SYMBOL});
" @ONLY)
  target_sources(${TARGET} PRIVATE ${source})
endfunction()
