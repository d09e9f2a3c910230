/* A GUID partition table with one partition, the EFI system partition. */
#ifndef TOOLS_GPT_H
#define TOOLS_GPT_H

#include "lib/types.h"

/* Sectors before and behind the partition: whole MiB suit every medium. */
#define GPT_HEAD 2048u
#define GPT_TAIL 2048u

/* The partition has sectors from GPT_HEAD on. */
void gpt_write(u32 sectors);

#endif
