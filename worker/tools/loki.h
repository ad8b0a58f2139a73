/* worker/tools/loki.h: the tools for logs (Loki), traces (Tempo), profiles (Pyroscope) and alerts
 * (Alertmanager), each through a Perses datasource of its kind. Inside worker/tools only. */
#ifndef WORKER_TOOLS_LOKI_H
#define WORKER_TOOLS_LOKI_H

#include "worker/tools/run.h"

void loki_query(struct tool_run *r);
void loki_labels(struct tool_run *r);
void loki_series(struct tool_run *r);
void loki_patterns(struct tool_run *r);
void loki_volume(struct tool_run *r);

void tempo_search(struct tool_run *r);
void tempo_trace(struct tool_run *r);
void tempo_tags(struct tool_run *r);

void pyroscope_types(struct tool_run *r);
void pyroscope_top(struct tool_run *r);

void alertmanager_alerts(struct tool_run *r);
void alertmanager_silences(struct tool_run *r);

#endif
