/* common/list.h: intrusive doubly linked list. A node is in one list at most; an initialised node
 * is a list of itself. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_push(struct list *l, struct list *node) /* to the end */
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}
static inline void list_unshift(struct list *l, struct list *node) /* to the front */
{
    list_push(l->next, node);
}
static inline void list_remove(struct list *node) /* also of a node that is in no list */
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_of(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))
#define list_first(l, type, member) (list_empty(l) ? NULL : list_of((l)->next, type, member))
/* Of a list that is not empty. */
#define list_head(l, type, member) list_of((l)->next, type, member)
/* Safe against removal of the current node. */
#define list_each(l, node, tmp)                                                                    \
    for (struct list *node = (l)->next, *tmp = node->next; node != (l);                            \
         node = tmp, tmp = node->next)

#endif
