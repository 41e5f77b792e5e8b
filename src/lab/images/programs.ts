import { call, jump, keep, label, type TinyProgram } from './tiny-program.ts';

const SIGINT = 2;
const SIGTERM = 15;
const SIGCHLD = 17;

function signalMask(...signals: number[]): Uint8Array {
  const bytes = new Uint8Array(8);
  for (const signal of signals) bytes[(signal - 1) >> 3] = (bytes[(signal - 1) >> 3] ?? 0) | (1 << ((signal - 1) & 7));
  return bytes;
}

/** struct sockaddr_in (ip(7)) for any address. */
function anyAddress(port: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint16(0, 2, true);
  new DataView(bytes.buffer).setUint16(2, port, false);
  return bytes;
}

/**
 * Holds a pod's namespaces: waits, reaps what is left to it, ends on SIGTERM and SIGINT. The signals are blocked and waited
 * for, because a PID 1 without handlers ignores signals unless they are blocked (kernel/signal.c, sig_task_ignored).
 */
export const pauseProgram: TinyProgram = {
  code: [
    call('rt_sigprocmask', 0, { address: 'mask' }, 0, 8),
    label('wait'),
    call('rt_sigtimedwait', { address: 'mask' }, 0, 0, 8),
    jump('reap', { equals: SIGCHLD }),
    jump('wait', 'negative'),
    call('exit_group', 0),
    label('reap'),
    call('wait4', -1, 0, 1, 0),
    jump('reap', 'positive'),
    jump('wait'),
  ],
  data: { mask: signalMask(SIGINT, SIGTERM, SIGCHLD) },
  space: {},
};

/** Sends every UDP datagram on a port back to where it came from. */
export function udpEchoProgram(port: number): TinyProgram {
  return {
    code: [
      call('socket', 2, 2, 0),
      keep(0),
      call('bind', { kept: 0 }, { address: 'any' }, 16),
      jump('fail', 'negative'),
      label('next'),
      // The kernel overwrites the length of the address; a peer of this family always has 16 bytes.
      call('recvfrom', { kept: 0 }, { address: 'buffer' }, 65536, 0, { address: 'peer' }, { address: 'length' }),
      jump('next', 'negative'),
      keep(1),
      call('sendto', { kept: 0 }, { address: 'buffer' }, { kept: 1 }, 0, { address: 'peer' }, 16),
      jump('next'),
      label('fail'),
      call('exit_group', 1),
    ],
    data: { any: anyAddress(port), length: Uint8Array.of(16, 0, 0, 0) },
    space: { peer: 16, buffer: 65536 },
  };
}

/** Sends everything on a TCP connection back; a process per connection. */
export function tcpEchoProgram(port: number): TinyProgram {
  return {
    code: [
      // Ended children vanish by themselves only where SIGCHLD is ignored, so each round reaps.
      call('socket', 2, 1, 0),
      keep(0),
      call('setsockopt', { kept: 0 }, 1, 2, { address: 'one' }, 4),
      call('bind', { kept: 0 }, { address: 'any' }, 16),
      jump('fail', 'negative'),
      call('listen', { kept: 0 }, 1024),
      jump('fail', 'negative'),
      label('next'),
      call('accept4', { kept: 0 }, 0, 0, 0),
      jump('next', 'negative'),
      keep(1),
      call('clone', SIGCHLD, 0, 0, 0, 0),
      jump('child', 'zero'),
      call('close', { kept: 1 }),
      label('reap'),
      call('wait4', -1, 0, 1, 0),
      jump('reap', 'positive'),
      jump('next'),
      label('child'),
      call('close', { kept: 0 }),
      label('read'),
      call('read', { kept: 1 }, { address: 'buffer' }, 65536),
      jump('done', 'zero'),
      jump('done', 'negative'),
      keep(0),
      call('sendto', { kept: 1 }, { address: 'buffer' }, { kept: 0 }, 0x4000, 0, 0),
      jump('done', 'negative'),
      jump('read'),
      label('done'),
      call('exit_group', 0),
      label('fail'),
      call('exit_group', 1),
    ],
    data: { any: anyAddress(port), one: Uint8Array.of(1, 0, 0, 0) },
    space: { buffer: 65536 },
  };
}
