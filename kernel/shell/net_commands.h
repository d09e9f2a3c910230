/* The operator's commands about the host's network devices. */
#ifndef SHELL_NET_COMMANDS_H
#define SHELL_NET_COMMANDS_H

#include "shell/command.h"

/* net_switch.c */
void run_net_switch(struct answer *a, struct vm *vm, const char *argument);

/* net_bench.c */
void run_net_bench(struct answer *a, struct vm *vm, const char *argument);

#endif
