/** Named pipes. */
import { KnownError } from '../errors/known-error.ts';
import { loadLibc } from './libc.ts';
import { errnoName } from './netlink/netlink-error.ts';

/** Makes a named pipe, mkfifo(3); `mode` such as 0o600. Throws KERNEL_REFUSED. */
export function makeFifo(path: string, mode: number): void {
  const libc = loadLibc();
  if (libc.mkfifo(path, mode) !== 0) throw new KnownError('KERNEL_REFUSED', `Cannot make pipe "${path}": ${errnoName(libc.errno())}`);
}

const F_SETPIPE_SZ = 1031;

/** Makes room for so many bytes in a pipe, fcntl(2); as much as there was when the kernel does not give more. */
export function growPipe(fd: number, bytes: number): void {
  loadLibc().fcntl(fd, F_SETPIPE_SZ, bytes);
}
