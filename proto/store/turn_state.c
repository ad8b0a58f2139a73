#include "proto/store/turn_state.h"

const char *turn_state_word(enum turn_state s)
{
    switch (s) {
#define X(name, word)                                                                              \
    case TURN_##name:                                                                              \
        return word;
        TURN_STATES(X)
#undef X
    }
    return "none";
}

bool turn_state_over(enum turn_state s)
{
    return s == TURN_DONE || s == TURN_FAILED || s == TURN_CANCELLED;
}
