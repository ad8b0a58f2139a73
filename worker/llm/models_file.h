/* worker/llm/models_file.h: PERSAI_MODELS read; what its fields mean is on worker/README.md. */
#ifndef WORKER_LLM_MODELS_FILE_H
#define WORKER_LLM_MODELS_FILE_H

#include "worker/llm/model.h"

enum { MODELS_MAX = 128 };

/* Appends to all (room for max). False and a sentence: which model, what is wrong. */
bool models_file_read(const char *path, struct model *all, unsigned max, unsigned *count,
                      char error[256]);

#endif
