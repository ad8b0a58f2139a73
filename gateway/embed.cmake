# A text as a C array: OUT.c with `const unsigned char NAME[]`, NUL-terminated.
#   cmake -DIN=FILE -DNAME=NAME -DOUT=PATH -P embed.cmake
file(READ ${IN} text HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${text}")
string(REPLACE "0x0a," "0x0a,\n" bytes "${bytes}")
file(WRITE ${OUT}.c "extern const unsigned char ${NAME}[];\nconst unsigned char ${NAME}[] = {${bytes}0};\n")
