/** Modules of the kernel, loaded by modprobe. */
import { type Exec, systemExec } from './exec.ts';

/** Those that there are, by one process. A kernel that has one built in knows no such module, and where no modules are modprobe may be missing: neither is an error. */
export async function loadModules(names: readonly string[], exec: Exec = systemExec): Promise<void> {
  await exec.run('modprobe', ['-qa', ...names]).catch(() => undefined);
}
