/* worker/tools/perses/panel.h: a Perses panel from a call's arguments, and its place in a
 * dashboard. Pure.
 *
 * The shapes are those of Perses's dashboard API (perses.dev, docs/api/dashboard) and of its
 * plugins' CUE schemas. Inside worker/tools only. */
#ifndef WORKER_TOOLS_PERSES_PANEL_H
#define WORKER_TOOLS_PERSES_PANEL_H

#include <jansson.h>
#include "common/buf.h"

enum { PANEL_COLUMNS = 24, PANEL_HALF = 12 }; /* of the grid */

/* A new reference. args: title, query and, where given, kind, unit, description. datasource: its
 * name, or empty: the project's default one. */
json_t *panel_define(const json_t *args, struct str datasource);
/* Puts it into a dashboard's spec, below what the group has; of two halves the second goes beside
 * the first. group: a title, made if it is not there; empty: the last group. */
void panel_place(json_t *spec, const char *key, json_t *take_panel, struct str group, int width);

#endif
