# scripts/*/*.lua → a C table: OUT.h (enum of names), OUT.c (sources). The prelude goes behind a script's first line,
# which is its flags. A comment line "-- Durable." makes it so (redis.h).
#   cmake -DSCRIPTS=DIR -DOUT=PATH -P embed.cmake
file(GLOB scripts ${SCRIPTS}/*/*.lua)
list(SORT scripts)
file(READ ${SCRIPTS}/prelude.lua shared HEX)
file(READ ${SCRIPTS}/prelude.lua shared_text)
set(names "")
set(arrays "")
set(rows "")
foreach(script ${scripts})
  file(RELATIVE_PATH name ${SCRIPTS} ${script})        # turn/seal.lua is SCRIPT_turn_seal
  string(REGEX REPLACE "\\.lua$" "" name ${name})
  string(REPLACE "/" "_" name ${name})
  file(READ ${script} text HEX)
  string(FIND "${text}" "0a2d2d" cut)            # "\n--": the comment that must follow the flags
  math(EXPR odd "${cut} % 2")
  if(cut LESS 0 OR odd)
    message(FATAL_ERROR "${script}: a line of flags, then a comment")
  endif()
  math(EXPR cut "${cut} + 2")
  string(SUBSTRING "${text}" 0 ${cut} first)
  string(SUBSTRING "${text}" ${cut} -1 rest)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${first}${shared}${rest}")
  string(REPLACE "0x0a," "0x0a,\n" bytes "${bytes}")
  file(READ ${script} text_itself)
  string(FIND "${text_itself}" "\n--" cut)
  math(EXPR cut "${cut} + 1")
  string(SUBSTRING "${text_itself}" 0 ${cut} first)
  string(SUBSTRING "${text_itself}" ${cut} -1 rest)
  string(SHA1 sha "${first}${shared_text}${rest}") # by which Redis knows it
  string(FIND "${text}" "0a2d2d2044757261626c652e" marked) # "\n-- Durable."
  set(durable "true")
  if(marked LESS 0)
    set(durable "false")
  endif()
  string(APPEND names "    SCRIPT_${name},\n")
  string(APPEND arrays "static const char ${name}[] = {${bytes}0};\n")
  string(APPEND rows "    {.name = \"${name}\", .source = ${name}, .sha = \"${sha}\", .durable = ${durable}},\n")
endforeach()
set(made "/* Made of proto/store/scripts by embed.cmake. */\n")
file(WRITE ${OUT}.h "${made}#ifndef STORE_SCRIPTS_H\n#define STORE_SCRIPTS_H\n#include \"common/redis/script.h\"\n"
     "enum store_script {\n${names}    SCRIPT_COUNT\n};\n"
     "extern const struct redis_script store_scripts[SCRIPT_COUNT];\n#endif\n")
file(WRITE ${OUT}.c "${made}#include \"proto/store/scripts.h\"\n${arrays}"
     "const struct redis_script store_scripts[SCRIPT_COUNT] = {\n${rows}};\n")
