/* The operator's commands about the host's network devices. */
#ifndef SHELL_NET_COMMANDS_H
#define SHELL_NET_COMMANDS_H

struct vm;

void run_net_list(struct vm *vm, const char *argument);

/* net_switch.c */
void run_net_switch(struct vm *vm, const char *argument);

/* net_bench.c */
void run_net_bench(struct vm *vm, const char *argument);

#endif
