/* Between smp.c and smp_start.S. */
#ifndef SMP_H
#define SMP_H

#define AP_PAGE 0x8000 /* where SIPI starts it */

#ifndef __ASSEMBLY__
void ap_main(void);
#endif

#endif
