/* gateway/turn/turns_priv.h: what turns.c and claim.c share. Nobody else includes it. */
#ifndef GATEWAY_TURN_TURNS_PRIV_H
#define GATEWAY_TURN_TURNS_PRIV_H

#include "gateway/turn/turns.h"

enum { TURN_MAGIC = 0x5455524e };

/* turns.c: the one way in which a turn's place changes. */
void turns_move(struct turn *t, enum turn_place to);
bool turns_driven(enum turn_place p); /* by this gateway */
/* It is not driven here any more: followers find the rest, and how it ended, in the store. */
void turns_leave_to_store(struct turn *t);

/* claim.c: the store is asked for the turn's next epoch, for this gateway. died: its worker died on
 * it. adopted: it was another's, and is taken only if nobody holds it. */
void turns_claim(struct turn *t, bool died, bool adopted);
void turns_ask_claim(struct turn *t); /* once more: the store did not answer */

#endif
