#include "common/utf8.h"

#include "common/buf.h"

uint32_t utf8_decode(const unsigned char *at, size_t left, size_t *len)
{
    size_t want = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    *len = 1;
    if (want == 1)
        return at[0];
    if (want > left || !(at[0] >= 0xc2 && at[0] <= 0xf4) ||
        !str_utf8((struct str){(const char *)at, want}))
        return 0xfffd;
    uint32_t c = at[0] & (0x7fu >> want);
    for (size_t i = 1; i < want; i++)
        c = c << 6 | (at[i] & 0x3fu);
    *len = want;
    return c;
}

bool utf8_invisible(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
        {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
        {0x8e2, 0x8e2},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x2800, 0x2800},
        {0x3164, 0x3164},   {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
        {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
        {0xf0000, 0x10ffff}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}
