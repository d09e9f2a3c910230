/* Lab 1's solution is the kernel's own file. */
#include "kernel/svm/start.c"
